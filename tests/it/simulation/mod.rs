//! Deterministic simulation: the real engine, decisions, lease and store rules against everything that can go wrong, seed by seed.
//!
//! | file | holds |
//! |---|---|
//! | `tale.rs` | one seed: what goes wrong, who does what, and how it has to end |
//! | `promises.rs` | the promises, checked at every event of the journal and the world |
//! | `campaign.rs` | many seeds; what a broken promise looks like to a person |
//! | `simulate` | `make simulate`: an optimised build of only what is needed |
//! | `mutants/` | `make mutants`: planted bugs, and how soon each is found |
//!
//! `SEEDS` and `FROM` choose the seeds that `make test` plays, too. The world, the links and the processes are in `theatre`.

pub(crate) mod campaign;
pub(crate) mod promises;
pub(crate) mod tale;

/// Enough for a pull request; `make simulate SEEDS=100000` is for the night.
const SLICE: u64 = 200;

#[test]
fn no_promise_is_broken_in_a_slice_of_all_that_can_go_wrong() {
    let number = |name: &str, otherwise| campaign::number(name).unwrap_or(otherwise);
    let from = number("FROM", 0);
    let campaign = campaign::play(from..from + number("SEEDS", SLICE), 2, |_| {});
    if let Some(tale) = &campaign.broken {
        panic!("{}", campaign::complaint(tale));
    }
    // A simulation in which nothing happens breaks no promise either.
    let happened = [
        "acts",
        "undos",
        "acts with an unknown outcome",
        "takeovers",
        "crashes",
        "freezes",
        "partitions",
        "lost requests",
        "lost replies",
        "late requests",
        "requests that arrive twice",
        "orders carried out",
        "orders refused",
        "runs that succeeded",
        "runs completed with exceptions",
        "runs cancelled",
        "runs unwound",
    ];
    for what in happened {
        assert!(campaign.totals.get(what).is_some_and(|times| *times > 10), "{what}: {:?}", campaign.totals);
    }
}

#[test]
fn every_planted_bug_fits_into_the_code_of_today() {
    let read =
        |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut hunks = 0;
    for entry in std::fs::read_dir("tests/it/simulation/mutants").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "patch") {
            continue;
        }
        for change in read(&path).split("\ndiff --git ").skip(1) {
            let file = change.lines().find_map(|line| line.strip_prefix("--- a/")).expect("a file");
            let code = read(file.as_ref());
            for hunk in change.split("\n@@ ").skip(1) {
                let before = hunk.lines().skip(1).filter_map(|line| line.strip_prefix([' ', '-']));
                let before: Vec<_> = before.collect();
                assert!(code.contains(&before.join("\n")), "{} does not fit into {file}", path.display());
                hunks += 1;
            }
        }
    }
    assert!(hunks >= 20, "{hunks}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..12 {
        let (first, second) = (tale::tell(seed, true), tale::tell(seed, true));
        assert!(first.story.len() > 20, "seed {seed} tells next to nothing");
        let differ = first.story.iter().zip(&second.story).find(|(a, b)| a != b);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!((first.story.len(), first.totals), (second.story.len(), second.totals), "seed {seed}");
    }
}

#[test]
fn a_broken_promise_is_told_as_a_story_with_the_command_that_tells_it_again() {
    let mut tale = tale::tell(3, false);
    tale.broken = Some((std::time::Duration::from_secs(5), "S1: for this test".into()));
    let text = campaign::complaint(&tale);
    assert!(text.contains("begins life 1") && text.ends_with("Tell it again: make simulate SEED=3\n"), "{text}");
}
