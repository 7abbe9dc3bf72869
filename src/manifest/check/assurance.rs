//! Assurance calendars: periods that can be kept, names that mean one thing, and somebody who answers.

use std::collections::BTreeMap;

use super::{Notes, World, repeated_names};
use crate::{
    manifest::{code::Code, locate::Path},
    spec::AssuranceCalendarSpec,
};

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, AssuranceCalendarSpec>) {
    let list = Path::spec().key("items");
    let items = &notes.document.spec.items;
    repeated_names(notes, &list, "item", items.iter().map(|item| item.name.as_str()));
    // Which calendar has a name first.
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for calendar in &world.documents.calendars {
        for item in &calendar.spec.items {
            first.entry(&item.name).or_insert_with(|| calendar.title());
        }
    }
    for (at, item) in items.iter().enumerate() {
        let path = list.at(at);
        if let Some(other) = first.get(item.name.as_str()).filter(|other| **other != notes.document.title()) {
            let message = format!("{other} has an item named `{}` too, and records name the item alone", item.name);
            notes.add(Code::DuplicateName, &path.key("name"), message, "rename one of them");
        }
        if !is_name(&item.name) {
            let message = format!("`{}` is no name of an item", item.name);
            let help = "begin with a small letter, and use small letters, digits and hyphens, 63 at most";
            notes.add(Code::BadAssuranceItem, &path.key("name"), message, help);
        }
        if let (Some(days), Some(months)) = (item.every_days, item.every_months) {
            let message = format!("every {days} days and every {months} months: it cannot be both");
            notes.add(Code::BadAssuranceItem, &path.key("everyDays"), message, "leave one of them out");
        }
        for (key, found, most) in [("everyDays", item.every_days, 3660), ("everyMonths", item.every_months, 120)] {
            if let Some(found) = found.filter(|found| !(1..=most).contains(found)) {
                let message = format!("`{key}` is {found}, and it is from 1 to {most}");
                notes.add(Code::BadAssuranceItem, &path.key(key), message, "say how often it takes place");
            }
        }
        if item.owner.trim().is_empty() {
            let message = format!("nobody answers for `{}`", item.name);
            notes.add(Code::BadAssuranceItem, &path.key("owner"), message, "name a person or a team");
        }
    }
}

fn is_name(text: &str) -> bool {
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(small)
        && text.chars().all(|c| small(c) || c == '-')
}
