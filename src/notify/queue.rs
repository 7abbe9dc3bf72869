//! What waits for one channel. Pure: the time comes in.
//!
//! What is grave goes first, and what is about one thing stays in order: an end never overtakes its beginning. When there is
//! no room, the oldest of the least grave goes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::port::Notice;

/// A notice that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Counts up; names it while it is being told.
    pub(super) number: u64,
    pub(super) notice: Arc<Notice>,
    /// When it was told to us, by the monotonic clock.
    pub(super) since: Duration,
    /// Tries that failed.
    pub(super) tries: u32,
    /// Not before.
    due: Duration,
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Pick {
    /// Tell this one.
    Tell(Waiting),
    /// Nothing before then.
    Later(Duration),
    /// Nothing waits.
    Empty,
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    capacity: usize,
    next: u64,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: Vec::new(), capacity: capacity.max(1), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a notice in; gives the one that had to go.
    pub(super) fn put(&mut self, notice: Arc<Notice>, now: Duration) -> Option<Arc<Notice>> {
        self.waiting.push(Waiting { number: self.next, notice, since: now, tries: 0, due: now });
        self.next += 1;
        if self.waiting.len() <= self.capacity {
            return None;
        }
        let place = (0..self.waiting.len())
            .min_by_key(|place| self.waiting.get(*place).map(|waiting| (waiting.notice.severity, waiting.number)))?;
        Some(self.waiting.remove(place).notice)
    }

    /// The next to tell; with `closing`, whether or not it rests.
    pub(super) fn pick(&self, now: Duration, closing: bool) -> Pick {
        if self.waiting.is_empty() {
            return Pick::Empty;
        }
        let mut ahead = BTreeSet::new();
        let mut best: Option<&Waiting> = None;
        let mut soonest: Option<Duration> = None;
        for waiting in &self.waiting {
            if !ahead.insert(waiting.notice.key.as_str()) {
                continue;
            }
            if !closing && waiting.due > now {
                soonest = Some(soonest.map_or(waiting.due, |other| other.min(waiting.due)));
            } else if best.is_none_or(|best| waiting.notice.severity > best.notice.severity) {
                best = Some(waiting);
            }
        }
        match (best, soonest) {
            (Some(best), _) => Pick::Tell(best.clone()),
            (None, Some(due)) => Pick::Later(due),
            (None, None) => Pick::Empty,
        }
    }

    /// It was told, or is given up.
    pub(super) fn drop(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
    }

    /// It rests until then.
    pub(super) fn rest(&mut self, number: u64, until: Duration) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.number == number) {
            waiting.tries += 1;
            waiting.due = until;
        }
    }

    /// Titles of all that wait, oldest first.
    pub(super) fn titles(&self) -> Vec<String> {
        self.waiting.iter().map(|waiting| waiting.notice.title.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        notify::word,
        spec::NoticeSeverity::{self, Critical, Info, Warning},
    };

    fn notice(key: &str, title: &str, severity: NoticeSeverity) -> Arc<Notice> {
        let notice = word::store_lost("x", "y", Timestamp::UNIX_EPOCH);
        Arc::new(Notice { key: key.into(), title: title.into(), severity, ..notice })
    }
    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
    fn picked(queue: &Queue, now: u64) -> String {
        match queue.pick(second(now), false) {
            Pick::Tell(waiting) => waiting.notice.title.clone(),
            Pick::Later(due) => format!("later {}", due.as_secs()),
            Pick::Empty => "empty".into(),
        }
    }

    #[test]
    fn what_is_grave_goes_first_and_otherwise_what_is_older() {
        let mut queue = Queue::new(10);
        for (key, title, severity) in [("a", "one", Info), ("b", "two", Critical), ("c", "three", Critical)] {
            queue.put(notice(key, title, severity), second(0));
        }
        let mut order = Vec::new();
        while let Pick::Tell(waiting) = queue.pick(second(0), false) {
            order.push(waiting.notice.title.clone());
            queue.drop(waiting.number);
        }
        assert_eq!(order, ["two", "three", "one"]);
        assert_eq!(picked(&queue, 0), "empty");
    }

    #[test]
    fn an_end_does_not_overtake_its_beginning_that_rests() {
        let mut queue = Queue::new(10);
        queue.put(notice("a", "begins", Info), second(0));
        queue.put(notice("a", "ends", Critical), second(0));
        queue.put(notice("b", "other", Info), second(0));
        queue.rest(0, second(5));
        assert_eq!(picked(&queue, 1), "other");
        queue.drop(2);
        assert_eq!(picked(&queue, 1), "later 5");
        assert_eq!(picked(&queue, 5), "begins");
        assert!(matches!(queue.pick(second(1), true), Pick::Tell(_)), "at the end nothing rests");
    }

    #[test]
    fn without_room_the_oldest_of_the_least_grave_goes() {
        let mut queue = Queue::new(2);
        assert!(queue.put(notice("a", "grave", Critical), second(0)).is_none());
        assert!(queue.put(notice("b", "mild", Warning), second(0)).is_none());
        let gone = queue.put(notice("c", "graver", Critical), second(0)).unwrap();
        assert_eq!(gone.title, "mild");
        let gone = queue.put(notice("d", "note", Info), second(0)).unwrap();
        assert_eq!(gone.title, "note");
        assert_eq!(queue.titles(), ["grave", "graver"]);
    }
}
