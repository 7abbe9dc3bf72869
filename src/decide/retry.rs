//! How long a step rests between two tries.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::model::Retry;

/// A rest never lasts longer than this: a person who watches should see something happen every minute.
const LONGEST: Duration = Duration::from_mins(1);

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

#[cfg(test)]
mod tests {
    use super::*;

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
