//! What the observers together say of a region. Pure: reports with their ages in, verdicts with reasons out.
//!
//! 1. Each report is weighed: one that is stale, or whose observer abstains, counts for nothing.
//! 2. An observer says *down* when enough independent probes of the region are down by its own thresholds; probes that stand
//!    on one shared dependency count once.
//! 3. A quorum of observers that say *down*, and fewer that say otherwise, make the verdict *down*. Without a quorum of
//!    words that count it is *unknown*, and nothing ever starts on unknown (promise S9).
//! 4. Regions that are down at the same time have one cause that is none of them: each becomes *unknown*.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::Timestamp;

use crate::model::{Group, ObserverReport, ProbeName, ProbeSeen, ProbeState, RegionName};

/// A report, and how long ago it changed by the listener's own clock: nobody compares two machines' clocks.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// The newest report of one observer.
    pub report: &'a ObserverReport,
    /// Time since it was first heard.
    pub age: Duration,
}

/// What one observer says of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stance {
    /// Enough of its probes are up.
    Up,
    /// It serves, with defects.
    Degraded(String),
    /// Enough of its probes are down.
    Down {
        /// The first failure of the streaks that led to it.
        since: Timestamp,
    },
    /// It does not know.
    CannotTell(String),
    /// Its word counts for nothing.
    Abstains(String),
}

/// How a region stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Up,
    /// It serves, and not as it should, or not everybody sees it.
    Degraded,
    /// It does not serve, says a quorum.
    Down,
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        })
    }
}

/// A verdict on one region, with every word that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it stands.
    pub state: State,
    /// When the outage began: the earliest first failure among the observers that say *down*.
    pub onset: Option<Timestamp>,
    /// What each observer said, by name.
    pub voices: BTreeMap<String, Stance>,
    /// Why, a line each.
    pub reasons: Vec<String>,
}

/// Judges every region of the group that can serve. The one that `serves` now is judged by all its probes, the others by those
/// that a region that stands by answers.
pub fn verdicts(group: &Group, serves: Option<&RegionName>, heard: &[Heard<'_>]) -> BTreeMap<RegionName, Verdict> {
    let judge = |region: &RegionName| verdict(group, Of { region, serves: serves == Some(region) }, heard);
    let mut verdicts: BTreeMap<_, _> = group.serving().map(|region| (region.clone(), judge(region))).collect();
    let probed = verdicts.values().filter(|verdict| !verdict.voices.is_empty()).count();
    let down: Vec<String> = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.state == State::Down)
        .map(|(region, _)| region.to_string())
        .collect();
    if down.len() > 1 && down.len() == probed {
        for verdict in verdicts.values_mut() {
            verdict.state = State::Unknown;
            verdict.reasons.push(format!(
                "{} are down at the same time: what they share failed, or the observers' own network did",
                down.join(" and ")
            ));
        }
    }
    verdicts
}

/// The region that is judged.
#[derive(Clone, Copy)]
struct Of<'a> {
    region: &'a RegionName,
    serves: bool,
}

impl<'a> Of<'a> {
    fn probes(self, report: &'a ObserverReport) -> impl Iterator<Item = &'a ProbeSeen> {
        report.probes.iter().filter(move |probe| probe.region == *self.region && (self.serves || !probe.only_serving))
    }
}

fn verdict(group: &Group, of: Of<'_>, heard: &[Heard<'_>]) -> Verdict {
    let voices: BTreeMap<String, Stance> = heard
        .iter()
        .filter(|heard| heard.report.abstains.is_some() || of.probes(heard.report).next().is_some())
        .map(|heard| (heard.report.observer.clone(), stance(group, of, heard)))
        .collect();
    let quorum = usize::try_from(group.detection.observer_quorum.max(1)).unwrap_or(usize::MAX);
    let count = |wanted: fn(&Stance) -> bool| voices.values().filter(|stance| wanted(stance)).count();
    let down = count(|stance| matches!(stance, Stance::Down { .. }));
    let serves = count(|stance| matches!(stance, Stance::Up | Stance::Degraded(_)));
    let up = count(|stance| matches!(stance, Stance::Up));
    let onset = voices.values().filter_map(Stance::since).min();
    let mut reasons: Vec<String> =
        voices.iter().filter_map(|(observer, stance)| stance.why().map(|why| format!("{observer}: {why}"))).collect();
    let state = if down >= quorum && down > serves {
        State::Down
    } else if down > 0 && serves > 0 {
        reasons.push(format!("{down} of {} observers see it down, {serves} see it serve", voices.len()));
        State::Degraded
    } else if down > 0 {
        reasons.push(format!("{down} see it down, and {quorum} must agree"));
        State::Unknown
    } else if serves >= quorum {
        if up == serves { State::Up } else { State::Degraded }
    } else {
        reasons.push(format!("{serves} of {} observers can tell, and {quorum} must", voices.len()));
        State::Unknown
    };
    Verdict { state, onset: onset.filter(|_| state == State::Down), voices, reasons }
}

