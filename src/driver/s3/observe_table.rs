//! Tables of what buckets show, and what it means.

use super::*;
use crate::port::MarkerSeen;

fn name(text: &str) -> RegionName {
    text.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// `marker` names a region and the one that it took over from, and when.
fn seen(marker: Option<(&str, &str, i64)>, fence: Result<bool, &str>, writable: bool) -> Look {
    let marker = marker.map(|(region, from, second)| {
        let marker =
            Marker { region: name(region), from: name(from), run: "g-1".into(), at: at(second), unfenced: false };
        (marker, "\"e\"".to_owned())
    });
    Look::Seen(Seen { marker, fence: fence.map_err(str::to_owned), writable })
}

const OPEN: Result<bool, &str> = Ok(false);
const SHUT: Result<bool, &str> = Ok(true);

#[test]
fn roles_follow_the_markers_and_the_fence() {
    let down = || Look::Down("d".into());
    let silent = || Look::Unknown("s".into());
    let none = || seen(None, OPEN, true);
    let table: Vec<(&str, Look, Look, &str, &str)> = vec![
        ("no marker anywhere: the first listed", none(), none(), "primary", "standby"),
        ("no marker, the first fenced", seen(None, SHUT, false), none(), "read-only", "standby"),
        ("no marker, the first down", down(), none(), "down", "unknown"),
        ("no marker, the second silent", none(), silent(), "unknown", "unknown"),
        (
            "promoted, the source fenced",
            seen(None, SHUT, false),
            seen(Some(("dub", "fra", 5)), OPEN, true),
            "read-only",
            "primary",
        ),
        ("promoted, the source never told", none(), seen(Some(("dub", "fra", 5)), OPEN, true), "primary", "primary"),
        ("promoted, the source down", down(), seen(Some(("dub", "fra", 5)), OPEN, true), "down", "primary"),
        (
            "reversed and fenced",
            seen(Some(("dub", "fra", 6)), SHUT, false),
            seen(Some(("dub", "fra", 5)), OPEN, true),
            "standby",
            "primary",
        ),
        (
            "reversed, cannot be fenced",
            seen(Some(("dub", "fra", 6)), OPEN, true),
            seen(Some(("dub", "fra", 5)), OPEN, true),
            "standby",
            "primary",
        ),
        (
            "both believe in themselves",
            seen(Some(("fra", "dub", 9)), OPEN, true),
            seen(Some(("dub", "fra", 5)), OPEN, true),
            "primary",
            "primary",
        ),
        (
            "on the way back, before the reverse",
            seen(Some(("fra", "dub", 9)), OPEN, true),
            seen(Some(("dub", "fra", 5)), SHUT, false),
            "primary",
            "read-only",
        ),
        (
            "a marker that took over from elsewhere",
            none(),
            seen(Some(("dub", "ams", 5)), OPEN, true),
            "standby",
            "primary",
        ),
        ("refused without our fence", seen(Some(("fra", "ams", 1)), OPEN, false), none(), "unknown", "standby"),
        (
            "refused, the policy unreadable",
            seen(Some(("fra", "ams", 1)), Err("p"), false),
            none(),
            "unknown",
            "standby",
        ),
        (
            "the statement is there and does not work",
            seen(Some(("fra", "ams", 1)), SHUT, true),
            none(),
            "primary",
            "standby",
        ),
    ];
    for (what, fra, dub, first, second) in table {
        let sides = roles(&[(name("fra"), fra), (name("dub"), dub)]);
        let words: Vec<String> =
            sides.iter().map(|side| side.role.to_string().split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(words, [first, second], "{what}: {sides:?}");
    }
}

fn word(observed: &Observed) -> &'static str {
    match observed {
        Observed::Already { .. } => "already",
        Observed::Ready { .. } => "ready",
        Observed::Refused { .. } => "refused",
        Observed::Unknown { .. } => "unknown",
    }
}

#[test]
fn a_fence_needs_the_statement_and_its_effect() {
    let table = [
        (seen(None, SHUT, false), "already"),
        (seen(None, SHUT, true), "ready"),
        (seen(None, OPEN, false), "ready"),
        (seen(None, OPEN, true), "ready"),
        (seen(None, Err("p"), false), "ready"),
        (Look::Down("d".into()), "ready"),
        (Look::Unknown("s".into()), "unknown"),
    ];
    for (look, expected) in table {
        assert_eq!(word(&fence(&name("fra"), &look, Facts::default())), expected, "{look:?}");
    }
    assert!(proof(seen(None, SHUT, true).seen().unwrap()).is_none());
}

#[test]
fn a_fence_is_not_lifted_after_the_promotion_nor_blindly() {
    let promoted = || seen(Some(("dub", "fra", 1)), OPEN, true);
    let table = [
        (seen(None, SHUT, false), seen(None, OPEN, true), "ready"),
        (seen(None, OPEN, true), promoted(), "already"),
        (seen(None, SHUT, false), promoted(), "refused"),
        // The destination is dead: the service needs its source back.
        (seen(None, SHUT, false), Look::Down("d".into()), "ready"),
        (seen(None, Err("p"), false), seen(None, OPEN, true), "unknown"),
        (Look::Unknown("s".into()), seen(None, OPEN, true), "unknown"),
    ];
    for (source, destination, expected) in table {
        let found = unfence(&source, &destination, &name("dub"), Facts::default());
        assert_eq!(word(&found), expected, "{source:?} {destination:?}");
    }
}

#[test]
fn caught_up_means_nothing_missing_and_a_fenced_source() {
    let (whole, lacking) = (Gap::default(), Gap { lacking: ["a".to_owned()].into(), ..Gap::default() });
    let trouble = Trouble::Silent("s".into());
    let table = [
        (seen(None, SHUT, false), Ok(&whole), "already"),
        (seen(None, OPEN, true), Ok(&whole), "ready"),
        (seen(None, SHUT, false), Ok(&lacking), "ready"),
        (seen(None, SHUT, false), Err(&trouble), "unknown"),
        (Look::Down("d".into()), Err(&trouble), "refused"),
        (Look::Unknown("s".into()), Err(&trouble), "unknown"),
    ];
    for (look, gap, expected) in table {
        assert_eq!(word(&catch_up(&look, gap, Facts::default())), expected, "{look:?} {gap:?}");
    }
}

#[test]
fn promoted_means_named_and_writable() {
    let table = [
        (seen(Some(("dub", "fra", 1)), OPEN, true), "already"),
        (seen(Some(("dub", "fra", 1)), SHUT, false), "ready"),
        (seen(Some(("fra", "dub", 1)), SHUT, false), "ready"),
        (seen(None, OPEN, true), "ready"),
        (Look::Down("d".into()), "refused"),
        (Look::Unknown("s".into()), "unknown"),
    ];
    for (look, expected) in table {
        assert_eq!(word(&promote(&look, &name("dub"), Facts::default(), Output::new())), expected, "{look:?}");
    }
}

#[test]
fn reversed_means_told_fenced_and_whole() {
    let (whole, lacking) = (Gap::default(), Gap { lacking: ["a".to_owned()].into(), ..Gap::default() });
    let primary = || seen(Some(("dub", "fra", 1)), OPEN, true);
    let told = |fence, writable| seen(Some(("dub", "fra", 2)), fence, writable);
    let mut unfenced = told(OPEN, true);
    if let Look::Seen(Seen { marker: Some((marker, _)), .. }) = &mut unfenced {
        marker.unfenced = true;
    }
    let table = [
        (told(SHUT, false), primary(), Ok(&whole), "already"),
        (unfenced, primary(), Ok(&whole), "already"),
        (told(OPEN, true), primary(), Ok(&whole), "ready"),
        (told(SHUT, false), primary(), Ok(&lacking), "ready"),
        (seen(None, SHUT, false), primary(), Ok(&whole), "ready"),
        (seen(None, SHUT, false), seen(None, OPEN, true), Ok(&whole), "refused"),
        (Look::Down("d".into()), primary(), Ok(&whole), "refused"),
        (Look::Unknown("s".into()), primary(), Ok(&whole), "unknown"),
        (told(SHUT, false), Look::Down("d".into()), Ok(&whole), "unknown"),
    ];
    for (source, destination, gap, expected) in table {
        let found = reverse(&source, &destination, &name("dub"), gap, Facts::default());
        assert_eq!(word(&found), expected, "{source:?} {destination:?} {gap:?}");
    }
}

#[test]
fn without_the_source_the_loss_is_told_by_the_best_that_is_known() {
    let marker = |region, second| {
        Some(MarkerSeen { target: "t".parse().unwrap(), region: name(region), at: at(second), position: None })
    };
    let table = [
        (marker("fra", 50), Some(60), Some(40), Some(10.0), "last marker"),
        (None, Some(60), Some(40), Some(20.0), "onset"),
        (marker("dub", 50), Some(60), Some(40), Some(20.0), "onset"),
        // The destination is ahead of what was acknowledged: nothing is missing.
        (marker("fra", 50), None, Some(55), Some(0.0), "last marker"),
        (marker("fra", 50), None, None, None, "last marker, and"),
        (None, None, Some(40), None, "nothing"),
    ];
    for (marker, onset, newest, seconds, basis) in table {
        let known = Known { marker, onset: onset.map(at) };
        let loss = loss_without_source(&name("fra"), newest.map(at), &known);
        assert_eq!((loss.seconds, loss.amount), (seconds, None), "{known:?} {newest:?}");
        assert!(loss.basis.starts_with(basis), "{loss}");
    }
}
