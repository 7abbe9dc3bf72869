//! Floor 3: all judgement, pure. `(run, world) -> what next, with reasons`. No await, no clock, no handle to
//! anything: the same inputs give the same answer, in a table, in a simulation and at 3 a.m.
//!
//! One pass, as the engine makes it:
//!
//! 1. Orders from the inbox are judged by [`obey`] and recorded, refused ones too.
//! 2. [`next`] looks at every step and answers with events to record, steps to observe, steps to act on, and,
//!    when nothing can go on, how the run rests.
//! 3. A step that is ready is *observed* first. What was seen goes through the [`gate`](gate::gate): open, or shut with all
//!    its reasons.
//! 4. The intent is recorded, then the act starts. What became of it is judged by [`settle`]: done, failed with or
//!    without another try, or unknown.
//! 5. After unknown the only answer is to observe again; a run whose step stays unknown pauses for a person.
//!
//! Whether a run should begin at all is judged the same way: answers of probes become a [`streak`], the reports of all observers
//! a [`verdict`], and a verdict an answer of [`automation`].

pub mod absence;
mod assurance;
pub mod automation;
mod bound;
mod context;
mod coverage;
mod doubt;
mod ending;
mod expression;
mod gate;
mod next;
mod obey;
pub mod parity;
mod predict;
pub mod programme;
mod retry;
mod schedule;
mod settle;
pub mod streak;
mod teardown;
mod unwind;
pub mod verdict;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

pub use assurance::{Period, Renewal, renewal};
pub use context::{context, parameters};
pub use coverage::{Uncovered, uncovered};
pub use doubt::{Look, takeover};
pub use expression::{
    ExprError, TOP_NAMES, UsedName, compile_check, compile_check_text, constant, holds, is_template, render,
    render_params,
};
pub use gate::{Gate, gate};
pub use next::{Next, Rest, World, next};
pub use obey::obey;
pub use predict::{Predicted, predict};
pub use retry::delay;
pub use schedule::{Due, Passed, Past, Wait, due, fired, next as next_drill};
pub use settle::settle;
pub use unwind::next_undo;
