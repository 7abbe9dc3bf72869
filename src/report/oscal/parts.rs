//! What the three documents are made of. Every name is made here, so that references and what they name agree.

use super::words::{
    Component, Control, Dependency, Entry, Evidence, Finding, Frequency, Hash, Item, Link, Log, Metadata, Observation,
    Prop, RelatedObservation, RelatedRisk, Resource, ReviewedControls, Risk, Selection, Status, Subject, Target, Task,
    Timing,
};
use crate::{
    decide::programme::Standing,
    evidence::{Action, Conclusion, Judgement, Record, Redacted, Verdict},
    model::{ControlCheck, ControlState},
    report::{
        Banner, ReportError, Terms, section,
        sheet::{self, NOT_RECORDED},
        uuid,
    },
};

/// The version that is written.
const OSCAL: &str = "1.2.1";
/// Of our own properties.
const NAMESPACE: &str = "https://lifeboat.dev/ns/oscal";

pub(super) struct Parts<'a> {
    redacted: &'a Redacted,
    terms: &'a Terms<'a>,
    pub(super) judgement: Judgement,
}

impl<'a> Parts<'a> {
    pub(super) fn of(redacted: &'a Redacted, terms: &'a Terms<'a>) -> Self {
        Self { redacted, terms, judgement: Judgement::of(redacted.record()) }
    }

    fn run(&self) -> &Record {
        self.redacted.record()
    }

    /// The name of something in these documents.
    pub(super) fn uuid(&self, what: &str) -> String {
        uuid::of(self.redacted, &format!("oscal {what}"))
    }

    /// A reference to a resource of the same document.
    pub(super) fn reference(&self, what: &str) -> String {
        format!("#{}", self.uuid(what))
    }

    pub(super) fn ssp(&self) -> String {
        self.reference("resource system")
    }

    pub(super) fn metadata(&self, what: &str) -> Metadata {
        let record = self.run();
        let last = record.events.last().map_or(record.opened_at, |event| event.at);
        let draft = self.terms.draft(record).map_or_else(String::new, |why| format!("DRAFT: {why}. "));
        Metadata {
            title: format!("{what}: {}, {}", record.run, sheet::title(record)),
            // The newest that it rests on, not the time of writing: the same record gives the same document.
            last_modified: last.to_string(),
            version: format!("{}-{}", record.run, record.events.len()),
            oscal_version: OSCAL,
            props: self.props(),
            remarks: format!("{draft}{} run.", Banner::of(record).as_str()),
        }
    }

    pub(super) fn props(&self) -> Vec<Prop> {
        let record = self.run();
        [
            ("environment", Banner::of(record).as_str()),
            ("verdict", self.judgement.verdict.as_str()),
            ("outcome", record.outcome.map_or("not closed", crate::model::Outcome::as_str)),
            ("rehearsal", if record.rehearsal { "true" } else { "false" }),
        ]
        .into_iter()
        .map(|(name, value)| prop(name, value))
        .collect()
    }

    pub(super) fn component(&self) -> Component {
        let record = self.run();
        Component {
            uuid: self.uuid("component"),
            kind: "service",
            title: record.group.to_string(),
            description: format!(
                "Protection group {}, to be moved from {} to {}.",
                record.group, record.source, record.destination
            ),
            status: Status { state: "operational", reason: None },
        }
    }

