//! The theatre itself: what it plays when nothing goes wrong, and one named fault.

use std::time::Duration;

use super::{
    dice::Dice,
    hall::Hall,
    links::{Blow, Fate, Net, Planned},
    plans, play,
    process::{Ended, Process, Task},
    world::World,
};
use lifeboat::{decide::Rest, model::Outcome};

async fn until_dead(process: &Process) -> Ended {
    while process.lives() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.ended().expect("an end")
}

#[test]
fn a_calm_failover_moves_the_only_primary_and_then_the_name() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        let process = Process::new(&hall, "p1");
        process.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        assert_eq!(until_dead(&process).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
        let world = hall.world();
        assert_eq!((world.writable(), world.name.as_str()), (vec!["dub"], "dub"));
    });
}

#[test]
fn a_process_that_dies_as_it_promotes_leaves_a_run_that_the_next_one_finishes() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        let fate = Fate::Pass { there: Duration::ZERO, back: Duration::ZERO };
        let word = "db.promote".to_owned();
        let blow = Some(Blow::Dies);
        hall.net.plan(Planned { process: None, word, region: None, skip: 0, times: 1, fate, blow });
        let (first, second) = (Process::new(&hall, "p1"), Process::new(&hall, "p2"));
        first.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        assert_eq!(until_dead(&first).await, Ended::Died);
        second.begin(Task::Resume("orders-1".parse().unwrap(), true));
        assert_eq!(until_dead(&second).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
        let promotions =
            hall.story().iter().filter(|line| line.contains("Promote") && line.contains("arrived")).count();
        assert_eq!(promotions, 1, "{:#?}", hall.story());
    });
}

#[test]
fn a_frozen_process_does_nothing_and_then_notices_that_its_lease_is_over() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        let fate = Fate::Pass { there: Duration::from_millis(5), back: Duration::from_millis(5) };
        let word = "db.reload".to_owned();
        let blow = Some(Blow::Freezes(Duration::from_secs(20)));
        hall.net.plan(Planned { process: None, word, region: None, skip: 0, times: 1, fate, blow });
        let (first, second) = (Process::new(&hall, "p1"), Process::new(&hall, "p2"));
        first.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.begin(Task::Resume("orders-1".parse().unwrap(), true));
        assert_eq!(until_dead(&second).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
        let Ended::Stopped(why) = until_dead(&first).await else { panic!("{:#?}", hall.story()) };
        assert!(why.contains("lease"), "{why}");
    });
}
