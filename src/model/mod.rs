//! Floor 0: the words. Checked types that cannot be wrong; no async, clock, environment or logging.

mod blackout;
mod control;
mod cron;
mod drill;
mod event;
mod fact;
mod id;
mod isolation;
mod objective;
mod plan;
mod programme;
mod report;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod signature;
mod step;
mod stop;
mod timetable;
mod topology;
mod verb;

pub use blackout::{Blackout, Freezes, Frozen, Window};
pub use control::{Control, ControlCheck, ControlState, Strength};
pub use cron::{BadCron, Cron};
pub use drill::{DrillMode, Firing, HistoryLimit, Schedule};
pub use event::{Command, CommandBody, Event, EventBody, Opened, Risk};
pub use fact::{Attempt, Divergence, Facts, FenceProof, Loss, Observed, Output, Role, Side};
pub use id::{
    Actor, AnchorName, BadName, CalendarName, ChannelName, GroupName, PolicyName, ProbeName, RegionName,
    RequirementName, RunId, RunbookName, ScheduleName, ServiceName, StepName, TargetName, Term,
};
pub use isolation::{Isolation, LeftOut};
pub use objective::{Objectives, Phase};
pub use plan::{BadPlan, Digest, DrillPolicy, OnFailure, Plan, PlanStep, Retry, StepIndex, Undo};
pub use programme::{
    Acceptable, Asked, Change, Direction, Directions, Exercise, ParityAsked, Requirement, Tier, Validity,
};
pub use report::{Judged, MarkerSeen, ObserverReport, ProbeSeen, ProbeState, VerdictSeen};
pub use run::{IllegalEvent, Outcome, PauseReason, Run, RunKind, RunState};
pub use signature::{PersonSignature, Proof, Purpose, statement};
pub use step::{Blocker, SkippedBy, StepState};
pub use stop::{StopOrder, stopped};
pub use timetable::Timetable;
pub use topology::{
    Automation, Detection, Endpoint, FencingPolicy, Group, MemberRole, Provider, Region, TargetRef, WatchRules,
};
pub use verb::{Capability, Effect, Verb};
