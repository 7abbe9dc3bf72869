//! What one bucket lacks of another, and how much that is. Pure.

use std::collections::BTreeSet;

use super::client::{Inventory, Object};
use crate::model::Loss;

/// Lifeboat's own objects live here; they are never data.
pub(super) const OWN: &str = ".lifeboat/";

/// What two listings say of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The same content.
    Same,
    /// Not there, or of another size.
    Lacking,
    /// The same size under another entity tag. An entity tag is the content's MD5 only for single-part, unencrypted objects
    /// (Amazon S3 API, "Object"), so the objects themselves must be asked.
    Unsure,
}

/// Compares one key's entries.
pub(super) fn likeness(here: &Object, there: Option<&Object>) -> Likeness {
    match there {
        None => Likeness::Lacking,
        Some(there) if there.size != here.size => Likeness::Lacking,
        Some(there) if !here.etag.is_empty() && there.etag == here.etag => Likeness::Same,
        Some(_) => Likeness::Unsure,
    }
}

/// What one bucket lacks of another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Gap {
    /// Keys that it lacks, or holds with another content.
    pub(super) lacking: BTreeSet<String>,
    /// Those of them that it holds with another content.
    pub(super) differing: BTreeSet<String>,
    /// Keys that only it holds.
    pub(super) only_there: usize,
    /// Objects of data that it holds.
    pub(super) objects: usize,
}

/// Leaves out all that is not data.
pub(super) fn data_only(mut inventory: Inventory) -> Inventory {
    inventory.retain(|key, _| !key.starts_with(OWN));
    inventory
}

/// The gap, given which of the unsure keys turned out to be the same.
pub(super) fn gap(here: &Inventory, there: &Inventory, proven_same: &BTreeSet<String>) -> Gap {
    let mut gap = Gap { objects: there.len(), ..Gap::default() };
    for (key, object) in here {
        match likeness(object, there.get(key)) {
            Likeness::Same => continue,
            Likeness::Unsure if proven_same.contains(key) => continue,
            Likeness::Unsure | Likeness::Lacking => {}
        }
        if there.contains_key(key) {
            gap.differing.insert(key.clone());
        }
        gap.lacking.insert(key.clone());
    }
    gap.only_there = there.keys().filter(|key| !here.contains_key(*key)).count();
    gap
}

/// The loss when `here` goes away now. Seconds run from the last moment up to which nothing is missing to the newest object, all by
/// the source's own clock; with nothing before the first missing object they are not known.
pub(super) fn loss(here: &Inventory, gap: &Gap) -> Loss {
    const BASIS: &str = "source readable";
    let missing = |key: &String| gap.lacking.contains(key);
    let Some(first_missing) = here.iter().filter(|(key, _)| missing(key)).map(|(_, object)| object.modified).min()
    else {
        return Loss::none("objects", BASIS);
    };
    let complete_until = here
        .iter()
        .filter(|(key, object)| !missing(key) && object.modified <= first_missing)
        .map(|(_, object)| object.modified)
        .max();
    let newest = here.values().map(|object| object.modified).max();
    let seconds = match (newest, complete_until) {
        (Some(newest), Some(until)) => Some(newest.duration_since(until).as_secs_f64()),
        (None, _) | (_, None) => None,
    };
    let amount = u64::try_from(gap.lacking.len()).ok();
    Loss { seconds, amount, unit: "objects".into(), basis: BASIS.into() }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn inventory(entries: &[(&str, u64, &str, i64)]) -> Inventory {
        let object = |&(key, size, etag, second): &(&str, u64, &str, i64)| {
            (key.to_owned(), Object { size, etag: etag.into(), modified: Timestamp::from_second(second).unwrap() })
        };
        entries.iter().map(object).collect()
    }

    #[test]
    fn loss_is_counted_from_the_moment_up_to_which_nothing_is_missing() {
        let source = [("a", 1, "x", 100), ("b", 1, "y", 110), ("c", 1, "z", 125)];
        let table: &[(&[&str], Option<f64>, u64)] = &[
            (&[], Some(0.0), 0),
            (&["c"], Some(15.0), 1),
            (&["b", "c"], Some(25.0), 2),
            // A hole in the middle: everything after `a` is in doubt.
            (&["b"], Some(25.0), 1),
            // Nothing before it to count from.
            (&["a"], None, 1),
            (&["a", "b", "c"], None, 3),
        ];
        let here = inventory(&source);
        for (missing, seconds, amount) in table {
            let there: Inventory = here
                .iter()
                .filter(|(key, _)| !missing.contains(&key.as_str()))
                .map(|(k, o)| (k.clone(), o.clone()))
                .collect();
            let loss = loss(&here, &gap(&here, &there, &BTreeSet::new()));
            assert_eq!((loss.seconds, loss.amount), (*seconds, Some(*amount)), "{missing:?}");
        }
    }

    #[test]
    fn the_same_size_under_another_tag_is_lacking_until_proven_the_same() {
        let here = inventory(&[("a", 3, "x", 1)]);
        let there = inventory(&[("a", 3, "y-2", 2), ("b", 1, "z", 2)]);
        let found = gap(&here, &there, &BTreeSet::new());
        assert_eq!((found.lacking.len(), found.differing.len(), found.only_there, found.objects), (1, 1, 1, 2));
        let found = gap(&here, &there, &BTreeSet::from(["a".to_owned()]));
        assert_eq!((found.lacking.len(), found.differing.len()), (0, 0));
    }

    #[test]
    fn an_object_without_a_tag_is_never_the_same_by_its_tag() {
        let here = inventory(&[("a", 3, "", 1)]);
        assert_eq!(likeness(&here["a"], Some(&here["a"])), Likeness::Unsure);
    }

    #[test]
    fn lifeboats_own_objects_are_no_data() {
        let all = inventory(&[(".lifeboat/primary.json", 3, "x", 1), (".lifeboatx", 1, "x", 1), ("a", 1, "x", 1)]);
        assert_eq!(data_only(all).into_keys().collect::<Vec<_>>(), [".lifeboatx", "a"]);
    }
}
