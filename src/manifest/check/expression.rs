//! Expressions of steps: they compile, and everything they name exists, is known by then, and cannot be missing.

use serde_json::{Map, Value};

use super::{Notes, runbook::Book};
use crate::{
    decide::{self, ExprError, UsedName},
    manifest::{code::Code, locate::Path, suggest},
    model::{DrillPolicy, OnFailure},
    spec::{RunbookSpec, StepSpec},
};

/// Where a text stands.
#[derive(Clone, Copy)]
struct Place<'a, 'b> {
    book: &'b Book<'a>,
    /// The step it belongs to.
    step: usize,
    /// It is evaluated after the act: the step's own output is known.
    after: bool,
}

pub(super) fn check(book: &Book<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    for (place, step, _, path) in book.each() {
        let before = Place { book, step: place, after: false };
        let after = Place { book, step: place, after: true };
        if let Some(text) = &step.when {
            condition(before, text, &path.key("when"), notes);
        }
        if let Some(text) = &step.verify {
            condition(after, text, &path.key("verify"), notes);
        }
        parameters(before, &step.with, &path.key("with"), notes);
        if let Some(undo) = &step.undo {
            parameters(after, &undo.with, &path.key("undo").key("with"), notes);
        }
    }
}

fn condition(place: Place<'_, '_>, text: &str, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let names = decide::compile_check(text);
    // Braces inside a condition are a common slip: it is an expression already.
    if decide::is_template(text) {
        let help = "a condition is an expression already: leave the braces out";
        notes.add(Code::BadExpression, path, "the condition holds `{{`", help);
        return;
    }
    let constant = matches!(&names, Ok(names) if names.is_empty());
    known(place, names, path, notes);
    if !constant {
        return;
    }
    match decide::holds(text, &Value::Null) {
        Ok(false) => {
            notes.add(Code::NeverHolds, path, "this is false whatever happens", "correct it, or remove the step");
        }
        Ok(true) => notes.add(Code::AlwaysHolds, path, "this is true whatever happens", "remove it"),
        Err(error) => notes.add(Code::BadExpression, path, error.to_string(), "compare something: `a == b`"),
    }
}

fn parameters(place: Place<'_, '_>, with: &Map<String, Value>, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    with.iter().for_each(|(key, value)| texts(place, value, &path.key(key), notes));
}

fn texts(place: Place<'_, '_>, value: &Value, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    match value {
        Value::String(text) if decide::is_template(text) => known(place, decide::compile_check_text(text), path, notes),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(place, item, &path.at(index), notes));
        }
        Value::Object(map) => parameters(place, map, path, notes),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn known(
    place: Place<'_, '_>,
    names: Result<Vec<UsedName>, ExprError>,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    match names {
        Err(error) => notes.add(Code::BadExpression, path, error.to_string(), "see `lifeboat explain LB0201`"),
        Ok(names) => names.iter().for_each(|name| check_name(place, name, path, notes)),
    }
}

fn check_name(place: Place<'_, '_>, name: &UsedName, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let mut parts = name.path.iter().map(String::as_str);
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("steps", Some(step)) => check_output(place, name, step, parts.next(), path, notes),
        (first, _) if decide::TOP_NAMES.contains(&first) => {}
        (first, _) => {
            let steps = place.book.steps.iter().map(|step| step.name.as_str());
            let help = if steps.clone().any(|step| step == first || step.replace('-', "_") == first) {
                format!("write steps.{}", name.dotted())
            } else {
                suggest::help(first, decide::TOP_NAMES.iter().copied(), "a text needs quotes: 'fra'")
            };
            notes.add(Code::UnknownName, path, format!("there is nothing named `{first}`"), help);
        }
    }
}

fn check_output(
    place: Place<'_, '_>,
    name: &UsedName,
    step: &str,
    output: Option<&str>,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let book = place.book;
    let Some((at, used)) = book.graph.places.get(step).and_then(|at| Some((*at, book.steps.get(*at)?))) else {
        let known = book.steps.iter().map(|step| step.name.as_str());
        // `steps.fence-db.x` is read as steps.fence minus db.x.
        let dashed = known.clone().find(|known| known.strip_prefix(step).is_some_and(|rest| rest.starts_with('-')));
        let help = match dashed {
            Some(dashed) => format!("a `-` is a minus here: write steps.{}", dashed.replace('-', "_")),
            None => suggest::help(step, known, "add the step, or correct the name"),
        };
        notes.add(Code::UnknownStepInExpression, path, format!("there is no step `{step}`"), help);
        return;
    };
    if let Some(output) = output {
        check_field(book, at, used, output, path, notes);
    }
    if at == place.step {
        if !place.after {
            let message = format!("the step uses its own output, `{}`", name.dotted());
            notes.add(Code::OutputTooEarly, path, message, "its output is known only after the act, in `verify`");
        }
    } else if !book.graph.is_before(at, place.step) {
        let message =
            format!("`{}` may not be known yet: `{step}` is not among the steps this one needs", name.dotted());
        notes.add(Code::OutputTooEarly, path, message, format!("add `{step}` to `needs`"));
    } else if let Some(why) = may_be_missing(used).filter(|_| !name.guarded && output.is_some()) {
        let message = format!("`{}` may be missing: step `{step}` has {why}", name.dotted());
        let spelled = name.dotted().replace('-', "_");
        let help = format!("say what to do then: `{spelled} | default(0)` or `{spelled} is defined and …`");
        notes.add(Code::OutputMayBeMissing, path, message, help);
    }
}

fn check_field(
    book: &Book<'_>,
    at: usize,
    used: &StepSpec,
    output: &str,
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    let facts = book.facts.get(at).map_or(&[][..], Vec::as_slice);
    if facts.is_empty() || facts.iter().any(|facts| facts.outputs.contains(&output)) {
        return;
    }
    let mut known: Vec<&str> = facts.iter().flat_map(|facts| facts.outputs.iter().copied()).collect();
    known.sort_unstable();
    known.dedup();
    let help = suggest::help(output, known, "the verb gives no outputs");
    notes.add(Code::UnknownOutput, path, format!("`{}` of step `{}` gives no `{output}`", used.uses, used.name), help);
}

/// Why a step may end without an output.
fn may_be_missing(step: &StepSpec) -> Option<&'static str> {
    if step.when.is_some() {
        Some("a `when`")
    } else if step.drill == DrillPolicy::Skip {
        Some("`drill: Skip`")
    } else if step.best_effort {
        Some("`bestEffort: true`")
    } else if step.on_failure == OnFailure::Continue {
        Some("`onFailure: Continue`")
    } else {
        None
    }
}
