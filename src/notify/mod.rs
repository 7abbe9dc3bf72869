//! Floor 4: telling people. Web hooks (CloudEvents), Slack's messages, PagerDuty's events, e-mail.
//!
//! Promises: whoever tells never waits and never fails ([`Outbox::tell`]); a receiver that hangs, breaks or refuses delays no
//! other; what is not delivered is tried again for an hour, counted, and logged when it is given up; no text that comes out of
//! here, neither a message nor an error nor a log line, holds a channel's secret.
//!
//! Assumes that a receiver may get a message twice (each carries an identity that is the same both times) and that messages
//! about different things may overtake each other; those about one thing do not.
//!
//! A crash in the middle loses what waits in memory. Nothing that matters is known only here: the journal and the verdicts
//! are where they were, and the next process tells of what it finds.

mod channel;
mod outbox;
mod pagerduty;
mod post;
mod queue;
mod slack;
mod smtp;
mod text;
mod webhook;
pub mod word;

pub use channel::{Channel, Means, Telling};
pub use outbox::{Left, Limits, Outbox};
