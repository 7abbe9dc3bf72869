//! `lifeboat drill GROUP --mode live`.

use serde_json::json;

use super::super::{
    Desk,
    begin::{listen, waiting},
    complaint::Complaint,
    confirm::confirm,
    exit::Exit,
    finish,
    progress::Told,
    screen::Format,
};
use crate::{
    app::{Lived, Manner, Request, Turn},
    model::RunKind,
};

pub(super) async fn run(request: Request, manner: Manner, yes: Option<&str>, desk: &Desk) -> Result<Exit, Complaint> {
    let request = Request { kind: RunKind::Switchover, ..request };
    let group = request.group.clone();
    confirm(&desk.screen, "really move, and bring back,", &group, yes)?;
    let app = desk.app()?;
    let prepared = app.prepare_live(request).await?;
    let (supervision, underway) = listen(desk)?;
    let mut told = Told::new(&desk.screen, underway);
    let mut waiting = waiting(&desk.screen);
    let screen = &desk.screen;
    let mut turning = |turn: Turn| match turn {
        Turn::Aborting(why) => screen.warn(format_args!("the drill is ended: {why}")),
        Turn::Staying(time) => {
            screen.remark(format_args!("it stays there for {} s; Ctrl-C leaves it there", time.as_secs_f64()));
        }
        Turn::Returning => screen.remark("the way back begins"),
    };
    let drill = app.drill_live(prepared, manner, &mut waiting, &mut told, supervision.stop(), &mut turning);
    let lived = Box::pin(drill).await?;
    Ok(ended(desk, &lived))
}

/// The gravest code of both runs; a drill that was ended, or did not come back, is none that passed.
fn ended(desk: &Desk, lived: &Lived) -> Exit {
    let runs = || std::iter::once(&lived.out).chain(&lived.back);
    let codes: Vec<Exit> = match desk.screen.format {
        Format::Text => runs().map(|rested| finish::finish(desk, rested)).collect(),
        Format::Json => {
            let both: Vec<_> = runs().map(finish::described).collect();
            desk.screen.json(&json!({ "runs": both, "aborted": lived.aborted }));
            runs().map(Exit::of_rested).collect()
        }
    };
    if lived.back.is_none() {
        let plan = lived.out.run.plan();
        desk.screen.warn(format_args!(
            "the way back was not begun. When the group serves from {}: lifeboat failback {}",
            plan.destination, plan.group.name
        ));
    }
    match codes.into_iter().find(|code| *code != Exit::Success) {
        Some(code) => code,
        None if lived.aborted.is_some() || lived.back.is_none() => Exit::Failure,
        None => Exit::Success,
    }
}
