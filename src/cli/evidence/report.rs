//! `lifeboat evidence report`.

use std::{fs, path::PathBuf};

use clap::ValueEnum;

use crate::{
    app::{self, AppError},
    cli::{Desk, complaint::Complaint, exit::Exit},
    model::RunId,
    report::{self, Format, ReportError, Terms},
};

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum Written {
    /// One self-contained page, for browsers and printers.
    #[default]
    Html,
    /// PDF/A-3b with the run's record attached, for auditors and archives; needs --into, or a pipe.
    Pdf,
    /// For tickets and wikis.
    Markdown,
    /// For CI: one case a step, and one for the verdict.
    Junit,
    /// OSCAL 1.2.1 assessment plan.
    OscalAp,
    /// OSCAL 1.2.1 assessment results.
    OscalAr,
    /// OSCAL 1.2.1 plan of action and milestones: the findings.
    OscalPoam,
    /// One CloudEvents 1.0 event in structured JSON.
    Cloudevents,
    /// What the page says, as JSON; the record itself is `evidence show -o json`.
    Json,
}

impl From<Written> for Format {
    fn from(written: Written) -> Self {
        match written {
            Written::Html => Self::Html,
            Written::Pdf => Self::Pdf,
            Written::Markdown => Self::Markdown,
            Written::Junit => Self::Junit,
            Written::OscalAp => Self::OscalPlan,
            Written::OscalAr => Self::OscalResults,
            Written::OscalPoam => Self::OscalActions,
            Written::Cloudevents => Self::CloudEvents,
            Written::Json => Self::Json,
        }
    }
}

/// Write the report of a run, for people or for machines.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat evidence report orders-17 --into orders-17.html
  lifeboat evidence report orders-17 --format pdf --into orders-17.pdf
  lifeboat evidence report orders-17 --format markdown
  lifeboat evidence report orders-17 --format junit --into orders-17.xml
  lifeboat evidence report orders-17 --format oscal-ar --observations-only

What looks like a secret is taken out, and the report lists where. What is not known reads
\"not measured\" or \"not recorded\". With -o json the report is the JSON one, unless --format says
otherwise. A run without findings has no plan of action: code 2.")]
pub(in crate::cli) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// What it is written in; default html, with -o json: json.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Written>,
    /// Where it is written; default: standard output.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// Which requirement each part supports; default: the cross-walk that is built in.
    #[arg(long, value_name = "FILE")]
    controls: Option<PathBuf>,
    /// OSCAL results without any verdict: the assessor judges.
    #[arg(long)]
    observations_only: bool,
}

pub(in crate::cli) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let usual = if desk.screen.format == crate::cli::screen::Format::Json { Written::Json } else { Written::Html };
    let format = args.format.unwrap_or(usual);
    if args.into.is_none() && !Format::from(format).is_text() && desk.screen.is_shown() {
        return Err(Complaint::App(AppError::Refused {
            what: "a PDF is no text, and standard output is a terminal".into(),
            remedy: format!(
                "name a file: `lifeboat evidence report {} --format pdf --into {}.pdf`",
                args.run, args.run
            ),
        }));
    }
    let controls = app::controls(args.controls.as_deref())?;
    let app = desk.app()?;
    let (redacted, keeping) = app.redacted(&args.run).await?;
    let reviewed = app.reviewed(&args.run)?;
    let programme = app.programme(&args.run)?;
    let terms = Terms {
        controls: &controls,
        keeping,
        signature: reviewed.signature.as_ref(),
        sign_offs: &reviewed.sign_offs,
        programme: programme.as_ref(),
        observations_only: args.observations_only,
    };
    let bytes = report::write(format.into(), &redacted, &terms).map_err(|error| complaint(&error))?;
    if !redacted.redactions().is_empty() {
        desk.screen.warn(format_args!(
            "{} places of the record of {} looked like secrets and were taken out; the report lists them",
            redacted.redactions().len(),
            args.run
        ));
    }
    match &args.into {
        None if Format::from(format).is_text() => desk.screen.text(&String::from_utf8_lossy(&bytes)),
        None => desk.screen.bytes(&bytes).map_err(Complaint::machine("write the report"))?,
        Some(file) => {
            fs::write(file, bytes).map_err(Complaint::machine(format!("write the report {}", file.display())))?;
            desk.screen.remark(format_args!("{} is written", file.display()));
        }
    }
    Ok(Exit::Success)
}

fn complaint(error: &ReportError) -> Complaint {
    let remedy = match error {
        ReportError::NothingToPlan { .. } => "that is good news; `--format oscal-ar` writes its results",
        ReportError::NoControl { .. } => "give one an `oscal` id in the file that --controls names",
        ReportError::Unwritten { .. } => "this is a defect of lifeboat: please report it with this message",
    };
    Complaint::App(AppError::Missing { what: error.to_string(), remedy: remedy.into() })
}
