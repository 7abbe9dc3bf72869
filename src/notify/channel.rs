//! A channel: what it takes, and how it tells.

use std::sync::Arc;

use super::{pagerduty::PagerDuty, post::Post, slack::Slack, smtp::Smtp, webhook::Webhook};
use crate::{
    model::{ChannelName, GroupName},
    port::{Clock, Notice, Notifier, Secrets},
    spec::{BadChoice, ChannelKind, NoticeEvent, NoticeSeverity, NotificationChannelSpec},
};

/// What channels are opened with.
#[derive(Clone)]
pub struct Means {
    /// Where secrets come from: asked for each message.
    pub secrets: Arc<dyn Secrets>,
    /// For the time in a signature.
    pub clock: Arc<dyn Clock>,
}

/// A channel, opened: nothing was contacted yet.
#[derive(Clone)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What it takes.
    pub telling: Telling,
    /// How it tells.
    pub notifier: Arc<dyn Notifier>,
}

impl Channel {
    /// Opens what a document says.
    ///
    /// # Errors
    /// When not exactly one kind is chosen. Everything else that is wrong shows when there is something to tell.
    pub fn open(name: ChannelName, spec: &NotificationChannelSpec, means: &Means) -> Result<Self, BadChoice> {
        let (template, secrets) = (spec.template.clone(), Arc::clone(&means.secrets));
        let kind = spec.kind()?;
        let every_end = matches!(kind, ChannelKind::PagerDuty(_));
        let notifier: Arc<dyn Notifier> = match kind {
            ChannelKind::Webhook(webhook) => {
                let (post, clock) = (Post::new(webhook.ca.clone()), Arc::clone(&means.clock));
                Arc::new(Webhook { spec: webhook.clone(), template, post, secrets, clock })
            }
            ChannelKind::Slack(slack) => {
                Arc::new(Slack { post: Post::new(slack.ca.clone()), spec: slack.clone(), template, secrets })
            }
            ChannelKind::PagerDuty(pager) => {
                Arc::new(PagerDuty { post: Post::new(pager.ca.clone()), spec: pager.clone(), template, secrets })
            }
            ChannelKind::Smtp(smtp) => Arc::new(Smtp { spec: smtp.clone(), template, secrets }),
        };
        let telling = Telling {
            events: spec.events.clone(),
            minimum: spec.minimum_severity,
            groups: spec.groups.clone(),
            every_end,
        };
        Ok(Self { name, telling, notifier })
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).field("telling", &self.telling).finish_non_exhaustive()
    }
}

/// What a channel takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telling {
    /// Only these; empty: all.
    pub events: Vec<NoticeEvent>,
    /// Only what is at least this grave.
    pub minimum: NoticeSeverity,
    /// Only these groups; empty: all.
    pub groups: Vec<GroupName>,
    /// The end of anything in these groups: a pager that was called by an earlier process is told that it is over, and one
    /// that was not passes over it.
    pub every_end: bool,
}

impl Telling {
    /// Whether the channel takes this notice. `told`: it was told of the beginning that this one ends.
    pub fn takes(&self, notice: &Notice, told: bool) -> bool {
        let concerns = self.groups.is_empty() || notice.group.as_ref().is_none_or(|group| self.groups.contains(group));
        let event = notice.kind.event();
        let listed = self.events.is_empty() || self.events.contains(&event);
        let ends = notice.kind.closes() && (told || self.every_end);
        concerns && (ends || (listed && notice.severity >= self.minimum))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{model::RegionName, notify::word};

    fn group() -> GroupName {
        GroupName::new("orders").unwrap()
    }
    fn outage() -> Notice {
        word::outage_detected(&group(), &RegionName::new("fra").unwrap(), None, &[], Timestamp::UNIX_EPOCH)
    }
    fn over() -> Notice {
        word::outage_over(&group(), &RegionName::new("fra").unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_channel_takes_what_it_lists_and_nothing_else() {
        let others = Telling { groups: vec![GroupName::new("shop").unwrap()], ..Telling::default() };
        let drills = Telling { events: vec![NoticeEvent::DrillOverdue], ..Telling::default() };
        let grave = Telling { minimum: NoticeSeverity::Critical, ..Telling::default() };
        let lost = word::store_lost("sqlite:x", "gone", Timestamp::UNIX_EPOCH);
        for (telling, notice, expected) in [
            (&Telling::default(), outage(), true),
            (&others, outage(), false),
            (&others, lost, true),
            (&drills, outage(), false),
            (&grave, outage(), true),
            (&grave, over(), false),
        ] {
            assert_eq!(telling.takes(&notice, false), expected, "{telling:?} {}", notice.title);
        }
    }

    #[test]
    fn whoever_was_told_of_a_beginning_is_told_of_its_end() {
        let grave = Telling { minimum: NoticeSeverity::Critical, ..Telling::default() };
        assert!(grave.takes(&over(), true));
        let pager = Telling { every_end: true, ..grave };
        assert!(pager.takes(&over(), false));
        let elsewhere = Telling { groups: vec![GroupName::new("shop").unwrap()], ..pager };
        assert!(!elsewhere.takes(&over(), true));
    }
}
