//! The examination: which checks, in which order.
//!
//! A check whose ground is another promise that is broken is *not applicable*, so that a report names the fault and not its
//! consequences.

use super::{
    acting, faults, looking,
    report::{Check, Outcome, Promise, Report, Verdict, broken, not_applicable},
    stage::Stage,
    stopping,
    subject::{Subject, Trial},
    telling,
};
use crate::{
    model::{Effect, Verb},
    port::{Clock, Descriptor},
};

/// What rests on a plain act that worked.
const ON_THE_ACT: [Promise; 14] = [
    Promise::Outputs,
    Promise::Endpoints,
    Promise::Seen,
    Promise::Twice,
    Promise::BadParameters,
    Promise::LostReply,
    Promise::Recovery,
    Promise::Refused,
    Promise::Dead,
    Promise::Deadline,
    Promise::Dropped,
    Promise::NoPermit,
    Promise::PermitLost,
    Promise::Undone,
];

/// Tries every promise on every trial of the subject. `clock` measures the deadlines and paces the looks.
///
/// It runs in the caller's task, one call at a time, and acts on the subject's target for real: never point it at anything
/// that somebody needs.
pub async fn examine(subject: &dyn Subject, clock: &dyn Clock) -> Report {
    let stage = Stage::new(subject, clock);
    let trials = subject.trials();
    let mut checks = Vec::new();
    for trial in &trials {
        // Boxed: the drivers' futures are large, and dozens of them stand in this one.
        checks.extend(Box::pin(one(&stage, trial)).await);
    }
    checks.extend(Box::pin(whole(&stage, &trials)).await);
    stage.heal();
    Report { subject: subject.name(), checks }
}

/// The checks of one trial.
async fn one(stage: &Stage<'_>, trial: &Trial) -> Vec<Check> {
    let title = trial.title();
    let mut checks = Vec::new();
    let mut note = |promise, verdict| checks.push(Check::new(&title, promise, verdict));
    let driver = stage.subject.open();
    let Some(facts) = driver.descriptor(trial.call.verb) else {
        note(Promise::Described, Err(broken("a descriptor of a verb that has a trial", "none")));
        return checks;
    };
    note(Promise::Described, described(facts, trial));
    let harmless = looking::harmless(stage, trial).await;
    let rests = match &harmless {
        Ok(()) => None,
        Err(_) => Some("observing changes the world; mend that first"),
    };
    note(Promise::Harmless, harmless);
    if let Some(why) = rests {
        for promise in [Promise::Steady, Promise::Applied].into_iter().chain(ON_THE_ACT) {
            note(promise, Err(not_applicable(why)));
        }
        return checks;
    }
    note(Promise::Steady, looking::steady(stage, trial).await);
    let plain = match acting::plain(stage, trial, facts).await {
        Ok(plain) => plain,
        Err(outcome) => {
            note(Promise::Applied, Err(outcome));
            for promise in ON_THE_ACT {
                note(promise, Err(not_applicable("the plain act failed")));
            }
            return checks;
        }
    };
    note(Promise::Applied, Ok(()));
    note(Promise::Outputs, acting::outputs(stage, trial, &plain).await);
    note(Promise::Endpoints, telling::endpoints(stage, trial, &plain));
    note(Promise::Seen, acting::seen(stage, trial, &plain).await);
    note(Promise::Twice, acting::twice(stage, trial, &plain).await);
    note(Promise::BadParameters, acting::bad_parameters(stage, trial, &plain).await);
    let (lost, recovery) = faults::lost_replies(stage, trial, &plain).await;
    note(Promise::LostReply, lost);
    note(Promise::Recovery, recovery);
    note(Promise::Refused, faults::refused(stage, trial, &plain).await);
    note(Promise::Dead, faults::dead(stage, trial, &plain).await);
    note(Promise::Deadline, faults::deadline(stage, trial, &plain).await);
    note(Promise::Dropped, stopping::dropped(stage, trial, &plain).await);
    note(Promise::NoPermit, stopping::no_permit(stage, trial, &plain).await);
    note(Promise::PermitLost, stopping::permit_lost(stage, trial, &plain).await);
    note(Promise::Undone, acting::undone(stage, trial, &plain).await);
    checks
}

/// The checks of the driver as a whole.
async fn whole(stage: &Stage<'_>, trials: &[Trial]) -> Vec<Check> {
    let driver = stage.subject.open();
    let elsewhere = stage.subject.elsewhere();
    let offered = Verb::ALL.iter().filter(|verb| driver.descriptor(**verb).is_some());
    let untried: Vec<&str> = offered
        .filter(|verb| !elsewhere.contains(verb) && !trials.iter().any(|trial| trial.call.verb == **verb))
        .map(|verb| verb.as_str())
        .collect();
    let complete = match untried.as_slice() {
        [] => Ok(()),
        some => Err(broken("a trial of every verb that is offered", format!("none of {}", some.join(", ")))),
    };
    let mut checks = vec![("driver", Promise::Described, complete)];
    if let Some(trial) = trials.first() {
        checks.push(("driver", Promise::Harmless, looking::survey_harmless(stage, trial).await));
        checks.push(("driver", Promise::Dead, faults::dead_survey(stage, trial).await));
        checks.push(("driver", Promise::Secrets, telling::secrets(stage, trials).await));
    }
    checks.into_iter().map(|(of, promise, verdict)| Check::new(of, promise, verdict)).collect()
}

fn described(facts: &Descriptor, trial: &Trial) -> Verdict {
    let wrong = |expected: &str, found: String| -> Result<(), Outcome> { Err(broken(expected, found)) };
    if facts.verb != trial.call.verb {
        return wrong(trial.call.verb.as_str(), format!("a descriptor of {}", facts.verb));
    }
    if facts.timeout.is_zero() || facts.expected > facts.timeout {
        return wrong(
            "a timeout that is above the expected time",
            format!("{:?}, {:?}", facts.timeout, facts.expected),
        );
    }
    if facts.attempts == 0 {
        return wrong("at least one try", "`attempts: 0`".into());
    }
    if facts.reversible && facts.effect == Effect::Reads {
        return wrong("nothing to take back where nothing is changed", "`reversible` beside `Effect::Reads`".into());
    }
    (facts.check)(&trial.call.with).or_else(|why| wrong("`check` takes the parameters of the trial", why))
}
