//! What people are told, in words: one function for each thing that can happen.
//!
//! A title says what, of which group, and holds no figure that changes from one look to the next; the body has the figures;
//! the command is the one that a person types now. What ends something has the key of what began it.

use jiff::Timestamp;

use crate::{
    model::{Actor, GroupName, Outcome, RegionName, RunId, RunKind},
    port::{Notice, NoticeKind},
    spec::NoticeSeverity::{self, Critical, Error, Info, Warning},
};

fn notice(kind: NoticeKind, severity: NoticeSeverity, key: String, title: String, at: Timestamp) -> Notice {
    let (group, region, run, body, command) = (None, None, None, String::new(), None);
    Notice { kind, severity, group, region, run, title, body, command, key, at }
}

fn sentences(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn list(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("- {reason}")).collect::<Vec<_>>().join("\n")
}

/// The observers agree that a region is down. `since`: the first failed probe.
pub fn outage_detected(
    group: &GroupName,
    region: &RegionName,
    since: Option<Timestamp>,
    reasons: &[String],
    at: Timestamp,
) -> Notice {
    let since = since.map(|since| format!("The first probe failed at {since:.0}.")).unwrap_or_default();
    let title = format!("{group}: {region} is down");
    Notice {
        group: Some(group.clone()),
        region: Some(region.clone()),
        body: sentences([since, list(reasons)]),
        command: Some(format!("lifeboat status {group}")),
        ..notice(NoticeKind::OutageDetected, Critical, outage(group, region), title, at)
    }
}

/// The observers agree that a region is up again.
pub fn outage_over(group: &GroupName, region: &RegionName, at: Timestamp) -> Notice {
    let title = format!("{group}: {region} is up again");
    Notice {
        group: Some(group.clone()),
        region: Some(region.clone()),
        body: "Nothing moves back by itself.".to_owned(),
        command: Some(format!("lifeboat status {group}")),
        ..notice(NoticeKind::OutageOver, Info, outage(group, region), title, at)
    }
}

fn outage(group: &GroupName, region: &RegionName) -> String {
    format!("outage/{group}/{region}")
}

/// A failover is proposed, and waits for a person. `command` starts it.
pub fn proposal(
    group: &GroupName,
    source: &RegionName,
    destination: &RegionName,
    reasons: &[String],
    command: String,
    at: Timestamp,
) -> Notice {
    let title = format!("{group}: fail over from {source} to {destination}?");
    Notice {
        group: Some(group.clone()),
        region: Some(source.clone()),
        body: sentences(["Nothing starts before a person says so.".to_owned(), list(reasons)]),
        command: Some(command),
        // The end of the outage is the end of the proposal.
        ..notice(NoticeKind::Proposal, Critical, outage(group, source), title, at)
    }
}

/// A run began.
pub fn run_started(
    run: &RunId,
    kind: RunKind,
    rehearsal: bool,
    (source, destination): (&RegionName, &RegionName),
    by: &Actor,
    at: Timestamp,
) -> Notice {
    let what = if rehearsal { format!("rehearsal of a {kind}") } else { kind.to_string() };
    let title = format!("{}: {what} from {source} to {destination} began", run.group);
    Notice {
        group: Some(run.group.clone()),
        region: Some(source.clone()),
        run: Some(run.clone()),
        body: format!("{by} asked for it."),
        command: Some(format!("lifeboat run watch {run}")),
        ..notice(NoticeKind::RunStarted, Info, of_run(run), title, at)
    }
}

/// A run cannot go on without a person. `command`: what would let it go on, where that is one command.
pub fn run_needs_person(run: &RunId, why: &str, command: Option<String>, at: Timestamp) -> Notice {
    let title = format!("{}: run {run} waits for a person: {why}", run.group);
    Notice {
        group: Some(run.group.clone()),
        run: Some(run.clone()),
        command: command.or_else(|| Some(format!("lifeboat run show {run}"))),
        ..notice(NoticeKind::RunNeedsPerson { why: why.to_owned() }, Critical, of_run(run), title, at)
    }
}

/// A run ended. `measures`: what it measured, in sentences.
pub fn run_closed(run: &RunId, outcome: Outcome, measures: &[String], at: Timestamp) -> Notice {
    let severity = match outcome {
        Outcome::Succeeded => Info,
        Outcome::CompletedWithExceptions | Outcome::Cancelled | Outcome::Unwound => Warning,
        Outcome::Failed => Critical,
    };
    let title = format!("{}: run {run} {}", run.group, outcome.as_str());
    Notice {
        group: Some(run.group.clone()),
        run: Some(run.clone()),
        body: list(measures),
        command: Some(format!("lifeboat evidence show {run}")),
        ..notice(NoticeKind::RunClosed { outcome }, severity, of_run(run), title, at)
    }
}

