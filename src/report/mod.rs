//! Floor 4: reports. From the record of a run to what people read and machines take in. Pure: a record and a few arguments
//! in, bytes out.
//!
//! - [`Sheet`] says once what there is to say; Markdown, HTML, PDF and JSON are ways to write it, so none says more than another.
//! - `JUnit`, CloudEvents and OSCAL are for machines that know those words; [`Population`] lists all runs, one line each.
//!
//! It promises: the same record and arguments give the same bytes. A report takes a [`Redacted`] record, so that no secret
//! gets in. What is not known reads *not measured* or *not recorded*, never a guess; nothing is rounded in our favour; a
//! rehearsal shows no measured recovery time; what nobody accepted carries DRAFT. A crash in the middle means nothing.

mod amount;
mod cloudevents;
mod controls;
mod csv;
mod html;
mod incident;
mod json;
mod junit;
mod markdown;
mod oscal;
mod pdf;
mod picture;
mod population;
mod programme;
mod section;
mod sheet;
mod uuid;

use crate::evidence::{
    Record, Redacted,
    later::{Opinion, SignOff},
};

pub use controls::{Controls, DEFAULT as DEFAULT_CONTROLS, Support};
pub use incident::incident;
pub use population::{Line, Population, State};
pub use programme::Programme;
pub use sheet::{Banner, Block, Fact, Section, Sheet, Table};

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One self-contained page, for browsers and printers.
    Html,
    /// PDF/A-3b with the record attached, for auditors and archives: the only format that is no text.
    Pdf,
    /// Markdown (`CommonMark` with tables), for tickets and wikis.
    Markdown,
    /// What the page says, as JSON.
    Json,
    /// `JUnit`'s XML, for CI.
    Junit,
    /// OSCAL 1.2.1 assessment plan.
    OscalPlan,
    /// OSCAL 1.2.1 assessment results.
    OscalResults,
    /// OSCAL 1.2.1 plan of action and milestones.
    OscalActions,
    /// One CloudEvents 1.0 event, in structured JSON.
    CloudEvents,
}

/// What is known of how the record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept, and made again from the journal it is the same.
    Kept,
    /// It is kept, and made again by this program it is another one.
    Differs,
    /// It is not kept, or an earlier one is: it was made from the journal just now.
    Unkept,
}

/// Where the ledger holds the record, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key: its name and fingerprint.
    pub key: String,
    /// The entry's index, from 0.
    pub entry: u64,
    /// The checkpoint that covers it: size and root.
    pub checkpoint: String,
    /// What had a checkpoint over it outside this machine first, each anchor once: how, which, since when.
    pub anchors: Vec<String>,
}

/// What a report is made with, beside the record.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Which requirement each part supports.
    pub controls: &'a Controls,
    /// How the record is kept.
    pub keeping: Keeping,
    /// Where the ledger holds it, signed; `None`: it does not.
    pub signature: Option<&'a Signature>,
    /// Who reviewed it, each person's last word.
    pub sign_offs: &'a [SignOff],
    /// What came after the run; `None`: there is no ledger to ask.
    pub programme: Option<&'a Programme>,
    /// OSCAL results hold observations alone, and leave every judgement to the assessor.
    pub observations_only: bool,
}

impl Terms<'_> {
    /// Why the report is a draft; `None`: the ledger holds the record, and somebody else than who asked for the run accepted it.
    pub fn draft(&self, record: &Record) -> Option<&'static str> {
        let accepted = |sign_off: &&SignOff| sign_off.opinion == Opinion::Accepted;
        if self.signature.is_none() {
            Some("the ledger does not hold the record")
        } else if self.sign_offs.iter().filter(accepted).any(|sign_off| sign_off.by != record.requested_by) {
            None
        } else if self.sign_offs.iter().any(|sign_off| accepted(&sign_off)) {
            Some("nobody but who asked for the run accepted the record")
        } else {
            Some("nobody accepted the record")
        }
    }
}

/// A report that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A plan of action without anything to act on.
    #[error("run {run} has no findings, so there is no plan of action to write")]
    NothingToPlan {
        /// The run.
        run: crate::model::RunId,
    },
    /// The cross-walk names no control of NIST SP 800-53 that the run supports.
    #[error("the cross-walk of controls names no OSCAL control for a run like {run}, and OSCAL needs one")]
    NoControl {
        /// The run.
        run: crate::model::RunId,
    },
    /// A defect of ours.
    #[error("the report of {run} could not be written: {why}")]
    Unwritten {
        /// The run.
        run: crate::model::RunId,
        /// Why.
        why: String,
    },
}

impl Format {
    /// It can be shown on a terminal: UTF-8 that ends in a line break.
    pub fn is_text(self) -> bool {
        self != Self::Pdf
    }
}

/// Writes the report of a run, as the bytes of a file.
pub fn write(format: Format, redacted: &Redacted, terms: &Terms<'_>) -> Result<Vec<u8>, ReportError> {
    let text = match format {
        Format::Pdf => return pdf::write(&Sheet::of(redacted, terms), redacted),
        Format::Html => html::write(&Sheet::of(redacted, terms), redacted)?,
        Format::Markdown => markdown::write(&Sheet::of(redacted, terms)),
        Format::Json => json::write(&Sheet::of(redacted, terms), redacted)?,
        Format::Junit => junit::write(redacted),
        Format::OscalPlan => oscal::plan(redacted, terms)?,
        Format::OscalResults => oscal::results(redacted, terms)?,
        Format::OscalActions => oscal::actions(redacted, terms)?,
        Format::CloudEvents => cloudevents::write(redacted, terms)?,
    };
    Ok(text.into_bytes())
}
