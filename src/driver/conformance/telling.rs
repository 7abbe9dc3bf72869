//! Promise 5: no secret in anything that is returned; and endpoints that are the whole truth.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    acting::Plain,
    looking::look_around,
    report::{Verdict, broken, not_applicable},
    stage::{Heard, Stage},
    subject::Trial,
};
use crate::port::Call;

/// Secrets shorter than this are found in texts by chance.
const SHORTEST: usize = 6;

/// The addresses of the plain act.
pub(super) fn endpoints(stage: &Stage<'_>, trial: &Trial, plain: &Plain) -> Verdict {
    let declared = stage.subject.open().endpoints(&trial.attempt(1));
    stage.hear(format!("endpoints of {}", trial.call.verb), format!("{declared:?}"));
    if plain.contacted.is_empty() {
        return Err(not_applicable("nothing records the addresses that are contacted"));
    }
    let missing: Vec<&str> = plain
        .contacted
        .iter()
        .map(String::as_str)
        .filter(|address| !declared.iter().any(|endpoint| endpoint.address.contains(address)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = declared.iter().map(|endpoint| endpoint.address.as_str()).collect();
    Err(broken(format!("{} among the endpoints", missing.join(", ")), format!("[{}]", named.join(", "))))
}

/// Looks for every secret in everything that was heard so far, and in what the driver says with wrong credentials.
pub(super) async fn secrets(stage: &Stage<'_>, trials: &[Trial]) -> Verdict {
    let secrets = stage.subject.secrets();
    if secrets.is_empty() {
        return Err(not_applicable("the subject names no secret"));
    }
    if let Some(secret) = secrets.iter().find(|secret| secret.len() < SHORTEST) {
        return Err(broken(
            format!("secrets of at least {SHORTEST} bytes (a fault of the subject)"),
            secret.len().to_string(),
        ));
    }
    if let Some(driver) = stage.subject.open_with_wrong_secrets() {
        for trial in trials {
            stage.begin(trial).await?;
            stage.observe(driver.as_ref(), &trial.look()).await;
            let call = Call { timeout: trial.patience, ..trial.attempt(1) };
            stage.acted(driver.as_ref(), &call).await;
            if driver.descriptor(trial.call.verb).is_some_and(|facts| facts.reversible) {
                let permit = stage.subject.permit().await;
                stage.undo(driver.as_ref(), &permit, &call).await;
            }
            look_around(stage, driver.as_ref(), trial).await;
        }
    }
    for text in stage.subject.printed() {
        stage.hear("Debug or an error", text);
    }
    match leak(&stage.heard(), &secrets) {
        None => Ok(()),
        Some(by) => Err(broken("no secret in anything that is returned", format!("one in {by}"))),
    }
}

/// Which call told a secret, and how it was dressed. The secret itself stays out of the report.
fn leak(heard: &[Heard], secrets: &[String]) -> Option<String> {
    for secret in secrets {
        for (dress, form) in forms(secret) {
            if let Some(heard) = heard.iter().find(|heard| heard.text.contains(&form)) {
                return Some(format!("{} ({dress})", heard.by));
            }
        }
    }
    None
}

/// A secret as it could be written.
fn forms(secret: &str) -> [(&'static str, String); 5] {
    let mut hex = String::new();
    let mut percent = String::new();
    for byte in secret.bytes() {
        // Writing to a String cannot fail.
        let _always = write!(hex, "{byte:02x}");
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            percent.push(char::from(byte));
        } else {
            let _always = write!(percent, "%{byte:02X}");
        }
    }
    [
        ("as it is", secret.to_owned()),
        ("as Rust text", secret.escape_debug().to_string()),
        ("base64", STANDARD.encode(secret).trim_end_matches('=').to_owned()),
        ("hexadecimal", hex),
        ("percent-encoded", percent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_dress_and_not_repeated() {
        let secret = "p\"w /4711".to_owned();
        for (dress, form) in forms(&secret) {
            let heard = [Heard { by: "act".into(), text: format!("x {form} y") }];
            let told = leak(&heard, std::slice::from_ref(&secret)).unwrap_or_else(|| panic!("not found {dress}"));
            assert!(!told.contains("4711"), "{told}");
        }
        let heard = [Heard { by: "act".into(), text: "nothing".into() }];
        assert_eq!(leak(&heard, &[secret]), None);
    }
}
