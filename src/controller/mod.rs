//! Floor 5: the standing loops. They look at the clock and the world again and again, ask `decide` what that means, and have
//! what is due done through a trait that `app` implements. They hold no driver and open no connection.
//!
//! A loop that is killed loses nothing: all it knows is read again from the store.

mod drillmaster;
mod drills;

pub use drillmaster::{Declined, DrillOrder, Drilled, Drillmaster};
pub use drills::{Drills, Noted, Tell, Underway};
