//! The readiness score.

use super::*;

#[test]
fn the_score_is_the_sum_of_its_parts_and_says_what_lost_points() {
    let trials = [trial(1, "2026-03-01T12:00:00Z")];
    let current = [standing(&asked(), &trials, &[], &force(), on("2026-03-02"))];
    let (orders, wiki) = (group("orders"), group("wiki"));
    let facts = |standings, ready| GroupFacts {
        group: &orders,
        tier: Tier(1),
        standings,
        moved: vec![(run(4), true), (run(3), true), (run(2), true), (run(1), false)],
        compared: None,
        ready,
    };
    let whole = score(&[facts(&current, well())], &[]).unwrap();
    assert_eq!((whole.points, whole.ready), (90, true), "parity is not checked, and lost: {whole:?}");
    assert_eq!(whole.parts[3].lost, ["orders: not checked: no drill compared the controls of its regions"]);

    // Eight of ten hold: one differs, and of one nobody can tell.
    let compared = Compared { passed: 8, unchecked: 1, failed: vec!["versions of orders-db: server".into()] };
    let told = GroupFacts { compared: Some((run(4), compared)), ..facts(&current, well()) };
    let told = score(&[told], &[]).unwrap();
    assert_eq!((told.points, told.parts[3].points), (98, 8));
    assert_eq!(told.parts[3].lost[0], "orders-4: versions of orders-db: server");
    assert!(told.parts[3].lost[1].contains("1 controls were not checked"), "{told:?}");

    let worried = Preparedness::Seen { blocks: Vec::new(), worries: 2 };
    assert_eq!(score(&[facts(&current, worried)], &[]).unwrap().points, 80);
    let blocked = Preparedness::Seen { blocks: vec!["no fence".into()], worries: 0 };
    assert_eq!(score(&[facts(&current, blocked)], &[]).unwrap().points, 70);
    assert_eq!(score(&[facts(&current, Preparedness::Unknown("the past".into()))], &[]).unwrap().points, 70);

    let late = |grave| Overdue { action: 7, grave, what: "mend it".into() };
    assert_eq!(score(&[facts(&current, well())], &[late(false)]).unwrap().points, 88);
    assert_eq!(score(&[facts(&current, well())], &[late(false), late(true)]).unwrap().points, 80);

    // A group of tier 3 without a policy costs one part in five, and no cap.
    let other =
        GroupFacts { group: &wiki, tier: Tier(3), standings: &[], moved: Vec::new(), compared: None, ready: well() };
    let both = score(&[facts(&current, well()), other], &[]).unwrap();
    assert_eq!(both.parts[0].points, 32);
    assert_eq!(both.parts[1].points, 15, "three of four");
    assert!(both.ready && both.parts[0].lost[0].contains("UNPROTECTED"), "{both:?}");
    assert_eq!(score(&[], &[]), None);
}

#[test]
fn a_group_of_tier_one_that_is_not_drilled_is_not_ready_whatever_the_rest_says() {
    let trials = [trial(1, "2026-03-01T12:00:00Z")];
    let orders = group("orders");
    let failed = [Trial { shown: Shown::Failed("it was".into()), ..trial(1, "2026-03-01T12:00:00Z") }];
    let overdue = standing(&asked(), &trials, &[], &force(), on("2026-06-02"));
    let kept = standing(&asked(), &trials, &[], &force(), on("2026-03-02"));
    let never = standing(&asked(), &[], &[], &force(), on("2026-03-02"));
    let failed = standing(&asked(), &failed, &[], &force(), on("2026-03-02"));
    for (bad, word) in [(overdue, "OVERDUE"), (never, "NEVER"), (failed, "FAILED")] {
        let many = [vec![kept.clone(); 9], vec![bad]].concat();
        let facts = |tier, standings| {
            let moved = vec![(run(1), true)];
            GroupFacts { group: &orders, tier, standings, moved, compared: None, ready: well() }
        };
        let capped = score(&[facts(Tier(1), &many)], &[]).unwrap();
        assert_eq!((capped.points, capped.ready), (49, false), "{word}");
        assert_eq!(capped.capped, [format!("orders tier1/live is {word}")]);
        let lower = score(&[facts(Tier(2), &many)], &[]).unwrap();
        assert_eq!((lower.points, lower.ready), (86, true), "{word}: 9 of 10, and no cap below tier 1");
    }
    let bare =
        GroupFacts { group: &orders, tier: Tier(1), standings: &[], moved: Vec::new(), compared: None, ready: well() };
    assert_eq!(score(&[bare], &[]).unwrap().capped, ["orders is UNPROTECTED"]);
}
