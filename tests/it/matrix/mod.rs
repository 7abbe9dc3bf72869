//! The crash matrix: every shipped runbook against every kind of trouble at every place.
//!
//! It is driven by the files in `runbooks/`: a runbook that is added there is in the matrix without a line of Rust. Each
//! is compiled by the program's own reader for a group of fake targets that is made from what its steps name, and for
//! every kind of run that it fits.
//!
//! | file | what happens at each place | what must be so |
//! |---|---|---|
//! | `kill.rs` | the process dies, before and after each record | the same end, each effect once |
//! | `twice.rs` | an act arrives twice, at once or late | the same end, no more harm than once |
//! | `fail.rs` | a step fails for good | what is reversible is undone backwards; past a promotion only forward |
//! | `unwind.rs` | the process dies while it undoes; a person cancels twice | the same end, each undo once |
//! | `isolated.rs` | all of that in an isolated drill | what it set up is taken down once, after all else |
//! | `lost.rs` | a reply or a request is lost, also with a death after it | the same end, each effect once |

mod book;
mod fail;
mod isolated;
mod kill;
mod life;
mod lost;
pub(crate) mod twice;
mod unwind;
