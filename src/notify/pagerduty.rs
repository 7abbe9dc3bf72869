//! PagerDuty's Events API v2: `trigger` opens an incident or adds to it, `resolve` ends it; both name it by `dedup_key`.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    post::{self, Post},
    text::{self, cut},
};
use crate::{
    port::{Notice, Notifier, NotifyError, Secrets},
    spec::PagerDutyChannel,
};

/// Characters of a summary and of a key.
const SUMMARY: usize = 1_024;
const KEY: usize = 255;

pub(super) struct PagerDuty {
    pub(super) spec: PagerDutyChannel,
    pub(super) template: Option<String>,
    pub(super) post: Post,
    pub(super) secrets: Arc<dyn Secrets>,
}

impl Notifier for PagerDuty {
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotifyError>> {
        Box::pin(async move {
            let url = post::url(&self.spec.url)?;
            let key = self.secrets.resolve(&self.spec.routing_key)?;
            let body = event(notice, key.expose_secret(), self.template.as_deref()).to_string();
            self.post.send(url, "application/json; charset=utf-8", Vec::new(), body, &[key.expose_secret()]).await
        })
    }
}

fn event(notice: &Notice, routing_key: &str, template: Option<&str>) -> Value {
    // A key that is too long is named by its hash, both when it opens and when it closes.
    let key = if notice.key.len() > KEY { text::hash(&notice.key) } else { notice.key.clone() };
    let source = match &notice.region {
        Some(region) => region.to_string(),
        None => notice.group.as_ref().map_or_else(|| "lifeboat".to_owned(), ToString::to_string),
    };
    json!({
        "routing_key": routing_key,
        "event_action": if notice.kind.closes() { "resolve" } else { "trigger" },
        "dedup_key": key,
        "client": "Lifeboat",
        "payload": {
            "summary": cut(&text::line(&notice.title), SUMMARY),
            "source": source,
            "severity": notice.severity.as_str(),
            "timestamp": notice.at.to_string(),
            "component": notice.run,
            "group": notice.group,
            "class": notice.kind.event().as_str(),
            "custom_details": { "text": text::message(notice, template), "command": notice.command, "key": notice.key },
        },
    })
}
