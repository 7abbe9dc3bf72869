//! Figures: a run feeds them, a group that is gone takes its own with it.

use std::{sync::Arc, time::Duration};

use lifeboat::{
    app::Metered,
    driver::fake::Trouble,
    meter::{
        Condition, Fate, GroupFigures, Judged, LastTrial, Meter, ProgrammeFigures, RequirementFigures, RunFigures,
        TargetFigures,
    },
    port::Store,
    store::memory::Memory,
};

use crate::stage::{sample::*, *};

fn figures() -> GroupFigures {
    GroupFigures {
        regions: vec![(RegionName::new("fra").unwrap(), true), (RegionName::new("dub").unwrap(), false)],
        term: Some(Term(7)),
        lease_held: Some(true),
        objectives: Some(Objectives {
            recovery_time_seconds: 300,
            recovery_point_seconds: 10,
            drill_max_age_seconds: 7_776_000,
        }),
        drilled_at: Some("2026-03-01T00:00:00Z".parse().unwrap()),
        drill_met: Some(true),
        conditions: vec![(Condition::Ready, true), (Condition::Valid, true), (Condition::Stopped, false)],
        targets: vec![(
            TargetName::new("orders-db").unwrap(),
            TargetFigures { lag_seconds: Some(0.25), primaries: Some(1) },
        )],
    }
}

fn orders() -> GroupName {
    GroupName::new("orders").unwrap()
}

/// Each figure that there is, once.
pub(crate) fn everything(meter: &Meter) {
    let (fra, web) = (RegionName::new("fra").unwrap(), ProbeName::new("web").unwrap());
    let chat = ChannelName::new("chat").unwrap();
    let at = "2026-03-01T00:00:01Z".parse().unwrap();
    meter.group(&orders(), &figures());
    meter.programme(
        &orders(),
        &ProgrammeFigures {
            requirements: vec![RequirementFigures {
                requirement: "tier1/live".into(),
                age_seconds: Some(86_400.0),
                overdue: false,
                last: Some(LastTrial::Valid),
            }],
            overdue_actions: vec![("high", 0)],
        },
    );
    meter.verdict(&orders(), &fra, Judged::Down);
    meter.observer(&orders(), &fra, "ams-1", Judged::Unknown, at);
    meter.probed(&fra, &web, true, Duration::from_millis(3));
    meter.appended(Duration::from_millis(2), true);
    meter.store(true);
    meter.documents(true);
    let peer = "peer".parse().unwrap();
    meter.anchor(&peer, 90, 2);
    meter.anchor_accuses(&peer, false);
    meter.channel(&chat);
    meter.notice(&chat, Fate::Sent);
    let id = RunId { group: orders(), number: 1 };
    let opened = Opened { accepted: vec![Risk::DataLoss], ..opened(plan(steps())) };
    let event = |seq, body| Event { seq, term: Term(1), at, body };
    let first = event(1, EventBody::Opened(Box::new(opened)));
    let mut run = Run::open(id, &first).unwrap();
    meter.event(&first, &run);
    let (step, facts) = (StepIndex(0), Facts::default());
    let reason = Blocker::NotFenced { target: TargetName::new("orders-db").unwrap(), source: fra };
    for body in [
        EventBody::Acting { step, attempt: 1, facts: facts.clone() },
        EventBody::Done { step, attempt: 1, output: Output::default(), facts: facts.clone() },
        EventBody::Blocked { step: StepIndex(1), reasons: vec![reason], facts },
        EventBody::Closed { outcome: Outcome::Failed },
    ] {
        let event = event(run.seq + 1, body);
        run.after(&event).unwrap();
        meter.event(&event, &run);
    }
    meter.measured(&run, RunFigures { recovery_time_seconds: Some(12.5), data_loss_seconds: Some(0.5) });
}

#[test]
fn the_figures_have_the_names_that_alerts_and_people_know() {
    let meter = Meter::new("1.2.3");
    everything(&meter);
    let text = meter.render();
    for name in [
        "build_info",
        "group_active",
        "group_epoch",
        "group_condition",
        "lease_held",
        "replication_lag_seconds",
        "primaries_observed",
        "region_verdict",
        "observer_verdict",
        "drill_last_success_timestamp_seconds",
        "drill_objective_met",
        "drill_age_seconds",
        "drill_overdue",
        "drill_last_verdict",
        "actions_overdue",
        "runs",
        "run_duration_seconds",
        "run_recovery_time_seconds",
        "run_data_loss_seconds",
        "unsafe_overrides",
        "fence_verify_failures",
        "provider_request_duration_seconds",
        "probe_duration_seconds",
        "journal_append_duration_seconds",
        "store_reachable",
        "documents_refused",
        "notices",
    ] {
        assert!(text.contains(&format!("# TYPE lifeboat_{name} ")), "no {name} in\n{text}");
    }
}

