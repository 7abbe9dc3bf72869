//! Lifeboat fails a service over to another region, safely, and measures that it did.
//!
//! # One run, from the command to the record
//!
//! 1. **Documents.** [`manifest`] reads YAML into the types of [`spec`], reports every defect at once with its place, and
//!    compiles a runbook for one source and one destination into a [`model::Plan`]. [`app`] asks the world who serves, probes
//!    the source, states what would be lost, and opens the run: the plan, text and digest, is the first event of its
//!    journal. Resuming needs no documents.
//! 2. **The lease.** [`engine::take`] takes the group's lease; each holder has a term one above the last. The
//!    [`port::Permit`] is the proof of it, which only a store grants. Every append and every act carries the term.
//! 3. **Gather.** The engine observes each step whose needs are done: already so, ready, refused (*expected X, found Y*), or
//!    unknown. A driver's `observe` never changes anything.
//! 4. **Decide.** [`decide::next`] is pure: the run, what was seen, the time in, events and orders for the engine out. What was
//!    seen goes through the gate, which is open or shut with all its reasons.
//! 5. **Record, then act.** The intent is appended and durable; the lease is checked again; then the driver acts.
//! 6. **Settle.** Done, certainly not applied (another try, or not), or unknown. After unknown the only next act is to
//!    observe; what stays unknown waits for a person.
//! 7. **Rest.** The run closes, or it pauses and says what would let it go on. [`evidence::Record`] is made from the journal
//!    alone: phases of the recovery time, estimated and measured loss, persons, exceptions. A drill compares the controls of both
//!    regions last ([`decide::parity`]), and the record says what differs.
//!
//! Before its first act, and when it is closed, the run is entered into the signed ledger ([`store::ledger`], its entries
//! [`evidence::statement`]); a ledger that cannot be written stops everything but a real failover.
//!
//! A crash anywhere is a process that stops between two of these; the next holder folds the journal, records that what was
//! acting is unknown, and begins at 3.
//!
//! # The house
//!
//! A module names only lower floors, and modules on the same floor are strangers (`tests/architecture.rs`).
//!
//! | floor | modules | what |
//! |---|---|---|
//! | 8 | `main.rs` | hands the arguments over |
//! | 7 | [`cli`], [`server`] | the faces; they name no driver, no store, no network |
//! | 6 | [`app`] | settings, wiring, the flows that faces share: the composition root |
//! | 5 | [`controller`] | the standing loops: observe, listen, judge, propose or start; drills on schedule |
//! | 4 | [`manifest`], [`engine`], [`probe`], [`driver`], [`store`], [`notify`], [`report`], [`anchor`] | workers |
//! | 3 | [`decide`], [`evidence`], [`net`], [`meter`] | judgement and proof, both pure; connections and programs that drivers, probes and anchors share; figures |
//! | 2 | [`port`] | the traits to the outside |
//! | 1 | [`spec`] | what documents say, as typed; also the custom resources and the JSON schemas |
//! | 0 | [`model`] | words: checked types, events, and the run that folds them |

pub mod anchor;
pub mod app;
pub mod cli;
pub mod controller;
pub mod decide;
pub mod driver;
pub mod engine;
pub mod evidence;
pub mod manifest;
pub mod meter;
pub mod model;
pub mod net;
pub mod notify;
pub mod port;
pub mod probe;
pub mod report;
pub mod server;
pub mod spec;
pub mod store;