fn of_run(run: &RunId) -> String {
    format!("run/{run}")
}

/// No drill passed within the time that the group promised. `last`: when one did.
pub fn drill_overdue(group: &GroupName, last: Option<Timestamp>, at: Timestamp) -> Notice {
    let last = match last {
        Some(last) => format!("The last drill that passed was at {last:.0}."),
        None => "No drill ever passed.".to_owned(),
    };
    Notice {
        group: Some(group.clone()),
        body: last,
        command: Some(format!("lifeboat drill {group} --mode rehearse")),
        ..notice(
            NoticeKind::DrillOverdue,
            Warning,
            format!("drill/{group}"),
            format!("{group}: the drill is overdue"),
            at,
        )
    }
}

/// A drill passed.
pub fn drill_passed(run: &RunId, at: Timestamp) -> Notice {
    let group = &run.group;
    Notice {
        group: Some(group.clone()),
        run: Some(run.clone()),
        command: Some(format!("lifeboat evidence show {run}")),
        ..notice(NoticeKind::DrillPassed, Info, format!("drill/{group}"), format!("{group}: drill {run} passed"), at)
    }
}

/// A group became ready for a failover, or stopped being so. `findings`: what stands in the way, with remedies.
pub fn readiness_changed(group: &GroupName, ready: bool, findings: &[String], at: Timestamp) -> Notice {
    let (severity, title) = if ready {
        (Info, format!("{group}: a failover would work again"))
    } else {
        (Error, format!("{group}: a failover would not work now"))
    };
    Notice {
        group: Some(group.clone()),
        body: list(findings),
        command: Some(format!("lifeboat status {group}")),
        ..notice(NoticeKind::ReadinessChanged { ready }, severity, format!("readiness/{group}"), title, at)
    }
}

/// An observer's reports stopped. `last`: when the last one was published.
pub fn observer_lost(group: &GroupName, observer: &str, last: Timestamp, at: Timestamp) -> Notice {
    let title = format!("{group}: observer {observer} is silent");
    Notice {
        group: Some(group.clone()),
        body: format!(
            "Its last report is from {last:.0}. Without a quorum of observers no outage is acted \
             on. One that was taken away for good is forgotten after a day."
        ),
        command: Some(format!("lifeboat status {group}")),
        ..notice(
            NoticeKind::ObserverLost { observer: observer.to_owned() },
            Error,
            format!("observer/{group}/{observer}"),
            title,
            at,
        )
    }
}

/// An observer's reports came back.
pub fn observer_back(group: &GroupName, observer: &str, at: Timestamp) -> Notice {
    let title = format!("{group}: observer {observer} reports again");
    Notice {
        group: Some(group.clone()),
        ..notice(
            NoticeKind::ObserverBack { observer: observer.to_owned() },
            Info,
            format!("observer/{group}/{observer}"),
            title,
            at,
        )
    }
}

/// The store does not answer. `place` names it without a password.
pub fn store_lost(place: &str, why: &str, at: Timestamp) -> Notice {
    Notice {
        body: format!("{why}. While it is away nothing starts, and runs that are under way stop acting."),
        command: Some("lifeboat status".to_owned()),
        ..notice(
            NoticeKind::StoreLost,
            Critical,
            format!("store/{place}"),
            format!("the store {place} does not answer"),
            at,
        )
    }
}

/// The store answers again.
pub fn store_back(place: &str, at: Timestamp) -> Notice {
    notice(NoticeKind::StoreBack, Info, format!("store/{place}"), format!("the store {place} answers again"), at)
}

/// Two regions take writes.
pub fn two_primaries(group: &GroupName, target: &str, regions: &[RegionName], at: Timestamp) -> Notice {
    let regions = regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    Notice {
        group: Some(group.clone()),
        body: format!("{regions} take writes at once: what they write now parts. Fence one of them by hand."),
        command: Some(format!("lifeboat status {group}")),
        ..notice(
            NoticeKind::TwoPrimaries,
            Critical,
            format!("primaries/{group}/{target}"),
            format!("{group}: {target} has two primaries"),
            at,
        )
    }
}

/// No more than one region takes writes. `left`: the one that still does.
pub fn two_primaries_over(group: &GroupName, target: &str, left: &[RegionName], at: Timestamp) -> Notice {
    let left = left.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let now =
        if left.is_empty() { "No region takes writes now.".to_owned() } else { format!("{left} takes writes now.") };
    Notice {
        group: Some(group.clone()),
        body: format!(
            "{now} What the other one took in the meantime is not in it: lifeboat status shows who follows whom."
        ),
        command: Some(format!("lifeboat status {group}")),
        ..notice(
            NoticeKind::TwoPrimariesOver,
            Info,
            format!("primaries/{group}/{target}"),
            format!("{group}: {target} has two primaries no more"),
            at,
        )
    }
}
