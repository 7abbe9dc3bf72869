//! How long a step rests between two tries.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::model::Retry;

/// A rest never lasts longer than this: a person who watches should see something happen every minute.
pub(super) const LONGEST: Duration = Duration::from_mins(1);

/// The rest after try number `attempt` (from 1): the declared back-off doubled for each try after the first, capped at
/// 60 s, of which the upper half is jitter so that many steps do not come back in step. The same seed gives the
/// same rest, so a decision can be replayed.
pub fn delay(retry: Retry, attempt: u32, seed: impl Hash) -> Duration {
    let doubled = retry.backoff_ms.saturating_mul(1_u64 << attempt.saturating_sub(1).min(20));
    let full = Duration::from_millis(doubled).min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (seed, attempt).hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1_000).unwrap_or(0);
    full / 2 + full / 2 * part / 1_000
}

/// Whether a rest that ends at `until` still lasts, where no rest of its kind lasts longer than `longest`.
///
/// The end of a rest is a wall-clock time, for it outlives the process that wrote it. Wall clocks jump, and differ between
/// machines: an end that is farther ahead than any rest is another clock's, and nobody waits hours for it.
pub(super) fn rests(until: Timestamp, now: Timestamp, longest: Duration) -> bool {
    let left = until.duration_since(now);
    left.is_positive() && SignedDuration::try_from(longest).is_ok_and(|longest| left <= longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_that_another_clock_ended_hours_ahead_is_over() {
        let at = |seconds: i64| Timestamp::from_second(1_767_225_600 + seconds).unwrap();
        for (until, expected) in [(-1, false), (0, false), (1, true), (60, true), (61, false), (7_200, false)] {
            assert_eq!(rests(at(until), at(0), LONGEST), expected, "{until} s ahead");
        }
    }

    #[test]
    fn rests_double_up_to_a_minute_and_stay_within_half_and_full() {
        let retry = Retry { attempts: 9, backoff_ms: 1_000 };
        for (attempt, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (30, 60), (u32::MAX, 60)] {
            let full = Duration::from_secs(full);
            let rest = delay(retry, attempt, "seed");
            assert!(rest >= full / 2 && rest <= full, "attempt {attempt}: {rest:?}");
        }
    }

    #[test]
    fn different_seeds_rest_differently_and_the_same_seed_the_same() {
        let retry = Retry { attempts: 3, backoff_ms: 10_000 };
        assert_eq!(delay(retry, 1, "a"), delay(retry, 1, "a"));
        let rests: std::collections::BTreeSet<_> = (0..20).map(|seed| delay(retry, 1, seed)).collect();
        assert!(rests.len() > 10, "{rests:?}");
    }
}
