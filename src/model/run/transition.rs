//! Which event leads where, for one step: a table in the shape of a match, with every pair of event and state in it.

use jiff::Timestamp;

use crate::model::{EventBody, StepState};

/// The state of a step after an event about it; `None` when the event makes no sense there.
pub(super) fn step_after(state: &StepState, body: &EventBody, at: Timestamp) -> Option<StepState> {
    use EventBody as E;
    use StepState as S;
    match (body, state) {
        (
            E::Skipped { by, why, .. },
            S::Waiting | S::Blocked { .. } | S::AwaitingApproval { .. } | S::Failed { .. } | S::Resting { .. },
        ) => Some(S::Skipped { by: by.clone(), why: why.clone() }),
        (E::Blocked { reasons, .. }, S::Waiting | S::Resting { .. } | S::Blocked { .. }) => {
            Some(S::Blocked { reasons: reasons.clone() })
        }
        (E::ApprovalAsked { needed, .. }, S::Waiting) => {
            Some(S::AwaitingApproval { needed: *needed, have: Vec::new(), since: at })
        }
        (E::Acting { attempt, .. }, S::Waiting | S::Resting { .. } | S::Unsure { .. }) => {
            Some(S::Acting { attempt: *attempt, since: at })
        }
        (
            E::Done { attempt, output, facts, .. },
            S::Waiting
            | S::Resting { .. }
            | S::Acting { .. }
            | S::Unsure { .. }
            | S::AwaitingApproval { .. }
            | S::Blocked { .. },
        ) => Some(S::Done { attempt: *attempt, output: output.clone(), facts: facts.clone() }),
        (
            E::Failed { attempt, why, retry_at, passed_over, .. },
            S::Waiting | S::Resting { .. } | S::Acting { .. } | S::Unsure { .. } | S::AwaitingApproval { .. },
        ) => Some(match retry_at {
            Some(until) => S::Resting { attempt: *attempt, until: *until, why: why.clone() },
            None => S::Failed { attempt: *attempt, why: why.clone(), passed_over: *passed_over },
        }),
        (E::Lost { attempt, why, .. }, S::Acting { .. } | S::Unsure { .. }) => {
            Some(S::Unsure { attempt: *attempt, why: why.clone() })
        }
        (E::Undoing { .. }, S::Done { .. } | S::Undoing { .. } | S::Stuck { .. }) => Some(S::Undoing { since: at }),
        (E::Undone { .. }, S::Undoing { .. }) => Some(S::Undone),
        (E::Stuck { why, .. }, S::Undoing { .. } | S::Unsure { .. }) => Some(S::Stuck { why: why.clone() }),
        (
            E::Skipped { .. }
            | E::Blocked { .. }
            | E::ApprovalAsked { .. }
            | E::Acting { .. }
            | E::Done { .. }
            | E::Failed { .. }
            | E::Lost { .. }
            | E::Undoing { .. }
            | E::Undone { .. }
            | E::Stuck { .. }
            | E::Opened(_)
            | E::TakenOver { .. }
            | E::Commanded { .. }
            | E::ApprovalWithdrawn { .. }
            | E::Paused { .. }
            | E::Unwinding { .. }
            | E::Closed { .. },
            S::Waiting
            | S::Blocked { .. }
            | S::AwaitingApproval { .. }
            | S::Acting { .. }
            | S::Unsure { .. }
            | S::Resting { .. }
            | S::Done { .. }
            | S::Skipped { .. }
            | S::Failed { .. }
            | S::Undoing { .. }
            | S::Undone
            | S::Stuck { .. },
        ) => None,
    }
}