impl Stance {
    fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Down { since } => Some(*since),
            Self::Up | Self::Degraded(_) | Self::CannotTell(_) | Self::Abstains(_) => None,
        }
    }

    fn why(&self) -> Option<String> {
        match self {
            Self::Up => None,
            Self::Degraded(why) => Some(format!("degraded: {why}")),
            Self::Down { since } => Some(format!("down since {since:.0}")),
            Self::CannotTell(why) => Some(format!("cannot tell: {why}")),
            Self::Abstains(why) => Some(format!("abstains: {why}")),
        }
    }
}

/// What one observer says.
fn stance(group: &Group, of: Of<'_>, heard: &Heard<'_>) -> Stance {
    let report = heard.report;
    if heard.age > Duration::from_millis(report.valid_ms) {
        return Stance::Abstains(format!("nothing new for {:.1} s", heard.age.as_secs_f64()));
    }
    if let Some(why) = &report.abstains {
        return Stance::Abstains(why.clone());
    }
    let signals = signals(group, of.probes(report));
    let down: Vec<_> = signals.iter().filter(|signal| signal.state == ProbeState::Down).collect();
    let needed = group.watch.failing_probes.map_or(signals.len(), |n| usize::try_from(n).unwrap_or(usize::MAX));
    let needed = needed.clamp(1, signals.len().max(1));
    if down.len() >= needed {
        let since = down.iter().filter_map(|signal| signal.since).min();
        return since
            .map_or_else(|| Stance::CannotTell("a failure without a time".into()), |since| Stance::Down { since });
    }
    let names = |state: ProbeState| {
        let named = signals.iter().filter(|signal| signal.state == state).map(|signal| signal.name.to_string());
        named.collect::<Vec<_>>().join(", ")
    };
    let up = signals.iter().any(|signal| signal.state == ProbeState::Up);
    if !up {
        return Stance::CannotTell(format!("{} has not settled yet", names(ProbeState::Unknown)));
    }
    if !down.is_empty() {
        return Stance::Degraded(format!("{} fails, and {} does not", names(ProbeState::Down), names(ProbeState::Up)));
    }
    match signals.iter().find_map(|signal| signal.degraded.as_ref()) {
        Some(why) => Stance::Degraded(why.clone()),
        None => Stance::Up,
    }
}

/// What counts as one: a probe, or a set of probes that stand on one shared dependency.
struct Signal<'a> {
    name: &'a ProbeName,
    state: ProbeState,
    since: Option<Timestamp>,
    degraded: Option<String>,
}

