//! Two processes that state the same at once: one is entered, the other is told, and the ledger has no flaw.

use serde_json::{Value, json};

use crate::cli::{Ended, FAILOVER, Stage};

fn entered(stage: &Stage, kind: &str) -> usize {
    let entries = stage.run("evidence list -o json").with(0).json();
    entries.as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count()
}

fn codes(ended: [Ended; 2]) -> Vec<i32> {
    let mut codes = ended.map(|one| one.code).to_vec();
    codes.sort_unstable();
    codes
}

#[test]
fn an_action_that_two_close_at_once_is_closed_once() {
    let stage = Stage::new(json!({}));
    stage.run("drill orders --mode rehearse").with(0);
    for round in 1..=4 {
        let open = "evidence action open orders-1 --severity high --owner ben --due 2999-01-01 -o json";
        let opened: Value = stage.run_with(open, &["mend it"]).with(0).json();
        let close = |note: &str| stage.start(&format!("evidence action close {} --note {note}", opened["action"]));
        let both = [close("one"), close("other")];
        assert_eq!(codes(both.map(crate::cli::Running::ends)), [0, 4], "round {round}");
        assert_eq!(entered(&stage, "action.closed"), round, "round {round}");
    }
    stage.run("evidence verify").with(0);
}

#[test]
fn a_version_of_an_incident_that_two_draft_at_once_is_one_draft() {
    let stage = Stage::new(json!({}));
    stage.run_because(FAILOVER, "fra is dark").with(0);
    let draft = |words: &str| stage.start(&format!("incident draft orders-1 --set {words}"));
    let both = [draft("breach=no"), draft("breach=yes")].map(crate::cli::Running::ends);
    let drafts = entered(&stage, "incident.drafted");
    // Who came late enough to see the first draft made the second version of it.
    match (codes(both).as_slice(), drafts) {
        ([3, 4], 1) | ([3, 3], 2) => {}
        other => panic!("{other:?}"),
    }
    stage.run("evidence verify").with(0);
}
