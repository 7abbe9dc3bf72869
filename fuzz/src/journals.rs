//! Journals: one event a line, as a store keeps them.

use lifeboat::{
    decide,
    evidence::{self, Record},
    model::{CommandBody, Event, EventBody, Run, RunId},
};

/// Promises: a line that is no event, and an event that cannot follow the one before it, is an error and changes nothing; what
/// is legal folds to the same run each time, can be decided about, and has a record; and what is decided is legal.
pub fn journals(input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let Ok(events) = lines.map(serde_json::from_slice).collect::<Result<Vec<Event>, _>>() else { return };
    let id: RunId = "orders-1".parse().expect("a run's name");
    let Some((first, rest)) = events.split_first() else { return };
    let Ok(mut run) = Run::open(id.clone(), first) else {
        assert!(Run::replay(id, &events).is_err(), "it was not opened, and is replayed");
        return;
    };
    let mut taken = vec![first.clone()];
    let mut refused = false;
    for event in rest {
        let before = run.clone();
        if run.after(event).is_ok() {
            taken.push(event.clone());
        } else {
            refused = true;
            assert_eq!(format!("{run:?}"), format!("{before:?}"), "a refused event changed the run: {event:?}");
        }
    }
    assert_eq!(Run::replay(id.clone(), &events).is_err(), refused, "an illegal event is passed over in a replay");
    in_order(&taken);
    let again = Run::replay(id.clone(), &taken).expect("what was taken is legal").expect("and is a run");
    assert_eq!(format!("{again:?}"), format!("{run:?}"), "the same events fold to another run");
    on_paper(&id, &taken);
    goes_on(&run, &taken);
}

/// What every journal promises, said without the state machine: an oracle for it.
fn in_order(events: &[Event]) {
    let mut last: std::collections::BTreeMap<u32, &EventBody> = std::collections::BTreeMap::new();
    let mut done_before = std::collections::BTreeSet::new();
    for (place, pair) in (1..).zip(events.windows(2)) {
        let [before, event] = pair else { continue };
        assert_eq!(event.seq, place + 1, "an event out of its place: {event:?}");
        assert!(event.term >= before.term, "a term that is over: {event:?}");
        assert!(!matches!(before.body, EventBody::Closed { .. }), "an event after the end: {event:?}");
        assert!(!matches!(event.body, EventBody::Opened(_)), "opened twice: {event:?}");
        if let EventBody::Commanded { command, refused: None, .. } = &event.body
            && let CommandBody::Retry { .. } | CommandBody::Skip { .. } | CommandBody::Resume = command.body
        {
            // A person may send a step back to its beginning, unless it was done.
            last.retain(|_, body| settled(body));
        }
        let Some(step) = event.body.step() else { continue };
        let legal = match (&event.body, last.get(&step.0)) {
            // Without an event before `Undone`: a person ordered a stuck undo again.
            (EventBody::Undoing { .. }, _) | (EventBody::Undone { .. }, Some(EventBody::Undoing { .. }) | None) => {
                done_before.contains(&step.0)
            }
            (EventBody::Stuck { .. }, _) => true,
            (EventBody::Undone { .. }, Some(_))
            | (EventBody::Acting { .. }, Some(EventBody::Acting { .. }))
            | (EventBody::Lost { .. }, None) => false,
            (_, before) => !before.is_some_and(|body| settled(body)),
        };
        assert!(legal, "{:?} after {:?}", event.body, last.get(&step.0));
        if matches!(event.body, EventBody::Done { .. }) {
            done_before.insert(step.0);
        }
        last.insert(step.0, &event.body);
    }
}

/// Done, left out or taken back: nothing follows but an undo.
fn settled(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::Done { .. } | EventBody::Skipped { .. } | EventBody::Undoing { .. } | EventBody::Undone { .. }
    )
}

/// The record and the tables that people read.
fn on_paper(id: &RunId, events: &[Event]) {
    let record = Record::of(id, events.to_vec()).expect("a legal journal has a record");
    let text = serde_json::to_string(&record).expect("a record is written as JSON");
    let read: Record = serde_json::from_str(&text).expect("and read back");
    assert_eq!(serde_json::to_string(&read).ok(), Some(text), "a record that is read back is another");
    let _table = evidence::render(&record.timeline().expect("a legal journal has a timeline"));
}

/// Whoever takes the run over can go on with it: what is decided is legal.
fn goes_on(run: &Run, events: &[Event]) {
    if run.closed().is_some() {
        return;
    }
    let Some(last) = events.last() else { return };
    let mut run = run.clone();
    let note = |run: &mut Run, body: EventBody| {
        let Some(seq) = run.seq.checked_add(1) else { return };
        let event = Event { seq, term: run.term, at: last.at, body };
        run.after(&event).unwrap_or_else(|why| panic!("an illegal decision: {why}: {event:?}"));
    };
    for body in decide::takeover(&run, "host/1") {
        note(&mut run, body);
    }
    for interrupted in [false, true] {
        let world = decide::World { now: last.at, parallel: 8, interrupted, ..decide::World::default() };
        let next = decide::next(&run, &world);
        let mut then = run.clone();
        for body in next.record {
            note(&mut then, body);
        }
    }
    for index in run.plan().indices() {
        let facts = lifeboat::model::Facts::default();
        let _gate = decide::gate(&run, index, &facts, last.at);
        if let Some(step) = run.plan().step(index) {
            let _parameters = decide::parameters(&run, step);
        }
        let world = decide::World {
            now: last.at,
            parallel: 8,
            observed: [(index, lifeboat::model::Observed::Ready { facts })].into(),
            ..decide::World::default()
        };
        let next = decide::next(&run, &world);
        let mut then = run.clone();
        for body in next.record {
            note(&mut then, body);
        }
    }
    let _undo = decide::next_undo(&run);
    let _predicted = decide::predict(run.plan());
}