/// A correlated set is down when one of its probes is: they fail together, and they fail once.
fn signals<'a>(group: &'a Group, probes: impl Iterator<Item = &'a ProbeSeen>) -> Vec<Signal<'a>> {
    let mut signals: Vec<(Option<usize>, Signal<'a>)> = Vec::new();
    for probe in probes {
        let set = group.watch.correlated.iter().position(|set| set.contains(&probe.probe));
        let signal = Signal {
            name: &probe.probe,
            state: probe.state,
            since: probe.failing_since,
            degraded: probe.degraded.as_ref().map(|why| format!("{}: {why}", probe.probe)),
        };
        match signals.iter_mut().find(|(known, _)| set.is_some() && *known == set) {
            Some((_, first)) => first.join(signal),
            None => signals.push((set, signal)),
        }
    }
    signals.into_iter().map(|(_, signal)| signal).collect()
}

impl Signal<'_> {
    fn join(&mut self, other: Self) {
        let worse = |state| match state {
            ProbeState::Down => 2,
            ProbeState::Unknown => 1,
            ProbeState::Up => 0,
        };
        if worse(other.state) > worse(self.state) {
            (self.name, self.state) = (other.name, other.state);
        }
        self.since = [self.since, other.since].into_iter().flatten().min();
        self.degraded = self.degraded.take().or(other.degraded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn seen(region: &str, probe: &str, state: ProbeState) -> ProbeSeen {
        let down = state == ProbeState::Down;
        ProbeSeen {
            region: region.parse().unwrap(),
            probe: probe.parse().unwrap(),
            state,
            only_serving: false,
            degraded: None,
            rising: u32::from(!down) * 9,
            falling: u32::from(down) * 9,
            failing_since: down.then(|| Timestamp::from_second(7).unwrap()),
            last_healthy: None,
            detail: String::new(),
        }
    }

    fn report(observer: &str, probes: &[(&str, &str, ProbeState)]) -> ObserverReport {
        ObserverReport {
            observer: observer.into(),
            group: "orders".parse().unwrap(),
            at: Timestamp::from_second(1).unwrap(),
            valid_ms: 6_000,
            abstains: None,
            probes: probes.iter().map(|(region, probe, state)| seen(region, probe, *state)).collect(),
            markers: Vec::new(),
            remark: None,
            judged: None,
        }
    }

    fn group(quorum: u32) -> Group {
        let mut group = sample::group();
        group.detection.observer_quorum = quorum;
        group
    }

    fn judge(group: &Group, reports: &[(ObserverReport, u64)]) -> (State, State) {
        let heard: Vec<_> =
            reports.iter().map(|(report, age)| Heard { report, age: Duration::from_secs(*age) }).collect();
        let verdicts = verdicts(group, Some(&"fra".parse().unwrap()), &heard);
        let state = |region: &str| verdicts[&region.parse().unwrap()].state;
        (state("fra"), state("dub"))
    }

    use ProbeState::{Down, Unknown, Up};

    #[test]
    fn a_quorum_of_fresh_words_decides_and_nothing_else() {
        let down = |observer| (report(observer, &[("fra", "edge", Down), ("dub", "edge", Up)]), 1);
        let up = |observer| (report(observer, &[("fra", "edge", Up), ("dub", "edge", Up)]), 1);
        let stale = |observer| (report(observer, &[("fra", "edge", Down), ("dub", "edge", Up)]), 7);
        let abstaining = |observer| {
            let mut report = report(observer, &[("fra", "edge", Down), ("dub", "edge", Down)]);
            report.abstains = Some("its own network is cut".into());
            (report, 1)
        };
        for (story, quorum, reports, expected) in [
            ("nobody reported", 1, vec![], State::Unknown),
            ("two of three agree", 2, vec![down("a"), down("b"), up("c")], State::Down),
            ("one lies", 2, vec![down("a"), up("b"), up("c")], State::Degraded),
            ("one alone is no quorum", 2, vec![down("a")], State::Unknown),
            ("two see it, two do not", 2, vec![down("a"), down("b"), up("c"), up("d")], State::Degraded),
            ("the second word is stale", 2, vec![down("a"), stale("b")], State::Unknown),
            ("the second observer abstains", 2, vec![down("a"), abstaining("b")], State::Unknown),
            ("who abstains does not contradict", 2, vec![down("a"), down("b"), abstaining("c")], State::Down),
            ("all see it serve", 2, vec![up("a"), up("b")], State::Up),
        ] {
            assert_eq!(judge(&group(quorum), &reports).0, expected, "{story}");
        }
    }

    #[test]
    fn what_fails_in_both_regions_at_once_condemns_neither() {
        let both = |observer| (report(observer, &[("fra", "edge", Down), ("dub", "edge", Down)]), 1);
        assert_eq!(judge(&group(2), &[both("a"), both("b")]), (State::Unknown, State::Unknown));
    }

    #[test]
    fn all_independent_probes_must_fail_unless_the_group_says_how_many() {
        let probes = [("fra", "edge", Down), ("fra", "login", Down), ("fra", "db", Up), ("dub", "edge", Up)];
        let reports = [(report("a", &probes), 1)];
        let mut group = group(1);
        assert_eq!(judge(&group, &reports).0, State::Degraded, "db answers");
        group.watch.failing_probes = Some(2);
        assert_eq!(judge(&group, &reports).0, State::Down);
        group.watch.correlated = vec![["edge", "login"].map(|name| name.parse().unwrap()).into()];
        assert_eq!(judge(&group, &reports).0, State::Degraded, "two that share a sign-on are one failure");
    }

    #[test]
    fn the_first_state_is_unknown() {
        let reports = [(report("a", &[("fra", "edge", Unknown), ("fra", "db", Down), ("dub", "edge", Up)]), 1)];
        assert_eq!(judge(&group(1), &reports).0, State::Unknown);
        let reports = [(report("a", &[("fra", "edge", Unknown), ("dub", "edge", Up)]), 1)];
        assert_eq!(judge(&group(1), &reports).0, State::Unknown);
    }

    #[test]
    fn a_region_that_stands_by_is_not_judged_by_what_only_the_serving_one_answers() {
        let mut report =
            report("a", &[("fra", "web", Down), ("fra", "host", Down), ("dub", "web", Down), ("dub", "host", Up)]);
        report
            .probes
            .iter_mut()
            .filter(|probe| probe.probe.as_str() == "web")
            .for_each(|probe| probe.only_serving = true);
        assert_eq!(judge(&group(1), &[(report, 1)]), (State::Down, State::Up));
    }

    #[test]
    fn a_slow_region_is_degraded_and_not_down() {
        let mut slow = report("a", &[("fra", "edge", Up), ("dub", "edge", Up)]);
        slow.probes[0].degraded = Some("answered in 900 ms, and 200 ms are allowed".into());
        assert_eq!(judge(&group(1), &[(slow, 1)]).0, State::Degraded);
    }
}
