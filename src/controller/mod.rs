//! Floor 5: the standing loops. An observer probes and reports; a judge listens to all observers, and proposes or starts; drills
//! happen on schedule.
//!
//! One pass, for each group:
//!
//! 1. [`observe`] probes every region at jittered times, more often after a failure, and folds each answer into its streak.
//! 2. It publishes what it saw through the store, and abstains when it reaches none of its reference points or was late itself.
//! 3. A [`Listener`] ages every report by this process's own clock.
//! 4. A [`Judge`] asks `decide` for a verdict on each region and for the answer of the group's automation, and publishes both
//!    with all reasons beside its own report: `status` prints them.
//! 5. A start goes through the [`Helm`], which draws, prepares and drives a run as for a person.
//!
//! A judge may keep a recording of what it heard and answered ([`Recorder`]), which [`replay`] judges again.
//!
//! Beside that [`Drills`] looks at the clock, and has what is due started through a [`Drillmaster`].
//!
//! Nothing here changes the world except through these two, which `app` implements; no loop holds a driver's secrets or knows a
//! store by name. A crash in the middle means that the reports grow old, which the other
//! observers see, and that the hold-down of this judge begins anew (promise S9);
//! what the drills know is read again from the store.

mod bench;
mod drillmaster;
mod drills;
mod helm;
mod judge;
mod listen;
mod observe;
mod recording;
mod replay;
mod rota;

#[cfg(test)]
mod graded;

pub use bench::Look;
pub use drillmaster::{Declined, DrillOrder, Drilled, Drillmaster};
pub use drills::{Drills, Noted, Tell, Underway};
pub use helm::{Helm, Order, Outlook, Started};
pub use judge::{Judge, Said};
pub use listen::Listener;
pub use observe::{Heart, Means, Pulse, Told, observe};
pub use recording::{Charge, Entry, Line, Recorder, Truth, World};
pub use replay::{Replayed, replay};
pub use rota::Rota;
