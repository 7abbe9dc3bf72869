//! Whether the controls of the destination are those of the source: readings of both in, checks with their reasons out. Pure.
//!
//! 1. What could not be read on either side is *not checked*, with the reason. It never counts as passed.
//! 2. An encryption fails when the destination's is weaker than the source's, or when either is below what is declared.
//! 3. Rules and settings fail on every difference: one that the destination has more lets something in, one that it has less
//!    shuts somebody out after the failover.
//! 4. An identity that is disabled or unknown in the source, and gets in on the destination, fails.
//! 5. A version fails when its first part differs, or when the destination's is older.
//! 6. A difference that an exception names is shown, and does not fail. An exception whose last day is over is none.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::{
    model::{Control, ControlCheck, ControlState, RegionName, Strength, TargetName},
    port::{Held, Reading},
    spec::ControlException,
};

/// How many differences are named; the others are counted.
const NAMED: usize = 5;
/// The most characters of one of them.
const LONGEST: usize = 160;

/// What is compared with what, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The source.
    pub source: &'a RegionName,
    /// The destination.
    pub destination: &'a RegionName,
    /// What every encryption must have at least.
    pub least: Option<Strength>,
    /// Differences that are meant.
    pub exceptions: &'a [ControlException],
    /// Today, UTC.
    pub today: Date,
}

/// What one region said of one target, or why it said nothing.
pub type Read = Result<Vec<Reading>, String>;

