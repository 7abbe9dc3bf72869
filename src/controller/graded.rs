//! Verdicts and automation, graded on recordings: what real observers saw of real servers, in stories whose truth was written beside it.
//!
//! `tests/recorded/README.md` says how each was taken. `decide::traces` grades the same code on generated traces.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{
    recording::{Charge, Entry, Line},
    replay::replay,
};

/// A recording, and what is known of it.
struct Recording {
    name: String,
    lines: Vec<Line>,
}

/// One grading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grade {
    /// When a failover began to be deserved.
    deserved: Option<u64>,
    /// When it was started first.
    started: Option<u64>,
    /// How often.
    starts: usize,
}

impl Grade {
    fn is_false(self) -> bool {
        match (self.deserved, self.started) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(deserved), Some(started)) => started < deserved,
        }
    }

    /// Microseconds from onset to start.
    fn took(self) -> Option<u64> {
        self.started?.checked_sub(self.deserved?)
    }
}

fn recordings() -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        Recording { name: path.file_stem().unwrap().to_string_lossy().into_owned(), lines: lines.collect() }
    };
    files.into_iter().map(read).collect()
}

/// Judged again, by rules that `change` may spoil.
fn graded(recording: &Recording, change: impl Fn(&mut Charge)) -> Grade {
    let mut lines = recording.lines.clone();
    for line in &mut lines {
        if let Entry::Begins(charge) = &mut line.what {
            change(charge);
        }
    }
    let deserved = lines.iter().find_map(|line| match &line.what {
        Entry::Truth(truth) if truth.deserved => Some(line.us),
        _ => None,
    });
    let starts: Vec<u64> = replay(&lines)
        .into_iter()
        .filter(|replayed| replayed.judged.answer == "start")
        .map(|replayed| replayed.us)
        .collect();
    Grade { deserved, started: starts.first().copied(), starts: starts.len() }
}

/// The longest that it may take: what the group declares, one period of phase, one probe that must time out first, and one judgement.
fn allowed(recording: &Recording) -> u64 {
    let of = |line: &Line| match &line.what {
        Entry::Begins(charge) => {
            let detection = charge.group.detection;
            let failures = u64::from(detection.failure_threshold) * (detection.period_ms + 800);
            Some((charge.hold_down_ms + detection.period_ms + failures + 1_000) * 1_000)
        }
        _ => None,
    };
    recording.lines.iter().find_map(of).unwrap()
}

fn answers(lines: &[Line]) -> Vec<(String, Vec<String>)> {
    let then = lines.iter().filter_map(|line| match &line.what {
        Entry::Judged(judged) => Some(judged.as_ref()),
        _ => None,
    });
    let states = |judged: &crate::model::Judged| {
        (judged.answer.clone(), judged.verdicts.iter().map(|one| format!("{} {}", one.region, one.state)).collect())
    };
    then.map(states).collect()
}

#[test]
fn what_real_observers_saw_starts_a_failover_where_a_region_died_and_nowhere_else() {
    let mut grades = BTreeMap::new();
    let mut seconds = Vec::new();
    for recording in recordings() {
        let grade = graded(&recording, |_| {});
        assert_eq!(grade.deserved.is_some(), recording.name.ends_with("-is-acted-on"), "{}", recording.name);
        if let Some(took) = grade.took() {
            assert!(took <= allowed(&recording), "{}: {took} us", recording.name);
            seconds.push(took.div_ceil(1_000_000));
        }
        grades.insert(recording.name, grade);
    }
    let count = |wanted: fn(&Grade) -> bool| grades.values().filter(|grade| wanted(grade)).count();
    let (outages, false_starts) = (count(|grade| grade.deserved.is_some()), count(|grade| grade.is_false()));
    let hits = count(|grade| grade.took().is_some());
    println!(
        "{} recordings of real observers: precision {hits} of {}, recall {hits} of {outages}; from onset to start {seconds:?} s",
        grades.len(),
        hits + false_starts
    );
    assert!(grades.len() >= 7, "{grades:?}");
    assert_eq!((false_starts, hits), (0, outages), "{grades:?}");
    assert!(outages > 0 && grades.values().all(|grade| grade.starts <= 1), "{grades:?}");
}

/// What was recorded is enough to find the same answers again: whoever changes a verdict on purpose takes the recordings anew, and says why.
#[test]
fn every_recording_is_answered_as_it_was_when_it_was_taken() {
    for recording in recordings() {
        let now = replay(&recording.lines).into_iter().map(|replayed| Line {
            group: replayed.group,
            us: replayed.us,
            what: Entry::Judged(Box::new(replayed.judged)),
        });
        assert_eq!(answers(&now.collect::<Vec<_>>()), answers(&recording.lines), "{}", recording.name);
    }
}

/// The recordings can tell a good judge from a bad one.
#[test]
fn a_judge_who_does_not_wait_or_hears_one_observer_alone_starts_what_nobody_deserved() {
    let all = recordings();
    let of = |name: &str| all.iter().find(|recording| recording.name == name).unwrap();
    let hasty = graded(of("partition-of-40-seconds"), |charge| charge.hold_down_ms = 20_000);
    assert!(hasty.is_false(), "{hasty:?}");
    let deaf = graded(of("fra-killed-is-acted-on"), |charge| charge.group.detection.observer_quorum = 4);
    assert_eq!((deaf.took(), deaf.is_false()), (None, false), "{deaf:?}");
}
