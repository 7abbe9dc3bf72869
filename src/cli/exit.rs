//! Exit codes: a table that scripts may rely on.

use std::process::ExitCode;

use crate::{
    app::{AppError, Fault, Rested},
    decide::Rest,
    model::{Outcome, PauseReason},
};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// What was asked for is so.
    Success,
    /// It was tried, and it is not so.
    Failure,
    /// The documents have errors, or what was typed makes no sense.
    Usage,
    /// The run is paused or waits for a person.
    Paused,
    /// A gate or a check refused it.
    Refused,
    /// The store is out of reach, or another process holds the lease.
    Unavailable,
    /// The run got to its end, and a step was passed over, or left out by a person.
    Exceptions,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

/// The table, as it is shown by `--help`.
pub(super) const TABLE: &str = "\
Exit codes:
  0    success
  1    failure: it was tried, and it is not so
  2    the documents have errors, or what was typed makes no sense
  3    the run is paused or waits for a person
  4    a gate or a check refused it
  5    the store is out of reach, or another process holds the lease
  6    the run got to its end with exceptions: a step was passed over, or left out by a person
  130  interrupted (Ctrl-C, SIGTERM); the run is paused and can be resumed";

impl Exit {
    /// The number.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Paused => 3,
            Self::Refused => 4,
            Self::Unavailable => 5,
            Self::Exceptions => 6,
            Self::Interrupted => 130,
        }
    }

    /// For a flow that did not get to its end.
    pub(super) fn of_error(error: &AppError) -> Self {
        match error.fault() {
            Fault::Failure => Self::Failure,
            Fault::Usage => Self::Usage,
            Fault::Refused => Self::Refused,
            Fault::Unavailable => Self::Unavailable,
        }
    }

    /// For a run that came to rest, with what its record says: a drill that found the destination less protected is no success.
    pub(super) fn of_rested(rested: &Rested) -> Self {
        match Self::of_rest(&rested.rest) {
            Self::Success if rested.record.controls_lost().next().is_some() => Self::Failure,
            exit => exit,
        }
    }

    /// For a run that came to rest. Only a clean end is a success.
    pub(super) fn of_rest(rest: &Rest) -> Self {
        match rest {
            Rest::Closed(Outcome::Succeeded) => Self::Success,
            Rest::Closed(Outcome::CompletedWithExceptions) => Self::Exceptions,
            Rest::Closed(Outcome::Failed | Outcome::Cancelled | Outcome::Unwound) => Self::Failure,
            Rest::Paused(PauseReason::Interrupted) | Rest::Interrupted => Self::Interrupted,
            Rest::Paused(
                PauseReason::Ordered { .. }
                | PauseReason::StepFailed { .. }
                | PauseReason::StepBlocked { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::UndoStuck { .. }
                | PauseReason::Stopped { .. },
            )
            | Rest::AwaitingApproval(_) => Self::Paused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_help_has_every_code() {
        use Exit::{Exceptions, Failure, Interrupted, Paused, Refused, Success, Unavailable, Usage};
        for exit in [Success, Failure, Usage, Paused, Refused, Unavailable, Exceptions, Interrupted] {
            assert!(TABLE.lines().any(|line| line.trim_start().starts_with(&format!("{} ", exit.code()))), "{exit:?}");
        }
    }

    #[test]
    fn only_a_clean_end_is_a_success() {
        let success = |rest| Exit::of_rest(&rest) == Exit::Success;
        assert!(success(Rest::Closed(Outcome::Succeeded)));
        for outcome in [Outcome::CompletedWithExceptions, Outcome::Failed, Outcome::Cancelled, Outcome::Unwound] {
            assert!(!success(Rest::Closed(outcome)), "{outcome:?}");
        }
        assert_eq!(Exit::of_rest(&Rest::Paused(PauseReason::Interrupted)), Exit::Interrupted);
    }
}
