//! Reports of a few runs, as approved texts; and what other people's programs say of them (`readers`).

mod assurance;
mod command;
mod incident;
mod numbers;
mod paper;
mod readers;
mod references;
mod secrets;
mod story;

use lifeboat::{
    app,
    decide::programme::{Standing, Status},
    evidence::{
        Action, Closed, Raised, Record, Redacted, Severity,
        later::{ActionClosed, ActionOpened, FindingRaised, Opinion, SignOff},
    },
    model::{Exercise, PersonSignature},
    report::{self, Format, Keeping, Programme, Signature, Terms},
};

/// Those that are text; the PDF has tests of its own (`paper`).
pub(crate) const ALL: [(&str, Format); 8] = [
    ("html", Format::Html),
    ("markdown", Format::Markdown),
    ("json", Format::Json),
    ("junit", Format::Junit),
    ("oscal-ap", Format::OscalPlan),
    ("oscal-ar", Format::OscalResults),
    ("oscal-poam", Format::OscalActions),
    ("cloudevents", Format::CloudEvents),
];

/// A report of a record, unsigned and kept.
pub(crate) fn written(format: Format, record: &Record) -> String {
    written_with(format, record, None)
}

/// The same, with what came after the run.
pub(crate) fn written_with(format: Format, record: &Record, programme: Option<&Programme>) -> String {
    let controls = app::controls(None).unwrap();
    let (keeping, signature, observations_only) = (Keeping::Kept, None, false);
    let terms = Terms { controls: &controls, keeping, signature, sign_offs: &[], programme, observations_only };
    text(report::write(format, &Redacted::of(record).unwrap(), &terms).unwrap())
}

fn text(report: Vec<u8>) -> String {
    String::from_utf8(report).unwrap()
}

/// A finding of a person, an overdue action on a finding of the verdict, one that is done, and a requirement that is overdue.
pub(crate) fn programme() -> Programme {
    let at = "2026-05-05T08:00:00Z".parse().unwrap();
    let actor = |name: &str| name.parse().unwrap();
    let run: lifeboat::model::RunId = "orders-17".parse().unwrap();
    let opened = |finding: Option<&str>, due: &str, text: &str| ActionOpened {
        run: run.clone(),
        finding: finding.map(str::to_owned),
        severity: Severity::Medium,
        text: text.into(),
        owner: actor("ben"),
        due: due.parse().unwrap(),
        by: actor("anna"),
    };
    let done = ActionClosed {
        action: 33,
        note: "the page says so now".into(),
        retest: Some("orders-18".parse().unwrap()),
        by: actor("ben"),
    };
    let found = FindingRaised {
        run: run.clone(),
        severity: Severity::Low,
        text: "the page was late".into(),
        by: actor("anna"),
    };
    Programme {
        as_of: "2026-06-01".parse().unwrap(),
        findings: vec![Raised { number: 31, at, what: found }],
        actions: vec![
            Action { number: 32, at, opened: opened(Some("F-1"), "2026-05-31", "serve the name"), closed: None },
            Action {
                number: 33,
                at,
                opened: opened(Some("31"), "2026-05-20", "page sooner"),
                closed: Some(Closed { number: 40, at, what: done }),
            },
            Action { number: 34, at, opened: opened(None, "2026-06-30", "write it down"), closed: None },
        ],
        standings: Some(vec![Standing {
            requirement: "tier1/live".into(),
            kind: Exercise::Live,
            every_days: 20,
            status: Status::Overdue,
            hidden: None,
            last: Some(run.clone()),
            last_counts: Some(true),
            valid: Some(run),
            valid_ended: Some(at),
            due: Some("2026-05-25".parse().unwrap()),
            why: vec!["orders-17 of 2026-05-05 was the last that counts, and 2026-05-25 is over".into()],
            waived: None,
        }]),
    }
}

#[test]
fn what_came_after_a_run_is_in_its_report_and_in_its_plan_of_action() {
    let (record, programme) = (story::failover(), programme());
    for (name, format) in
        [("markdown", Format::Markdown), ("oscal-poam", Format::OscalActions), ("oscal-ap", Format::OscalPlan)]
    {
        insta::assert_snapshot!(format!("followed-up.{name}"), written_with(format, &record, Some(&programme)));
    }
}

#[test]
fn every_format_of_a_failover_with_exceptions_is_as_approved() {
    let record = story::failover();
    for (name, format) in ALL {
        insta::assert_snapshot!(format!("failover.{name}"), written(format, &record));
    }
}

#[test]
fn a_rehearsal_an_interrupted_run_and_a_switchover_without_loss_read_as_approved() {
    for (name, record) in
        [("rehearsal", story::rehearsal()), ("interrupted", story::interrupted()), ("switchover", story::switchover())]
    {
        insta::assert_snapshot!(format!("{name}.markdown"), written(Format::Markdown, &record));
        insta::assert_snapshot!(format!("{name}.junit"), written(Format::Junit, &record));
    }
}

