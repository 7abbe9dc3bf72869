//! `lifeboat evidence show`.

use crate::{
    app::AppError,
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        record,
        screen::{Format, Screen},
    },
    evidence::Record,
    model::RunId,
};

/// Show the record of a run as it was kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lifeboat evidence show orders-17")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    show(&args.run, desk).await
}

async fn show(run: &RunId, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let kept = app.store.record(run).await.map_err(AppError::store(format!("read the record of {run}")))?;
    let Some(text) = kept else {
        // No such run, or one whose process was killed before it could keep a record.
        app.read(run).await?;
        return Err(Complaint::App(AppError::Missing {
            what: format!("no record of {run} is kept yet"),
            remedy: format!("its process ended before it could; `lifeboat run resume {run}` keeps one"),
        }));
    };
    match desk.screen.format {
        // As it is where it is no JSON: whoever asks sees what is there.
        Format::Json => match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(record) => desk.screen.json(&record),
            Err(_) => desk.screen.line(text.trim_end()),
        },
        Format::Text => people(&desk.screen, run, &text)?,
    }
    Ok(Exit::Success)
}

fn people(screen: &Screen, run: &RunId, text: &str) -> Result<(), Complaint> {
    let record: Record = serde_json::from_str(text).map_err(|error| {
        Complaint::App(AppError::Missing {
            what: format!("the record of {run} was not written by this program: {error}"),
            remedy: "look at it with -o json".into(),
        })
    })?;
    record::draw(screen, &record);
    Ok(())
}
