//! `lifeboat run watch`.

use crate::{
    app::{AppError, Rested},
    cli::{
        Desk,
        complaint::Complaint,
        exit::Exit,
        finish,
        progress::{Told, Underway},
    },
    decide::Rest,
    engine::Progress as _,
    model::{Run, RunId, RunState},
};

/// Follow a run as it goes, from any terminal, until it is over; changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat run watch orders-17")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let app = desk.app()?;
    let id = args.run;
    let mut told = Told::new(&desk.screen, Underway::default());
    let mut so_far: Option<Run> = None;
    loop {
        let after = so_far.as_ref().map_or(0, |run| run.seq);
        let events = app.store.read(&id, after).await;
        for event in events.map_err(AppError::store(format!("read the journal of {id}")))? {
            let folded = match &mut so_far {
                Some(run) => run.after(&event),
                None => Run::open(id.clone(), &event).map(|run| so_far = Some(run)),
            };
            folded
                .map_err(|source| AppError::Engine(crate::engine::EngineError::Illegal { run: id.clone(), source }))?;
            if let Some(run) = &so_far {
                told.event(&event, run);
            }
        }
        if let Some(RunState::Closed { outcome }) = so_far.as_ref().map(|run| &run.state) {
            let rest = Rest::Closed(*outcome);
            let Some(run) = so_far else { return Ok(Exit::Failure) };
            let record = app.build(&id).await?;
            return Ok(finish::finish(desk, &Rested { run, record, rest, kept: None, unentered: None }));
        }
        let seen = so_far.as_ref().map_or(after, |run| run.seq);
        tokio::select! {
            () = app.store.changed(&id, seen) => {}
            () = app.clock.sleep(app.store.pace()) => {}
        }
    }
}
