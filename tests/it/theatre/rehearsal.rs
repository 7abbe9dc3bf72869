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
use lifeboat::{
    decide::Rest,
    model::{Command, CommandBody, Outcome},
};

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

/// A process whose request is carried, and which then stands still for twenty seconds.
fn frozen_at(word: &str, back: Duration) -> Planned {
    let fate = Fate::Pass { there: Duration::from_millis(5), back };
    let blow = Some(Blow::Freezes(Duration::from_secs(20)));
    Planned { process: Some("p1".into()), word: word.into(), region: None, skip: 0, times: 1, fate, blow }
}

#[test]
fn a_process_that_stood_still_between_looking_and_promoting_does_not_promote_under_a_lease_that_is_over() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        // The looks of fence-db, of its act and of promote-db come first; this is the look inside the act of promoting.
        hall.net.plan(Planned {
            region: Some("dub".into()),
            skip: 3,
            ..frozen_at("db.look", Duration::from_millis(5))
        });
        let (first, second) = (Process::new(&hall, "p1"), Process::new(&hall, "p2"));
        first.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.begin(Task::Resume("orders-1".parse().unwrap(), true));
        assert_eq!(until_dead(&second).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
        let Ended::Stopped(why) = until_dead(&first).await else { panic!("{:#?}", hall.story()) };
        assert!(why.contains("lease"), "{why}");
        let story = hall.story();
        let sent = |process: &str| story.iter().any(|line| line.contains(process) && line.contains("sent Promote"));
        assert!(story.iter().any(|line| line.contains("p1       acts: orders-1/promote-db")), "{story:#?}");
        assert_eq!((sent("p1 "), sent("p2 ")), (false, true), "{story:#?}");
    });
}

#[test]
fn a_lease_counts_from_the_request_and_not_from_an_answer_that_came_late() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        hall.net.plan(frozen_at("store.acquire", Duration::from_millis(5)));
        let (first, second) = (Process::new(&hall, "p1"), Process::new(&hall, "p2"));
        first.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        assert_eq!(until_dead(&second).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
        assert!(matches!(until_dead(&first).await, Ended::Stopped(_)), "{:#?}", hall.story());

        // The same for a run that another process took over and wrote to meanwhile: no journal that makes no sense.
        hall.net.plan(frozen_at("store.acquire", Duration::from_millis(5)));
        let mut paused = plans::failover("dub", "fra");
        paused.steps.insert(0, plans::step("agree", lifeboat::model::Verb::Approve, &[]));
        paused.steps[1].needs = vec![lifeboat::model::StepIndex(0)];
        let open = Process::new(&hall, "p3");
        open.begin(Task::Start(Box::new(plans::opened(paused))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        open.crash();
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.begin(Task::Resume("orders-2".parse().unwrap(), false));
        tokio::time::sleep(Duration::from_secs(5)).await;
        second.begin(Task::Resume("orders-2".parse().unwrap(), false));
        let Ended::Stopped(why) = until_dead(&first).await else { panic!("{:#?}", hall.story()) };
        assert!(why.contains("lease"), "{why}: {:#?}", hall.story());
    });
}

#[test]
fn a_run_that_ended_before_it_was_taken_over_obeys_nobody_and_is_no_error() {
    play(async {
        let hall = Hall::new(World::new("fra", "dub"), Net::new(Dice::new(1)), Box::new(()), true);
        let (first, second) = (Process::new(&hall, "p1"), Process::new(&hall, "p2"));
        // An order that arrives as the run's last events are written, after the inbox was read.
        let fate = Fate::Pass { there: Duration::from_millis(50), back: Duration::ZERO };
        let word = "store.append".to_owned();
        hall.net.plan(Planned { process: None, word, region: None, skip: 0, times: 99, fate, blow: None });
        first.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
        let run = "orders-1".parse().unwrap();
        while first.lives() {
            let by = lifeboat::model::Actor::new("bob").unwrap();
            let (reason, at) = ("because".to_owned(), first.clock.now());
            let _over = second
                .store
                .tell(&run, Command { by, reason, at, expected_term: None, body: CommandBody::Resume, signed: None })
                .await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        second.begin(Task::Resume(run, false));
        assert_eq!(until_dead(&second).await, Ended::Rested(Rest::Closed(Outcome::Succeeded)), "{:#?}", hall.story());
    });
}
