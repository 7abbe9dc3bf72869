//! The driver of the world: what the PostgreSQL and the name-server driver do, over links that fail.
//!
//! It keeps the promises of `port::Driver` as the real ones do: every act looks right before its effect, asks for the permit
//! before each effect, proves a fence by its effect alone, changes the name on the condition of what it read, and calls a lost
//! reply unknown. The orders of round trips are those of `driver::postgres` and `driver::rfc2136`.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use lifeboat::{
    driver::fake,
    model::{
        Attempt, Capability, Endpoint, Facts, FenceProof, Loss, Observed, Output, RegionName, Role, Side, StepName,
        TargetName, Verb,
    },
    port::{Call, Clock, Descriptor, Driver, Drivers, Permit},
};

use super::{
    hall::{Hall, Happening, Tag},
    links::{Net, Request},
    world::{Answer, Ask, Reply},
};

/// The driver of every target and every general verb, as this process has opened it.
pub(crate) fn drivers(hall: &Arc<Hall>, process: &str, clock: &Arc<dyn Clock>) -> Drivers {
    let driver: Arc<dyn Driver> = Arc::new(Worldly {
        hall: Arc::clone(hall),
        process: process.to_owned(),
        clock: Arc::clone(clock),
        surveys: None,
    });
    let surveyed = |capability| -> Arc<dyn Driver> {
        let (hall, process, clock) = (Arc::clone(hall), process.to_owned(), Arc::clone(clock));
        Arc::new(Worldly { hall, process, clock, surveys: Some(capability) })
    };
    let targets = [("orders-db", Capability::Database), ("uploads", Capability::Storage), ("www", Capability::Dns)];
    Drivers {
        targets: targets.map(|(name, kind)| (TargetName::new(name).unwrap(), surveyed(kind))).into_iter().collect(),
        general: Verb::ALL.iter().map(|verb| (*verb, Arc::clone(&driver))).collect(),
    }
}

/// Between two looks at an effect that does not show yet.
const PAUSE: Duration = Duration::from_millis(250);

struct Worldly {
    hall: Arc<Hall>,
    process: String,
    clock: Arc<dyn Clock>,
    /// What kind of target it is asked for the roles of.
    surveys: Option<Capability>,
}

/// What one server said, as seen from here.
#[derive(Debug, Clone)]
enum Seen {
    Answered(Answer),
    Refused,
    Silent,
}

impl Seen {
    fn role(&self) -> Role {
        match self {
            Self::Answered(answer) if answer.standby => Role::Standby,
            Self::Answered(answer) if answer.read_only => Role::ReadOnly,
            Self::Answered(_) => Role::Primary,
            Self::Refused => Role::Down("connection refused".into()),
            Self::Silent => Role::Unknown("no answer".into()),
        }
    }

    fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Refused | Self::Silent => None,
        }
    }
}

/// Both servers.
struct View {
    source: Seen,
    destination: Seen,
}

fn side(region: &RegionName, seen: &Seen) -> Side {
    Side { region: region.clone(), role: seen.role(), position: seen.answer().map(|answer| answer.position) }
}

impl View {
    fn facts(&self, call: &Call) -> Facts {
        let sides = vec![side(&call.source, &self.source), side(&call.destination, &self.destination)];
        // As both say.
        let replicates = match (self.source.answer(), self.destination.answer()) {
            (Some(source), Some(destination)) if !source.standby => Some(destination.follows),
            _ => None,
        };
        Facts { sides, replicates, ..Facts::default() }
    }
}

fn no(why: impl Into<String>, retry: bool) -> Attempt {
    Attempt::NotApplied { why: why.into(), retry }
}

fn lease_lost() -> Attempt {
    no("the lease was lost; nothing was done", false)
}

fn lost(what: &str) -> Attempt {
    Attempt::Unknown { why: format!("the reply was lost: {what}") }
}

fn applied(facts: Facts) -> Attempt {
    Attempt::Applied { output: Output::new(), facts }
}

fn refused(facts: Facts, expected: &str, found: impl Into<String>) -> Observed {
    Observed::Refused { facts, expected: expected.into(), found: found.into() }
}

impl Worldly {
    fn tag(&self, permit: Option<&Permit>, call: &Call, undo: bool) -> Tag {
        Tag {
            process: self.process.clone(),
            run: call.run.clone(),
            step: call.step.clone(),
            attempt: call.attempt,
            undo,
            term: permit.map(Permit::term),
        }
    }

