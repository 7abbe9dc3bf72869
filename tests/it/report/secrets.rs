//! Nothing that looks like a secret gets into a report.

use lifeboat::{
    evidence::Redacted,
    report::{Format, Line, Population},
};

use super::{ALL, story, written};

const SECRET: &str = "hunter2-correct-horse";

#[test]
fn no_format_of_a_record_with_planted_secrets_has_one() {
    let record = story::talkative(SECRET);
    let planted = serde_json::to_string(&record).unwrap().matches(SECRET).count();
    assert!(planted >= 12, "{planted} are planted");
    for (name, format) in ALL {
        let text = written(format, &record);
        assert!(!text.contains(SECRET) && !text.contains("hunter2"), "{name}:\n{text}");
    }
    let redacted = Redacted::of(&record).unwrap();
    let list = Population::of(vec![Line::of(&redacted)], &[], None, None);
    assert!(!list.csv().contains(SECRET) && !serde_json::to_string(&list).unwrap().contains(SECRET));
}

#[test]
fn what_was_taken_out_is_listed_in_the_report() {
    let text = written(Format::Markdown, &story::talkative(SECRET));
    let list = text.split("Redactions").nth(1).unwrap();
    for row in
        ["| /reason | key-value |", "| /approvals/0/reason | key-value |", "| /steps/0/output/log | private-key |"]
    {
        assert!(list.contains(row), "no {row} in {list}");
    }
    let none = written(Format::Markdown, &story::switchover());
    assert!(none.contains("No secret was found in the record"), "{none}");
}
