//! The theatre: everything outside the engine, on one simulated clock.
//!
//! The engine, the decisions, the lease and the rules of the store are the real ones. Here is what they meet: processes that
//! freeze and die, links that lose, delay and repeat, a store, and a world of two regions. Scenarios and simulations are
//! played on it.
//!
//! | file | holds |
//! |---|---|
//! | `hall.rs` | where it all happens: the true store, the true world, the story, the audience |
//! | `world.rs` | two regions, a name, an agent, as they really are; what one round trip does to them |
//! | `driver.rs` | the driver that the engine uses on the world |
//! | `links.rs` | the network: cuts, planned faults, faults by chance; the store as one process sees it |
//! | `process.rs` | one orchestrator process: begin, freeze, crash, move its wall clock |
//! | `plans.rs` | the runbooks that are played |
//! | `dice.rs` | chance from a seed |
//!
//! # How to play
//!
//! ```ignore
//! theatre::play(async {
//!     let net = Net::new(Dice::new(7));
//!     let hall = Hall::new(World::new("fra", "dub"), net, Box::new(()), true);
//!     let p1 = Process::new(&hall, "p1");
//!     // By name and moment: p1 dies as it sends the promotion, and the promotion arrives.
//!     let fate = Fate::Pass { there: Duration::ZERO, back: Duration::ZERO };
//!     hall.net.plan(Planned { process: None, word: "db.promote".into(), region: None, skip: 0, times: 1, fate,
//!         blow: Some(Blow::Dies) });
//!     // By chance: hall.net.rates(Rates { lose_reply: 30, ..Rates::default() }, Rates::default());
//!     p1.begin(Task::Start(Box::new(plans::opened(plans::failover("fra", "dub")))));
//!     while p1.lives() { tokio::time::sleep(Duration::from_millis(100)).await; }
//!     println!("{}", hall.story().join("\n"));
//! });
//! ```
//!
//! An [`Audience`](hall::Audience) is told of every event of the journal, every act, every request to the world that was sent
//! or arrived, in order, with the world and the store as they really are at that moment: promises are checked there.
//! `simulation::promises::Promises` is one.
//!
//! # Why the same seed tells the same story
//!
//! One thread, tokio's paused clock (time moves only when nothing can run), tasks in the order in which they were woken, chance
//! from [`dice`] alone, ordered maps everywhere, no input and no output. The engine's one `select!` is biased.

pub(crate) mod dice;
pub(crate) mod driver;
pub(crate) mod hall;
pub(crate) mod links;
pub(crate) mod plans;
pub(crate) mod process;
mod rehearsal;
pub(crate) mod world;

/// Plays on a clock of its own, which stands still while anything can run.
pub(crate) fn play<T>(piece: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(piece)
}
