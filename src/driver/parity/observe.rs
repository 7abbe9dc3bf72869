//! From what programs, probes and connections said to readings. Pure.

use std::collections::BTreeSet;

use crate::{
    model::{Control, Strength},
    net::program::Ended,
    port::{Health, Held},
};

/// What a program printed, when it ended well.
pub(super) fn printed(name: &str, ended: Ended) -> Result<String, String> {
    match ended {
        Ended::Exited(status, printed) if status.success() => Ok(printed.stdout),
        Ended::Exited(status, printed) => Err(format!("{name} ended with {status}: {}", printed.last_error)),
        Ended::NotStarted(error) => Err(format!("{name} could not be started: {error}")),
        Ended::TimedOut(_) => Err(format!("{name} did not end in time and was killed")),
        Ended::Lost(error) => Err(format!("the end of {name} was not seen: {error}")),
    }
}

/// One rule a line, its words one space apart. What is empty or a comment is none.
fn lines<'a>(text: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let squeezed = text.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Rules in force against those declared.
pub(super) fn rules(declared: &[String], printed: &str) -> Held {
    Held::Declared { declared: lines(declared.iter().map(String::as_str)), observed: lines(printed.lines()) }
}

/// What should be open and what should be closed, each with whether it is open.
pub(super) fn reached(open: &[(String, bool)], closed: &[(String, bool)]) -> Held {
    let shut = open.iter().filter(|(_, is)| !is).map(|(at, _)| format!("{at} is closed"));
    let ajar = closed.iter().filter(|(_, is)| *is).map(|(at, _)| format!("{at} is open"));
    let wrong: Vec<String> = ajar.chain(shut).collect();
    let said = if wrong.is_empty() {
        format!("{} open and {} closed, as declared", open.len(), closed.len())
    } else {
        wrong.join(", ")
    };
    Held::Holds { holds: wrong.is_empty(), said }
}

fn why(health: &Health) -> &str {
    match health {
        Health::Healthy { .. } => "it answers as it should",
        Health::Degraded { why, .. } | Health::Unhealthy { why } | Health::Silent { why } => why,
    }
}

/// A refusal counts only while the tenant's own data is served.
pub(super) fn separated(own: &Health, other: &Health) -> Held {
    match (own.serves(), other) {
        (false, _) => Held::Untold(format!("its own data is not served, so a refusal proves nothing: {}", why(own))),
        (true, Health::Healthy { .. } | Health::Degraded { .. }) => {
            Held::Holds { holds: true, said: "its own data is served, the other's refused".into() }
        }
        (true, Health::Unhealthy { why }) => {
            Held::Holds { holds: false, said: format!("the other's data is not refused: {why}") }
        }
        (true, Health::Silent { why }) => Held::Untold(format!("whether the other's data is refused: {why}")),
    }
}

/// The first line of a program, as the control reads it.
pub(super) fn line(control: Control, expected: &[String], printed: &str) -> Held {
    let Some(said) = printed.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return Held::Untold("the program printed nothing".into());
    };
    let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    let encryption = matches!(control, Control::EncryptionInTransit | Control::EncryptionAtRest);
    if encryption && expected.is_empty() {
        Held::Encryption { strength: strength(&said), said }
    } else {
        Held::Value { said, expected: expected.to_vec() }
    }
}

fn strength(said: &str) -> Strength {
    let said = said.to_lowercase();
    if said.contains("256") {
        Strength::Aes256
    } else if said.contains("128") || said.contains("192") {
        Strength::Aes128
    } else if matches!(said.as_str(), "none" | "no" | "off" | "plain" | "false") {
        Strength::None
    } else {
        Strength::Weak
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn well() -> Health {
        Health::Healthy { took: Duration::ZERO }
    }

    #[test]
    fn rules_are_compared_word_by_word_and_comments_are_none() {
        let held = rules(&["tcp  443 from any".into()], "# in force\n\ntcp 443   from any\n tcp 22 from any\n");
        let Held::Declared { declared, observed } = held else { panic!("{held:?}") };
        assert_eq!(declared.into_iter().collect::<Vec<_>>(), ["tcp 443 from any"]);
        assert_eq!(observed.into_iter().collect::<Vec<_>>(), ["tcp 22 from any", "tcp 443 from any"]);
    }

    #[test]
    fn an_address_that_is_open_and_should_not_be_is_named_first() {
        let at = |address: &str, open| (address.to_owned(), open);
        let held = reached(&[at("a:443", true), at("b:443", false)], &[at("a:22", true), at("a:23", false)]);
        assert_eq!(held, Held::Holds { holds: false, said: "a:22 is open, b:443 is closed".into() });
        let held = reached(&[at("a:443", true)], &[at("a:22", false)]);
        assert_eq!(held, Held::Holds { holds: true, said: "1 open and 1 closed, as declared".into() });
    }

    #[test]
    fn a_refusal_proves_nothing_while_the_tenants_own_data_is_not_served() {
        let ill = |why: &str| Health::Unhealthy { why: why.into() };
        assert!(matches!(separated(&well(), &well()), Held::Holds { holds: true, .. }));
        let Held::Holds { holds: false, said } = separated(&well(), &ill("expected 403, found 200")) else {
            panic!("it was not refused")
        };
        assert_eq!(said, "the other's data is not refused: expected 403, found 200");
        assert!(matches!(separated(&ill("503"), &well()), Held::Untold(_)));
        assert!(matches!(separated(&well(), &Health::Silent { why: "late".into() }), Held::Untold(_)));
    }

    #[test]
    fn a_line_of_an_encryption_is_as_strong_as_its_bits() {
        for (said, expected) in [
            ("aes-xts-plain64 256", Strength::Aes256),
            ("AES128", Strength::Aes128),
            ("none", Strength::None),
            ("luks", Strength::Weak),
        ] {
            let held = line(Control::EncryptionAtRest, &[], said);
            assert_eq!(held, Held::Encryption { strength: expected, said: said.into() }, "{said}");
        }
        let held = line(Control::SecondFactor, &[], "\n required \nmore\n");
        assert_eq!(held, Held::Value { said: "required".into(), expected: Vec::new() });
        assert!(matches!(line(Control::Logging, &[], " \n"), Held::Untold(_)));
    }
}
