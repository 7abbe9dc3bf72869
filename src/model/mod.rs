//! Floor 0: the words. Checked types that cannot be wrong; no async, clock, environment or logging.

mod event;
mod fact;
mod id;
mod objective;
mod plan;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod step;
mod stop;
mod topology;
mod verb;

pub use event::{Command, CommandBody, Event, EventBody, Opened, Risk};
pub use fact::{Attempt, Divergence, Facts, FenceProof, Loss, Observed, Output, Role, Side};
pub use id::{
    Actor, BadName, ChannelName, GroupName, ProbeName, RegionName, RunId, RunbookName, StepName, TargetName, Term,
};
pub use objective::{Objectives, Phase};
pub use plan::{BadPlan, Digest, DrillPolicy, OnFailure, Plan, PlanStep, Retry, StepIndex, Undo};
pub use run::{IllegalEvent, Outcome, PauseReason, Run, RunKind, RunState};
pub use step::{Blocker, SkippedBy, StepState};
pub use stop::{StopOrder, stopped};
pub use topology::{Automation, Detection, Endpoint, FencingPolicy, Group, MemberRole, Provider, Region, TargetRef};
pub use verb::{Capability, Effect, Verb};