    /// One round trip. `None`: no answer came.
    async fn ask(&self, tag: &Tag, ask: Ask) -> Option<Reply> {
        let changes = ask.changes();
        if changes {
            self.hall.tell(&Happening::Sent(tag, &ask));
        }
        let region = ask.region().map(str::to_owned);
        let request = Request { process: &self.process, word: ask.word(), region: region.as_deref(), changes };
        let (hall, sender) = (Arc::clone(&self.hall), tag.clone());
        let arrives = move |again| {
            let reply = hall.world().answer(&ask, hall.now());
            if changes {
                hall.tell(&Happening::Arrived(&sender, &ask, &reply, again));
            }
            reply
        };
        let reply = Net::carry(&self.hall, request, arrives).await?;
        if reply == Reply::Silent {
            self.clock.sleep(super::links::PATIENCE).await;
            return None;
        }
        Some(reply)
    }

    async fn server(&self, tag: &Tag, region: &RegionName) -> Seen {
        match self.ask(tag, Ask::Look { region: region.to_string() }).await {
            Some(Reply::Server(answer)) => Seen::Answered(answer),
            Some(Reply::Refused) => Seen::Refused,
            Some(_) | None => Seen::Silent,
        }
    }

    async fn view(&self, tag: &Tag, call: &Call) -> View {
        let (source, destination) =
            futures::future::join(self.server(tag, &call.source), self.server(tag, &call.destination)).await;
        View { source, destination }
    }

    fn loss(&self, view: &View) -> Loss {
        let Some(has) = view.destination.answer() else {
            return Loss { seconds: None, amount: None, unit: "bytes".into(), basis: "nobody answers".into() };
        };
        match view.source.answer() {
            Some(source) => Loss {
                seconds: Some(source.newest.saturating_sub(has.newest).as_secs_f64()),
                amount: Some(source.position.saturating_sub(has.position)),
                unit: "bytes".into(),
                basis: "source readable".into(),
            },
            None => Loss {
                seconds: Some(self.hall.now().saturating_sub(has.newest).as_secs_f64()),
                amount: None,
                unit: "bytes".into(),
                basis: "last marker".into(),
            },
        }
    }

    /// What shows that the source takes no writes: its own refusal, or the agent's word that it is locked out.
    async fn proof(&self, tag: &Tag, region: &RegionName, seen: &Seen) -> Option<FenceProof> {
        let proof = |method: &str, effect: &str| Some(FenceProof { method: method.into(), effect: effect.into() });
        match seen {
            Seen::Answered(answer) if answer.standby => proof("readOnly", "it is a standby"),
            Seen::Answered(answer) if answer.read_only && !answer.old_sessions => {
                proof("readOnly", "a write was refused and every older session is ended")
            }
            Seen::Answered(_) => None,
            Seen::Refused | Seen::Silent => {
                let locked = self.ask(tag, Ask::LockVerify { region: region.to_string() }).await;
                if locked == Some(Reply::Yes(true)) { proof("agent", "its verify says locked out") } else { None }
            }
        }
    }

