//! What was found, as a table.

use std::fmt;

macro_rules! promises {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)+) => {
        /// What is checked. The number is that of the promise in [`crate::port::Driver`]'s module, where there is one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Promise { $($(#[$doc])* $variant,)+ }

        impl Promise {
            /// Every promise there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// In words.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)+ } }
        }
    };
}

promises! {
    /// The descriptor is of the verb, its figures make sense, its `check` takes the trial's parameters, and every verb has a trial.
    Described = "the descriptor is true to the verb";
    /// 1: the fingerprint is the same after looking.
    Harmless = "observing changes nothing";
    /// 1: two looks at one state answer alike.
    Steady = "observing twice answers the same";
    /// The act of the trial is applied when nothing stands in its way.
    Applied = "the act is applied";
    /// The output has exactly the fields of the descriptor.
    Outputs = "the outputs are the declared ones";
    /// Every address that was contacted is among the endpoints.
    Endpoints = "every contacted address is an endpoint";
    /// After the act an observation says so.
    Seen = "an act that is done is seen";
    /// 2: the fingerprint is the same after the second act.
    Twice = "acting twice does no more than once";
    /// What `check` refuses is never acted on.
    BadParameters = "refused parameters have no effect";
    /// 3: a connection that is cut before the reply is unknown, wherever something may have been done.
    LostReply = "a lost reply is unknown";
    /// After a lost reply, an observation finds what is so, and a new act completes.
    Recovery = "after a lost reply the truth is found";
    /// A refused connection has no effect, and the act may be tried again.
    Refused = "a refused connection is no effect";
    /// A target that does not answer is not guessed about.
    Dead = "a dead target is not guessed about";
    /// 6: with a target that stalls, calls end in time, and nothing that was done is denied.
    Deadline = "a stalled target is given up in time";
    /// 6: an act that is dropped leaves nothing open, and can be observed and completed.
    Dropped = "a dropped act leaves nothing behind";
    /// 4: without a permit nothing is done or undone.
    NoPermit = "without a permit nothing is done";
    /// 4: an act whose permit goes out has no further effect.
    PermitLost = "a permit that goes out stops the act";
    /// Undoing comes back to the start, and a second time does no more.
    Undone = "undoing comes back to the start";
    /// 5: nothing that was returned contains a secret.
    Secrets = "no secret is told";
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The promise was kept.
    Kept,
    /// It was not.
    Broken {
        /// What was expected.
        expected: String,
        /// What was found, and where.
        found: String,
    },
    /// It could not be tried.
    NotApplicable {
        /// Why not.
        why: String,
    },
}

/// One promise, tried on one trial or on the driver as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The trial's title; `driver` for the driver as a whole.
    pub of: String,
    /// What was promised.
    pub promise: Promise,
    /// What came of it.
    pub outcome: Outcome,
}

impl Check {
    pub(super) fn new(of: &str, promise: Promise, verdict: Result<(), Outcome>) -> Self {
        Self { of: of.to_owned(), promise, outcome: verdict.err().unwrap_or(Outcome::Kept) }
    }
}

/// `Ok`: kept. Else why not, for the table.
pub(super) type Verdict = Result<(), Outcome>;

pub(super) fn broken(expected: impl Into<String>, found: impl Into<String>) -> Outcome {
    Outcome::Broken { expected: expected.into(), found: found.into() }
}

pub(super) fn not_applicable(why: impl Into<String>) -> Outcome {
    Outcome::NotApplicable { why: why.into() }
}

/// Everything that was checked. It prints as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The driver.
    pub subject: String,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    /// The checks that found a promise broken.
    pub fn broken(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Broken { .. }))
    }

    /// No promise is broken, and some were kept.
    pub fn conforms(&self) -> bool {
        self.broken().next().is_none() && self.checks.iter().any(|check| check.outcome == Outcome::Kept)
    }

    /// For tests.
    ///
    /// # Panics
    ///
    /// With the whole table, when a promise is broken, or when nothing at all could be checked.
    pub fn assert_conforms(&self) {
        assert!(self.conforms(), "the driver does not conform\n\n{self}");
    }

    fn count(&self, which: fn(&Outcome) -> bool) -> usize {
        self.checks.iter().filter(|check| which(&check.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} kept, {} broken, {} not applicable",
            self.subject,
            self.count(|outcome| matches!(outcome, Outcome::Kept)),
            self.count(|outcome| matches!(outcome, Outcome::Broken { .. })),
            self.count(|outcome| matches!(outcome, Outcome::NotApplicable { .. })),
        )?;
        let mut of = None;
        for check in &self.checks {
            if of != Some(&check.of) {
                writeln!(f, "\n{}", check.of)?;
                of = Some(&check.of);
            }
            match &check.outcome {
                Outcome::Kept => writeln!(f, "  kept    {}", check.promise)?,
                Outcome::Broken { expected, found } => {
                    writeln!(f, "  BROKEN  {}", check.promise)?;
                    writeln!(f, "            expected: {expected}")?;
                    writeln!(f, "            found:    {found}")?;
                }
                Outcome::NotApplicable { why } => writeln!(f, "  -       {}: {why}", check.promise)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: Vec<Outcome>) -> Report {
        let checks = Promise::ALL.iter().zip(outcomes);
        let checks = checks.map(|(promise, outcome)| Check { of: "dns.switch".into(), promise: *promise, outcome });
        Report { subject: "names".into(), checks: checks.collect() }
    }

    #[test]
    fn a_report_is_a_table_that_says_what_was_expected_and_found() {
        let outcomes = vec![Outcome::Kept, broken("an empty zone", "two names"), not_applicable("it only reads")];
        insta::assert_snapshot!(report(outcomes), @r"
        names: 1 kept, 1 broken, 1 not applicable

        dns.switch
          kept    the descriptor is true to the verb
          BROKEN  observing changes nothing
                    expected: an empty zone
                    found:    two names
          -       observing twice answers the same: it only reads
        ");
    }

    #[test]
    fn one_broken_promise_is_enough_and_nothing_checked_is_not() {
        assert!(report(vec![Outcome::Kept, not_applicable("why")]).conforms());
        assert!(!report(vec![Outcome::Kept, broken("a", "b")]).conforms());
        assert!(!report(vec![not_applicable("why")]).conforms());
        assert!(!report(Vec::new()).conforms());
    }
}
