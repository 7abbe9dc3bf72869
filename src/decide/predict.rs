//! How long a plan will take: the critical path of known or declared durations.

use std::time::Duration;

use crate::model::{Plan, StepIndex};

/// The prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// The longest path through the plan.
    pub total: Duration,
    /// The steps on it, in order.
    pub path: Vec<StepIndex>,
    /// For each step, by place: the longest way from its start to the end of the plan. The engine starts the step with
    /// the longest remaining path first.
    pub remaining: Vec<Duration>,
}

/// Walks the plan backwards once.
pub fn predict(plan: &Plan) -> Predicted {
    let order = plan.order().unwrap_or_default();
    let mut remaining = vec![Duration::ZERO; plan.steps.len()];
    let mut follower: Vec<Option<StepIndex>> = vec![None; plan.steps.len()];
    for index in order.iter().rev() {
        let step = &plan.steps[index.at()];
        remaining[index.at()] += Duration::from_millis(step.expected_ms);
        let here = remaining[index.at()];
        for need in &step.needs {
            if remaining[need.at()] < here || follower[need.at()].is_none() {
                remaining[need.at()] = here;
                follower[need.at()] = Some(*index);
            }
        }
    }
    let start = plan.indices().max_by_key(|index| (remaining[index.at()], std::cmp::Reverse(*index)));
    let path: Vec<StepIndex> = std::iter::successors(start, |at| follower[at.at()]).collect();
    Predicted { total: start.map_or(Duration::ZERO, |index| remaining[index.at()]), path, remaining }
}
