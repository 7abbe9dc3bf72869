//! Observing, switching, taking back and verifying.

use std::time::Duration;

use super::{
    Rfc2136,
    client::ASK,
    observe::{self, Judgement, World},
};
use crate::{
    model::{Attempt, Observed, RegionName, Verb},
    net::dns::Reply,
    port::{Call, Permit},
};

/// Time between two read-backs: short beside any time to live, long beside a round trip.
const POLL: Duration = Duration::from_millis(50);

impl Rfc2136 {
    pub(super) async fn look(&self, call: &Call) -> Observed {
        let world = self.read(self.left(self.end(call))).await;
        if call.verb == Verb::DnsVerify {
            observe::verified(&self.settings, &call.destination, &world)
        } else {
            observe::observed(&self.settings, &call.destination, &world)
        }
    }

    /// One pass: read and judge again, send the update on the condition of what was judged, read back until every server has it.
    pub(super) async fn switch(&self, permit: &Permit, call: &Call, toward: &RegionName) -> Attempt {
        let end = self.end(call);
        let before = self.read(self.left(end)).await;
        let update = match observe::judge(&self.settings, toward, &before) {
            Judgement::Already => return self.applied(&before, &before),
            Judgement::Ready { update, .. } => update,
            Judgement::Refused { expected, found } => {
                return Attempt::NotApplied { why: format!("expected {expected}, found {found}"), retry: false };
            }
            Judgement::Unknown { why } => {
                return Attempt::NotApplied { why: format!("nothing was sent, because {why}"), retry: true };
            }
        };
        if !permit.live() {
            return lease_lost();
        }
        if !update.is_empty() {
            match self.send(&update, false, self.left(end).min(call.timeout / 2)).await {
                Ok(Reply::Done) => {}
                Ok(reply) => return self.not_done(reply),
                Err(why) => return Attempt::NotApplied { why, retry: false },
            }
        }
        self.read_back(toward, &before, end).await
    }

    /// Every way in which an update did not succeed.
    fn not_done(&self, reply: Reply) -> Attempt {
        let (zone, primary) = (crate::net::dns::bare(&self.settings.zone), self.settings.primary);
        match reply {
            Reply::Key { why, .. } => Attempt::NotApplied { why, retry: false },
            Reply::ConditionFailed { code } => Attempt::NotApplied {
                why: format!(
                    "somebody changed the record between looking and updating, and it was not overwritten ({code} from {primary}); look who, then retry the step (a wildcard record answers like this too: declare the name itself)"
                ),
                retry: false,
            },
            Reply::Refused { code } => Attempt::NotApplied {
                why: format!(
                    "{primary} does not let the key `{}` update zone {zone} ({code}); grant it the records in the server's update policy, and check that the server is the zone's primary",
                    self.settings.key.name
                ),
                retry: false,
            },
            Reply::NotSent { why } => {
                Attempt::NotApplied { why: format!("the update was not sent: {why}"), retry: true }
            }
            Reply::Lost { why } => Attempt::Unknown { why },
            Reply::Done => Attempt::Unknown { why: "the update was applied and not read back".into() },
        }
    }

    /// Reads every server until all answer the wanted values. When time is out, the primary has taken the update and somebody
    /// still answers otherwise: not known to be so.
    async fn read_back(&self, toward: &RegionName, before: &World, end: Duration) -> Attempt {
        loop {
            let after = self.read(self.left(end)).await;
            let behind = observe::behind(&self.settings, toward, &after);
            if behind.is_empty() {
                return self.applied(before, &after);
            }
            if self.left(end) <= POLL {
                return Attempt::Unknown {
                    why: format!(
                        "the primary took the update, but not every server answers it yet: {}",
                        behind.join("; ")
                    ),
                };
            }
            self.clock.sleep(POLL).await;
        }
    }

    fn applied(&self, before: &World, after: &World) -> Attempt {
        Attempt::Applied {
            output: observe::output(&self.settings, after, observe::stale(&self.settings, before)),
            facts: observe::facts(&self.settings, after),
        }
    }

    /// Reads until every server answers the destination's values. It changes nothing, so not having seen it is no doubt about an act.
    pub(super) async fn verify(&self, permit: &Permit, call: &Call) -> Attempt {
        let end = self.end(call);
        loop {
            if !permit.live() {
                return lease_lost();
            }
            let world = self.read(self.left(end)).await;
            if let Observed::Already { facts, output } = observe::verified(&self.settings, &call.destination, &world) {
                return Attempt::Applied { output, facts };
            }
            if self.left(end) <= POLL {
                let behind = observe::behind(&self.settings, &call.destination, &world).join("; ");
                return Attempt::NotApplied {
                    why: format!("not every authoritative server answers region {}: {behind}", call.destination),
                    retry: true,
                };
            }
            self.clock.sleep(POLL).await;
        }
    }

    /// When to answer at the latest, by the monotonic clock: a little before the engine drops the call, so that the last reading, with
    /// its reasons, is not lost.
    fn end(&self, call: &Call) -> Duration {
        let margin = (call.timeout / 10).min(ASK / 4);
        self.clock.monotonic() + call.timeout.saturating_sub(margin)
    }

    /// The time that is left, and never none: a question with no time at all would look like silence.
    fn left(&self, end: Duration) -> Duration {
        end.saturating_sub(self.clock.monotonic()).max(Duration::from_millis(20))
    }
}

fn lease_lost() -> Attempt {
    Attempt::NotApplied {
        why: "this process lost the lease on the group, so it changed nothing; the process that holds it goes on"
            .into(),
        retry: false,
    }
}