#[test]
fn no_format_of_a_rehearsal_shows_a_measured_recovery_time_or_loss() {
    let record = story::rehearsal();
    // Its clock knows one, and no report may say it.
    let total = record.measures.recovery_time.total_ms.unwrap();
    let shown = format!("{}.{:03}", total / 1000, total % 1000);
    for (name, format) in ALL {
        // Neither holds a measure: there is no finding, and a plan comes before.
        if matches!(format, Format::OscalActions | Format::OscalPlan) {
            continue;
        }
        let text = written(format, &record);
        let measures: Vec<&str> = text
            .lines()
            .filter(|line| {
                let line = line.to_lowercase().replace(['-', '_'], "");
                ["recovery time", "recoverytime", "data loss", "dataloss", "measuredms"]
                    .iter()
                    .any(|word| line.contains(word))
            })
            .collect();
        assert!(!measures.is_empty(), "{name}");
        for line in measures {
            assert!(!line.contains(&shown) && !line.contains(&total.to_string()), "{name}: {line}");
        }
        assert!(text.contains("DRILL"), "{name}");
    }
    let page = written(Format::Html, &record);
    assert!(page.contains("<p class=\"banner\">DRILL</p>") && page.contains("not measured"));
    assert!(!page.contains("id=\"phases-title\""), "no picture of phases that were not");
}

pub(crate) fn sign_off(by: &str, opinion: Opinion) -> SignOff {
    SignOff {
        run: "orders-17".parse().unwrap(),
        record: "ab".repeat(32),
        opinion,
        comment: "seen".into(),
        by: by.parse().unwrap(),
        signed_at: jiff::Timestamp::UNIX_EPOCH,
        signed: PersonSignature { text: String::new(), signature: String::new(), key: "SHA256:abc".into() },
    }
}

#[test]
fn a_report_is_a_draft_until_its_record_is_entered_and_somebody_else_accepted_it() {
    let controls = app::controls(None).unwrap();
    let redacted = Redacted::of(&story::switchover()).unwrap();
    let signature = Signature {
        key: "orders-ledger SHA256:abc".into(),
        entry: 41,
        checkpoint: "42 entries, root q6XV".into(),
        anchors: vec!["witness peer since 2026-03-01T12:00:00Z".into()],
    };
    for (name, format) in ALL {
        if matches!(format, Format::Junit | Format::OscalActions) {
            continue;
        }
        let of = |signature, sign_offs: &[SignOff]| {
            let (keeping, observations_only) = (Keeping::Kept, false);
            let terms =
                Terms { controls: &controls, keeping, signature, sign_offs, programme: None, observations_only };
            text(report::write(format, &redacted, &terms).unwrap())
        };
        let marked = |text: &str| text.contains("DRAFT") || text.contains("\"draft\": true");
        let (anna, ben) = (sign_off("anna", Opinion::Accepted), sign_off("ben", Opinion::Accepted));
        let dissent = sign_off("ben", Opinion::Dissented);
        for (story, entered, sign_offs, draft) in [
            ("nothing", None, vec![], true),
            ("entered", Some(&signature), vec![], true),
            ("accepted, and not entered", None, vec![ben.clone()], true),
            ("accepted by who asked for it", Some(&signature), vec![anna.clone()], true),
            ("not accepted by the other", Some(&signature), vec![anna.clone(), dissent], true),
            ("accepted by the other", Some(&signature), vec![anna, ben], false),
        ] {
            assert_eq!(marked(&of(entered, &sign_offs)), draft, "{name}: {story}");
        }
    }
    let page = written(Format::Markdown, &story::switchover());
    assert!(page.contains("# REAL: "), "{page}");
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    for (name, format) in ALL {
        assert_eq!(written(format, &story::failover()), written(format, &story::failover()), "{name}");
    }
}

#[test]
fn what_a_person_wrote_is_no_markup_in_any_format() {
    let record = story::failover_because("</td><script>alert('x')</script> | **bold** & \u{1b}[31m");
    let page = written(Format::Html, &record);
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    let text = written(Format::Markdown, &record);
    assert!(!text.replace(r"\<", "").contains("<script") && text.contains(r"\*\*bold\*\*"), "{text}");
}

#[test]
fn an_unknown_onset_makes_the_recovery_time_a_least_and_no_measure() {
    let text = written(Format::Markdown, &story::without_an_onset());
    assert!(text.contains("| Recovery time | 300 s | at least 6.000 s | not measured | unknown |"), "{text}");
}

#[test]
fn oscal_results_hold_no_judgement_when_observations_alone_were_asked_for() {
    let controls = app::controls(None).unwrap();
    let redacted = Redacted::of(&story::switchover()).unwrap();
    let of = |observations_only| {
        let (keeping, signature) = (Keeping::Kept, None);
        let terms =
            Terms { controls: &controls, keeping, signature, sign_offs: &[], programme: None, observations_only };
        let text = report::write(Format::OscalResults, &redacted, &terms).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let result = &document["assessment-results"]["results"][0];
        (result["findings"][0]["target"]["status"]["state"].clone(), result["observations"].as_array().unwrap().len())
    };
    assert_eq!(of(false), ("satisfied".into(), 3));
    assert_eq!(of(true), (serde_json::Value::Null, 3));
}

#[test]
fn a_judgement_is_left_to_the_assessor_unless_the_run_passed_or_failed() {
    for (record, findings) in [(story::failover(), false), (story::interrupted(), false), (story::switchover(), true)] {
        let document: serde_json::Value = serde_json::from_str(&written(Format::OscalResults, &record)).unwrap();
        assert_eq!(document["assessment-results"]["results"][0]["findings"].is_array(), findings, "{}", record.run);
    }
}
