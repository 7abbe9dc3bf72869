//! Figures as text, never rounded in our favour.

/// Milliseconds as seconds, exactly: `12.000 s`.
pub(super) fn ms(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// Microseconds as seconds, exactly: `0.000250 s`.
pub(super) fn us(us: u64) -> String {
    format!("{}.{:06} s", us / 1_000_000, us % 1_000_000)
}

/// Seconds as milliseconds, rounded up: what was lost is never less than shown. What is below zero, or no number, is nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and takes no number for zero"
)]
pub(super) fn up(seconds: f64) -> u64 {
    // The shortest text that reads back as the same number: what has three places of it or fewer is exact as it is.
    let short = format!("{seconds}");
    let places = short.split_once('.').map_or(0, |(_, places)| places.len());
    let exact = seconds * 1_000.0;
    (if places <= 3 { exact.round() } else { exact.ceil() }) as u64
}

/// Whole seconds, with the days where they are whole too: `7776000 s (90 days)`.
pub(super) fn age(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    if seconds >= DAY && seconds.is_multiple_of(DAY) {
        format!("{seconds} s ({} days)", seconds / DAY)
    } else {
        format!("{seconds} s")
    }
}

/// What is left of an objective: `287.900 s`, or how much it was missed by, with a minus.
pub(super) fn margin(allowed_seconds: u64, used_ms: u64) -> String {
    let allowed = allowed_seconds.saturating_mul(1000);
    if used_ms <= allowed { ms(allowed - used_ms) } else { format!("-{}", ms(used_ms - allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_exact_or_larger_than_it_was() {
        for (seconds, shown) in [
            (0.0, "0.000 s"),
            (12.5, "12.500 s"),
            (2.3, "2.300 s"),
            (10.0004, "10.001 s"),
            (0.000_01, "0.001 s"),
            (1e-9, "0.001 s"),
        ] {
            assert_eq!(ms(up(seconds)), shown, "{seconds}");
        }
        assert_eq!((ms(7), ms(12_045), us(250)), ("0.007 s".into(), "12.045 s".into(), "0.000250 s".into()));
        assert_eq!((age(7_776_000), age(100)), ("7776000 s (90 days)".into(), "100 s".into()));
        assert_eq!((margin(10, 9_999), margin(10, 10_001)), ("0.001 s".into(), "-0.001 s".into()));
    }
}
