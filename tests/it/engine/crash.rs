//! Kill the process at every record: the run resumes to the same end, and no effect is repeated unobserved (S12).

use std::sync::Arc;

use lifeboat::{
    decide::Rest,
    driver::fake::{Script, Trouble},
    engine::EngineError,
    port::Store,
    store::memory::Memory,
};

use crate::stage::{Dies, Mortal, Stage, sample::*, *};

/// A runbook with parallel branches.
fn branches() -> Vec<PlanStep> {
    vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("fence-files", Verb::StorageFence, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("promote-files", Verb::StoragePromote, &[0, 1]),
        step("dns", Verb::DnsSwitch, &[2, 3]),
    ]
}

/// Starts a run on a store that dies at append number `at`, resumes it on the living store, and gives the end and
/// whether it died at all.
async fn die_at(at: i64, dies: Dies, script: &Script) -> (Run, Rest, Stage, bool) {
    let living: Arc<dyn Store> = Arc::new(Memory::new());
    let mortal = Mortal::new(Arc::clone(&living), at, dies);
    let mut stage = Stage::new(Arc::new(mortal), script);
    let died = match stage.start(opened(plan(branches()))).await {
        Ok((run, rest)) => return (run, rest, stage, false),
        Err(EngineError::Journal { run, .. }) => run,
        Err(other) => panic!("{other}"),
    };
    stage.store = living;
    let (run, rest) = stage.resume(&died).await.unwrap();
    (run, rest, stage, true)
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_record_the_run_resumes_to_the_same_end_with_each_effect_once() {
    let slow = script(&[
        ("fence-db", Trouble { takes_ms: 30, ..Trouble::default() }),
        ("fence-files", Trouble { takes_ms: 70, ..Trouble::default() }),
        ("promote-db", Trouble { takes_ms: 50, ..Trouble::default() }),
        ("promote-files", Trouble { takes_ms: 20, ..Trouble::default() }),
    ]);
    for dies in [Dies::Before, Dies::After] {
        let mut deaths = 0;
        for at in 0.. {
            let (run, rest, stage, died) = die_at(at, dies, &slow).await;
            assert_eq!(rest, Rest::Closed(Outcome::Succeeded), "{dies:?} append {at}");
            assert!(run.steps.iter().all(|state| matches!(state, StepState::Done { .. })), "{dies:?} append {at}");
            let effects = stage.effects();
            assert!(effects.len() == 5 && effects.values().all(|count| *count == 1), "{dies:?} {at}: {effects:?}");
            if !died {
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 5, "only {deaths} places to die were found");
    }
}

#[tokio::test(start_paused = true)]
async fn no_effect_reaches_the_world_before_its_intent_is_durable() {
    for at in 0..4 {
        let living: Arc<dyn Store> = Arc::new(Memory::new());
        let mortal = Mortal::new(Arc::clone(&living), at, Dies::Before);
        let mut stage = Stage::new(Arc::new(mortal), &Script::default());
        let Err(EngineError::Journal { run, .. }) = stage.start(opened(plan(steps()))).await else { panic!("alive") };
        let journal = living.read(&run, 0).await.unwrap();
        for act in stage.world.acts() {
            let intended = journal.iter().any(|event| match &event.body {
                EventBody::Acting { step, attempt, .. } => {
                    *attempt == act.attempt && plan(steps()).step(*step).unwrap().name == act.step
                }
                _ => false,
            });
            assert!(intended, "append {at}: {act:?} has no durable intent");
        }
    }
}
