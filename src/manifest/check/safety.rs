//! The order of dangerous steps: fence before promotion, promotion before the names are switched, promotion before
//! the old side is overwritten.

use super::{Notes, runbook::Book};
use crate::{
    manifest::{code::Code, locate::Path},
    model::Verb,
    spec::RunbookSpec,
};

pub(super) fn check(book: &Book<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    let promotions: Vec<usize> = book
        .verbs
        .iter()
        .enumerate()
        .filter(|(_, verb)| verb.is_some_and(Verb::promotes))
        .map(|(place, _)| place)
        .collect();
    for (place, step, verb, path) in book.each() {
        match verb {
            Some(Verb::DatabasePromote) => fenced(book, place, Verb::DatabaseFence, &path, notes),
            Some(Verb::StoragePromote) => fenced(book, place, Verb::StorageFence, &path, notes),
            Some(Verb::DatabaseReverse) => promoted(book, place, Verb::DatabasePromote, &path, notes),
            Some(Verb::StorageReverse) => promoted(book, place, Verb::StoragePromote, &path, notes),
            Some(Verb::DnsSwitch) => {
                let early: Vec<&str> = promotions
                    .iter()
                    .filter(|promotion| !book.graph.is_before(**promotion, place))
                    .filter_map(|promotion| Some(book.steps.get(*promotion)?.name.as_str()))
                    .collect();
                if !early.is_empty() {
                    let message = format!("`{}` switches names before {} is done", step.name, early.join(", "));
                    let help = format!("add {} to its `needs`", early.join(", "));
                    notes.add(Code::DnsBeforePromote, &path.key("uses"), message, help);
                }
            }
            Some(_) | None => {}
        }
    }
}

/// A promotion needs a fence before it, where its driver has one: a database the fence of its own target, a storage
/// that of any target (its writers are cut off with the source's database).
fn fenced(book: &Book<'_>, place: usize, fence: Verb, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let Some(step) = book.steps.get(place) else { return };
    let Some(target) = &step.target else { return };
    if book.facts_of(step, fence).is_empty() {
        return;
    }
    let mut fences = book.places(fence, Some(target));
    if fence == Verb::StorageFence {
        let database = |(place, verb): (usize, &Option<Verb>)| (*verb == Some(Verb::DatabaseFence)).then_some(place);
        fences.extend(book.verbs.iter().enumerate().filter_map(database));
    }
    if fences.is_empty() || !book.graph.any_before(&fences, place) {
        let message =
            format!("`{}` promotes `{target}`, and no fence of `{target}` is among the steps it needs", step.name);
        let help = match fences.first().and_then(|fence| book.steps.get(*fence)) {
            Some(fence) => format!("add `{}` to its `needs`", fence.name),
            None => format!("add a step with `uses: {fence}` and `target: {target}`, and need it"),
        };
        notes.add(Code::PromoteWithoutFence, &path.key("uses"), message, help);
    }
}

/// A reversal overwrites one side: the source, once the destination is promoted, or the destination, before it is.
fn promoted(book: &Book<'_>, place: usize, promotion: Verb, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let Some(step) = book.steps.get(place) else { return };
    let Some(target) = &step.target else { return };
    let promotions = book.places(promotion, Some(target));
    if step.with.get("member").and_then(serde_json::Value::as_str) == Some("destination") {
        let early = promotions.iter().find(|promotion| !book.graph.is_before(place, **promotion));
        if let Some(early) = early.and_then(|early| book.steps.get(*early)) {
            let message =
                format!("`{}` overwrites the destination's `{target}`, perhaps after its promotion", step.name);
            let help = format!("add `{}` to the `needs` of `{}`", step.name, early.name);
            notes.add(Code::ReverseBeforePromote, &path.key("uses"), message, help);
        }
    } else if promotions.is_empty() || !book.graph.any_before(&promotions, place) {
        let message = format!("`{}` overwrites the old side of `{target}` before its promotion is done", step.name);
        let help = match promotions.first().and_then(|promotion| book.steps.get(*promotion)) {
            Some(promotion) => format!("add `{}` to its `needs`", promotion.name),
            None => format!("add a step with `uses: {promotion}` and `target: {target}`, and need it"),
        };
        notes.add(Code::ReverseBeforePromote, &path.key("uses"), message, help);
    }
}
