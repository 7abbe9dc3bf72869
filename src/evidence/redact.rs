//! The only door from a record to anything that people read: secrets stay behind, and what was taken out is listed.
//!
//! Outputs hold no secrets (promise S14), and documents refer to theirs. This is for the day on which a program's error
//! message, a person's reason or a driver of somebody else's says one all the same. Reports take a [`Redacted`], which only
//! [`Redacted::of`] makes, so nothing gets around it.
//!
//! What looks like a secret is taken out, also where it is none: a word too few is found again in the record, a secret too
//! many is gone for good. A record that could not be redacted makes no report.

use std::sync::LazyLock;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Record;
use crate::model::{Digest, RunId};

/// A record that could not be redacted.
#[derive(Debug, thiserror::Error)]
#[error(
    "the record of {run} could not be redacted, so no report of it is made; look at it with `lifeboat evidence show {run} -o json`"
)]
pub struct RedactError {
    /// The run.
    pub run: RunId,
    /// A word of the record that a redaction made senseless.
    #[source]
    pub source: serde_json::Error,
}

/// Something that was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redaction {
    /// Where: a JSON pointer into the record (RFC 6901).
    pub path: String,
    /// By which rule.
    pub rule: String,
}

/// A record without secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Redacted {
    record: Record,
    redactions: Vec<Redaction>,
    digest: Digest,
}

