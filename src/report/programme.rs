//! What is known of a run from after its end: what persons found, what is to be done, and where it leaves the programme of drills. Facts,
//! gathered by whoever asks for the report; nothing is looked up here.

use jiff::civil::Date;

use crate::{
    decide::programme::Standing,
    evidence::{Action, Raised},
};

/// What came after the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    /// At the end of this day, UTC.
    pub as_of: Date,
    /// What persons found in the run.
    pub findings: Vec<Raised>,
    /// What is, or was, to be done because of it.
    pub actions: Vec<Action>,
    /// How the requirements on its group stand; `None`: no drill policy could be read.
    pub standings: Option<Vec<Standing>>,
}
