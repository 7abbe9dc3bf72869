//! Which key holds what. Keys are for ever, like words of the journal: another meaning needs another layout number.
//!
//! | key, after the prefix | value |
//! |---|---|
//! | `layout` | `1`; looked at before each lease is taken, so that an older program never drives runs of a newer layout |
//! | `lease/KEY/term` | the current term |
//! | `lease/KEY/holder` | who holds it, with a mark; absent: nobody |
//! | `lease/KEY/beat` | nothing: its modification revision is the lease's revision |
//! | `number/GROUP` | number of the group's last run |
//! | `open/KEY` | number of the open run under the lease; absent: none |
//! | `run/GROUP/NUMBER` | the run's summary as it was opened |
//! | `head/GROUP/NUMBER` | `SEQ real\|rehearsal open\|closed`: all that an append compares |
//! | `spoke/GROUP/NUMBER` | term of the run's last event |
//! | `closed/GROUP/NUMBER` | when and how the run ended |
//! | `journal/GROUP/NUMBER/SEQ` | the events of one append, the first of which is SEQ |
//! | `inbox/GROUP/NUMBER/ENTRY` | an order |
//! | `report/GROUP/OBSERVER` | an observer's newest report |
//! | `record/GROUP/NUMBER` | the run's record |
//! | `stop/NUMBER` | an order to stop, or to go on |
//! | `piece/MARK/NUMBER` | pieces of a large value |
//!
//! KEY is a group, or `GROUP~rehearsal`. Numbers have 20 digits, so that their order is that of the keys.

use crate::{
    model::{GroupName, RunId},
    port::LeaseKey,
};

/// The layout that this program writes.
pub(super) const NUMBER: &str = "1";

/// Makes keys.
#[derive(Debug)]
pub(super) struct Layout {
    prefix: String,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn key(&self, rest: std::fmt::Arguments<'_>) -> String {
        format!("{}/{rest}", self.prefix)
    }

    pub(super) fn layout(&self) -> String {
        self.key(format_args!("layout"))
    }

    /// Everything about one lease.
    pub(super) fn lease(&self, key: &LeaseKey) -> String {
        self.key(format_args!("lease/{key}/"))
    }

    pub(super) fn term(&self, key: &LeaseKey) -> String {
        self.lease(key) + "term"
    }

    pub(super) fn holder(&self, key: &LeaseKey) -> String {
        self.lease(key) + "holder"
    }

    pub(super) fn beat(&self, key: &LeaseKey) -> String {
        self.lease(key) + "beat"
    }

    pub(super) fn number(&self, group: &GroupName) -> String {
        self.key(format_args!("number/{group}"))
    }

    pub(super) fn open(&self, key: &LeaseKey) -> String {
        self.key(format_args!("open/{key}"))
    }

    /// Summaries of a group's runs, or of all groups'.
    pub(super) fn runs(&self, group: Option<&GroupName>) -> String {
        self.of_group("run", group)
    }

    /// Ends of a group's runs, or of all groups'.
    pub(super) fn ends(&self, group: Option<&GroupName>) -> String {
        self.of_group("closed", group)
    }

    fn of_group(&self, word: &str, group: Option<&GroupName>) -> String {
        match group {
            Some(group) => self.key(format_args!("{word}/{group}/")),
            None => self.key(format_args!("{word}/")),
        }
    }

    fn of_run(&self, word: &str, run: &RunId) -> String {
        self.key(format_args!("{word}/{}/{:020}", run.group, run.number))
    }

    pub(super) fn run(&self, run: &RunId) -> String {
        self.of_run("run", run)
    }

    pub(super) fn closed(&self, run: &RunId) -> String {
        self.of_run("closed", run)
    }

    pub(super) fn head(&self, run: &RunId) -> String {
        self.of_run("head", run)
    }

    /// The term of the run's last event.
    pub(super) fn spoke(&self, run: &RunId) -> String {
        self.of_run("spoke", run)
    }

    pub(super) fn record(&self, run: &RunId) -> String {
        self.of_run("record", run)
    }

    /// All events of a run.
    pub(super) fn journal(&self, run: &RunId) -> String {
        self.of_run("journal", run) + "/"
    }

    /// The append that begins with `seq`.
    pub(super) fn events(&self, run: &RunId, seq: u64) -> String {
        format!("{}{seq:020}", self.journal(run))
    }

    /// All orders to a run.
    pub(super) fn inbox(&self, run: &RunId) -> String {
        self.of_run("inbox", run) + "/"
    }

    pub(super) fn order(&self, run: &RunId, number: u64) -> String {
        format!("{}{number:020}", self.inbox(run))
    }

    /// Reports on a group.
    pub(super) fn reports(&self, group: &GroupName) -> String {
        self.key(format_args!("report/{group}/"))
    }

    pub(super) fn report(&self, group: &GroupName, observer: &str) -> String {
        self.reports(group) + observer
    }

    /// All orders to stop.
    pub(super) fn stops(&self) -> String {
        self.key(format_args!("stop/"))
    }

    pub(super) fn stop(&self, number: u64) -> String {
        format!("{}{number:020}", self.stops())
    }

    /// Pieces of the value with this mark.
    pub(super) fn pieces(&self, mark: &str) -> String {
        self.key(format_args!("piece/{mark}/"))
    }

    pub(super) fn piece(&self, mark: &str, number: usize) -> String {
        format!("{}{number:020}", self.pieces(mark))
    }
}

/// The last part of a key, which is a number.
pub(super) fn number_of(key: &str) -> Option<u64> {
    key.rsplit('/').next()?.parse().ok()
}

/// The run whose key ends with its group and number.
pub(super) fn run_of(key: &str) -> Option<RunId> {
    let mut parts = key.rsplit('/');
    let number = parts.next()?.parse().ok()?;
    Some(RunId { group: GroupName::new(parts.next()?).ok()?, number })
}

/// The first key after all that begin with `prefix`: etcd ranges end before their end.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}