    async fn look(&self, call: &Call) -> Observed {
        let call = call.oriented();
        let call = call.as_ref();
        let tag = self.tag(None, call, false);
        match call.verb {
            Verb::DatabaseFence => {
                let view = self.view(&tag, call).await;
                let mut facts = view.facts(call);
                facts.fence = self.proof(&tag, &call.source, &view.source).await;
                match facts.fence {
                    Some(_) => Observed::Already { facts, output: Output::new() },
                    None => Observed::Ready { facts },
                }
            }
            Verb::DatabaseUnfence => self.look_unfence(&tag, call).await,
            Verb::DatabaseCatchUp => {
                let view = self.view(&tag, call).await;
                let facts = view.facts(call);
                match (view.source.answer(), view.destination.answer()) {
                    (Some(_), Some(_)) if self.loss(&view).amount == Some(0) => {
                        Observed::Already { facts, output: Output::new() }
                    }
                    (Some(_), Some(_)) => Observed::Ready { facts },
                    _ => Observed::Unknown { why: "both must answer".into() },
                }
            }
            Verb::DatabasePromote => self.look_promote(&tag, call).await,
            Verb::DatabaseVerify => {
                let view = self.view(&tag, call).await;
                match view.destination.role() {
                    Role::Unknown(why) => Observed::Unknown { why },
                    Role::Primary | Role::Standby | Role::ReadOnly | Role::Down(_) => {
                        Observed::Ready { facts: view.facts(call) }
                    }
                }
            }
            Verb::DatabaseReverse => {
                let view = self.view(&tag, call).await;
                let facts = view.facts(call);
                match (view.source.role(), view.destination.role()) {
                    (_, Role::Unknown(why)) => Observed::Unknown { why },
                    (Role::Standby, Role::Primary) => Observed::Already { facts, output: Output::new() },
                    (Role::Primary, Role::Primary) => refused(facts, "a source that takes no writes", "two primaries"),
                    (_, Role::Primary) => Observed::Ready { facts },
                    (_, role) => refused(facts, "a primary at the destination", role.to_string()),
                }
            }
            Verb::DnsSwitch | Verb::DnsVerify => match self.ask(&tag, Ask::DnsRead).await {
                Some(Reply::Value(value)) if value == call.destination.as_str() => {
                    Observed::Already { facts: Facts::default(), output: Output::new() }
                }
                Some(_) => Observed::Ready { facts: Facts::default() },
                None => Observed::Unknown { why: "the name server does not answer".into() },
            },
            Verb::Command | Verb::Http => match self.ask(&tag, Ask::Announced { key: call.idempotency_key() }).await {
                Some(Reply::Yes(true)) => Observed::Already { facts: Facts::default(), output: Output::new() },
                Some(_) => Observed::Ready { facts: Facts::default() },
                None => Observed::Unknown { why: "the pager does not answer".into() },
            },
            // The buckets of this world have everything.
            Verb::StoragePromote => {
                let loss = Some(Loss::none("objects", "both buckets were listed"));
                Observed::Ready { facts: Facts { loss, ..Facts::default() } }
            }
            Verb::StorageFence
            | Verb::StorageUnfence
            | Verb::StorageCatchUp
            | Verb::StorageVerify
            | Verb::StorageReverse
            | Verb::ProbeAwait
            | Verb::Approve
            | Verb::Wait
            | Verb::DrillLeftovers
            | Verb::DrillUntouched
            | Verb::DrillParity => Observed::Ready { facts: Facts::default() },
        }
    }

    async fn look_promote(&self, tag: &Tag, call: &Call) -> Observed {
        let view = self.view(tag, call).await;
        let mut facts = view.facts(call);
        match (view.destination.role(), view.source.role()) {
            (Role::Unknown(why), _) => Observed::Unknown { why },
            (Role::Primary, Role::Primary) => refused(facts, "one primary", "both accept writes"),
            (Role::Primary, _) => Observed::Already { facts, output: Output::new() },
            (Role::Standby, _) => {
                facts.loss = Some(self.loss(&view));
                Observed::Ready { facts }
            }
            (role, _) => refused(facts, "a standby", role.to_string()),
        }
    }

    async fn look_unfence(&self, tag: &Tag, call: &Call) -> Observed {
        let view = self.view(tag, call).await;
        let facts = view.facts(call);
        match (view.source.role(), view.destination.role()) {
            (_, Role::Primary) => refused(facts, "no other primary", "the destination is the primary"),
            (Role::Unknown(why), _) => Observed::Unknown { why },
            (Role::Primary, _) => Observed::Already { facts, output: Output::new() },
            (Role::ReadOnly, Role::Unknown(_)) => {
                Observed::Unknown { why: "the destination does not say whether it is the primary".into() }
            }
            (Role::ReadOnly, _) => Observed::Ready { facts },
            (role, _) => refused(facts, "a read-only server", role.to_string()),
        }
    }