    pub(super) fn reviewed(&self) -> Result<ReviewedControls, ReportError> {
        let record = self.run();
        let mut ids: Vec<&String> =
            self.terms.controls.about(record).iter().filter_map(|support| support.oscal.as_ref()).collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Err(ReportError::NoControl { run: record.run.clone() });
        }
        let include_controls = ids.into_iter().map(|id| Control { control_id: id.clone() }).collect();
        Ok(ReviewedControls { control_selections: vec![Selection { include_controls }] })
    }

    /// The steps of the plan as tasks, each after what it needs.
    pub(super) fn steps(&self) -> Vec<Task> {
        let Ok(run) = self.run().replay() else { return Vec::new() };
        let name = |at: usize| format!("task step {at}");
        let tasks = run.plan().steps.iter().enumerate().map(|(at, step)| Task {
            uuid: self.uuid(&name(at)),
            kind: "action",
            title: step.name.to_string(),
            description: match &step.target {
                Some(target) => format!("{} of {target}", step.verb),
                None => step.verb.to_string(),
            },
            timing: None,
            dependencies: step.needs.iter().map(|need| Dependency { task_uuid: self.uuid(&name(need.at())) }).collect(),
        });
        tasks.collect()
    }

    /// The steps as they were carried out; those that never began are in the risks.
    pub(super) fn log(&self) -> Option<Log> {
        let entries: Vec<Entry> = self
            .run()
            .steps
            .iter()
            .enumerate()
            .filter_map(|(at, step)| {
                let why = step.why.as_ref().filter(|why| !why.trim().is_empty()).map(|why| format!(": {why}"));
                Some(Entry {
                    uuid: self.uuid(&format!("entry {at}")),
                    title: step.name.to_string(),
                    description: format!("{} {}{}", step.verb, step.state, why.unwrap_or_default()),
                    start: step.started?.to_string(),
                    end: step.ended.map(|at| at.to_string()),
                    props: vec![prop("state", &step.state), prop("attempts", &step.attempts.to_string())],
                })
            })
            .collect();
        (!entries.is_empty()).then_some(Log { entries })
    }

    pub(super) fn observations(&self) -> Vec<Observation> {
        let record = self.run();
        let (time, point) = (&record.measures.recovery_time, &record.measures.recovery_point);
        let (took, lost) = (section::time(record), section::loss(record));
        let measure = |name: &str, found: &section::Found, objective: u64, verdict: Verdict| {
            let mut props = vec![
                prop("measure", name),
                prop("objective-seconds", &objective.to_string()),
                prop("verdict", verdict.as_str()),
                prop("confidence", if found.ms.is_some() { "measured" } else { "not-measured" }),
            ];
            props.extend(found.ms.map(|ms| prop("measured-ms", &ms.to_string())));
            let described = format!("{name}: {}; allowed: {objective} s; verdict: {}.", found.words, verdict.as_str());
            self.observation(name, described, props)
        };
        let mut all = vec![
            self.observation(
                "outcome",
                format!(
                    "The {} ended so: {}. Verdict: {}.",
                    sheet::title(record),
                    record.outcome.map_or("not closed", crate::model::Outcome::as_str),
                    self.judgement.verdict.words()
                ),
                self.props(),
            ),
            measure("recovery-time", &took, time.objective_seconds, time.verdict),
            measure("data-loss", &lost, point.objective_seconds, point.verdict),
        ];
        all.extend(record.parity.iter().enumerate().map(|(at, check)| self.compared(at, check)));
        all
    }

    /// One control of one thing, compared between the regions.
    fn compared(&self, at: usize, check: &ControlCheck) -> Observation {
        let why = check.why.as_ref().map(|why| format!(" {why}.")).unwrap_or_default();
        let described = format!(
            "{} of {}: {}. Source: {}; destination: {}.{why}",
            check.control,
            check.what(),
            check.state.words(),
            check.source,
            check.destination
        );
        let state = match check.state {
            ControlState::Pass => "pass",
            ControlState::Fail => "fail",
            ControlState::NotChecked => "not-checked",
        };
        let props = vec![prop("control", check.control.activity()), prop("state", state)];
        self.observation(&format!("control-{at}"), described, props)
    }

    fn observation(&self, name: &str, description: String, props: Vec<Prop>) -> Observation {
        let record = self.run();
        let last = record.events.last().map_or(record.opened_at, |event| event.at);
        let evidence = Evidence {
            href: self.reference("resource record"),
            description: format!("The evidence record of {}.", record.run),
        };
        Observation {
            uuid: self.uuid(&format!("observation {name}")),
            title: name.to_owned(),
            description,
            props,
            methods: vec!["TEST"],
            subjects: vec![Subject { subject_uuid: self.uuid("component"), kind: "component" }],
            relevant_evidence: vec![evidence],
            collected: last.to_string(),
            expires: self.expires(),
        }
    }

    /// When what was seen counts no more: only of a run that passed and is closed.
    fn expires(&self) -> Option<String> {
        let record = self.run();
        let passed = matches!(self.judgement.verdict, Conclusion::Passed | Conclusion::PassedWithFindings);
        let age = i64::try_from(record.objectives.drill_max_age_seconds).ok().filter(|age| passed && *age > 0)?;
        Some(record.closed_at?.checked_add(jiff::SignedDuration::from_secs(age)).ok()?.to_string())
    }

    /// What is to be done about a finding, soonest first.
    fn actions_on<'t>(&'t self, finding: &'t str) -> impl Iterator<Item = &'t Action> {
        let of = move |action: &&Action| action.opened.finding.as_deref() == Some(finding);
        self.terms.programme.into_iter().flat_map(|programme| &programme.actions).filter(of)
    }

    /// The last day of an open action, as a moment.
    fn deadline(&self, finding: &str) -> Option<String> {
        let open = self.actions_on(finding).filter(|action| action.closed.is_none());
        open.map(|action| action.opened.due).min().map(end_of)
    }

    /// The risks: those of the verdict's findings, then those that persons found, then actions that answer no finding.
    pub(super) fn all_risks(&self) -> Vec<Risk> {
        let mut risks = self.risks();
        let Some(programme) = self.terms.programme else { return risks };
        risks.extend(programme.findings.iter().map(|found| Risk {
            uuid: self.uuid(&format!("risk {}", found.number)),
            title: format!("Finding {} about {}", found.number, self.run().run),
            description: found.what.text.clone(),
            statement: format!(
                "{} (found by {}, entry {} of the ledger)",
                found.what.text, found.what.by, found.number
            ),
            props: vec![prop("severity", found.what.severity.as_str())],
            status: "open",
            deadline: self.deadline(&found.number.to_string()),
        }));
        risks.extend(programme.actions.iter().filter(|action| action.opened.finding.is_none()).map(|action| Risk {
            uuid: self.uuid(&format!("risk action {}", action.number)),
            title: format!("What action {} is about", action.number),
            description: action.opened.text.clone(),
            statement: format!("No finding was named; entry {} of the ledger.", action.number),
            props: vec![prop("severity", action.opened.severity.as_str())],
            status: if action.closed.is_some() { "closed" } else { "open" },
            deadline: action.closed.is_none().then(|| end_of(action.opened.due)),
        }));
        risks
    }

    /// An item for each finding, and one for each action.
    pub(super) fn items(&self) -> Vec<Item> {
        let related = || vec![RelatedObservation { observation_uuid: self.uuid("observation outcome") }];
        let item = |id: &str, what: &str, title: String| Item {
            uuid: self.uuid(&format!("item {id}")),
            title,
            description: if self.actions_on(id).next().is_some() {
                what.to_owned()
            } else {
                format!("{what}. Owner and date: {NOT_RECORDED}.")
            },
            props: Vec::new(),
            related_observations: related(),
            related_risks: vec![RelatedRisk { risk_uuid: self.uuid(&format!("risk {id}")) }],
        };
        let run = &self.run().run;
        let mut items: Vec<Item> = self
            .judgement
            .findings
            .iter()
            .map(|found| item(&found.id, &found.what, format!("{} of {run}", found.id)))
            .collect();
        let Some(programme) = self.terms.programme else { return items };
        items.extend(programme.findings.iter().map(|found| {
            let id = found.number.to_string();
            item(&id, &found.what.text, format!("Finding {id} about {run}"))
        }));
        items.extend(programme.actions.iter().map(|action| {
            let opened = &action.opened;
            let risk = opened.finding.clone().unwrap_or_else(|| format!("action {}", action.number));
            Item {
                uuid: self.uuid(&format!("item action {}", action.number)),
                title: format!("Action {} of {run}", action.number),
                description: format!(
                    "{}. Owner: {}; due: {}; {}.",
                    opened.text,
                    opened.owner,
                    opened.due,
                    section::state(programme, action)
                ),
                props: vec![
                    prop("owner", opened.owner.as_str()),
                    prop("due", &opened.due.to_string()),
                    prop("state", if action.closed.is_some() { "closed" } else { "open" }),
                    prop("severity", opened.severity.as_str()),
                ],
                related_observations: related(),
                related_risks: vec![RelatedRisk { risk_uuid: self.uuid(&format!("risk {risk}")) }],
            }
        }));
        items
    }

    /// What the drill policies ask of the group, as tasks that come again.
    pub(super) fn requirements(&self) -> Vec<Task> {
        let standings = self.terms.programme.and_then(|programme| programme.standings.as_ref());
        let task = |one: &Standing| Task {
            uuid: self.uuid(&format!("task requirement {}", one.requirement)),
            kind: "milestone",
            title: format!("{} of {}", one.requirement, self.run().group),
            description: format!(
                "{} at least every {} days. {}{}.",
                one.kind,
                one.every_days,
                one.status.as_str(),
                one.due.map_or_else(String::new, |due| format!(", due {due}"))
            ),
            timing: Some(Timing { at_frequency: Frequency { period: u64::from(one.every_days), unit: "days" } }),
            dependencies: Vec::new(),
        };
        standings.into_iter().flatten().map(task).collect()
    }

    /// The risks that the verdict's findings are.
    pub(super) fn risks(&self) -> Vec<Risk> {
        let risk = |found: &crate::evidence::Finding| Risk {
            uuid: self.uuid(&format!("risk {}", found.id)),
            title: format!("{} of {}", found.id, self.run().run),
            description: found.what.clone(),
            statement: format!("{} (in the record: {})", found.what, found.place),
            props: vec![prop("severity", found.severity.as_str())],
            status: "open",
            deadline: self.deadline(&found.id),
        };
        self.judgement.findings.iter().map(risk).collect()
    }

    /// A state only where a run that moved something passed without a finding, or failed.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let record = self.run();
        if self.terms.observations_only || record.rehearsal {
            return Vec::new();
        }
        let (state, reason) = match self.judgement.verdict {
            Conclusion::Passed => ("satisfied", "pass"),
            Conclusion::Failed => ("not-satisfied", "fail"),
            Conclusion::PassedWithFindings | Conclusion::Inconclusive => return Vec::new(),
        };
        let mut statements: Vec<&String> =
            self.terms.controls.about(record).iter().filter_map(|support| support.statement.as_ref()).collect();
        statements.sort();
        statements.dedup();
        let observed = ["outcome", "recovery-time", "data-loss"]
            .map(|name| RelatedObservation { observation_uuid: self.uuid(&format!("observation {name}")) });
        let finding = |statement: &String| Finding {
            uuid: self.uuid(&format!("finding {statement}")),
            title: format!("{statement}: {state} by this run"),
            description: format!(
                "What this run showed of {statement}. It is the run's own account; an assessor decides."
            ),
            target: Target {
                kind: "statement-id",
                statement: statement.clone(),
                status: Status { state, reason: Some(reason) },
            },
            related_observations: observed
                .iter()
                .map(|seen| RelatedObservation { observation_uuid: seen.observation_uuid.clone() })
                .collect(),
            related_risks: self.risks().into_iter().map(|risk| RelatedRisk { risk_uuid: risk.uuid }).collect(),
        };
        statements.into_iter().map(finding).collect()
    }

    /// Nobody gave a system security plan, and OSCAL wants a reference to one.
    pub(super) fn system(&self) -> Resource {
        Resource {
            uuid: self.uuid("resource system"),
            title: "System security plan".into(),
            description: format!("System security plan: {NOT_RECORDED}."),
            rlinks: Vec::new(),
        }
    }

    pub(super) fn assessment_plan(&self) -> Resource {
        let href = format!("{}.oscal-ap.json", self.run().run);
        Resource {
            uuid: self.uuid("resource plan"),
            title: "Assessment plan".into(),
            description: format!("lifeboat evidence report {} --format oscal-ap", self.run().run),
            rlinks: vec![Link { href, media_type: "application/json", hashes: Vec::new() }],
        }
    }

    pub(super) fn record(&self) -> Resource {
        let digest = self.redacted.digest().as_str();
        let value = digest.strip_prefix("sha256:").unwrap_or(digest).to_owned();
        let href = format!("{}.json", self.run().run);
        Resource {
            uuid: self.uuid("resource record"),
            title: "Evidence record".into(),
            description: "One line of JSON without a line break, as the store keeps it.".into(),
            rlinks: vec![Link {
                href,
                media_type: "application/json",
                hashes: vec![Hash { algorithm: "SHA-256", value }],
            }],
        }
    }
}

/// The last second of a day, UTC.
fn end_of(day: jiff::civil::Date) -> String {
    format!("{day}T23:59:59Z")
}

/// A property of our own. A value is never empty and has no blank at its ends.
fn prop(name: &str, value: &str) -> Prop {
    let value = value.trim();
    let value = if value.is_empty() { NOT_RECORDED } else { value };
    Prop { name: name.to_owned(), ns: NAMESPACE, value: value.to_owned() }
}
