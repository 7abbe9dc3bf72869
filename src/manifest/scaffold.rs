//! The built-in runbooks, derived from a group's targets: what a group without a runbook of its own uses, and what
//! `lifeboat runbook scaffold` prints as a start.
//!
//! The shape: fence, in planned runs catch up, promote, verify, for each target on its own and in parallel; switch the
//! names after all promotions; wait for every probe that all serving regions have; in planned runs make the old side
//! a copy of the new one, when service is back.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value};

use super::document::Document;
use crate::{
    model::{Capability, DrillPolicy, MemberRole, OnFailure, RunKind, RunbookName, StepName, TargetName, Verb},
    port::Catalog,
    spec::{API_VERSION, ProtectionGroupSpec, RegionSpec, RunbookSpec, StepSpec, TargetKind},
};

/// Seconds to wait for a probe of the destination. Connections, caches and resolvers settle within a minute.
const AWAIT_SECONDS: u64 = 60;

/// The name of a built-in runbook: `built-in-failover`.
pub fn name(kind: RunKind) -> Option<RunbookName> {
    RunbookName::new(format!("built-in-{kind}")).ok()
}

/// The built-in runbook of a kind of run.
pub fn spec(
    kind: RunKind,
    group: &ProtectionGroupSpec,
    regions: &[Document<RegionSpec>],
    catalog: &dyn Catalog,
) -> RunbookSpec {
    let steps = draft(kind, group, regions, catalog).into_iter().map(|(step, _)| step).collect();
    RunbookSpec { description: description(kind).to_owned(), steps }
}

/// The same as text, with a comment at each step.
pub fn text(
    kind: RunKind,
    name: &RunbookName,
    group: &ProtectionGroupSpec,
    regions: &[Document<RegionSpec>],
    catalog: &dyn Catalog,
) -> String {
    let mut text =
        format!("apiVersion: {API_VERSION}\nkind: Runbook\nmetadata:\n  name: {}\nspec:\n", scalar(name.as_str()));
    let _ok = writeln!(text, "  description: {}\n  steps:", description(kind));
    for (step, why) in draft(kind, group, regions, catalog) {
        write_step(&mut text, &step, why);
    }
    text
}

fn description(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Failover => "Move every target to the destination region. Works without the source region.",
        RunKind::Switchover => "Move every target to the destination region, as planned and without loss.",
        RunKind::Failback => "Move every target back to the preferred region, as planned and without loss.",
    }
}

/// Steps so far, and where the next ones tie in.
struct Draft<'a> {
    steps: Vec<(StepSpec, &'static str)>,
    names: BTreeSet<StepName>,
    catalog: &'a dyn Catalog,
}

fn draft(
    kind: RunKind,
    group: &ProtectionGroupSpec,
    regions: &[Document<RegionSpec>],
    catalog: &dyn Catalog,
) -> Vec<(StepSpec, &'static str)> {
    let mut draft = Draft { steps: Vec::new(), names: BTreeSet::new(), catalog };
    let before = draft.prepare(kind, group);
    let Moved { promoted, verified } = draft.move_copies(kind, group, &before);
    let mut switched = Vec::new();
    for target in &group.targets {
        let Ok(driver) = target.kind() else { continue };
        if driver.capability() == Capability::Dns {
            let switch = draft.add("switch", Verb::DnsSwitch, &target.name, driver, &promoted, false, SWITCH);
            let verify = draft.add("verify", Verb::DnsVerify, &target.name, driver, &switch, false, VERIFY_DNS);
            switched.extend(verify.or(switch));
        }
    }
    let ready =
        if switched.is_empty() { if verified.is_empty() { promoted } else { verified.clone() } } else { switched };
    let mut awaited: Vec<StepName> = Vec::new();
    for probe in common_probes(group, regions) {
        awaited.extend(draft.add_await(&probe, &ready));
    }
    let mut served = if awaited.is_empty() { ready } else { awaited };
    served.extend(verified);
    served.dedup();
    if kind.planned() {
        draft.reverse(group, &served);
    }
    draft.steps
}

const REJOIN: &str = "After a failover this side is of the past: make it a copy of the one that serves.";
const COPY: &str = "While users still work: copy most of what is missing, so that the outage copies little.";
const FENCE: &str = "The old side must accept nothing any more before the new one may.";
const CATCH_UP: &str = "A planned run loses nothing: wait until the destination has everything.";
const PROMOTE: &str = "Make the destination's copy the real one.";
const VERIFY: &str = "Prove it by a write, while the names are being switched.";
const SWITCH: &str = "Send users to the destination, after every promotion.";
const VERIFY_DNS: &str = "Every authoritative server must give the new answer.";
const AWAIT: &str = "Service is back when the destination's probe says so.";
const REVERSE: &str = "Service is back; make the old side a copy of the new one, so that there is a way back.";

