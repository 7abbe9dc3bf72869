//! The engine over the fake driver: what it does, in which order, and what it never does.

mod chaos;
mod crash;
mod flow;
mod orders;
mod slow;
