//! `kind: NotificationChannel`.

use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BadChoice, SecretRef, exactly_one};
use crate::model::GroupName;

/// A place where people are told what happens: a name and exactly one of `webhook`, `slack`, `pagerduty`, `smtp`.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "NotificationChannel",
    plural = "notificationchannels",
    category = "lifeboat",
    namespaced
)]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationChannelSpec {
    /// CloudEvents to a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookChannel>,
    /// A Slack incoming webhook, or anything that takes the same messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackChannel>,
    /// PagerDuty's Events API v2, or anything that takes the same events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagerduty: Option<PagerDutyChannel>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpChannel>,
    /// Only these events; default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<NoticeEvent>,
    /// Only what is at least this grave.
    #[serde(default)]
    pub minimum_severity: NoticeSeverity,
    /// Only these groups; default: all. What concerns no group (a lost store) is always told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// The message's text, with `{{ title }}`, `{{ body }}`, `{{ command }}` and the others of `lifeboat explain LB0701`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// The names that a template may use. What a notice does not have is an empty text.
pub const TEMPLATE_NAMES: &[&str] =
    &["event", "severity", "title", "body", "command", "group", "region", "run", "key", "at"];

/// The chosen kind of a channel.
#[derive(Debug, Clone, Copy)]
pub enum ChannelKind<'a> {
    /// CloudEvents.
    Webhook(&'a WebhookChannel),
    /// Slack's messages.
    Slack(&'a SlackChannel),
    /// PagerDuty's events.
    PagerDuty(&'a PagerDutyChannel),
    /// E-mail.
    Smtp(&'a SmtpChannel),
}

impl NotificationChannelSpec {
    /// The keys of which exactly one is set.
    pub const KINDS: &'static [&'static str] = &["webhook", "slack", "pagerduty", "smtp"];

    /// The one kind that is set.
    pub fn kind(&self) -> Result<ChannelKind<'_>, BadChoice> {
        let mut given = Vec::new();
        given.extend(self.webhook.as_ref().map(|c| ("webhook", ChannelKind::Webhook(c))));
        given.extend(self.slack.as_ref().map(|c| ("slack", ChannelKind::Slack(c))));
        given.extend(self.pagerduty.as_ref().map(|c| ("pagerduty", ChannelKind::PagerDuty(c))));
        given.extend(self.smtp.as_ref().map(|c| ("smtp", ChannelKind::Smtp(c))));
        exactly_one(Self::KINDS, given)
    }
}

/// CloudEvents 1.0 in structured mode (`application/cloudevents+json`), sent by POST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookChannel {
    /// Where to.
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// Signs each message with HMAC-SHA256, in the headers of Standard Webhooks: `webhook-id`, `webhook-timestamp`,
    /// `webhook-signature`. A secret that begins with `whsec_` is base64 after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureSpec>,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// What signs a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureSpec {
    /// The key that sender and receiver share.
    pub secret: SecretRef,
}

/// A Slack incoming webhook. Its URL is a secret: whoever knows it can post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackChannel {
    /// The webhook's URL.
    pub webhook_url: SecretRef,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// PagerDuty's Events API v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PagerDutyChannel {
    /// The integration key of the service.
    pub routing_key: SecretRef,
    /// Where events go.
    #[serde(default = "pagerduty_url")]
    pub url: String,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

fn pagerduty_url() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

/// A mail server that takes submissions (RFC 6409).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmtpChannel {
    /// `host:port`; 587 is usual for `StartTls`, 465 for `Tls`.
    pub server: String,
    /// How the connection is protected.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// Who the message is from.
    pub from: String,
    /// Whom it is for.
    pub to: Vec<String>,
    /// The account to log in with; default: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// PEM file with the authorities to trust; default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum SmtpSecurity {
    /// Plain text at first, then TLS, or nothing is sent (RFC 3207).
    #[default]
    StartTls,
    /// TLS from the first byte (RFC 8314 section 3).
    Tls,
    /// Never. No login then.
    None,
}

/// How grave a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum NoticeSeverity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look in the next days.
    Warning,
    /// Somebody should look today.
    Error,
    /// Somebody must look now.
    Critical,
}

impl NoticeSeverity {
    /// In lower case, which is also PagerDuty's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for NoticeSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        /// What people are told of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum NoticeEvent { $($(#[$doc])* $name,)+ }

        impl NoticeEvent {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// As written in documents.
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => stringify!($name),)+ } }
        }
    };
}

events! {
    /// The observers agree that a region is down.
    OutageDetected;
    /// They agree that it is up again.
    OutageOver;
    /// A failover is proposed, and waits for a person.
    Proposal;
    /// A run began.
    RunStarted;
    /// A run cannot go on without a person.
    RunNeedsPerson;
    /// A run ended.
    RunClosed;
    /// No drill passed within the time that the group promised.
    DrillOverdue;
    /// A drill passed.
    DrillPassed;
    /// A group became ready for a failover, or stopped being so.
    ReadinessChanged;
    /// An observer's reports stopped.
    ObserverLost;
    /// They came back.
    ObserverBack;
    /// The store does not answer.
    StoreLost;
    /// It answers again.
    StoreBack;
    /// Two regions take writes.
    TwoPrimaries;
    /// No more than one does.
    TwoPrimariesOver;
}

impl fmt::Display for NoticeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