    async fn do_it(&self, permit: &Permit, call: &Call, tag: &Tag) -> Attempt {
        if !permit.live() {
            return lease_lost();
        }
        let call = call.oriented();
        let call = call.as_ref();
        match call.verb {
            Verb::DatabaseFence => self.fence(permit, call, tag).await,
            Verb::DatabaseUnfence => self.unfence(permit, call, tag).await,
            Verb::DatabaseCatchUp => self.catch_up(call, tag).await,
            Verb::DatabasePromote => self.promote(permit, call, tag).await,
            Verb::DatabaseVerify => match self.ask(tag, Ask::Write { region: call.destination.to_string() }).await {
                Some(Reply::Ok) => applied(self.view(tag, call).await.facts(call)),
                Some(_) => no("the destination refuses writes", true),
                None => lost("a row was to be written"),
            },
            Verb::DatabaseReverse => {
                let ask = Ask::Follow { region: call.source.to_string(), primary: call.destination.to_string() };
                match self.ask(tag, ask).await {
                    Some(Reply::Ok) => applied(self.view(tag, call).await.facts(call)),
                    Some(Reply::No(why)) => no(why, true),
                    Some(_) => no("the source does not answer", true),
                    None => lost("the source was to follow"),
                }
            }
            Verb::DnsSwitch => self.switch(permit, &call.source, &call.destination, tag).await,
            Verb::DnsVerify => match self.ask(tag, Ask::DnsRead).await {
                Some(Reply::Value(value)) if value == call.destination.as_str() => applied(Facts::default()),
                Some(_) => no("the name does not point at the destination", true),
                None => no("the name server does not answer", true),
            },
            Verb::Command | Verb::Http => match self.ask(tag, Ask::Announce { key: call.idempotency_key() }).await {
                Some(_) => applied(Facts::default()),
                None => lost("it was to be announced"),
            },
            // A bucket answers where its region does.
            Verb::StorageFence => match self.server(tag, &call.source).await {
                Seen::Answered(_) => {
                    let (method, effect) = ("denyPolicy".into(), "an upload was refused".into());
                    applied(Facts { fence: Some(FenceProof { method, effect }), ..Facts::default() })
                }
                Seen::Refused | Seen::Silent => no("the bucket of the source does not answer", true),
            },
            Verb::StorageUnfence
            | Verb::StorageCatchUp
            | Verb::StoragePromote
            | Verb::StorageVerify
            | Verb::StorageReverse
            | Verb::Approve
            | Verb::Wait
            | Verb::DrillLeftovers
            | Verb::DrillUntouched
            | Verb::DrillParity => applied(Facts::default()),
            // The service is healthy where its database takes writes.
            Verb::ProbeAwait => match self.server(tag, &call.destination).await.role() {
                Role::Primary => applied(Facts::default()),
                role @ (Role::Standby | Role::ReadOnly | Role::Down(_) | Role::Unknown(_)) => {
                    no(format!("the service of {} is not healthy: its database is {role}", call.destination), true)
                }
            },
        }
    }

    /// By the server itself, then by the agent; the first whose effect is seen counts.
    async fn fence(&self, permit: &Permit, call: &Call, tag: &Tag) -> Attempt {
        let region = call.source.to_string();
        let mut unknown = false;
        let itself = [
            Ask::SetReadOnly { region: region.clone() },
            Ask::Reload { region: region.clone() },
            Ask::EndSessions { region: region.clone() },
        ];
        for ask in itself {
            if !permit.live() {
                return if unknown { lost("the lease was lost meanwhile") } else { lease_lost() };
            }
            match self.ask(tag, ask).await {
                Some(Reply::Ok) => unknown = true,
                Some(_) => break,
                None => {
                    unknown = true;
                    break;
                }
            }
        }
        let seen = self.server(tag, &call.source).await;
        if let Some(proof) = self.proof(tag, &call.source, &seen).await {
            return self.fenced(call, tag, proof).await;
        }
        if !permit.live() {
            return if unknown { lost("the lease was lost meanwhile") } else { lease_lost() };
        }
        unknown |= self.ask(tag, Ask::Lock { region }).await.is_none();
        for _ in 0..3 {
            let seen = self.server(tag, &call.source).await;
            if let Some(proof) = self.proof(tag, &call.source, &seen).await {
                return self.fenced(call, tag, proof).await;
            }
            self.clock.sleep(PAUSE).await;
        }
        if unknown { lost("no fence was seen to hold") } else { no("no fence was seen to hold", true) }
    }

    async fn fenced(&self, call: &Call, tag: &Tag, proof: FenceProof) -> Attempt {
        let facts = self.view(tag, call).await.facts(call);
        applied(Facts { fence: Some(proof), ..facts })
    }

    /// Never while the destination is, or may be, a primary.
    async fn unfence(&self, permit: &Permit, call: &Call, tag: &Tag) -> Attempt {
        match self.look_unfence(tag, call).await {
            Observed::Ready { .. } => {}
            Observed::Already { facts, .. } => return applied(facts),
            Observed::Refused { expected, found, .. } => {
                return no(format!("expected {expected}, found {found}"), false);
            }
            Observed::Unknown { why } => return no(format!("nothing is un-fenced on unknown: {why}"), true),
        }
        let region = call.source.to_string();
        for ask in [Ask::ResetReadOnly { region: region.clone() }, Ask::Reload { region }] {
            if !permit.live() {
                return lease_lost();
            }
            if self.ask(tag, ask).await != Some(Reply::Ok) {
                return lost("it was to accept writes again");
            }
        }
        applied(self.view(tag, call).await.facts(call))
    }

