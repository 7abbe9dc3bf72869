//! Documents: YAML text in, a checked model out, and every defect reported at once with its place.
//!
//! - [`load`] reads files and folders into [`Documents`]; [`check`] judges what they mean; both answer with
//!   [`Finding`]s, which [`render`] draws and serde writes as JSON. Neither ever stops at the first defect.
//! - [`compile`] makes the plan of one run, from documents without errors; [`scaffold`] makes the built-in runbooks.
//! - [`schema`] holds the same documents' schemas for editors and for clusters.
//!
//! Promises: a document with an error makes no plan. Hostile text is refused in bounded time and memory (`yaml`). A
//! secret written into a document is reported and never repeated in a message. Nothing here connects to anything.
//! A crash in the middle means nothing: nothing is kept.

mod admission;
mod blackout;
mod bounds;
mod check;
mod code;
mod compile;
mod conceal;
mod document;
mod finding;
mod isolate;
mod load;
mod locate;
mod policy;
mod read;
pub mod scaffold;
mod schedule;
mod schema;
mod suggest;
mod yaml;

pub use check::{check, region_of};
pub use code::{Code, Severity};
pub use compile::{Route, compile, group, region};
pub use document::{Document, Documents, Kind, Origin};
pub use finding::{Finding, Look, Place, Source, has_errors, render, tidy};
pub use isolate::{compare_controls, isolate};
pub use load::{Loaded, load, load_texts};
pub use locate::{Aim, Content, Entry, Node, Part, Path, Span};
pub use policy::asked;
pub use schedule::schedule;
pub use schema::{crds, schema};
pub use suggest::closest;
pub use yaml::{MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, Refused, Why, documents as parse, one as parse_one};
