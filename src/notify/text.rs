//! A notice as text, and its identity.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::{decide, port::Notice};

/// The same for every try of telling of this notice, and for no other: 32 hexadecimal digits.
pub(super) fn identity(notice: &Notice) -> String {
    hash(&format!("{}\n{}\n{}\n{}", notice.kind.event(), notice.key, notice.at, notice.title))
}

/// A short name for a text: 32 hexadecimal digits of its SHA-256.
pub(super) fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _always = write!(text, "{byte:02x}");
        text
    })
}

/// The message: what the template makes of it, or title, body and command.
///
/// A template that fails loses no message: it is told as if there were none, and the failure with it.
pub(super) fn message(notice: &Notice, template: Option<&str>) -> String {
    let Some(template) = template else { return plain(notice) };
    match decide::render(template, &context(notice)) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) => format!("{}\n\n(The channel's template failed: {error}.)", plain(notice)),
    }
}

/// One line without control characters: a title ends up in headers.
pub(super) fn line(text: &str) -> String {
    text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most so many characters, with an ellipsis where it is cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Takes secrets out of a text.
pub(super) fn conceal(mut text: String, secrets: &[&str]) -> String {
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[REDACTED]");
    }
    text
}

fn plain(notice: &Notice) -> String {
    let mut text = notice.title.clone();
    for part in [Some(notice.body.clone()), notice.command.as_ref().map(|command| format!("Type: {command}"))] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text.push_str("\n\n");
            text.push_str(&part);
        }
    }
    text
}

fn context(notice: &Notice) -> Value {
    let text = |value: Option<String>| value.unwrap_or_default();
    json!({
        "event": notice.kind.event().as_str(),
        "severity": notice.severity.as_str(),
        "title": notice.title,
        "body": notice.body,
        "command": text(notice.command.clone()),
        "group": text(notice.group.as_ref().map(ToString::to_string)),
        "region": text(notice.region.as_ref().map(ToString::to_string)),
        "run": text(notice.run.as_ref().map(ToString::to_string)),
        "key": notice.key,
        "at": notice.at.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{notify::word, spec::TEMPLATE_NAMES};

    fn notice() -> Notice {
        word::store_lost("sqlite:/var/lib/lifeboat.db", "disk full", jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_template_knows_the_names_that_the_checker_allows_and_no_other() {
        let context = context(&notice());
        let names: Vec<_> = context.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, TEMPLATE_NAMES);
        let text = message(&notice(), Some("{{ severity }} {{ title }}{% if group %} of {{ group }}{% endif %}\n"));
        assert_eq!(text, format!("critical {}", notice().title));
    }

    #[test]
    fn a_template_that_fails_loses_no_message() {
        let text = message(&notice(), Some("{{ title.nothing.here }}"));
        assert!(text.starts_with(&notice().title) && text.contains("template failed"), "{text}");
    }

    #[test]
    fn an_identity_is_the_same_for_the_same_notice_and_for_no_other() {
        let later = Notice { at: jiff::Timestamp::MAX, ..notice() };
        assert_eq!(identity(&notice()), identity(&notice()));
        assert_ne!(identity(&notice()), identity(&later));
        assert_eq!(identity(&later).len(), 32);
    }

    #[test]
    fn a_line_is_one_line_and_a_cut_text_says_that_it_is_cut() {
        assert_eq!(line("a\r\nBcc: b\u{7}"), "a Bcc: b");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüx", 3), "äö…");
    }
}