/// The verbs of a capability that has copies.
struct Verbs {
    fence: Verb,
    catch_up: Verb,
    promote: Verb,
    verify: Verb,
    reverse: Verb,
}

impl Verbs {
    fn of(capability: Capability) -> Option<Self> {
        match capability {
            Capability::Database => Some(Self {
                fence: Verb::DatabaseFence,
                catch_up: Verb::DatabaseCatchUp,
                promote: Verb::DatabasePromote,
                verify: Verb::DatabaseVerify,
                reverse: Verb::DatabaseReverse,
            }),
            Capability::Storage => Some(Self {
                fence: Verb::StorageFence,
                catch_up: Verb::StorageCatchUp,
                promote: Verb::StoragePromote,
                verify: Verb::StorageVerify,
                reverse: Verb::StorageReverse,
            }),
            Capability::Dns | Capability::General => None,
        }
    }
}

/// What became of the targets that have copies.
struct Moved {
    promoted: Vec<StepName>,
    verified: Vec<StepName>,
}

impl Draft<'_> {
    /// Fences every target, and then moves each on its own. Buckets elect no primary among themselves: what protects
    /// them is the fence of the databases whose service writes them, so their promotion needs those too.
    fn move_copies(&mut self, kind: RunKind, group: &ProtectionGroupSpec, before: &[StepName]) -> Moved {
        let mut moved = Moved { promoted: Vec::new(), verified: Vec::new() };
        let mut fenced = Vec::new();
        let mut databases = Vec::new();
        for (name, driver, verbs) in with_copies(group) {
            let best_effort = driver.capability() == Capability::Storage && !kind.planned();
            let fence = self.add("fence", verbs.fence, name, driver, before, best_effort, FENCE);
            if driver.capability() == Capability::Database {
                databases.extend(fence.clone());
            }
            fenced.push(fence);
        }
        for ((name, driver, verbs), fence) in with_copies(group).zip(fenced) {
            let mut last: Vec<StepName> = fence.into_iter().collect();
            if kind.planned() {
                let catch_up = self.add("catch-up", verbs.catch_up, name, driver, &last, false, CATCH_UP);
                last = catch_up.map_or(last, |catch_up| vec![catch_up]);
            }
            if driver.capability() == Capability::Storage {
                last.extend(databases.iter().cloned());
            }
            let promote = self.add("promote", verbs.promote, name, driver, &last, false, PROMOTE);
            moved.verified.extend(self.add("verify", verbs.verify, name, driver, &promote, false, VERIFY));
            moved.promoted.extend(promote);
        }
        moved
    }

    /// Makes the old sides copies of the new ones, after service is back.
    fn reverse(&mut self, group: &ProtectionGroupSpec, served: &[StepName]) {
        for (name, driver, verbs) in with_copies(group).filter(|(_, driver, _)| can_reverse(*driver)) {
            self.add("reverse", verbs.reverse, name, driver, served, false, REVERSE);
        }
    }

    /// What a planned run does while users still work.
    fn prepare(&mut self, kind: RunKind, group: &ProtectionGroupSpec) -> Vec<StepName> {
        let mut before = Vec::new();
        for target in group.targets.iter().filter(|_| kind.planned()) {
            let Ok(driver) = target.kind() else { continue };
            let name = &target.name;
            match (driver.capability(), kind) {
                (Capability::Storage, RunKind::Failback) => {
                    before.extend(self.rejoin(Verb::StorageReverse, name, driver));
                }
                (Capability::Storage, RunKind::Failover | RunKind::Switchover) => {
                    before.extend(self.add("copy", Verb::StorageCatchUp, name, driver, &[], false, COPY));
                }
                (Capability::Database, RunKind::Failback) => {
                    before.extend(self.rejoin(Verb::DatabaseReverse, name, driver));
                }
                (Capability::Database, RunKind::Failover | RunKind::Switchover)
                | (Capability::Dns | Capability::General, _) => {}
            }
        }
        before
    }

    /// Makes the destination a copy again, where the driver can.
    fn rejoin(&mut self, reverse: Verb, target: &TargetName, driver: TargetKind<'_>) -> Option<StepName> {
        let with = Map::from_iter([("member".to_owned(), Value::from("destination"))]);
        let facts = self.catalog.descriptor(Some(driver.driver()), driver.capability(), reverse)?;
        (facts.check)(&with).ok().filter(|()| can_reverse(driver))?;
        let name = self.add("rejoin", reverse, target, driver, &[], false, REJOIN)?;
        if let Some((step, _)) = self.steps.last_mut() {
            step.with = with;
        }
        Some(name)
    }

    /// Adds a step if the driver has the verb, and answers with its name.
    #[expect(clippy::too_many_arguments, reason = "a step has that many parts, and every call names them in order")]
    fn add<'n>(
        &mut self,
        prefix: &str,
        verb: Verb,
        target: &TargetName,
        driver: TargetKind<'_>,
        needs: impl IntoIterator<Item = &'n StepName>,
        best_effort: bool,
        why: &'static str,
    ) -> Option<StepName> {
        self.catalog.descriptor(Some(driver.driver()), driver.capability(), verb)?;
        let mut step = blank(self.name(prefix, target.as_str())?, verb);
        step.target = Some(target.clone());
        step.needs = needs.into_iter().cloned().collect();
        step.best_effort = best_effort;
        let name = step.name.clone();
        self.steps.push((step, why));
        Some(name)
    }

    fn add_await(&mut self, probe: &str, needs: &[StepName]) -> Option<StepName> {
        self.catalog.descriptor(None, Capability::General, Verb::ProbeAwait)?;
        let mut step = blank(self.name("await", probe)?, Verb::ProbeAwait);
        step.with = Map::from_iter([
            ("probe".to_owned(), Value::from(probe)),
            ("within".to_owned(), Value::from(AWAIT_SECONDS)),
        ]);
        step.needs = needs.to_vec();
        let name = step.name.clone();
        self.steps.push((step, AWAIT));
        Some(name)
    }

    /// `fence-orders-db`, cut to what a name may be, with a number when it is taken.
    fn name(&mut self, prefix: &str, of: &str) -> Option<StepName> {
        let whole = format!("{prefix}-{of}");
        for number in 1..1_000_u32 {
            let tail = if number == 1 { String::new() } else { format!("-{number}") };
            let cut = whole.get(..whole.len().min(63 - tail.len())).unwrap_or(&whole).trim_end_matches('-');
            let name = StepName::new(format!("{cut}{tail}")).ok()?;
            if self.names.insert(name.clone()) {
                return Some(name);
            }
        }
        None
    }
}

