//! From the roles of members to what is seen. Pure.

use serde_json::{Map, Value, json};

use super::params::EXPECTED;
use crate::model::{Capability, Facts, Observed, Role, TargetName};

/// A role without its reason, which is another one each time.
fn word(role: &Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Standby => "standby",
        Role::ReadOnly => "read-only",
        Role::Down(_) => "down",
        Role::Unknown(_) => "unknown",
    }
}

/// The roles of all members, by target and region: what is written down before a drill and compared after it.
pub fn seen<'a>(targets: impl IntoIterator<Item = (&'a TargetName, &'a Facts)>) -> Map<String, Value> {
    let roles = |facts: &Facts| -> Map<String, Value> {
        facts.sides.iter().map(|side| (side.region.to_string(), word(&side.role).into())).collect()
    };
    targets.into_iter().map(|(name, facts)| (name.to_string(), roles(facts).into())).collect()
}

fn words(seen: &Map<String, Value>) -> String {
    let one = |(target, roles): (&String, &Value)| {
        let roles = roles.as_object().into_iter().flatten();
        let roles: Vec<String> =
            roles.map(|(region, role)| format!("{region} {}", role.as_str().unwrap_or_default())).collect();
        format!("{target}: {}", if roles.is_empty() { "no members".to_owned() } else { roles.join(", ") })
    };
    seen.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn well(seen: Map<String, Value>) -> Observed {
    Observed::Already { facts: Facts::default(), output: Map::from_iter([("seen".to_owned(), Value::Object(seen))]) }
}

/// A stand-in database that answers is left behind; one that nobody hears of may be.
pub(super) fn leftovers(stand_ins: &[(TargetName, Capability, Facts)]) -> Observed {
    let databases: Vec<_> = stand_ins.iter().filter(|(_, capability, _)| *capability == Capability::Database).collect();
    let sides = || databases.iter().flat_map(|(name, _, facts)| facts.sides.iter().map(move |side| (name, side)));
    let left: Vec<String> = sides()
        .filter(|(_, side)| matches!(side.role, Role::Primary | Role::Standby | Role::ReadOnly))
        .map(|(name, side)| format!("the stand-in of {name} for {} still answers as {}", side.region, word(&side.role)))
        .collect();
    if !left.is_empty() {
        let expected = "stand-ins that are taken down".to_owned();
        return Observed::Refused { facts: Facts::default(), expected, found: left.join("; ") };
    }
    let unknown = sides().find_map(|(name, side)| match &side.role {
        Role::Unknown(why) => Some(format!("the stand-in of {name} for {}: {why}", side.region)),
        Role::Primary | Role::Standby | Role::ReadOnly | Role::Down(_) => None,
    });
    match unknown {
        Some(why) => Observed::Unknown { why },
        None => well(seen(databases.iter().map(|(name, _, facts)| (name, facts)))),
    }
}

/// Every member of every real target has the role that it had before.
pub(super) fn untouched(with: &Map<String, Value>, real: &[(TargetName, Capability, Facts)]) -> Observed {
    let found = seen(real.iter().map(|(name, _, facts)| (name, facts)));
    let Some(Value::Object(expected)) = with.get(EXPECTED) else {
        return Observed::Unknown { why: "nobody wrote down how the real targets were before".into() };
    };
    if *expected == found {
        return well(found);
    }
    let blind = real.iter().flat_map(|(name, _, facts)| facts.sides.iter().map(move |side| (name, side)));
    let blind = blind.filter(|(name, side)| {
        let before = &json!(expected)[name.as_str()][side.region.as_str()];
        matches!(side.role, Role::Unknown(_)) && before != "unknown"
    });
    // Who cannot be seen may well be as it was.
    if let Some((name, side)) = blind.into_iter().next() {
        return Observed::Unknown { why: format!("{name} in {} is {}", side.region, side.role) };
    }
    Observed::Refused {
        facts: Facts::default(),
        expected: format!("the real targets as they were: {}", words(expected)),
        found: words(&found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    fn target(roles: [(&str, Role); 2]) -> Vec<(TargetName, Capability, Facts)> {
        let side = |(region, role): (&str, Role)| Side { region: region.parse().unwrap(), role, position: None };
        let facts = Facts { sides: roles.map(side).into(), ..Facts::default() };
        vec![("orders-db".parse().unwrap(), Capability::Database, facts)]
    }

    fn gone() -> Role {
        Role::Down("connection refused".into())
    }

    #[test]
    fn a_stand_in_that_answers_is_left_and_one_that_nobody_hears_of_may_be() {
        assert!(matches!(leftovers(&target([("fra", gone()), ("dub", gone())])), Observed::Already { .. }));
        for role in [Role::Primary, Role::Standby, Role::ReadOnly] {
            let seen = leftovers(&target([("fra", gone()), ("dub", role)]));
            let Observed::Refused { found, .. } = seen else { panic!("{seen:?}") };
            assert!(found.contains("the stand-in of orders-db for dub still answers"), "{found}");
        }
        let silent = leftovers(&target([("fra", gone()), ("dub", Role::Unknown("no answer".into()))]));
        assert!(matches!(silent, Observed::Unknown { .. }), "{silent:?}");
    }

    #[test]
    fn a_real_target_is_untouched_when_every_member_has_the_role_it_had() {
        let before = target([("fra", Role::Primary), ("dub", Role::Standby)]);
        let noted = seen(before.iter().map(|(name, _, facts)| (name, facts)));
        let with = Map::from_iter([(EXPECTED.to_owned(), Value::Object(noted))]);
        assert!(matches!(untouched(&with, &before), Observed::Already { .. }));
        let promoted = target([("fra", Role::Primary), ("dub", Role::Primary)]);
        let Observed::Refused { expected, found, .. } = untouched(&with, &promoted) else { panic!("it was touched") };
        assert_eq!(expected, "the real targets as they were: orders-db: fra primary, dub standby");
        assert_eq!(found, "orders-db: fra primary, dub primary");
        let unseen = target([("fra", Role::Unknown("no answer".into())), ("dub", Role::Standby)]);
        assert!(matches!(untouched(&with, &unseen), Observed::Unknown { .. }));
        assert!(matches!(untouched(&Map::new(), &before), Observed::Unknown { .. }), "nothing to compare with");
    }
}
