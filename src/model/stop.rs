//! The stop: nothing of a group, or nothing at all, starts or goes on until a person lifts it.
//!
//! Orders are kept in the order they were given and never removed, because who stopped what, and why, is evidence. What is
//! stopped now is folded from them. A stop of everything and a stop of one group stand side by side: lifting one leaves
//! the other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, GroupName};

/// A person stops a group, or everything, or lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopOrder {
    /// The group; `None`: everything.
    pub group: Option<GroupName>,
    /// Stops, or lifts the stop.
    pub stops: bool,
    /// Who.
    pub by: Actor,
    /// Why, in the person's words; may be empty.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl StopOrder {
    /// What it is about: `everything`, or the group's name.
    pub fn scope(&self) -> &str {
        self.group.as_ref().map_or("everything", GroupName::as_str)
    }
}

/// The order that stops `group` now; the stop of everything comes first. `orders` are in the order they were given.
pub fn stopped<'a>(orders: &'a [StopOrder], group: &GroupName) -> Option<&'a StopOrder> {
    let last = |scope: Option<&GroupName>| {
        orders.iter().rev().find(|order| order.group.as_ref() == scope).filter(|order| order.stops)
    };
    last(None).or_else(|| last(Some(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn order(scope: Option<&str>, stops: bool) -> StopOrder {
        let by = Actor::new("ana").unwrap();
        StopOrder { group: scope.map(group), stops, by, reason: String::new(), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn the_last_order_of_a_scope_counts_and_scopes_do_not_lift_each_other() {
        let (all, orders, other) = (None, Some("orders"), Some("search"));
        for (story, given, expected) in [
            ("nothing was ordered", vec![], None),
            ("everything", vec![(all, true)], Some("everything")),
            ("everything, lifted", vec![(all, true), (all, false)], None),
            ("stopped again", vec![(all, true), (all, false), (all, true)], Some("everything")),
            ("the group", vec![(orders, true)], Some("orders")),
            ("another group", vec![(other, true)], None),
            ("lifting everything leaves the group", vec![(orders, true), (all, true), (all, false)], Some("orders")),
            ("lifting the group leaves everything", vec![(all, true), (orders, false)], Some("everything")),
        ] {
            let given: Vec<_> = given.into_iter().map(|(scope, stops)| order(scope, stops)).collect();
            assert_eq!(stopped(&given, &group("orders")).map(StopOrder::scope), expected, "{story}");
        }
    }
}
