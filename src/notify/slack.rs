//! Slack's incoming webhooks: `text` for notifications, `blocks` for the screen. Mattermost, Rocket.Chat and others take the
//! same and show what they understand of it.

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
    spec::{NoticeSeverity, SlackChannel},
};

/// Characters of a header block and of a section block (Slack's Block Kit reference).
const HEADER: usize = 150;
const SECTION: usize = 3_000;

pub(super) struct Slack {
    pub(super) spec: SlackChannel,
    pub(super) template: Option<String>,
    pub(super) post: Post,
    pub(super) secrets: Arc<dyn Secrets>,
}

impl Notifier for Slack {
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotifyError>> {
        Box::pin(async move {
            let secret = self.secrets.resolve(&self.spec.webhook_url)?;
            let url = post::url(secret.expose_secret())?;
            let (path, query) = (url.path().to_owned(), url.query().unwrap_or_default().to_owned());
            let hidden: Vec<&str> =
                [secret.expose_secret(), &path, &query].into_iter().filter(|text| text.len() > 1).collect();
            let body = message(notice, self.template.as_deref()).to_string();
            self.post.send(url, "application/json; charset=utf-8", Vec::new(), body, &hidden).await
        })
    }
}

fn message(notice: &Notice, template: Option<&str>) -> Value {
    let title = text::line(&notice.title);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&format!("{} {title}", mark(notice)), HEADER), "emoji": true },
    })];
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    if template.is_some() {
        blocks.push(section(cut(&escape(&text::message(notice, template)), SECTION)));
    } else {
        if !notice.body.is_empty() {
            blocks.push(section(cut(&escape(&notice.body), SECTION)));
        }
        if let Some(command) = &notice.command {
            // A fence inside of the fence would end it.
            let command = escape(command).replace("```", "'''");
            blocks.push(section(format!("```{}```", cut(&command, SECTION - 6))));
        }
    }
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": escape(&context(notice)) }],
    }));
    // What a phone shows, and what is read aloud.
    json!({ "text": escape(&cut(&format!("{} {title}", mark(notice)), SECTION)), "blocks": blocks })
}

fn mark(notice: &Notice) -> &'static str {
    match notice.severity {
        _ if notice.kind.closes() => ":white_check_mark:",
        NoticeSeverity::Info => ":information_source:",
        NoticeSeverity::Warning => ":warning:",
        NoticeSeverity::Error => ":x:",
        NoticeSeverity::Critical => ":rotating_light:",
    }
}

fn context(notice: &Notice) -> String {
    let mut parts = vec![format!("{} · {}", notice.kind.event(), notice.severity)];
    parts.extend(notice.group.as_ref().map(|group| format!("group {group}")));
    parts.extend(notice.region.as_ref().map(|region| format!("region {region}")));
    parts.extend(notice.run.as_ref().map(|run| format!("run {run}")));
    parts.push(format!("{:.0}", notice.at));
    parts.join(" · ")
}

/// The three characters that mean something in Slack's text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
