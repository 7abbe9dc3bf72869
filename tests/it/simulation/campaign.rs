//! Many seeds, one after the other, until a promise is broken. Run by `make simulate` and, in a small way, by `make test`.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::tale::{self, Tale};

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Campaign {
    pub(crate) played: u64,
    /// The lowest seed that broke a promise.
    pub(crate) broken: Option<Tale>,
    pub(crate) totals: BTreeMap<&'static str, u64>,
    pub(crate) simulated: Duration,
}

/// Plays `seeds`, on so many threads. Seeds are taken in order, so the lowest that fails is found.
pub(crate) fn play(seeds: std::ops::Range<u64>, threads: usize, told: impl Fn(&Campaign) + Sync) -> Campaign {
    let (next, limit) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let campaign = Mutex::new(Campaign::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= limit.load(Ordering::SeqCst) {
                        return;
                    }
                    let tale = tale::tell(seed, false);
                    let mut campaign = campaign.lock().unwrap();
                    campaign.played += 1;
                    campaign.simulated += tale.simulated;
                    for (what, count) in &tale.totals {
                        *campaign.totals.entry(what).or_default() += count;
                    }
                    if tale.broken.is_some() && campaign.broken.as_ref().is_none_or(|other| other.seed > seed) {
                        limit.fetch_min(seed, Ordering::SeqCst);
                        campaign.broken = Some(tale);
                    }
                    told(&campaign);
                }
            });
        }
    });
    campaign.into_inner().unwrap()
}

/// A broken promise as a person reads it: the story, the promise, the command that tells it again.
pub(crate) fn complaint(tale: &Tale) -> String {
    let again = tale::tell(tale.seed, true);
    let (at, promise) = tale.broken.clone().unwrap_or_default();
    // What follows the broken promise explains nothing.
    let until = format!("{:9.3}", at.as_secs_f64());
    let last = again.story.iter().rposition(|line| line.get(..9).is_some_and(|time| time <= until.as_str()));
    let story = again.story[..last.map_or(0, |last| last + 1)].join("\n");
    format!(
        "{story}\n\nseed {} after {:.3} s of simulated time broke a promise:\n  {promise}\nTell it again: make simulate SEED={}\n",
        tale.seed,
        at.as_secs_f64(),
        tale.seed,
    )
}

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.replace('_', "").parse().ok()
}

/// The program behind `make simulate`: `SEED` plays one and tells its story; else `SEEDS` from `FROM` on.
pub(crate) fn main() -> ExitCode {
    if let Some(seed) = number("SEED") {
        let tale = tale::tell(seed, true);
        if tale.broken.is_some() {
            println!("{}", complaint(&tale));
            return ExitCode::FAILURE;
        }
        println!("{}\n\nseed {seed}: no promise was broken", tale.story.join("\n"));
        return ExitCode::SUCCESS;
    }
    let from = number("FROM").unwrap_or(0);
    let seeds = number("SEEDS").unwrap_or(10_000);
    let threads = number("THREADS").and_then(|n| usize::try_from(n).ok());
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let (began, printed) = (Instant::now(), Mutex::new(Instant::now()));
    let rate = |played: u64| {
        let played = f64::from(u32::try_from(played).unwrap_or(u32::MAX));
        format!("{:.0} schedules/s", played / began.elapsed().as_secs_f64())
    };
    let campaign = play(from..from + seeds, threads, |campaign| {
        let mut printed = printed.lock().unwrap();
        if printed.elapsed() > Duration::from_secs(10) {
            *printed = Instant::now();
            println!("{:>8} schedules, {}", campaign.played, rate(campaign.played));
        }
    });
    for (what, count) in &campaign.totals {
        println!("{count:>10} {what}");
    }
    println!(
        "{} schedules in {:.1} s ({}, {threads} threads), {:.0} hours of simulated time",
        campaign.played,
        began.elapsed().as_secs_f64(),
        rate(campaign.played),
        campaign.simulated.as_secs_f64() / 3_600.0,
    );
    if let Some(tale) = &campaign.broken {
        println!("\n{}", complaint(tale));
        println!("first broken promise: seed {}", tale.seed);
        return ExitCode::FAILURE;
    }
    println!("no promise was broken");
    ExitCode::SUCCESS
}
