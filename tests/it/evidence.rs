//! A run's record, by way of a store.

use lifeboat::{
    evidence::Record,
    model::{EventBody, Facts, Loss, Outcome, StepIndex},
    port::{Journal as _, Records as _},
    store::Sqlite,
};

use crate::store::story::{at, closed, lease, opened};

#[tokio::test]
async fn a_record_made_after_a_restart_is_the_record_made_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, first) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    let loss = Loss { seconds: Some(1.1), amount: Some(8192), unit: "bytes".into(), basis: "last marker".into() };
    let facts = Facts { loss: Some(loss), ..Facts::default() };
    let acting = EventBody::Acting { step: StepIndex(0), attempt: 1, facts: facts.clone() };
    let done = EventBody::Done { step: StepIndex(0), attempt: 1, output: serde_json::Map::new(), facts };
    let rest = vec![(at(1), acting), (at(2), done), (at(3), closed(Outcome::Succeeded))];
    store.append(&permit, &run, 1, rest).await.unwrap();

    let before = Record::of(&run, store.read(&run, 0).await.unwrap()).unwrap();
    assert_eq!(before.events[0], first);
    assert!(before.success);
    assert_eq!(
        before.runbook.digest,
        before.events.first().map(digest).unwrap(),
        "the pinned plan reads back as it was"
    );
    store.keep(&run, serde_json::to_string(&before).unwrap()).await.unwrap();
    drop(store);

    let store = Sqlite::open(&path).unwrap();
    let after = Record::of(&run, store.read(&run, 0).await.unwrap()).unwrap();
    let kept: Record = serde_json::from_str(&store.record(&run).await.unwrap().unwrap()).unwrap();
    assert_eq!(after, before);
    assert_eq!(kept, before);
}

/// The digest of the plan in a run's first event, computed again.
fn digest(event: &lifeboat::model::Event) -> lifeboat::model::Digest {
    match &event.body {
        EventBody::Opened(opened) => opened.plan.digest(),
        other => panic!("{other:?}"),
    }
}