fn blank(name: StepName, verb: Verb) -> StepSpec {
    StepSpec {
        name,
        uses: verb.to_string(),
        target: None,
        with: Map::new(),
        needs: Vec::new(),
        when: None,
        verify: None,
        timeout_seconds: None,
        retry: None,
        on_failure: OnFailure::default(),
        undo: None,
        drill: DrillPolicy::default(),
        best_effort: false,
        manual: None,
    }
}

/// Targets that have a copy in each region.
fn with_copies(group: &ProtectionGroupSpec) -> impl Iterator<Item = (&TargetName, TargetKind<'_>, Verbs)> {
    group.targets.iter().filter_map(|target| {
        let driver = target.kind().ok()?;
        Some((&target.name, driver, Verbs::of(driver.capability())?))
    })
}

/// A database without a program for it can be made a copy only by hand.
fn can_reverse(driver: TargetKind<'_>) -> bool {
    !matches!(driver, TargetKind::Postgres(postgres) if postgres.reverse.is_none())
}

/// Names of probes that every serving region has, in the order of the first one.
fn common_probes(group: &ProtectionGroupSpec, regions: &[Document<RegionSpec>]) -> Vec<String> {
    let serving: Vec<Option<&RegionSpec>> = group
        .regions
        .iter()
        .filter(|region| region.role != MemberRole::Witness)
        .map(|member| regions.iter().find(|region| region.name == member.name).map(|region| region.spec.as_ref()))
        .collect();
    let Some(Some(first)) = serving.first() else { return Vec::new() };
    let everywhere = |name: &str| {
        serving
            .iter()
            .all(|region| region.is_some_and(|region| region.probes.iter().any(|probe| probe.name.as_str() == name)))
    };
    first.probes.iter().map(|probe| probe.name.as_str().to_owned()).filter(|name| everywhere(name)).collect()
}

fn write_step(text: &mut String, step: &StepSpec, why: &str) {
    let _ok = writeln!(text, "\n  # {why}\n  - name: {}\n    uses: {}", scalar(step.name.as_str()), step.uses);
    if let Some(target) = &step.target {
        let _ok = writeln!(text, "    target: {}", scalar(target.as_str()));
    }
    if !step.with.is_empty() {
        let _ok = writeln!(text, "    with:");
        for (key, value) in &step.with {
            let value = value.as_str().map_or_else(|| value.to_string(), scalar);
            let _ok = writeln!(text, "      {key}: {value}");
        }
    }
    if !step.needs.is_empty() {
        let needs: Vec<String> = step.needs.iter().map(|need| scalar(need.as_str())).collect();
        let _ok = writeln!(text, "    needs: [{}]", needs.join(", "));
    }
    if step.best_effort {
        let _ok = writeln!(text, "    bestEffort: true");
    }
}

/// A name as YAML: bare, but for the words that some reader takes for something else than a text.
fn scalar(name: &str) -> String {
    const TAKEN: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if TAKEN.contains(&name) { format!("\"{name}\"") } else { name.to_owned() }
}