#[test]
fn what_alerts_stand_on_is_counted_and_not_only_named() {
    let meter = Meter::new("1.2.3");
    everything(&meter);
    let text = meter.render();
    for line in [
        r#"lifeboat_fence_verify_failures_total{group="orders"} 1"#,
        r#"lifeboat_unsafe_overrides_total{group="orders",kind="DataLoss"} 1"#,
        r#"lifeboat_runs_total{group="orders",type="failover",result="failed"} 1"#,
        r#"lifeboat_primaries_observed{group="orders",target="orders-db"} 1.0"#,
        r#"lifeboat_drill_age_seconds{group="orders",requirement="tier1/live"} 86400.0"#,
        r#"lifeboat_drill_overdue{group="orders",requirement="tier1/live"} 0.0"#,
        r#"lifeboat_drill_last_verdict{group="orders",requirement="tier1/live",verdict="valid"} 1.0"#,
        r#"lifeboat_actions_overdue{group="orders",action_severity="high"} 0.0"#,
        r#"lifeboat_lease_held{group="orders"} 1.0"#,
        r#"lifeboat_region_verdict{group="orders",region="fra",verdict="down"} 1.0"#,
        r#"lifeboat_notices_total{channel="chat",result="sent"} 1"#,
        r#"lifeboat_probes_total{region="fra",probe="web",result="healthy"} 1"#,
        r#"lifeboat_journal_append_duration_seconds_count{result="ok"} 1"#,
        "lifeboat_store_reachable 1.0",
        "lifeboat_documents_refused 1.0",
        "lifeboat_evidence_anchor_age_seconds{anchor=\"peer\"} 90.0",
        "lifeboat_evidence_unanchored_entries{anchor=\"peer\"} 2.0",
        "lifeboat_evidence_anchor_accuses{anchor=\"peer\"} 0.0",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
}

#[test]
fn a_group_that_is_in_no_document_any_more_takes_its_figures_with_it() {
    let meter = Meter::new("1.2.3");
    everything(&meter);
    assert!(meter.render().contains(r#"group="orders""#));
    meter.forget(&orders());
    assert!(!meter.render().contains(r#"group="orders""#), "{}", meter.render());
}

#[test]
fn what_is_not_known_has_no_figure_and_what_was_is_gone() {
    let meter = Meter::new("1.2.3");
    meter.group(&orders(), &figures());
    let unknown = vec![(TargetName::new("orders-db").unwrap(), TargetFigures::default())];
    meter.group(&orders(), &GroupFigures { targets: unknown, drilled_at: None, ..figures() });
    let text = meter.render();
    assert!(!text.contains("lifeboat_replication_lag_seconds{"), "{text}");
    assert!(!text.contains("lifeboat_drill_last_success_timestamp_seconds{"), "{text}");
    assert!(text.contains(r#"lifeboat_group_active{group="orders",region="fra"} 1"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_run_feeds_the_meter_on_its_way_to_whoever_watches() {
    let meter = Meter::new("1.2.3");
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let slow = Trouble { takes_ms: 2_000, ..Trouble::default() };
    let mut stage = Stage::new(store, &script(&[("promote-db", slow)]));
    let mut heard = 0;
    let (run, _) = stage.start(opened(plan(steps()))).await.unwrap();
    let mut next = |_: &Event, _: &Run| heard += 1;
    let mut progress = Metered::new(&meter, &mut next);
    for event in &stage.events {
        lifeboat::engine::Progress::event(&mut progress, event, &run);
    }
    assert_eq!(heard, stage.events.len());
    let text = meter.render();
    for line in [
        r#"lifeboat_runs_total{group="orders",type="failover",result="succeeded"} 1"#,
        r#"lifeboat_run_open{group="orders",type="failover",state="running"} 0.0"#,
        r#"lifeboat_run_steps{group="orders",type="failover",state="done"} 3.0"#,
        r#"lifeboat_provider_request_duration_seconds_count{driver="fake",op="database.promote",result="ok"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
    let sum = "lifeboat_provider_request_duration_seconds_sum{driver=\"fake\",op=\"database.promote\",result=\"ok\"} ";
    let sum = text.lines().find_map(|line| line.strip_prefix(sum)).unwrap();
    assert!((2.0..2.5).contains(&sum.parse::<f64>().unwrap()), "{sum}");
}
