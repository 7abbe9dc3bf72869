//! `fake`: it keeps the promises unless its script says otherwise, and its script can be the wire.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use lifeboat::{
    driver::{
        conformance::{Fault, Subject, Trial, Wire},
        fake::{self, Fake, Script, Trouble, World},
    },
    model::{Effect, Verb},
    port::{Clock, Driver, Permit, SystemClock},
};

use super::{conforms, permit, plain};

/// How long each act of the script takes: the exchange.
const TAKES: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Now {
    hold: Option<u32>,
    lose_reply: bool,
    exchanges: u32,
    held: u32,
    let_go: u64,
}

/// The fake has no connection; what its script makes it wait for stands for one.
struct Scripted(Arc<Mutex<Now>>);

impl Wire for Scripted {
    fn put(&self, fault: Fault) -> Result<(), String> {
        let mut now = self.0.lock().unwrap();
        match fault {
            Fault::Refuse => return Err("a fake has no connection that could be refused".into()),
            Fault::Cut { after } => now.lose_reply = after == 0,
            Fault::Hold { after } => now.hold = Some(after),
        }
        Ok(())
    }
    fn heal(&self) {
        let mut now = self.0.lock().unwrap();
        *now = Now { let_go: now.let_go + 1, ..Now::default() };
    }
    fn exchanges(&self) -> u32 {
        self.0.lock().unwrap().exchanges
    }
    fn holds(&self) -> bool {
        self.0.lock().unwrap().held > 0
    }
    fn release(&self) {
        let mut now = self.0.lock().unwrap();
        now.let_go += 1;
        now.held = 0;
    }
}

/// A clock by which the script's waits can be held.
struct Held(SystemClock, Arc<Mutex<Now>>);

impl Clock for Held {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (clock, shared) = (self.0, Arc::clone(&self.1));
        Box::pin(async move {
            clock.sleep(time).await;
            if time != TAKES {
                return;
            }
            let let_go = {
                let mut now = shared.lock().unwrap();
                now.exchanges += 1;
                if now.hold.is_none_or(|after| now.exchanges <= after) {
                    return;
                }
                now.held += 1;
                now.let_go
            };
            while shared.lock().unwrap().let_go == let_go {
                clock.sleep(Duration::from_millis(2)).await;
            }
        })
    }
}

struct OnTrial {
    world: Mutex<World>,
    now: Arc<Mutex<Now>>,
    wire: Scripted,
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "fake".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let offered = Verb::ALL.iter().filter(|verb| fake::descriptor(**verb).is_some());
        offered.map(|verb| Trial::of(plain(*verb)).patient(Duration::from_millis(100))).collect()
    }
    fn open(&self) -> Arc<dyn Driver> {
        let lose_reply = u32::from(self.now.lock().unwrap().lose_reply);
        let trouble = Trouble { takes_ms: 1, lose_reply, ..Trouble::default() };
        let script = Script { steps: [("*".to_owned(), trouble)].into(), ..Script::default() };
        let clock = Arc::new(Held(SystemClock::start(), Arc::clone(&self.now)));
        Arc::new(Fake::scripted(script, self.world.lock().unwrap().clone(), clock))
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async { *self.world.lock().unwrap() = World::new() })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let world = self.world.lock().unwrap();
            // Of a verb that reads, the fake remembers that it was called; that is no effect.
            let effect = |verb| fake::descriptor(verb).is_some_and(|facts| facts.effect != Effect::Reads);
            let applied =
                if world.acts().iter().any(|act| effect(act.verb)) { world.applied() } else { BTreeSet::new() };
            format!("{applied:?}")
        })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
}

#[tokio::test]
async fn the_fake_conforms() {
    let now = Arc::new(Mutex::new(Now::default()));
    let subject = OnTrial { world: Mutex::new(World::new()), wire: Scripted(Arc::clone(&now)), now };
    insta::assert_snapshot!(conforms(&subject).await);
}