impl Redacted {
    /// Takes the secrets out of a record.
    pub fn of(record: &Record) -> Result<Self, RedactError> {
        let failed = |source| RedactError { run: record.run.clone(), source };
        let text = serde_json::to_string(record).map_err(failed)?;
        let digest = Digest::of(text.as_bytes());
        let mut value = serde_json::from_str(&text).map_err(failed)?;
        let mut redactions = Vec::new();
        walk(&mut value, &mut String::new(), false, &mut redactions);
        let record = serde_json::from_value(value).map_err(failed)?;
        Ok(Self { record, redactions, digest })
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What was taken out.
    pub fn redactions(&self) -> &[Redaction] {
        &self.redactions
    }

    /// The digest of the record with nothing taken out, as one line of JSON without a line break: as the store keeps it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A rule: its name, what a text must hold one of for it to apply, in small letters, and its pattern. The second is there because looking for
/// a word takes a hundredth of the time that a pattern takes. What the pattern's group `secret` holds is taken out (or `quoted`, or
/// `single`), or all of it where there is no such group.
type Rule = (&'static str, &'static [&'static str], &'static str);

/// In this order: the widest first, so that a narrower rule does not leave half of a secret behind.
const RULES: &[Rule] = &[
    // RFC 7468. Without its end it goes on to the end of the text.
    (
        "private-key",
        &["private key"],
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|\z)",
    ),
    // RFC 9110 section 11.6.2, RFC 6265 section 4.2: to the end of the line.
    (
        "header",
        &["authorization", "cookie", "x-api-key", "x-amz-security-token"],
        r#"(?i)\b(proxy-authorization|authorization|set-cookie|cookie|x-api-key|x-amz-security-token)["']?\s*:\s*["']?(?<secret>[^\r\n"']+)"#,
    ),
    // RFC 6750, RFC 7617. A plain word of small letters after it is prose.
    (
        "bearer",
        &["bearer", "basic"],
        r"(?i)\b(bearer|basic)\s+(?<secret>[A-Za-z0-9._~+/-]*([0-9_~=]|\.[A-Za-z0-9]|(?-i:[a-z][A-Z])|(?-i:[A-Z]{4})|[a-z]{20})[A-Za-z0-9._~+/=-]*)",
    ),
    // RFC 3986 section 3.2.1. The password may hold an `@`.
    ("url-password", &["://"], r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:(?<secret>[^\s/?#]+)@"),
    // RFC 7519.
    ("jwt", &["eyj"], r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?"),
    // AWS IAM: unique identifiers.
    (
        "aws-key",
        &["akia", "asia", "abia", "acca", "agpa", "aida", "aroa", "anpa", "anva"],
        r"\b(AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA|ANVA)[A-Z0-9]{16}\b",
    ),
    (
        "known-token",
        &["gh", "glpat-", "xox", "k_live_", "aiza", "whsec_", "age-secret-key-"],
        r"\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{8,}|[sr]k_live_[A-Za-z0-9]{8,}|AIza[A-Za-z0-9_-]{30,}|whsec_[A-Za-z0-9+/=]{8,}|AGE-SECRET-KEY-[A-Z0-9]{16,})",
    ),
    ("web-hook", &["hooks.slack.com/"], r#"hooks\.slack\.com/(?<secret>[^\s"')]+)"#),
    // `password=…`, `"apiKey": "…"`, `--password …`, `X-Amz-Signature=…`.
    (
        "key-value",
        &["pass", "pwd", "secret", "key", "token", "credential", "hook", "signature"],
        r#"(?i)(password|passwd|passphrase|pwd|secret|(secret|access|api|private|account|routing)[_-]?key|token|credentials?|webhook[_-]?url|signature)(["']?\s*[=:]\s*|\s*=>\s*)("(?<quoted>[^"\r\n]+)"?|'(?<single>[^'\r\n]+)'?|(?<secret>[^\s"'&;,}]+))"#,
    ),
    (
        "flag",
        &["pass", "secret", "token", "key"],
        r"(?i)(^|\s)--?[a-z-]*(password|passwd|passphrase|secret|token|key)\s+(?<secret>[^\s-]\S*)",
    ),
];

/// Ends of names, without `-`, `_` and capitals, whose value is a secret wherever they stand.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretkey",
    "accesskey",
    "apikey",
    "privatekey",
    "accountkey",
    "routingkey",
    "token",
    "bearer",
    "credential",
    "credentials",
    "webhookurl",
    "authorization",
    "cookie",
    "signature",
];

/// A map of which every value is a secret or refers to one.
const MAP: &str = "secretEnv";

/// How what was taken out begins. It holds no blank, so that no rule finds it again and leaves a part.
const MARK: &str = "[redacted:";

/// Compiled once: that takes longer than matching. A pattern that does not compile would be a rule that never holds; a test
/// counts them.
static COMPILED: LazyLock<Vec<(&'static str, &'static [&'static str], Regex)>> = LazyLock::new(|| {
    RULES.iter().filter_map(|(name, words, pattern)| Some((*name, *words, Regex::new(pattern).ok()?))).collect()
});

/// A text without its secrets: what a person typed, before it is kept.
pub fn clean(words: &str) -> String {
    text(words).map_or_else(|| words.to_owned(), |(clean, _)| clean)
}

fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.iter().any(|known| plain.ends_with(known))
}

/// Takes the secrets out of a text, and names the rules that found some.
fn text(text: &str) -> Option<(String, Vec<&'static str>)> {
    let small = text.to_ascii_lowercase();
    let mut out = text.to_owned();
    let mut by = Vec::new();
    for (name, words, pattern) in COMPILED.iter() {
        if !words.iter().any(|word| small.contains(word)) || !pattern.is_match(&out) {
            continue;
        }
        let mut clean = String::with_capacity(out.len());
        let mut from = 0;
        for found in pattern.captures_iter(&out) {
            let named = ["secret", "quoted", "single"].iter().find_map(|group| found.name(group));
            let Some(secret) = named.or_else(|| found.get(0)) else { continue };
            if secret.as_str().starts_with(MARK) {
                continue;
            }
            clean.push_str(out.get(from..secret.start()).unwrap_or_default());
            clean.extend([MARK, *name, "]"]);
            from = secret.end();
            if !by.contains(name) {
                by.push(*name);
            }
        }
        clean.push_str(out.get(from..).unwrap_or_default());
        out = clean;
    }
    (!by.is_empty()).then_some((out, by))
}

/// Walks a value. `named`: it stands under a name whose value is a secret.
fn walk(value: &mut Value, path: &mut String, named: bool, out: &mut Vec<Redaction>) {
    match value {
        Value::String(words) if named && !words.is_empty() => whole(value, path, out),
        Value::Number(_) if named => whole(value, path, out),
        Value::String(words) => {
            if let Some((clean, by)) = text(words) {
                out.extend(by.into_iter().map(|rule| Redaction { path: path.clone(), rule: rule.to_owned() }));
                *words = clean;
            }
        }
        Value::Array(items) => {
            // `["--password", "…"]`
            let mut flag = false;
            for (at, item) in items.iter_mut().enumerate() {
                let next = item
                    .as_str()
                    .is_some_and(|word| word.starts_with('-') && !word.contains(['=', ' ']) && is_secret_name(word));
                below(path, &at.to_string(), |path| walk(item, path, named || flag, out));
                flag = next;
            }
        }
        Value::Object(map) => {
            let header = map.get("name").and_then(Value::as_str).is_some_and(is_secret_name);
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                let secret = is_secret_name(&key) || (header && key == "value") || path.ends_with(&format!("/{MAP}"));
                let Some(item) = map.get_mut(&key) else { continue };
                // A map under such a name refers to its secret: {env: …}, {file: …}.
                below(path, &key, |path| walk(item, path, secret, out));
                if let Some((clean, by)) = text(&key)
                    && let Some(item) = map.remove(&key)
                {
                    out.extend(by.into_iter().map(|rule| Redaction { path: path.clone(), rule: rule.to_owned() }));
                    map.insert(clean, item);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn whole(value: &mut Value, path: &str, out: &mut Vec<Redaction>) {
    out.push(Redaction { path: path.to_owned(), rule: "name".to_owned() });
    *value = Value::String(format!("{MARK}name]"));
}

/// One level down, with the name as a pointer's token (RFC 6901 section 3). A name that is a secret is not repeated in the path.
fn below(path: &mut String, name: &str, act: impl FnOnce(&mut String)) {
    let long = path.len();
    path.push('/');
    let name = text(name).map_or_else(|| name.to_owned(), |(clean, _)| clean);
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    act(path);
    path.truncate(long);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Secrets as they stand in messages, each with what must be gone.
    pub(crate) const PLANTED: &[(&str, &str)] = &[
        ("could not reach postgres://app:hunter2@db.example:5432/orders", "hunter2"),
        ("redis://:p@ss:w0rd@cache:6379 refused", "w0rd"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----", "MIIEvQIBADAN"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKC", "MIIEpAIBAAKC"),
        ("key AKIAIOSFODNN7EXAMPLE is not active", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abcdef", "abcdef"),
        ("sent with bearer s3cr3t-t0ken", "s3cr3t-t0ken"),
        ("Basic YW5uYTpodW50ZXIy was refused", "YW5uYTpodW50ZXIy"),
        ("PGPASSWORD=hunter2 psql", "hunter2"),
        ("host=db password='hunter 2' user=app", "hunter 2"),
        (r#"{"apiKey": "k-1234", "user": "app"}"#, "k-1234"),
        ("mysql --password hunter2", "hunter2"),
        ("GET /o?X-Amz-Credential=AKIA&X-Amz-Signature=0badc0de", "0badc0de"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIiOiIxIn0"),
        ("posted to https://hooks.slack.com/services/T0/B0/XXXX", "B0/XXXX"),
        ("token ghp_0123456789abcdef0123", "ghp_0123456789abcdef0123"),
    ];

    #[test]
    fn every_planted_secret_is_taken_out_of_a_text() {
        for (planted, secret) in PLANTED {
            let (clean, by) = text(planted).unwrap_or_else(|| panic!("nothing was found in {planted:?}"));
            assert!(!clean.contains(secret), "{clean:?}");
            assert!(!by.is_empty());
            assert_eq!(text(&clean), None, "{clean:?} is clean");
        }
    }

    #[test]
    fn every_rule_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn what_is_no_secret_stays() {
        for plain in [
            "a write was refused with SQLSTATE 25006",
            "connection to https://db.example:5432/orders refused",
            "basic check passed, bearer of bad news",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "lost 12.000 s, 8192 bytes (by last marker)",
            "anna@example.com said so at 03:00",
            "step promote-db: failed and passed over: refused",
        ] {
            assert_eq!(text(plain), None, "{plain}");
        }
    }

    #[test]
    fn a_secret_is_found_by_the_name_it_stands_under() {
        let mut value = json!({
            "password": "x", "secretEnv": {"A": "x", "B": {"env": "NAME"}}, "bearer": {"file": "token.txt"},
            "headers": [{"name": "Authorization", "value": "x"}, {"name": "Accept", "value": "y"}],
            "run": ["mysql", "--password", "x", "--host", "db"], "pin_token": 1234, "name": "y",
        });
        let mut out = Vec::new();
        walk(&mut value, &mut String::new(), false, &mut out);
        assert_eq!(
            value,
            json!({
                "password": "[redacted:name]", "secretEnv": {"A": "[redacted:name]", "B": {"env": "NAME"}},
                "bearer": {"file": "token.txt"},
                "headers": [{"name": "Authorization", "value": "[redacted:name]"}, {"name": "Accept", "value": "y"}],
                "run": ["mysql", "--password", "[redacted:name]", "--host", "db"], "pin_token": "[redacted:name]", "name": "y",
            })
        );
        let paths: Vec<_> = out.iter().map(|redaction| redaction.path.as_str()).collect();
        assert_eq!(paths, ["/password", "/secretEnv/A", "/headers/0/value", "/run/2", "/pin_token"]);
    }
}