impl Comparison<'_> {
    /// Compares what both regions said. `told` is what there was to tell: what is not checked when neither answers.
    pub fn of(
        &self,
        target: Option<&TargetName>,
        told: &[(Control, String)],
        source: &Read,
        destination: &Read,
    ) -> Vec<ControlCheck> {
        let mut subjects = told.to_vec();
        for reading in [source, destination].into_iter().flatten().flatten() {
            let subject = (reading.control, reading.subject.clone());
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        subjects
            .into_iter()
            .map(|(control, subject)| {
                let (from, to) = (held(source, control, &subject), held(destination, control, &subject));
                let (state, why) = self.judge(control, &from, &to);
                ControlCheck {
                    control,
                    target: target.cloned(),
                    subject,
                    source: shown(&from),
                    destination: shown(&to),
                    state,
                    why,
                }
            })
            .collect()
    }

    fn judge(&self, control: Control, from: &Held, to: &Held) -> (ControlState, Option<String>) {
        let mut found = self.alone(to, self.destination);
        found.extend(self.alone(from, self.source));
        let blind = [(from, self.source), (to, self.destination)].into_iter().find_map(|(held, region)| match held {
            Held::Untold(why) => Some(format!("{region}: {why}")),
            _ => None,
        });
        if blind.is_none() {
            found.extend(self.together(from, to));
        }
        let (mut failed, mut excepted, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for difference in found {
            match self.exception(control, &difference) {
                Some((exception, true)) => excepted.push(format!("{difference} (excepted: {})", exception.reason)),
                Some((exception, false)) => {
                    ended.push(format!("the exception `{}` has ended", exception.containing));
                    failed.push(difference);
                }
                None => failed.push(difference),
            }
        }
        let state = match (&blind, failed.is_empty()) {
            (_, false) => ControlState::Fail,
            (Some(_), true) => ControlState::NotChecked,
            (None, true) => ControlState::Pass,
        };
        ended.dedup();
        let mut why = named(failed);
        why.extend(ended);
        why.extend(blind);
        why.extend(named(excepted));
        (state, (!why.is_empty()).then(|| why.join("; ")))
    }

    /// What is wrong with one side, whatever the other has.
    fn alone(&self, held: &Held, region: &RegionName) -> Vec<String> {
        match held {
            Held::Encryption { strength, said } => {
                let below = self.least.filter(|least| strength < least);
                below.map(|least| format!("{region} has {said}, and {least:?} is asked for")).into_iter().collect()
            }
            Held::Declared { declared, observed } => {
                let more = observed.difference(declared).map(|rule| format!("{region} lets in, undeclared: {rule}"));
                let less = declared.difference(observed).map(|rule| format!("{region} lacks what is declared: {rule}"));
                more.chain(less).collect()
            }
            Held::Holds { holds: false, said } => vec![format!("{region}: {said}")],
            Held::Value { said, expected } if !expected.is_empty() && !expected.contains(said) => {
                vec![format!("{region} has {said}, expected {}", expected.join(" or "))]
            }
            Held::Rules(_)
            | Held::Ordered(_)
            | Held::Identities { .. }
            | Held::Version { .. }
            | Held::Amount { .. }
            | Held::Holds { .. }
            | Held::Value { .. }
            | Held::Untold(_) => Vec::new(),
        }
    }

    /// What differs between two sides.
    fn together(&self, from: &Held, to: &Held) -> Vec<String> {
        let (source, destination) = (self.source, self.destination);
        match (from, to) {
            (Held::Encryption { strength: s, said }, Held::Encryption { strength: d, said: there }) if d < s => {
                vec![format!("{destination} has {there}, and {source} has {said}")]
            }
            (Held::Rules(here), Held::Rules(there)) => self.differing(here, there),
            (Held::Ordered(here), Held::Ordered(there)) => {
                let mut found = self.differing(&here.iter().cloned().collect(), &there.iter().cloned().collect());
                let shared = here.iter().filter(|rule| there.contains(rule));
                let swapped = shared.zip(there.iter().filter(|rule| here.contains(rule))).find(|(a, b)| a != b);
                found.extend(swapped.map(|(a, b)| format!("in {destination} `{b}` comes before `{a}`")));
                found
            }
            (Held::Identities { enabled, disabled }, Held::Identities { enabled: there, .. }) => {
                let gets_in = there.difference(enabled).map(|who| {
                    let known = if disabled.contains(who) { "disabled" } else { "unknown" };
                    format!("{who} gets in on {destination} and is {known} in {source}")
                });
                let shut_out = enabled.difference(there);
                let shut_out = shut_out.map(|who| format!("{who} gets in on {source} and not on {destination}"));
                gets_in.chain(shut_out).collect()
            }
            (Held::Version { parts: s, said }, Held::Version { parts: d, said: there })
                if s.first() != d.first() || d < s =>
            {
                vec![format!("{destination} runs {there}, and {source} {said}")]
            }
            (Held::Amount { amount: s, unit }, Held::Amount { amount: d, .. }) if d < s => {
                vec![format!("{destination} has {d} {unit}, and {source} {s}")]
            }
            (Held::Value { said, expected }, Held::Value { said: there, .. })
                if expected.is_empty() && said != there =>
            {
                vec![format!("{destination} has {there}, and {source} {said}")]
            }
            _ => Vec::new(),
        }
    }

    fn differing(&self, here: &BTreeSet<String>, there: &BTreeSet<String>) -> Vec<String> {
        let more = there.difference(here).map(|rule| format!("{} alone has: {rule}", self.destination));
        let less = here.difference(there).map(|rule| format!("{} lacks: {rule}", self.destination));
        more.chain(less).collect()
    }

    /// The exception that names the difference, and whether it still counts.
    fn exception(&self, control: Control, difference: &str) -> Option<(&ControlException, bool)> {
        let counts = |exception: &ControlException| match &exception.until {
            None => true,
            // Checked with the documents; a day that cannot be read makes no exception.
            Some(day) => day.parse::<Date>().is_ok_and(|last| self.today <= last),
        };
        let mut named: Vec<_> = self
            .exceptions
            .iter()
            .filter(|one| one.control == control && difference.contains(&one.containing))
            .map(|one| (one, counts(one)))
            .collect();
        named.sort_by_key(|(_, counts)| !counts);
        named.into_iter().next()
    }
}

fn held(read: &Read, control: Control, subject: &str) -> Held {
    match read {
        Ok(readings) => readings
            .iter()
            .find(|reading| reading.control == control && reading.subject == subject)
            .map_or_else(|| Held::Untold("it says nothing of it".into()), |reading| reading.held.clone()),
        Err(why) => Held::Untold(why.clone()),
    }
}

/// The first of them, cut, and how many more there are.
fn named(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    for one in &mut all {
        if one.chars().count() > LONGEST {
            *one = one.chars().take(LONGEST).chain(['…']).collect();
        }
    }
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}

fn shown(held: &Held) -> String {
    let count = |rules: usize| match rules {
        1 => "1 rule".to_owned(),
        many => format!("{many} rules"),
    };
    match held {
        Held::Encryption { said, .. }
        | Held::Version { said, .. }
        | Held::Holds { said, .. }
        | Held::Value { said, .. } => said.clone(),
        Held::Rules(rules) => count(rules.len()),
        Held::Ordered(rules) => count(rules.len()),
        Held::Declared { observed, .. } => count(observed.len()),
        Held::Identities { enabled, disabled } => {
            format!("{} get in, {} are disabled", enabled.len(), disabled.len())
        }
        Held::Amount { amount, unit } => format!("{amount} {unit}"),
        Held::Untold(_) => "not known".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ControlState::{Fail, NotChecked, Pass};

    fn set(rules: &[&str]) -> BTreeSet<String> {
        rules.iter().map(|rule| (*rule).to_owned()).collect()
    }

    fn listed(rules: &[&str]) -> Held {
        Held::Ordered(rules.iter().map(|rule| (*rule).to_owned()).collect())
    }

    fn sealed(strength: Strength, said: &str) -> Held {
        Held::Encryption { strength, said: said.into() }
    }

    fn who(enabled: &[&str], disabled: &[&str]) -> Held {
        Held::Identities { enabled: set(enabled), disabled: set(disabled) }
    }

    fn version(parts: &[u64]) -> Held {
        let said = parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        Held::Version { parts: parts.to_vec(), said }
    }

    fn value(said: &str, expected: &[&str]) -> Held {
        Held::Value { said: said.into(), expected: expected.iter().map(|line| (*line).to_owned()).collect() }
    }

    fn judged(
        from: Held,
        to: Held,
        least: Option<Strength>,
        exceptions: &[ControlException],
    ) -> (ControlState, String) {
        let (fra, dub): (RegionName, RegionName) = ("fra".parse().unwrap(), "dub".parse().unwrap());
        let today = "2026-11-29".parse().unwrap();
        let comparison = Comparison { source: &fra, destination: &dub, least, exceptions, today };
        let one = |held| Ok(vec![Reading::new(Control::Access, "it", held)]);
        let checks = comparison.of(None, &[], &one(from), &one(to));
        assert_eq!(checks.len(), 1);
        (checks[0].state, checks[0].why.clone().unwrap_or_default())
    }

    #[test]
    fn what_is_the_same_or_better_passes_and_what_is_worse_fails_with_both_sides_named() {
        let aes = || sealed(Strength::Aes256, "AES-256");
        let weak = || sealed(Strength::Aes128, "AES-128");
        let rules = |list: &[&str]| Held::Rules(set(list));
        let cases = [
            (aes(), aes(), Pass, ""),
            (weak(), aes(), Pass, ""),
            (aes(), weak(), Fail, "dub has AES-128, and fra has AES-256"),
            (rules(&["a", "b"]), rules(&["a", "b"]), Pass, ""),
            (rules(&["a"]), rules(&["a", "all from anywhere"]), Fail, "dub alone has: all from anywhere"),
            (rules(&["a", "app"]), rules(&["a"]), Fail, "dub lacks: app"),
            (listed(&["a", "b"]), listed(&["a", "b"]), Pass, ""),
            (listed(&["a", "b"]), listed(&["b", "a"]), Fail, "in dub `b` comes before `a`"),
            (listed(&["a", "b"]), listed(&["a", "x", "b"]), Fail, "dub alone has: x"),
            (who(&["app"], &["ann"]), who(&["app"], &[]), Pass, ""),
            (who(&["app"], &["ann"]), who(&["app", "ann"], &[]), Fail, "ann gets in on dub and is disabled in fra"),
            (who(&["app"], &[]), who(&["app", "bob"], &[]), Fail, "bob gets in on dub and is unknown in fra"),
            (who(&["app"], &[]), who(&[], &["app"]), Fail, "app gets in on fra and not on dub"),
            (version(&[15, 6]), version(&[15, 6]), Pass, ""),
            (version(&[15, 6]), version(&[15, 7]), Pass, ""),
            (version(&[15, 6]), version(&[15, 5]), Fail, "dub runs 15.5, and fra 15.6"),
            (version(&[15, 6]), version(&[16, 1]), Fail, "dub runs 16.1, and fra 15.6"),
            (
                Held::Amount { amount: 100, unit: "connections" },
                Held::Amount { amount: 99, unit: "connections" },
                Fail,
                "dub has 99 connections, and fra 100",
            ),
            (value("luks", &[]), value("luks", &[]), Pass, ""),
            (value("luks", &[]), value("plain", &[]), Fail, "dub has plain, and fra luks"),
            (value("kms", &["kms", "cmek"]), value("cmek", &["kms", "cmek"]), Pass, ""),
            (value("kms", &["kms"]), value("plain", &["kms"]), Fail, "dub has plain, expected kms"),
        ];
        for (from, to, state, why) in cases {
            let shown = format!("{from:?} and {to:?}");
            assert_eq!(judged(from, to, None, &[]), (state, why.to_owned()), "{shown}");
        }
    }

    #[test]
    fn what_is_declared_must_be_so_on_both_sides_whatever_the_other_has() {
        let aes = || sealed(Strength::Aes256, "AES-256");
        let weak = || sealed(Strength::Aes128, "AES-128");
        let least = Some(Strength::Aes256);
        assert_eq!(judged(aes(), aes(), least, &[]).0, Pass);
        assert_eq!(judged(weak(), weak(), None, &[]).0, Pass);
        let (state, why) = judged(weak(), weak(), least, &[]);
        assert_eq!(state, Fail);
        assert_eq!(why, "dub has AES-128, and Aes256 is asked for; fra has AES-128, and Aes256 is asked for");
        let ingress =
            |declared: &[&str], observed: &[&str]| Held::Declared { declared: set(declared), observed: set(observed) };
        assert_eq!(judged(ingress(&["443"], &["443"]), ingress(&["443"], &["443"]), None, &[]).0, Pass);
        let (state, why) = judged(ingress(&["443"], &["443"]), ingress(&["443"], &["22"]), None, &[]);
        assert_eq!(state, Fail);
        assert_eq!(why, "dub lets in, undeclared: 22; dub lacks what is declared: 443");
        let holds = |holds| Held::Holds { holds, said: "globex is served to acme".into() };
        assert_eq!(judged(holds(true), holds(true), None, &[]).0, Pass);
        assert_eq!(judged(holds(true), holds(false), None, &[]), (Fail, "dub: globex is served to acme".into()));
        assert_eq!(judged(holds(false), holds(true), None, &[]).0, Fail);
    }

    #[test]
    fn what_nobody_can_tell_is_not_checked_and_fails_all_the_same_where_one_side_is_enough() {
        let blind = || Held::Untold("connection refused".into());
        let aes = || sealed(Strength::Aes256, "AES-256");
        assert_eq!(judged(blind(), aes(), None, &[]), (NotChecked, "fra: connection refused".into()));
        assert_eq!(judged(aes(), blind(), None, &[]), (NotChecked, "dub: connection refused".into()));
        let (state, why) = judged(blind(), sealed(Strength::None, "nothing"), Some(Strength::Aes256), &[]);
        assert_eq!(state, Fail);
        assert_eq!(why, "dub has nothing, and Aes256 is asked for; fra: connection refused");
    }

    #[test]
    fn an_exception_is_shown_and_counts_until_its_last_day() {
        let exception = |until: Option<&str>| ControlException {
            control: Control::Access,
            containing: "10.2.0.0/16".into(),
            reason: "its own network".into(),
            until: until.map(Into::into),
        };
        let rules = |list: &[&str]| Held::Rules(set(list));
        let judged = |exception| judged(rules(&["a"]), rules(&["a", "from 10.2.0.0/16"]), None, &[exception]);
        let meant = "dub alone has: from 10.2.0.0/16 (excepted: its own network)";
        for until in [None, Some("2026-11-29")] {
            assert_eq!(judged(exception(until)), (Pass, meant.to_owned()), "{until:?}");
        }
        let ended = "dub alone has: from 10.2.0.0/16; the exception `10.2.0.0/16` has ended";
        assert_eq!(judged(exception(Some("2026-11-28"))), (Fail, ended.to_owned()));
        let other = ControlException { control: Control::Ingress, ..exception(None) };
        assert_eq!(judged(other).0, Fail, "of another control");
    }

    #[test]
    fn a_side_that_does_not_answer_leaves_everything_unchecked_that_there_was_to_tell() {
        let (fra, dub): (RegionName, RegionName) = ("fra".parse().unwrap(), "dub".parse().unwrap());
        let today = "2026-11-29".parse().unwrap();
        let comparison = Comparison { source: &fra, destination: &dub, least: None, exceptions: &[], today };
        let told = [(Control::Version, "server".to_owned()), (Control::Revocation, "roles".to_owned())];
        let gone = |why: &str| Err(why.to_owned());
        let checks = comparison.of(None, &told, &gone("refused"), &gone("silent"));
        assert_eq!(checks.len(), 2);
        for check in checks {
            assert_eq!((check.state, check.why.as_deref()), (NotChecked, Some("fra: refused")));
            assert_eq!((check.source.as_str(), check.destination.as_str()), ("not known", "not known"));
        }
        // What one side says beside that is compared, too.
        let extra = Ok(vec![Reading::new(Control::Logging, "log", Held::Rules(set(&["on"])))]);
        assert_eq!(comparison.of(None, &told, &extra, &gone("silent")).len(), 3);
    }

    #[test]
    fn many_differences_are_counted_and_long_ones_cut() {
        let many: Vec<String> = (0..9).map(|n| format!("rule {n} {}", "x".repeat(300))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (state, why) = judged(Held::Rules(set(&[])), Held::Rules(set(&many)), None, &[]);
        assert_eq!(state, Fail);
        assert!(why.ends_with("and 4 more") && why.len() < NAMED * (LONGEST + 10) + 20, "{why}");
    }
}
