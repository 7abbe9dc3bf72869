//! Deploy freezes: automation holds and says so, and a person is not held.

use super::{LIMIT, judged, observers, stage};
use crate::{cli::EFFECTS, servers::await_until};

#[test]
fn a_deploy_freeze_holds_automation_and_says_so_and_holds_no_person() {
    let freeze = "{dates: {from: 2020-01-01, to: 2999-12-31}, reason: release week}";
    let (stage, fra, _dub) = stage(&format!("Automatic\n  freezes: [{freeze}]"));
    let _observers = observers(&stage);
    let shown = stage.run("status orders").with(0).out;
    assert!(shown.contains("frozen nothing starts by itself: release week, until 3000-01-01T00:00:00Z"), "{shown}");
    fra.end();
    // The hold-down is over, and the freeze alone is left.
    await_until("the freeze as the one reason to wait", LIMIT, || {
        let judged = judged(&stage);
        let reasons = judged["reasons"].as_array().cloned().unwrap_or_default();
        judged["answer"] == "hold"
            && reasons.len() == 1
            && reasons.iter().all(|reason| reason == "a deploy freeze is on: release week, until 3000-01-01T00:00:00Z")
    });
    assert!(stage.acts().is_empty());
    stage.run("failover orders --yes-i-mean orders").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}