    async fn catch_up(&self, call: &Call, tag: &Tag) -> Attempt {
        for _ in 0..20 {
            let view = self.view(tag, call).await;
            if view.source.answer().is_some() && self.loss(&view).amount == Some(0) {
                return applied(view.facts(call));
            }
            self.clock.sleep(PAUSE).await;
        }
        no("the destination still lacks something", true)
    }

    async fn promote(&self, permit: &Permit, call: &Call, tag: &Tag) -> Attempt {
        match self.server(tag, &call.destination).await.role() {
            Role::Standby => {}
            Role::Primary => return Attempt::Unknown { why: "it was promoted since it was observed".into() },
            role @ (Role::ReadOnly | Role::Down(_) | Role::Unknown(_)) => {
                return no(format!("expected a standby, found {role}"), true);
            }
        }
        if !permit.live() {
            return lease_lost();
        }
        if self.ask(tag, Ask::Promote { region: call.destination.to_string() }).await != Some(Reply::Ok) {
            return lost("it was told to promote");
        }
        let view = self.view(tag, call).await;
        match view.destination.role() {
            Role::Primary => applied(view.facts(call)),
            Role::Standby | Role::ReadOnly | Role::Down(_) | Role::Unknown(_) => lost("it was told to promote"),
        }
    }

    /// Reads, judges, changes on the condition of what it read, reads back.
    async fn switch(&self, permit: &Permit, from: &RegionName, to: &RegionName, tag: &Tag) -> Attempt {
        let expect = match self.ask(tag, Ask::DnsRead).await {
            Some(Reply::Value(value)) if value == to.as_str() => return applied(Facts::default()),
            Some(Reply::Value(value)) if value == from.as_str() => value,
            Some(_) => return no("somebody else changed the name", false),
            None => return no("nothing was sent: the name server does not answer", true),
        };
        if !permit.live() {
            return lease_lost();
        }
        match self.ask(tag, Ask::DnsUpdate { expect, to: to.to_string() }).await {
            Some(Reply::Ok) => {}
            Some(_) => return no("somebody changed the name between reading and updating", false),
            None => return lost("the name was to be changed"),
        }
        match self.ask(tag, Ask::DnsRead).await {
            Some(Reply::Value(value)) if value == to.as_str() => applied(Facts::default()),
            Some(_) | None => lost("the name was changed and not read back"),
        }
    }
}

impl Driver for Worldly {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        fake::descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            let seen = self.look(call).await;
            self.hall.tell(&Happening::Saw(&self.tag(None, call, false), &seen));
            seen
        })
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let tag = self.tag(Some(permit), call, false);
            self.hall.tell(&Happening::Acts(&tag));
            let attempt = self.do_it(permit, call, &tag).await;
            self.hall.tell(&Happening::Acted(&tag, &attempt));
            attempt
        })
    }

    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let tag = self.tag(Some(permit), call, true);
            self.hall.tell(&Happening::Acts(&tag));
            let attempt = match call.verb {
                _ if !permit.live() => lease_lost(),
                Verb::DatabaseFence => self.unfence(permit, call, &tag).await,
                Verb::StorageFence => applied(Facts::default()),
                Verb::DnsSwitch => self.switch(permit, &call.destination, &call.source, &tag).await,
                _ => no("it cannot be taken back", false),
            };
            self.hall.tell(&Happening::Acted(&tag, &attempt));
            attempt
        })
    }

    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        Vec::new()
    }

    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(async move {
            let regions: Vec<String> = self.hall.world().places.keys().cloned().collect();
            let region = |name: &str| RegionName::new(name).unwrap();
            let tag = Tag {
                process: self.process.clone(),
                run: "orders-1".parse().unwrap(),
                step: StepName::new("survey").unwrap(),
                attempt: 0,
                undo: false,
                term: None,
            };
            let mut sides = Vec::new();
            match self.surveys {
                Some(Capability::Database) => {
                    for name in regions {
                        let seen = self.server(&tag, &region(&name)).await;
                        sides.push(side(&region(&name), &seen));
                    }
                }
                Some(Capability::Dns) => {
                    if let Some(Reply::Value(name)) = self.ask(&tag, Ask::DnsRead).await {
                        sides.push(Side { region: region(&name), role: Role::Primary, position: None });
                    }
                }
                Some(Capability::Storage | Capability::General) | None => {}
            }
            Facts { sides, ..Facts::default() }
        })
    }
}
