//! `lifeboat explain`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    Desk,
    complaint::Complaint,
    exit::Exit,
    screen::{Screen, Tone, tint},
};
use crate::{
    app::Wired,
    manifest::{self, Code},
    model::{Capability, Risk, Verb},
    port::{Catalog as _, Descriptor},
};

/// Explain a finding, a verb of a step, or a risk.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat explain                     everything that can be explained
  lifeboat explain LB0103              a finding
  lifeboat explain database.promote    a verb
  lifeboat explain DataLoss            a risk")]
pub(super) struct Args {
    /// A code, a verb or a risk.
    #[arg(value_name = "WORD")]
    word: Option<String>,
}

/// One thing, explained.
#[derive(Debug, Serialize)]
struct Entry {
    word: &'static str,
    what: &'static str,
    title: String,
    text: String,
}

pub(super) fn run(args: &Args, desk: &Desk) -> Result<Exit, Complaint> {
    let all = entries();
    let Some(word) = &args.word else {
        desk.screen.answer(&all, |screen, all| {
            for entry in all {
                screen.line(format_args!("{:<20} {}", entry.word, entry.title));
            }
        });
        return Ok(Exit::Success);
    };
    let Some(entry) = all.iter().find(|entry| entry.word.eq_ignore_ascii_case(word)) else {
        let near = manifest::closest(word, all.iter().map(|entry| entry.word));
        let help = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
        return Err(Complaint::typed(
            format!("nothing is known of `{word}`"),
            format!("{help}`lifeboat explain` lists what can be explained"),
        ));
    };
    desk.screen.answer(entry, draw);
    Ok(Exit::Success)
}

fn draw(screen: &Screen, entry: &Entry) {
    screen.line(format_args!("{} ({}): {}\n", tint(Tone::Bold, entry.word), entry.what, entry.title));
    screen.line(&entry.text);
}

fn entries() -> Vec<Entry> {
    let codes = Code::ALL.iter().map(|code| Entry {
        word: code.as_str(),
        what: "finding",
        title: code.title().to_owned(),
        text: code.paragraph().to_owned(),
    });
    let verbs = Verb::ALL.iter().map(|verb| verb_entry(*verb));
    let risks = Risk::ALL.into_iter().map(|risk| Entry {
        word: risk.as_str(),
        what: "risk",
        title: "a risk that a named person may accept, with a reason".into(),
        text: risk_text(risk).to_owned(),
    });
    codes.chain(verbs).chain(risks).collect()
}

fn risk_text(risk: Risk) -> &'static str {
    match risk {
        Risk::DataLoss => {
            "Promote although writes would be lost beyond the recovery-point objective, or although nobody can say how many. \
             The estimate is recorded before; accept it after having read it, with `lifeboat plan`."
        }
        Risk::UnverifiedFence => {
            "Promote although nothing proves that the old primary accepts no writes. When it does, both sides change and the \
             histories part. Make sure by other means first: power, network, the provider's console."
        }
        Risk::SkipCooldown => {
            "Start although the last run that acted ended within `cooldownSeconds`. The way back may not be replicated yet."
        }
        Risk::DivergentHistory => {
            "Go on although both sides wrote after they parted. One side's writes will be given up; keep a copy of them."
        }
    }
}

fn verb_entry(verb: Verb) -> Entry {
    let drivers: Vec<(&str, &Descriptor)> = match verb.capability() {
        Capability::General => {
            Wired.descriptor(None, Capability::General, verb).map(|found| ("lifeboat", found)).into_iter().collect()
        }
        capability => Wired
            .drivers()
            .into_iter()
            .filter(|driver| *driver != "fake")
            .filter_map(|driver| Some((driver, Wired.descriptor(Some(driver), capability, verb)?)))
            .collect(),
    };
    let mut text = String::new();
    for (driver, about) in &drivers {
        let undo = if about.reversible { "can be taken back" } else { "cannot be taken back" };
        let outputs = if about.outputs.is_empty() { "nothing".to_owned() } else { about.outputs.join(", ") };
        // Writing to a String cannot fail.
        let _ok = writeln!(
            text,
            "{driver}: {:?} at worst, {undo}, touches {:?}; takes about {:?}, at most {:?} a try, {} tries; answers {outputs}",
            about.effect, about.touches, about.expected, about.timeout, about.attempts
        );
    }
    if drivers.is_empty() {
        text.push_str("no driver offers it yet\n");
    }
    let phase = verb.phase().map_or_else(String::new, |phase| format!(", counted as {}", phase.as_str()));
    Entry {
        word: verb.as_str(),
        what: "verb",
        title: format!("{}{phase}", about(verb)),
        text: text.trim_end().to_owned(),
    }
}

fn about(verb: Verb) -> &'static str {
    match verb {
        Verb::DatabaseFence => "make the source's database accept nothing, provably",
        Verb::DatabaseUnfence => "let the source's database accept writes again",
        Verb::DatabaseCatchUp => "wait until the destination's copy has everything",
        Verb::DatabasePromote => "make the destination's copy the primary",
        Verb::DatabaseVerify => "prove by a write that the destination is the primary",
        Verb::DatabaseReverse => "make the source's database a replica of the destination",
        Verb::StorageFence => "make the source's storage accept nothing, provably",
        Verb::StorageUnfence => "let the source's storage accept writes again",
        Verb::StorageCatchUp => "copy what the destination is missing",
        Verb::StoragePromote => "declare the destination's copy the real one",
        Verb::StorageVerify => "prove by a write and a read that the destination serves",
        Verb::StorageReverse => "make the source's storage a copy of the destination",
        Verb::DnsSwitch => "point the names at the destination",
        Verb::DnsVerify => "prove that every authoritative server answers with the destination",
        Verb::ProbeAwait => "wait until a probe of the destination is healthy",
        Verb::Approve => "wait for a person's approval",
        Verb::Wait => "wait for a declared time",
        Verb::Http => "send one HTTP request",
        Verb::Command => "run a program",
        Verb::DrillLeftovers => "prove that nothing of an isolated drill is left; lifeboat adds it by itself",
        Verb::DrillUntouched => "prove that an isolated drill touched nothing real; lifeboat adds it by itself",
        Verb::DrillParity => "compare the controls of both regions; lifeboat adds it to drills by itself",
    }
}
