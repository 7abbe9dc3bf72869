//! Secrets that were written into a file: reported, and taken out of the text before anybody draws a line of it.
//!
//! Promises: a value under a key that holds secrets, and a password inside a URL, are replaced by `*` in the kept text,
//! byte for byte so that places stay right. This also holds for a text that could not be read as YAML: there, what
//! follows such a key, on its line and further in below it, is taken out.

use super::{
    code::Code,
    locate::{Aim, Content, Node, Path, Span},
    read::Problem,
};

/// Keys whose value is a reference to a secret, everywhere in our documents.
const SECRET_KEYS: &[&str] = &["password", "secret", "bearer", "accessKey", "secretKey", "webhookUrl", "routingKey"];
/// A map of which every value is such a reference.
const SECRET_MAP: &str = "secretEnv";

/// Headers whose value is one, written as `{name: …, value: …}` (RFC 9110 section 11, RFC 6265 section 4.2).
const SECRET_HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie"];

/// What to do about it.
pub(super) const HELP: &str = "write {file: PATH} or {env: NAME}, and replace the secret: it must be considered known";

/// Finds the secrets of a document: problems, and the stretches of text to take out.
pub(super) fn find(node: &Node, path: &Path, problems: &mut Vec<Problem>, spans: &mut Vec<Span>) {
    match &node.content {
        Content::Map(entries) => {
            let names_secret = entries.iter().any(|entry| entry.key == "name" && is_secret_header(&entry.value));
            let in_secret_map = matches!(path.0.last(), Some(super::locate::Part::Key(key)) if key == SECRET_MAP);
            for entry in entries {
                let here = path.key(&entry.key);
                let header = names_secret && entry.key == "value";
                if header || SECRET_KEYS.contains(&entry.key.as_str()) || in_secret_map {
                    match &entry.value.content {
                        Content::Null => {}
                        Content::Map(_) => find(&entry.value, &here, problems, spans),
                        Content::List(items) => spans.extend(items.iter().map(|item| item.span)),
                        _ => report(&here, "a secret is written into the document", entry.value.span, problems, spans),
                    }
                } else {
                    find(&entry.value, &here, problems, spans);
                }
            }
        }
        Content::List(items) => {
            items.iter().enumerate().for_each(|(index, item)| find(item, &path.at(index), problems, spans));
        }
        Content::Text(text) if password_in_url(text) => {
            report(path, "a password is written into the URL", node.span, problems, spans);
        }
        Content::Text(_)
        | Content::Null
        | Content::Bool(_)
        | Content::Signed(_)
        | Content::Unsigned(_)
        | Content::Float(_) => {}
    }
}

fn is_secret_header(name: &Node) -> bool {
    matches!(&name.content, Content::Text(name) if SECRET_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

fn report(path: &Path, message: &str, span: Span, problems: &mut Vec<Problem>, spans: &mut Vec<Span>) {
    spans.push(span);
    let (message, help) = (message.to_owned(), HELP.to_owned());
    problems.push(Problem {
        code: Code::LiteralSecret,
        path: path.clone(),
        aim: Aim::Value,
        message,
        help,
        span: None,
    });
}

fn password_in_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| {
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.contains("{{"))
    })
}

/// Takes stretches of a text out.
pub(super) fn take_out(text: String, spans: &[Span]) -> String {
    if spans.is_empty() {
        return text;
    }
    let mut bytes = text.into_bytes();
    for span in spans {
        let end = (span.offset + span.len).min(bytes.len());
        for byte in bytes.get_mut(span.offset..end).into_iter().flatten().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    // Spans begin and end between characters; if one did not, losing the text is better than showing a secret.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Stretches to take out of a text that is no YAML: the rest of a line after a key that holds secrets, and the lines
/// below it that are indented further.
pub(super) fn suspects(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut offset = 0;
    // Indentation of a line whose secret may go on in the lines below it.
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if open.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            spans.push(Span { offset, len: line.len(), line: 0, column: 0 });
            offset += line.len();
            continue;
        }
        open = None;
        for key in SECRET_KEYS {
            let found = line.find(&format!("{key}:")).map(|at| at + key.len() + 1);
            let value = found.and_then(|from| line.get(from..).map(|rest| (from, rest)));
            if let Some((from, rest)) = value.filter(|(_, rest)| !rest.trim_start().starts_with('{')) {
                spans.push(Span { offset: offset + from, len: rest.len(), line: 0, column: 0 });
                open = Some(indent);
            }
        }
        if line.contains("://") && line.contains('@') {
            spans.push(Span { offset, len: line.len(), line: 0, column: 0 });
        }
        offset += line.len();
    }
    spans
}
