//! Failure stories in text: `tests/scenario/*.yaml`, played on the theatre. Adding one needs no Rust; `tests/scenario/README.md`
//! says how.
//!
//! | file | holds |
//! |---|---|
//! | `story.rs` | what a file may say |
//! | `moment.rs` | when something happens: after an event, after a request, after a time |
//! | `deed.rs` | what happens then: to a process, by a person, to the world, to the network |
//! | `documents.rs` | the group's documents, and how a run is asked for: the program's own preparation |
//! | `transcript.rs` | from what happened to lines, and to the end |
//! | `play.rs` | one file, from its beginning to its end |
//! | `compare.rs` | what was expected against what was seen, and how to accept it |
//! | `watch/` | the stories of the watch, which have words of their own |

mod compare;
mod deed;
mod documents;
mod moment;
mod play;
mod story;
mod transcript;
mod watch;

use std::{collections::BTreeMap, fs, path::PathBuf};

use story::Story;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenario")
}

/// All files, or the one that `SCENARIO` names.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "tests/scenario is empty");
    files
}

#[test]
fn every_story_ends_as_its_file_says() {
    let only = std::env::var("SCENARIO").ok();
    let accept = std::env::var("SCENARIO_UPDATE").is_ok_and(|value| value == "always");
    let mut wrong = Vec::new();
    for path in files() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let played = Story::read(&text).and_then(|story| play::play(&story).map(|seen| (story, seen)));
        let (story, seen) = match played {
            Ok(played) => played,
            Err(why) => {
                wrong.push(format!("{}\n{why}", path.display()));
                continue;
            }
        };
        match compare::compare(&story, &seen) {
            None => {}
            Some(_) if accept => fs::write(&path, compare::accepted(&text, &seen)).unwrap(),
            Some(difference) => wrong.push(format!("{}\n{difference}", path.display())),
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n\n{} of the stories end otherwise. Read the difference; when it is right:\n  SCENARIO_UPDATE=always cargo nextest run \
         --test it -E 'test(every_story)'\nSCENARIO=<name> plays one alone.",
        wrong.join("\n\n"),
        wrong.len()
    );
}

/// S9 (nothing starts a failover) and S13, S14 (the ledger and secrets) are attacked elsewhere.
#[test]
fn every_promise_that_a_story_can_attack_is_named_by_one() {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for path in files() {
        let story = Story::read(&fs::read_to_string(&path).unwrap()).unwrap();
        for promise in story.promise {
            *named.entry(promise).or_default() += 1;
        }
    }
    println!("{named:?}");
    for promise in ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S10", "S11", "S12"] {
        assert!(named.contains_key(promise), "no story attacks {promise}; there are {named:?}");
    }
}

#[test]
fn a_file_with_a_word_that_nobody_knows_is_refused() {
    let good = "story: x\npromise: [S1]\nscript:\n- {at: start, process: p1, do: failover}\ntranscript: ''\nend: {}\n";
    Story::read(good).unwrap();
    for (from, to, word) in [
        ("story: x", "story: x\nstroy: y", "stroy"),
        ("at: start", "at: start, becuase: y", "becuase"),
        ("do: failover", "do: failoverr", "failoverr"),
        ("process: p1", "proces: p1", "proces"),
        ("[S1]", "[S15]", "S15"),
        ("at: start", "at: 5 parsecs", "parsecs"),
    ] {
        let text = good.replace(from, to);
        let why = Story::read(&text).unwrap_err();
        assert!(why.contains(word), "{word}: {why}");
    }
}

#[test]
fn a_moment_that_never_comes_fails_its_story() {
    let text = "story: x\npromise: []\nscript:\n- {at: start, process: p1, do: failover}\n- {at: acting nonsense, process: p1, do: \
                crash}\ntranscript: ''\nend: {}\n";
    let why = play::play(&Story::read(text).unwrap()).unwrap_err();
    assert!(why.contains("acting nonsense"), "{why}");
}

#[test]
fn another_end_or_another_line_is_a_difference() {
    let text = "story: x\npromise: []\nworld: {dark: [fra]}\nscript:\n- {at: start, process: p1, do: failover}\ntranscript: \
                ''\nend: {}\n";
    let seen = play::play(&Story::read(text).unwrap()).unwrap();
    let right = compare::accepted(text, &seen);
    let story = Story::read(&right).unwrap();
    assert_eq!(compare::compare(&story, &seen), None, "{right}");
    for (from, to) in
        [("acting promote-db", "acting promote-bd"), ("name: dub", "name: fra"), ("lostWrites: 0", "lostWrites: 1")]
    {
        assert!(right.contains(from), "{right}");
        let story = Story::read(&right.replacen(from, to, 1)).unwrap();
        let difference = compare::compare(&story, &seen).unwrap();
        assert!(difference.contains(to) && difference.contains(from), "{difference}");
    }
    let wild = Story::read(&right.replacen("acting promote-db", "acting *-db", 1)).unwrap();
    assert_eq!(compare::compare(&wild, &seen), None);
}
