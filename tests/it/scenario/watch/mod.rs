//! Stories of the watch in text: `tests/scenario/watch/*.yaml`. The real observers, reports, verdicts, automation and judges play them on
//! the theatre's clock and network; what they probe, and what a start does, is the story's.
//!
//! | file | holds |
//! |---|---|
//! | `story.rs` | what a file may say |
//! | `scene.rs` | two regions as they are and as each observer sees them; who serves, and what a start does |
//! | `play.rs` | one file, from its beginning to its end |

mod play;
mod scene;
mod story;

use std::{fs, path::PathBuf};

use story::Story;

use super::compare;

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/watch");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[test]
fn every_story_of_the_watch_ends_as_its_file_says() {
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
        match compare::difference_of(&story.transcript, &story.end, &seen) {
            None => {}
            Some(_) if accept => fs::write(&path, compare::accepted(&text, &seen)).unwrap(),
            Some(difference) => wrong.push(format!("{}\n{difference}", path.display())),
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n\n{} of the stories end otherwise. Read the difference; when it is right:\n  SCENARIO_UPDATE=always cargo nextest run \
         --test it -E 'test(every_story_of_the_watch)'\nSCENARIO=<name> plays one alone.",
        wrong.join("\n\n"),
        wrong.len()
    );
}

/// Whatever the files were made to say: a run starts in the stories whose name says so, and in no other.
#[test]
fn a_run_starts_in_the_stories_that_say_so_and_in_no_other() {
    let files = files();
    assert!(files.len() >= 10, "{}", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let story = Story::read(&fs::read_to_string(&path).unwrap()).unwrap();
        let wanted = name.ends_with("-is-acted-on");
        assert_eq!(story.end["runs"].as_u64().unwrap(), u64::from(wanted), "{name}");
    }
}

#[test]
fn a_word_of_the_watch_that_nobody_knows_is_refused() {
    let good = "story: x\npromise: [S9]\nscript:\n- {at: 5s, do: fra goes dark}\ntranscript: ''\nend: {}\n";
    Story::read(good).unwrap();
    for (from, to, word) in [
        ("story: x", "story: x\nstroy: y", "stroy"),
        ("at: 5s", "at: 5 parsecs", "parsecs"),
        ("fra goes dark", "lon goes dark", "lon goes dark"),
        ("fra goes dark", "fra goes drak", "fra goes drak"),
        ("fra goes dark", "cut dave from fra", "dave"),
        ("story: x", "story: x\ngroup: {freeze: []}", "freeze"),
        ("[S9]", "[S15]", "S15"),
    ] {
        let text = good.replace(from, to);
        let why = Story::read(&text).and_then(|story| play::play(&story)).unwrap_err();
        assert!(why.contains(word), "{word}: {why}");
    }
}
