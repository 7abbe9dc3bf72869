//! Numbers without a gap.

use lifeboat::{
    evidence::Redacted,
    model::RunId,
    report::{Line, Population, State},
};

use super::story;

fn run(text: &str) -> RunId {
    text.parse().unwrap()
}

#[test]
fn a_missing_number_is_a_line_of_its_own_and_the_list_is_not_complete() {
    let line = Line::of(&Redacted::of(&story::failover()).unwrap());
    let known = [run("orders-17"), run("orders-15"), run("billing-2")];
    let list = Population::of(vec![line], &known, None, None);
    assert!(!list.complete);
    assert_eq!(list.missing.len(), 14 + 1 + 1, "orders-1 to 14, orders-16, billing-1");
    let csv = list.csv();
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert!(rows[1].starts_with("billing-1,billing,1,missing"), "{csv}");
    assert!(
        csv.contains("\r\norders-16,orders,16,missing,")
            && csv.contains("\r\norders-17,orders,17,recorded,failover,REAL"),
        "{csv}"
    );
    assert!(csv.contains("passed_with_findings,12045,300,met,2250,10,met,2,anna"), "{csv}");
}

#[test]
fn numbers_without_a_gap_are_complete_and_an_unreadable_run_is_not() {
    let line = Line::of(&Redacted::of(&story::failover()).unwrap());
    let known: Vec<RunId> = (1..=17).map(|number| run(&format!("orders-{number}"))).collect();
    let mut list = Population::of(vec![line.clone()], &known, None, None);
    assert!(list.complete && list.missing.is_empty());
    list = Population::of(vec![Line { state: State::Unreadable, ..line }], &known, None, None);
    assert!(!list.complete);
}
