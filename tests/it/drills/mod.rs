//! Drills, on schedule and live.
//!
//! | file | holds |
//! |---|---|
//! | `answers.rs` | what is due, as a table |
//! | `calendar.rs` | the oracle: what a schedule means, told by walking every minute of ten years as a wall clock shows it |
//! | `decade.rs` | ten years in nine zones: restarts, drills that take their time, blackouts, clocks that jump |
//! | `live.rs` | live drills: there and back, and what ends them |
//! | `kept.rs` | the loop of the program on a real store |
//!
//! `make test` plays one seed of the ten years; `SEEDS=18 cargo nextest run --release -E 'test(/drills::decade/)'` plays every schedule
//! in every zone.

mod answers;
mod calendar;
mod decade;
pub(crate) mod kept;
mod live;
