//! What an ended program means. Pure.

use std::os::unix::process::ExitStatusExt;
use std::{io, process::ExitStatus};

use serde_json::{Value, json};

use crate::{
    model::{Attempt, Facts, Observed, Output},
    net::program::{Ended, Printed},
    spec::CommandParams,
};

fn output(code: i32, printed: Printed) -> Output {
    Output::from_iter([("exit_code".into(), json!(code)), ("stdout".into(), Value::String(printed.stdout))])
}

/// Without a `check` program the effect cannot be seen.
pub(super) fn unchecked(params: &CommandParams, in_doubt: bool) -> Observed {
    if !in_doubt || params.idempotent || params.read_only {
        return Observed::Ready { facts: Facts::default() };
    }
    Observed::Unknown {
        why: "the program may have done its work, and the step has neither `check` nor `idempotent: true`; look for yourself, \
              then `run retry` to run it again or `run skip` when its work is done"
            .into(),
    }
}

/// What the `check` program says.
pub(super) fn checked(ended: Ended) -> Observed {
    match ended {
        Ended::Exited(status, printed) => match status.code() {
            Some(0) => Observed::Already { facts: Facts::default(), output: output(0, printed) },
            Some(_) => Observed::Ready { facts: Facts::default() },
            None => Observed::Unknown { why: format!("the `check` program {}", end(status)) },
        },
        Ended::NotStarted(error) => {
            Observed::Unknown { why: format!("the `check` program could not be started: {}", not_started(&error)) }
        }
        Ended::TimedOut(_) => {
            Observed::Unknown { why: "the `check` program did not end in time and was killed".into() }
        }
        Ended::Lost(error) => {
            Observed::Unknown { why: format!("the `check` program could not be waited for: {error}") }
        }
    }
}

/// What became of the step.
pub(super) fn attempt(ended: Ended) -> Attempt {
    match ended {
        Ended::NotStarted(error) => Attempt::NotApplied {
            why: format!("the program could not be started: {}", not_started(&error)),
            retry: !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied),
        },
        Ended::TimedOut(printed) => Attempt::Unknown {
            why: with_error("the program did not end in time and was killed with its children", &printed.last_error),
        },
        Ended::Lost(error) => Attempt::Unknown { why: format!("the program could not be waited for: {error}") },
        Ended::Exited(status, printed) => match status.code() {
            Some(0) => Attempt::Applied { output: output(0, printed), facts: Facts::default() },
            Some(code) => Attempt::NotApplied {
                why: with_error(&format!("the program exited with {code}"), &printed.last_error),
                retry: true,
            },
            None => Attempt::Unknown { why: with_error(&format!("the program {}", end(status)), &printed.last_error) },
        },
    }
}

fn with_error(what: &str, last_error: &str) -> String {
    if last_error.is_empty() { what.to_owned() } else { format!("{what}: {last_error}") }
}

fn end(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended strangely ({status})"),
    }
}

fn not_started(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such program or folder on this machine".into(),
        io::ErrorKind::PermissionDenied => "this user may not run it".into(),
        _other_kind => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(raw: i32) -> Ended {
        Ended::Exited(ExitStatus::from_raw(raw), Printed { stdout: "o".into(), last_error: "e".into() })
    }

    #[test]
    fn every_end_has_its_meaning() {
        let table = [
            (exited(0), "applied"),
            (exited(3 << 8), "retry"),
            (exited(9), "unknown"),
            (Ended::TimedOut(Printed::default()), "unknown"),
            (Ended::NotStarted(io::ErrorKind::NotFound.into()), "failed"),
            (Ended::NotStarted(io::ErrorKind::OutOfMemory.into()), "retry"),
            (Ended::Lost(io::ErrorKind::Other.into()), "unknown"),
        ];
        for (ended, expected) in table {
            let found = match attempt(ended) {
                Attempt::Applied { .. } => "applied",
                Attempt::NotApplied { retry: true, .. } => "retry",
                Attempt::NotApplied { retry: false, .. } => "failed",
                Attempt::Unknown { .. } => "unknown",
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_check_says_already_only_by_exiting_with_zero() {
        assert!(matches!(checked(exited(0)), Observed::Already { .. }));
        assert!(matches!(checked(exited(1 << 8)), Observed::Ready { .. }));
        for unknown in
            [exited(9), Ended::TimedOut(Printed::default()), Ended::NotStarted(io::ErrorKind::NotFound.into())]
        {
            assert!(matches!(checked(unknown), Observed::Unknown { .. }));
        }
    }
}
