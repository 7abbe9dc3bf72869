//! When something happens.
//!
//! Everything that happens has a name: `acting promote-db` when that intent is durable, `db.promote arrives`, `p1 ends`. A moment
//! is such a name, perhaps the second of them, perhaps some time after it: `failed fence-db (2) + 3s`. A time alone counts from
//! the beginning.

use std::{str::FromStr, time::Duration};

/// A moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// The name of what comes before it; `None`: the beginning.
    pub(super) after: Option<String>,
    /// Which one of that name, from 1.
    pub(super) which: usize,
    /// So long after it.
    pub(super) delay: Duration,
}

/// `500ms`, `12s`, `2m`, `1h`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no time; write 500ms, 12s, 2m or 1h"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3_600)),
        _ => Err(format!("`{text}` is no time; write 500ms, 12s, 2m or 1h")),
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, delay) = match text.split_once(" + ") {
            Some((name, delay)) => (name.trim(), time(delay)?),
            None => (text.trim(), Duration::ZERO),
        };
        if name == "start" {
            return Ok(Self { after: None, which: 1, delay });
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Self { after: None, which: 1, delay: delay + time(name)? });
        }
        let (name, which) = match name.strip_suffix(')').and_then(|name| name.split_once(" (")) {
            Some((name, which)) => (name, which.parse().map_err(|_| format!("`{which}` is no number"))?),
            None => (name, 1),
        };
        if name.is_empty() {
            return Err("`at` is missing".into());
        }
        Ok(Self { after: Some(name.to_owned()), which, delay })
    }
}

#[test]
fn moments_are_read_as_they_are_written() {
    let moment = |after: Option<&str>, which, delay_ms| Moment {
        after: after.map(str::to_owned),
        which,
        delay: Duration::from_millis(delay_ms),
    };
    for (text, expected) in [
        ("start", moment(None, 1, 0)),
        ("12s", moment(None, 1, 12_000)),
        ("start + 500ms", moment(None, 1, 500)),
        ("event 7", moment(Some("event 7"), 1, 0)),
        ("failed fence-db (2) + 3s", moment(Some("failed fence-db"), 2, 3_000)),
        ("p1 ends", moment(Some("p1 ends"), 1, 0)),
    ] {
        assert_eq!(text.parse::<Moment>().unwrap(), expected, "{text}");
    }
    assert!("5 parsecs".parse::<Moment>().is_err() && "".parse::<Moment>().is_err());
}
