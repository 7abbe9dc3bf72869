//! The drill policy is in the ledger, so a past day is judged by what held then.

use std::sync::Arc;

use jiff::civil::Date;
use lifeboat::{
    app::{self, App, Coverage, FilesAndEnvironment, Tools, Typed},
    decide::programme::Status,
    port::Clock,
};
use serde_json::{Value, json};

use super::{DRILL, REHEARSE, Stage, closed_on, coverage, days, replace, stage};
use crate::drills::kept::Wall;

/// The program on the stage's documents and data, at another time.
fn at(stage: &Stage, time: &str) -> App {
    app::install_crypto();
    let clock: Arc<dyn Clock> = Wall::at(time);
    let typed = Typed {
        data_dir: Some(stage.path("data")),
        files: vec![stage.path("orders.yaml")],
        actor: Some("daemon".into()),
        store: None,
    };
    let app = App::open(app::settle(typed, &|_| None).unwrap()).unwrap();
    App { tools: Tools::new(Arc::new(FilesAndEnvironment), Arc::clone(&clock)), clock, ..app }
}

fn policies(stage: &Stage) -> Vec<Value> {
    let entries = stage.run("evidence list -o json").with(0).json();
    entries.as_array().unwrap().iter().filter(|entry| entry["kind"] == "policy.changed").cloned().collect()
}

async fn of(app: &App, day: Date) -> Coverage {
    app.coverage(None, Some(day)).await.unwrap()
}

fn status(coverage: &Coverage) -> Status {
    coverage.groups[0].requirements[0].status
}

#[tokio::test]
async fn a_period_that_is_tightened_today_leaves_last_month_as_it_was() {
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    let day = closed_on(&stage, "orders-1");
    let entered = policies(&stage);
    assert_eq!((entered.len(), &entered[0]["requirements"], &entered[0]["index"]), (1, &json!(1), &json!(1)));
    let app = at(&stage, &format!("{}T12:00:00Z", days(day, 40)));
    let before = of(&app, days(day, 20)).await;
    replace(&stage, "everyDays: 30, warnDays: 7", "everyDays: 5, warnDays: 1");
    app.ledger_beat().await.unwrap();
    app.ledger_beat().await.unwrap();
    assert_eq!(policies(&stage).len(), 2, "it is entered once");
    let (then, now) = (of(&app, days(day, 20)).await, of(&app, days(day, 40)).await);
    assert_eq!((status(&before), status(&then), status(&now)), (Status::Current, Status::Current, Status::Overdue));
    assert_eq!((&then.policy, &then.policy_entered), (&before.policy, &before.policy_entered));
    let digest = format!("sha256:{}", entered[0]["policy"]["sha256"].as_str().unwrap());
    assert_eq!((then.policy.as_str(), then.policy_entered.as_ref().map(|held| held.entry)), (digest.as_str(), Some(1)));
    assert!(now.policy != then.policy && now.policy_entered.as_ref().is_some_and(|held| held.entry > 1));
    let said = then.notes.join("\n");
    assert!(said.contains("the one that held then: entry 1 of the ledger") && said.contains(&digest), "{said}");
    // Before the first one was entered nobody knows, and that is said.
    let early = of(&app, days(day, -1)).await;
    assert_eq!((&early.policy, &early.policy_entered), (&now.policy, &None));
    assert!(early.notes.join("\n").contains("the ledger held none by then"), "{:?}", early.notes);
    let verified = stage.run("evidence verify -o json").with(0).json();
    assert_eq!(verified["flaws"], json!([]));
}

#[test]
fn who_only_asks_enters_no_policy_and_a_group_without_one_has_no_entry() {
    let bare = Stage::new(json!({}));
    bare.run(DRILL).with(0);
    assert_eq!(policies(&bare), Vec::<Value>::new());
    let stage = stage(json!({}), REHEARSE);
    stage.run(DRILL).with(0);
    replace(&stage, "everyDays: 30", "everyDays: 31");
    coverage(&stage, "", 0);
    stage.run("evidence list").with(0).says("1 requirements, sha256:");
    assert_eq!(policies(&stage).len(), 1);
    stage.run(DRILL).with(0);
    assert_eq!(policies(&stage).len(), 2, "the next run enters it");
}
