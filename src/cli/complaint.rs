//! Errors, for a person at 3 a.m.: what is wrong, because of what, and what to do.

use std::error::Error;

use serde_json::json;

use super::{
    exit::Exit,
    screen::{Format, Screen, Tone, tint},
};
use crate::{app::AppError, manifest};

/// A verb that did not get to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Complaint {
    /// A flow said so.
    #[error(transparent)]
    App(#[from] AppError),
    /// What was typed makes no sense, or was not confirmed.
    #[error("{what}")]
    Typed {
        /// What is wrong.
        what: String,
        /// What to type instead.
        remedy: String,
    },
    /// The log filter.
    #[error(transparent)]
    Log(#[from] crate::app::BadFilter),
    /// The machine did not do what it was asked.
    #[error("could not {intent}")]
    Machine {
        /// What was being done.
        intent: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Complaint {
    /// A mistake in what was typed.
    pub(super) fn typed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Typed { what: what.into(), remedy: remedy.into() }
    }

    /// The machine did not do what it was asked.
    pub(super) fn machine(intent: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let intent = intent.into();
        move |source| Self::Machine { intent, source }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::App(error) => Exit::of_error(error),
            Self::Typed { .. } | Self::Log(_) => Exit::Usage,
            Self::Machine { .. } => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::App(error) => error.remedy(),
            Self::Typed { remedy, .. } => Some(remedy.clone()),
            Self::Log(_) | Self::Machine { .. } => None,
        }
    }
}

/// The causes, outermost first. A transparent layer says the same as its inside and is said once.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut before = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if text != before {
            causes.push(text.clone());
        }
        before = text;
        cause = next.source();
    }
    causes
}

/// Prints it, and gives the code.
pub(super) fn complain(screen: &Screen, complaint: &Complaint) -> Exit {
    let exit = complaint.exit();
    let findings = match complaint {
        Complaint::App(AppError::Findings { findings }) => findings.as_slice(),
        Complaint::App(_) | Complaint::Typed { .. } | Complaint::Log(_) | Complaint::Machine { .. } => &[],
    };
    if screen.format == Format::Json {
        screen.json(&json!({ "error": {
            "exit": exit.code(),
            "message": complaint.to_string(),
            "causes": causes(complaint),
            "help": complaint.remedy(),
            "findings": findings,
        }}));
        return exit;
    }
    if !findings.is_empty() {
        screen.warn(manifest::render(findings, screen.look()));
    }
    screen.warn(format_args!("{} {complaint}", tint(Tone::Bad, "error:")));
    for cause in causes(complaint) {
        screen.warn(format_args!("  because: {cause}"));
    }
    if let Some(remedy) = complaint.remedy() {
        screen.warn(format_args!("  help: {remedy}"));
    }
    exit
}
