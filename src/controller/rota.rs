//! When each probe is due. Pure: time and chance come in as arguments.
//!
//! Probes are spread over the period, so that a thousand of them do not start at once, and each interval is up to a fifth shorter than
//! the period, so that observers do not fall into step. Never longer: an outage is noticed within threshold x period + timeout.
//! Probes that are due within the same few milliseconds begin together: a processor that is woken for one of them serves them all, and
//! being woken is the dearest part of a probe.
//! After a failure the next try comes sooner. A try that is still under way is not started again.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// The share of an interval that chance may take away: one part in so many.
const JITTER: u32 = 5;

/// Probes that are due within so much time begin together, at its beginning.
const SLOT: Duration = Duration::from_millis(5);
/// And within no more than this part of an interval, so that short ones stay what they are.
const SLOTS: u32 = 20;

/// The due times of probes, by their index.
#[derive(Debug)]
pub struct Rota {
    seed: u64,
    turns: u64,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    away: BTreeSet<usize>,
}

impl Rota {
    /// `periods`: the time between two tries of each. `name` makes the chance of this observer its own.
    pub fn new(name: &str, periods: &[Duration], now: Duration) -> Self {
        let mut rota = Self { seed: hash(&name), turns: 0, due: BinaryHeap::new(), away: BTreeSet::new() };
        for (index, period) in periods.iter().enumerate() {
            let phase = period.mul_f64(rota.chance());
            rota.due.push(Reverse((slotted(now + phase, *period).max(now), index)));
        }
        rota
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes one that is due, and says how late it is.
    pub fn take(&mut self, now: Duration) -> Option<(usize, Duration)> {
        let Reverse((due, index)) = self.due.peek().copied().filter(|Reverse((due, _))| *due <= now)?;
        self.due.pop();
        self.away.insert(index);
        Some((index, now.saturating_sub(due)))
    }

    /// One came back; it is due again `interval` after it was begun, or now when that is over.
    pub fn back(&mut self, index: usize, begun: Duration, interval: Duration, now: Duration) {
        if self.away.remove(&index) {
            let shorter = (interval / JITTER).mul_f64(self.chance());
            let due = slotted(begun + interval.saturating_sub(shorter), interval).max(now);
            self.due.push(Reverse((due, index)));
        }
    }

    /// From 0 to 1, another one each time.
    fn chance(&mut self) -> f64 {
        self.turns += 1;
        let [.., a, b] = hash(&(self.seed, self.turns)).to_be_bytes();
        f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX)
    }
}

/// The beginning of the slot in which a time lies.
fn slotted(due: Duration, interval: Duration) -> Duration {
    let slot = SLOT.min(interval / SLOTS).as_nanos().max(1);
    // Less than the slot, which is milliseconds.
    let over = u64::try_from(due.as_nanos() % slot).unwrap_or(0);
    due.saturating_sub(Duration::from_nanos(over))
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(2);

    #[test]
    fn a_thousand_probes_are_spread_over_the_first_period() {
        let mut rota = Rota::new("ams", &[PERIOD; 1_000], Duration::ZERO);
        let mut tenths = [0; 20];
        while let Some((_, late)) = rota.take(PERIOD) {
            let due = PERIOD.saturating_sub(late);
            tenths[usize::try_from(due.as_millis() / 100).unwrap().min(19)] += 1;
        }
        assert_eq!(tenths.iter().sum::<i32>(), 1_000);
        assert!(tenths.iter().all(|count| (25..=90).contains(count)), "{tenths:?}");
    }

    #[test]
    fn an_interval_is_never_longer_than_the_period_and_seldom_the_same() {
        let mut rota = Rota::new("ams", &[PERIOD], Duration::ZERO);
        let mut begun = rota.next().unwrap();
        let mut seen = BTreeSet::new();
        for _ in 0..1_000 {
            assert_eq!(rota.take(begun), Some((0, Duration::ZERO)));
            assert_eq!(rota.take(begun + PERIOD * 9), None, "it is under way");
            rota.back(0, begun, PERIOD, begun + Duration::from_millis(3));
            let next = rota.next().unwrap();
            let interval = next.saturating_sub(begun);
            assert!(interval <= PERIOD && interval + SLOT >= PERIOD * 4 / 5, "{interval:?}");
            seen.insert(interval.as_micros() / 100);
            begun = next;
        }
        assert!(seen.len() > 60, "{}", seen.len());
    }

    #[test]
    fn probes_that_are_due_within_a_slot_begin_together_and_short_intervals_stay_what_they_are() {
        let second = Duration::from_secs(1);
        let mut rota = Rota::new("ams", &vec![second; 1_000], Duration::ZERO);
        let mut starts = 0;
        while let Some(now) = rota.next() {
            starts += 1;
            while rota.take(now).is_some() {}
        }
        assert!((150..=200).contains(&starts), "{starts} starts for 1,000 probes");
        for period in [50, 100, 1_000, 60_000].map(Duration::from_millis) {
            let mut rota = Rota::new("ams", &[period], Duration::ZERO);
            let mut begun = rota.next().unwrap();
            for _ in 0..200 {
                rota.take(begun).unwrap();
                rota.back(0, begun, period, begun);
                let interval = rota.next().unwrap().saturating_sub(begun);
                assert!(interval <= period && interval >= period * 3 / 4, "{interval:?} of {period:?}");
                begun += interval;
            }
        }
    }

    #[test]
    fn what_took_longer_than_its_interval_is_due_at_once_and_once() {
        let mut rota = Rota::new("ams", &[PERIOD], Duration::ZERO);
        let begun = rota.next().unwrap();
        rota.take(begun).unwrap();
        rota.back(0, begun, PERIOD, begun + PERIOD * 7);
        assert_eq!(rota.next(), Some(begun + PERIOD * 7));
        rota.back(0, begun, PERIOD, begun + PERIOD * 7);
        rota.take(begun + PERIOD * 7).unwrap();
        assert_eq!(rota.next(), None);
    }
}
