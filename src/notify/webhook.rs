//! CloudEvents 1.0 in structured mode (CloudEvents HTTP protocol binding section 3.2), signed as Standard Webhooks says.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    post::{self, Post},
    text,
};
use crate::{
    port::{Clock, Notice, Notifier, NotifyError, Secrets},
    spec::WebhookChannel,
};

/// The media type of an event in structured mode.
const EVENT: &str = "application/cloudevents+json; charset=utf-8";

pub(super) struct Webhook {
    pub(super) spec: WebhookChannel,
    pub(super) template: Option<String>,
    pub(super) post: Post,
    pub(super) secrets: Arc<dyn Secrets>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Notifier for Webhook {
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotifyError>> {
        Box::pin(self.send(notice))
    }
}

impl Webhook {
    async fn send(&self, notice: &Notice) -> Result<(), NotifyError> {
        let url = post::url(&self.spec.url)?;
        let id = text::identity(notice);
        let body = event(notice, &id, self.template.as_deref()).to_string();
        let bearer = self.spec.bearer.as_ref().map(|reference| self.secrets.resolve(reference)).transpose()?;
        let signature = self.spec.signature.as_ref();
        let key = signature.map(|signature| self.secrets.resolve(&signature.secret)).transpose()?;
        let mut headers = Vec::new();
        let mut hidden = vec![url.path().to_owned(), url.query().unwrap_or_default().to_owned()];
        if let Some(bearer) = &bearer {
            headers.push(("authorization", post::secret_header(&format!("Bearer {}", bearer.expose_secret()))?));
            hidden.push(bearer.expose_secret().to_owned());
        }
        if let Some(key) = &key {
            let at = self.clock.now().as_second().to_string();
            let signed = sign(key.expose_secret(), &format!("{id}.{at}.{body}"))?;
            for (name, value) in [("webhook-id", &id), ("webhook-timestamp", &at), ("webhook-signature", &signed)] {
                // Digits and base64: always a header.
                headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
            }
            hidden.push(key.expose_secret().to_owned());
        }
        // A path of one character hides nothing, and would take every slash out of a reason.
        let hidden: Vec<&str> = hidden.iter().map(String::as_str).filter(|text| text.len() > 1).collect();
        self.post.send(url, EVENT, headers, body, &hidden).await
    }
}

/// The event. Its attributes are those of CloudEvents section 3.1; `data` holds the notice.
fn event(notice: &Notice, id: &str, template: Option<&str>) -> Value {
    let source = match &notice.group {
        Some(group) => format!("/lifeboat/groups/{group}"),
        None => "/lifeboat".to_owned(),
    };
    json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": format!("dev.lifeboat.notice.{}", notice.kind.event()),
        "subject": notice.key,
        "time": notice.at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "event": notice.kind.event().as_str(),
            "what": notice.kind,
            "closes": notice.kind.closes(),
            "severity": notice.severity.as_str(),
            "title": notice.title,
            "body": notice.body,
            "command": notice.command,
            "group": notice.group,
            "region": notice.region,
            "run": notice.run,
            "key": notice.key,
            "text": text::message(notice, template),
        },
    })
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks, section "Signature scheme").
fn sign(secret: &str, content: &str) -> Result<String, NotifyError> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| NotifyError::Refused {
            why: "the signature's secret begins with whsec_ and is no base64 after it".to_owned(),
        })?,
        None => secret.as_bytes().to_vec(),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    Ok(format!("v1,{}", STANDARD.encode(hmac::sign(&key, content.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn a_signature_is_the_one_that_the_specification_shows() {
        let signed = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}",
        );
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_no_base64_is_refused_without_being_said() {
        let refused = sign("whsec_hunter2!", "x").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
