//! Floor 1: what a document says, as typed. The same types are the YAML of the command line, the JSON schema of
//! editors and the custom resources of the operator. They say nothing about places in a file: a finding names a
//! path (`spec.steps[3].needs[0]`), and `manifest` knows where that path was written.
//!
//! Three rules keep the messages good and the schemas structural: unknown fields are refused everywhere, a choice is
//! a struct of which exactly one field is set (never an untagged enum), and nothing is flattened.

mod anchor;
mod assurance;
mod control;
mod drill;
mod group;
mod isolated;
mod notify;
mod params;
mod policy;
mod probe;
mod region;
mod runbook;
mod secret;
mod service;
mod target;

pub use anchor::{
    AnchorKind, EvidenceAnchor, EvidenceAnchorSpec, LEAST_RETAINED_DAYS, MOST_RETAINED_DAYS, TimestampAnchor,
    WitnessAnchor, WormAnchor,
};
pub use assurance::{AssuranceCalendar, AssuranceCalendarSpec, AssuranceItemSpec, AssuranceKind};
pub use control::{ControlException, ControlProgram, ControlsSpec, IngressSpec, ReachSpec, TenantProbes, TenantSpec};
pub use drill::{
    BlackoutKind, BlackoutSpec, ConcurrencyPolicy, DatesBlackout, Day, DrillSchedule, DrillScheduleSpec,
    HistoryLimitSpec, WeeklyBlackout,
};
pub use group::{
    Approvals, CorrelatedProbes, DetectionSpec, GroupRegion, ObjectivesSpec, ProtectionGroup, ProtectionGroupSpec,
    RunbookNames, Signatures,
};
pub use isolated::{DrillsSpec, IsolatedSpec, LiveSpec};
pub use notify::{
    ChannelKind, NoticeEvent, NoticeSeverity, NotificationChannel, NotificationChannelSpec, PagerDutyChannel,
    SignatureSpec, SlackChannel, SmtpChannel, SmtpSecurity, TEMPLATE_NAMES, WebhookChannel,
};
pub use params::{
    ApproveParams, CommandParams, HttpParams, NoParams, ProbeAwaitParams, ReverseMember, ReverseParams, WaitParams,
    WithinParams,
};
pub use policy::{AfterFailure, DrillPolicy, DrillPolicySpec, PolicyMatch, RequirementSpec, ValidIf};
pub use probe::{DnsProbe, HttpProbe, ProbeHeader, ProbeKind, ProbeMethod, ProbeSpec, TcpProbe};
pub use region::{Region, RegionSpec};
pub use runbook::{ManualSpec, RetrySpec, Runbook, RunbookSpec, StepSpec, UndoSpec};
pub use secret::SecretRef;
pub use service::{
    CommandProbe, KubernetesDeployment, KubernetesProbe, MysqlProbe, PrometheusProbe, RedisProbe, RedisRole, SqlProbe,
};
pub use target::{
    DnsRecord, FakeTarget, FenceMethod, FenceMethodKind, HttpCall, PostgresMember, PostgresTarget, ProgramCall,
    ReadOnlyFence, RecordByRegion, RecordType, Rfc2136Target, S3Member, S3Target, TargetKind, TargetSpec, TlsMode,
    TlsSpec, TsigAlgorithm, TsigKey,
};

/// `apiVersion` of every document.
pub const API_VERSION: &str = "lifeboat.dev/v1alpha1";

/// A struct of choices of which exactly one must be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChoice {
    /// None is set.
    #[error("none of {} is given", .choices.join(", "))]
    None {
        /// What could be.
        choices: &'static [&'static str],
    },
    /// More than one is.
    #[error("{} are given together; exactly one is allowed", .given.join(" and "))]
    Several {
        /// What is.
        given: Vec<&'static str>,
    },
}

/// Picks the one that is set.
fn exactly_one<T>(choices: &'static [&'static str], given: Vec<(&'static str, T)>) -> Result<T, BadChoice> {
    let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
    let mut given = given.into_iter();
    match (given.next(), given.next()) {
        (Some((_, one)), None) => Ok(one),
        (None, _) => Err(BadChoice::None { choices }),
        (Some(_), Some(_)) => Err(BadChoice::Several { given: names }),
    }
}
