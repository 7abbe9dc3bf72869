//! Drafts of incident notices: what the record proposes, what persons make of it, and the chain of versions in the ledger.

use std::fs;

use jiff::Timestamp;
use lifeboat::{
    evidence::{
        Record, Redacted,
        incident::{BadChange, Change, Field, IncidentDraft, Stand},
    },
    model::Actor,
    report,
};
use serde_json::{Value, json};

use super::story;
use crate::cli::{FAILOVER, Stage};

fn anna() -> Actor {
    Actor::new("anna").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn next(record: &Record, last: Option<&IncidentDraft>, changes: &[Change]) -> Result<IncidentDraft, BadChange> {
    IncidentDraft::next(&Redacted::of(record).unwrap(), last, changes, &anna(), at("2026-05-05T09:00:00Z"))
}

#[test]
fn a_draft_proposes_what_the_record_knows_and_reads_as_approved() {
    insta::assert_snapshot!("incident.first", report::incident(&next(&story::failover(), None, &[]).unwrap()));
}

#[test]
fn a_draft_that_persons_finished_reads_as_approved() {
    let record = story::failover();
    let first = next(&record, None, &[]).unwrap();
    let changes = [
        Change::Unknown(Field::Extent),
        Change::Confirm(Field::Happened),
        Change::Confirm(Field::Occurred),
        Change::Set(Field::Discovered, "2026-05-04T03:30:00Z by the duty engineer".into()),
        Change::Set(Field::Scope, "customers in the EU | <b>all</b>".into()),
        Change::Confirm(Field::Response),
        Change::Set(Field::Breach, "no; decided by ben, data protection".into()),
    ];
    let second = next(&record, Some(&first), &changes).unwrap();
    assert!(second.ready && second.version == 2 && second.open().is_empty());
    insta::assert_snapshot!("incident.finished", report::incident(&second));
}

#[test]
fn a_proposal_is_no_word_of_a_person_and_a_breach_is_never_inferred() {
    for record in [story::failover(), story::interrupted(), story::switchover(), story::without_an_onset()] {
        let draft = next(&record, None, &[]).unwrap();
        assert!(!draft.ready, "{}", record.run);
        assert_eq!(draft.open().len(), 6);
        assert!(draft.fields.iter().all(|held| held.stand == Stand::Open));
        assert_eq!(draft.held(Field::Breach).unwrap().proposal, None);
        assert!(report::incident(&draft).contains("breach not assessed"));
    }
}

#[test]
fn each_needed_field_alone_keeps_a_draft_from_being_ready() {
    let needed = || Field::ALL.into_iter().filter(|field| field.is_required());
    for left in needed() {
        let changes: Vec<Change> = needed().filter(|field| *field != left).map(Change::Unknown).collect();
        let draft = next(&story::failover(), None, &changes).unwrap();
        assert_eq!((draft.ready, draft.open()), (false, vec![left]));
    }
}

#[test]
fn the_clock_is_the_regulations_and_runs_from_the_discovery_that_a_person_gave() {
    let record = story::failover();
    let clock = |changes: &[Change]| next(&record, None, changes).unwrap().clock;
    let set = |text: &str| clock(&[Change::Set(Field::Discovered, text.into())]);
    let candidate = clock(&[]).unwrap();
    assert_eq!((candidate.from, candidate.confirmed), (at("2026-05-04T03:00:04Z"), false));
    assert_eq!(candidate.gdpr_ends, at("2026-05-07T03:00:04Z"));
    for (text, from) in
        [("2026-05-04T05:00:00+02:00 by phone", "2026-05-04T03:00:00Z"), ("2026-05-03", "2026-05-03T00:00:00Z")]
    {
        let clock = set(text).unwrap();
        assert_eq!((clock.from, clock.confirmed), (at(from), true), "{text}");
    }
    // Not a moment, or nobody knows: no clock is better than one from a guess.
    assert_eq!(set("on Monday"), None);
    assert_eq!(clock(&[Change::Unknown(Field::Discovered)]), None);
    // 72 h are over by the time that this was made.
    let late = next(&record, None, &[Change::Set(Field::Discovered, "2026-05-01".into())]).unwrap();
    assert!(report::incident(&late).contains("over since 33 h 00 min"), "{}", report::incident(&late));
}

#[test]
fn a_change_that_makes_no_sense_is_refused() {
    for (changes, error) in [
        (vec![Change::Confirm(Field::Contact)], BadChange::NothingProposed(Field::Contact)),
        (vec![Change::Set(Field::Scope, " ".into())], BadChange::Empty(Field::Scope)),
        (vec![Change::Confirm(Field::Scope), Change::Unknown(Field::Scope)], BadChange::Twice(Field::Scope)),
    ] {
        assert_eq!(next(&story::failover(), None, &changes), Err(error));
    }
    // Nobody knows when it began, so there is nothing to confirm.
    let unknown = next(&story::without_an_onset(), None, &[Change::Confirm(Field::Occurred)]);
    assert_eq!(unknown, Err(BadChange::NothingProposed(Field::Occurred)));
}

#[test]
fn a_secret_gets_neither_from_the_record_nor_from_a_person_into_a_draft() {
    const SECRET: &str = "hunter2-correct-horse";
    let changes = [Change::Set(Field::Response, format!("logged in with password={SECRET} and restarted it"))];
    let draft = next(&story::talkative(SECRET), None, &changes).unwrap();
    let text = serde_json::to_string(&draft).unwrap() + &report::incident(&draft);
    assert!(!text.contains(SECRET) && text.contains("[redacted:key-value]"), "{text}");
}

#[test]
fn the_program_chains_versions_in_the_ledger_and_reads_them_back() {
    let stage = Stage::new(json!({}));
    stage.run(FAILOVER).with(0);
    stage.run("incident show orders-1").with(2).says("there is no draft about orders-1");
    assert_eq!(stage.run("incident list -o json").with(0).json(), json!([]));
    let first = stage.run("incident draft orders-1 -o json").with(3);
    assert!(first.err.contains("not ready: extent, happened, occurred, discovered, scope, response"), "{}", first.err);
    let first = first.json();
    assert_eq!(
        (&first["kind"], &first["version"], &first["ready"]),
        (&json!("IncidentDraft"), &json!(1), &json!(false))
    );
    // A version says something.
    stage.run("incident draft orders-1").with(4).says("draft 1 about orders-1 is there, and nothing is to change");
    stage.run("incident draft orders-1 --confirm contact").with(2).says("the record proposes nothing for `contact`");
    stage.run("incident draft orders-1 --set colour=red").with(2).says("no such field");
    stage.run("incident draft orders-1 --set scope").with(2).says("it is FIELD=TEXT");
    let file = stage.path("notice.md");
    let words =
        "--unknown extent --unknown occurred --set discovered=2026-05-04T03:00:00Z --confirm happened --confirm scope";
    stage.run(&format!("incident draft orders-1 {words} --confirm response --into {}", file.display())).with(0);
    let notice = fs::read_to_string(&file).unwrap();
    assert!(notice.starts_with("# Incident notice about orders-1: draft 2") && notice.contains("Ready: "), "{notice}");
    // What was said in one version stands in the next, and an older one is never changed.
    stage.run("incident draft orders-1 --set breach=no,_says_ben").with(0).says("draft 3");
    assert_eq!(stage.run("incident show orders-1 --version 1 -o json").with(3).json(), first);
    let last = stage.run("incident show orders-1 -o json").with(0).json();
    let said =
        |field: &str| last["fields"].as_array().unwrap().iter().find(|f| f["field"] == field).unwrap()["stand"].clone();
    assert_eq!((&said("extent")["is"], &said("breach")["text"]), (&json!("unknown"), &json!("no,_says_ben")));
    stage.run("incident show orders-1 --version 4").with(2).says("there is no version 4 of a draft");
    let list = stage.run("incident list -o json").with(0).json();
    let versions: Vec<Value> =
        list.as_array().unwrap().iter().map(|one| json!([one["version"], one["complete"]])).collect();
    assert_eq!(versions, [json!([1, false]), json!([2, true]), json!([3, true])]);
    stage.run("evidence verify").with(0);
}

#[test]
fn a_drill_that_moved_nothing_has_no_incident() {
    let stage = Stage::new(json!({}));
    stage.run("drill orders --mode rehearse").with(0);
    stage.run("incident draft orders-1").with(4).says("is a drill that moved nothing");
    stage.run("incident draft orders-9").with(2);
    assert_eq!(stage.run("incident list").with(0).out, "");
}
