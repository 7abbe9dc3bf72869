//! `kind: DrillSchedule`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadChoice, exactly_one};
use crate::model::{DrillMode, GroupName};

/// Drills of a group that happen on their own.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "DrillSchedule",
    plural = "drillschedules",
    shortname = "ds",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillScheduleSpec {
    /// Name of the `ProtectionGroup` that is drilled.
    pub group: GroupName,
    /// How far a drill goes.
    #[serde(default)]
    pub mode: DrillMode,
    /// When: the five fields of crontab(5).
    pub schedule: String,
    /// By whose clock: a name of the IANA time zone database, such as `Europe/Berlin`; default UTC.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What a drill does while a run of the group is open. A group has one run at a time (`Allow` cannot be), and a run that
    /// is thrown away in its middle is no drill (`Replace` must not be): it waits, until its deadline is over.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// How many seconds late a drill may start; one that is later is passed over. A minute to a week, default an hour.
    #[serde(default = "hour")]
    #[schemars(range(min = 60, max = 604_800))]
    pub starting_deadline_seconds: u64,
    /// Nothing starts.
    #[serde(default)]
    pub suspend: bool,
    /// Times in which nothing starts, by the same clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackouts: Vec<BlackoutSpec>,
    /// How many ended drills `lifeboat drill schedules` shows. Journals and records are kept, whatever it says.
    #[serde(default)]
    pub history_limit: HistoryLimitSpec,
    /// Why there are these drills; kept as evidence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

fn utc() -> String {
    "UTC".into()
}
/// Long enough for an upgrade or a machine that is started again, short enough that a drill of the night does not begin
/// among the customers of the morning.
fn hour() -> u64 {
    3_600
}

/// What a drill does while a run of its group is open; the word is `CronJob`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// It waits.
    #[default]
    Forbid,
}

/// A blackout: exactly one of `weekly` and `dates`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlackoutSpec {
    /// A time of every week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyBlackout>,
    /// Whole days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DatesBlackout>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The chosen kind of a blackout.
#[derive(Debug, Clone, Copy)]
pub enum BlackoutKind<'a> {
    /// A time of every week.
    Weekly(&'a WeeklyBlackout),
    /// Whole days.
    Dates(&'a DatesBlackout),
}

impl BlackoutSpec {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] = &["weekly", "dates"];

    /// The one kind that is set.
    pub fn kind(&self) -> Result<BlackoutKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.weekly.as_ref().map(|weekly| ("weekly", BlackoutKind::Weekly(weekly))));
        given.extend(self.dates.as_ref().map(|dates| ("dates", BlackoutKind::Dates(dates))));
        exactly_one(Self::KINDS, given)
    }
}

/// A time of every week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeeklyBlackout {
    /// On these days; default every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// From this time of the day, `HH:MM`; default its beginning.
    #[serde(default = "midnight")]
    pub from: String,
    /// To this time, which is outside, `HH:MM` up to `24:00`; default the end of the day. When it is not after `from`, it is
    /// the next day's.
    #[serde(default = "end_of_day")]
    pub to: String,
}

fn midnight() -> String {
    "00:00".into()
}
fn end_of_day() -> String {
    "24:00".into()
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// Its number from Sunday, 0 to 6.
    pub fn number(self) -> i8 {
        match self {
            Self::Sun => 0,
            Self::Mon => 1,
            Self::Tue => 2,
            Self::Wed => 3,
            Self::Thu => 4,
            Self::Fri => 5,
            Self::Sat => 6,
        }
    }
}

/// Whole days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatesBlackout {
    /// The first day, `YYYY-MM-DD`.
    pub from: String,
    /// The last day, which is inside.
    pub to: String,
}

/// How many ended drills a list shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryLimitSpec {
    /// That passed; default 3.
    #[serde(default = "three")]
    pub passed: u32,
    /// That did not; default 1.
    #[serde(default = "one")]
    pub failed: u32,
}

impl Default for HistoryLimitSpec {
    fn default() -> Self {
        Self { passed: three(), failed: one() }
    }
}

fn three() -> u32 {
    3
}
fn one() -> u32 {
    1
}
