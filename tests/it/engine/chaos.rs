//! Any mixture of failures, lost replies, blind looks and deaths: the promises hold.

use std::{collections::BTreeMap, sync::Arc};

use lifeboat::{
    decide::Rest,
    driver::fake::{Script, Trouble},
    engine::EngineError,
    port::Store,
    store::memory::Memory,
};
use proptest::prelude::*;

use crate::stage::{Dies, Mortal, Stage, sample::*, *};

const NAMES: [&str; 6] = ["fence-db", "fence-files", "promote-db", "promote-files", "dns", "serving"];

fn runbook() -> Vec<PlanStep> {
    vec![
        step("fence-db", Verb::DatabaseFence, &[]),
        step("fence-files", Verb::StorageFence, &[]),
        step("promote-db", Verb::DatabasePromote, &[0]),
        step("promote-files", Verb::StoragePromote, &[0, 1]),
        step("dns", Verb::DnsSwitch, &[2, 3]),
        step("serving", Verb::DnsVerify, &[4]),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    (0..200_u64, 0..3_u32, 0..3_u32, 0..3_u32, 0..4_u32).prop_map(
        |(takes_ms, fail, lose_reply, lose_request, unseen)| Trouble {
            takes_ms,
            fail,
            lose_reply,
            lose_request,
            unseen,
            ..Trouble::default()
        },
    )
}

fn scripts() -> impl Strategy<Value = Script> {
    (prop::collection::vec(trouble(), NAMES.len()), prop::bool::weighted(0.2)).prop_map(|(troubles, lying_fence)| {
        Script {
            lying_fence,
            steps: NAMES.iter().map(|name| (*name).to_owned()).zip(troubles).collect::<BTreeMap<_, _>>(),
            ..Script::default()
        }
    })
}

/// Starts, dies at the given appends one after the other, resumes by order where it paused, and gives the run as it is
/// after at most `lives` lives.
async fn live(script: &Script, deaths: &[(i64, bool)]) -> (Run, Rest, Stage) {
    let living: Arc<dyn Store> = Arc::new(Memory::new());
    let mut stage = Stage::new(Arc::clone(&living), script);
    let id: RunId = "orders-1".parse().unwrap();
    let mut last = None;
    for (life, (at, after)) in deaths.iter().map(|d| (d.0, d.1)).chain([(i64::MAX, true); 14]).enumerate() {
        let dies = if after { Dies::After } else { Dies::Before };
        stage.store = Arc::new(Mortal::new(Arc::clone(&living), at, dies));
        let result = if life == 0 { stage.start(opened(plan(runbook()))).await } else { stage.resume(&id).await };
        match result {
            Ok((run, rest @ Rest::Closed(_))) => return (run, rest, stage),
            Ok((run, rest)) => {
                living.tell(&id, order("bob", CommandBody::Resume)).await.unwrap();
                last = Some((run, rest));
            }
            Err(EngineError::Journal { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let (run, rest) = last.expect("the last lives do not end by death");
    (run, rest, stage)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_through_any_mixture_of_trouble(
        script in scripts(),
        deaths in prop::collection::vec((0..8_i64, any::<bool>()), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (run, rest, stage) = runtime.block_on(live(&script, &deaths));
        let acts = stage.world.acts();
        let place = |name: &str| acts.iter().position(|act| act.step.as_str() == name && !act.undo);

        // S12: an effect is never repeated unobserved. The fake world shows every effect, so each happens once.
        for (step, count) in stage.effects() {
            prop_assert_eq!(count, 1, "{} was applied more than once: {:?}", step, acts);
        }
        // S3: no promotion before the fence, and none at all behind a fence that does not hold.
        if let Some(promoted) = place("promote-db") {
            prop_assert!(place("fence-db").is_some_and(|fenced| fenced < promoted));
            prop_assert!(!script.lying_fence, "promoted behind a fence that lies");
        }
        // Traffic never points at an unpromoted side.
        if let Some(switched) = place("dns") {
            prop_assert!(place("promote-db").is_some_and(|promoted| promoted < switched));
            prop_assert!(place("promote-files").is_some_and(|promoted| promoted < switched));
        }
        // S2: terms only grow along the effects.
        prop_assert!(acts.windows(2).all(|pair| pair[0].term <= pair[1].term));
        // The run ends well, or waits for a person, with its reason.
        match rest {
            Rest::Closed(Outcome::Succeeded) => { let all = run.steps.iter().all(|s| matches!(s, StepState::Done { .. })); prop_assert!(all) },
            Rest::Paused(_) => prop_assert!(script.lying_fence, "{:?}", run.state),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
