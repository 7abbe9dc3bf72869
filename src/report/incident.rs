//! A draft of an incident notice, as Markdown that people finish and send. What a person wrote is no markup.

use std::fmt::Write as _;

use super::markdown::escape;
use crate::evidence::incident::{Field, Held, IncidentDraft, Stand};

/// Writes a draft; it ends in a line break.
pub fn incident(draft: &IncidentDraft) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ok = writeln!(out, "# Incident notice about {}: draft {}\n", escape(&draft.run.to_string()), draft.version);
    out.push_str(if draft.ready {
        "Ready: every required field is filled or marked unknown. Lifeboat sends nothing; a person does.\n\n"
    } else {
        "**NOT READY.** Lifeboat sends nothing; a person does, when this is ready.\n\n"
    });
    let _ok = writeln!(out, "- Made by: {}, {:.3}", escape(&draft.by.to_string()), draft.made_at);
    let _ok = writeln!(out, "- From the record with the digest: {}", escape(&draft.record));
    let open: Vec<&str> = draft.open().into_iter().map(Field::as_str).collect();
    if !open.is_empty() {
        let _ok = writeln!(out, "- Neither filled nor marked unknown: {}", open.join(", "));
    }
    clock(&mut out, draft);
    out.push('\n');
    for held in &draft.fields {
        if held.field.is_required() || held.field == Field::Breach || held.stand != Stand::Open {
            field(&mut out, held);
        }
    }
    let left: Vec<&str> = draft
        .fields
        .iter()
        .filter(|held| !held.field.is_required() && held.field != Field::Breach && held.stand == Stand::Open)
        .map(|held| held.field.as_str())
        .collect();
    if !left.is_empty() {
        let _ok = writeln!(out, "Optional, and not said: {}.", left.join(", "));
    }
    out
}

fn clock(out: &mut String, draft: &IncidentDraft) {
    let _ok = match &draft.clock {
        None => writeln!(out, "- Clock: none runs, since no date of discovery is known"),
        Some(clock) => {
            let from = if clock.confirmed {
                "the discovery"
            } else {
                "the candidate for the discovery, which nobody confirmed"
            };
            let left = clock.gdpr_ends.duration_since(draft.made_at).as_secs();
            let left = if left < 0 {
                format!("over since {}", spell(-left))
            } else {
                format!("{} left when this was made", spell(left))
            };
            writeln!(
                out,
                "- Clock: 72 h of GDPR Article 33(1), which is the regulation's and not the policy's, from {from} ({:.3}): to {:.3}, {left}",
                clock.from, clock.gdpr_ends
            )
        }
    };
}

/// Whole minutes, rounded down: time that is left is never shown longer than it is.
fn spell(seconds: i64) -> String {
    format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
}

fn field(out: &mut String, held: &Held) {
    let _ok = writeln!(out, "## {} (`{}`)\n", escape(held.field.title()), held.field.as_str());
    let _ok = match (&held.stand, &held.proposal) {
        (Stand::Filled { text, by, at }, _) => {
            writeln!(out, "{}\n\nFilled by {}, {at:.3}.\n", escape(text), escape(&by.to_string()))
        }
        (Stand::Unknown { by, at }, _) => {
            writeln!(out, "Unknown.\n\nMarked by {}, {at:.3}.\n", escape(&by.to_string()))
        }
        (Stand::Open, _) if held.field == Field::Breach => {
            writeln!(out, "Availability incident; breach not assessed. Nothing here infers one.\n")
        }
        (Stand::Open, Some(proposal)) => {
            writeln!(out, "*Proposed from the record, and confirmed by nobody:* {}\n", escape(proposal))
        }
        (Stand::Open, None) => writeln!(out, "*Open: the record says nothing of it.*\n"),
    };
}
