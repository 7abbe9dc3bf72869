//! The second act: the same region dies again, and nobody is at a keyboard.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::Story;
use crate::{Failure, places::Place, servers::Leash};

/// Where an observer stands, by the name that it has here.
const OBSERVERS: [&str; 3] = ["fra-1", "dub-1", "ams-1"];

impl Story {
    /// Whether the client and Lifeboat agree on a failover that nobody asked for.
    pub(super) fn nobody_types(&mut self) -> Result<bool, Failure> {
        self.terminal.chapter("The second act: three observers, automation, and nobody at the keyboard");
        self.heartbeat = None;
        self.allow_automation()?;
        let observers = self.observers()?;
        self.terminal.say(
            "\nThey probe both regions twice a second, publish what they see, and judge by a quorum of two. A verdict is held for two\n\
             seconds here, so that what heals by itself starts nothing; a minute is usual. Now everybody goes home.\n",
        );
        let since = jiff::Timestamp::now();
        self.await_served(Place::Fra, since)?;
        let before = self.kill()?;
        self.await_run(&observers)?;
        self.await_served(Place::Dub, before)?;
        self.terminal.say("");
        self.lifeboat(&["evidence", "show", "orders-3"])?;
        self.terminal.say("");
        self.lifeboat(&["status"])?;
        self.compare_failover("orders-3", before, since)
    }

    /// What an owner of the service does once, in the documents.
    fn allow_automation(&self) -> Result<(), Failure> {
        let path = self.regions.documents().join("orders.yaml");
        let text = fs::read_to_string(&path)?;
        fs::write(&path, text.replace("automation: Manual", "automation: Automatic"))?;
        self.terminal.typed("sed -i 's/automation: Manual/automation: Automatic/' lifeboat/orders.yaml");
        Ok(())
    }

    /// Starts them, and waits until each finds that all is well.
    fn observers(&self) -> Result<Vec<Leash>, Failure> {
        let mut observers = Vec::new();
        for name in OBSERVERS {
            self.terminal.typed(&format!("lifeboat serve --observer {name} --markers 0.25 &"));
            let (words, env) = self.lifeboat.words(&["serve", "--observer", name, "--markers", "0.25"]);
            observers.push(Leash::start(&self.folder.join(format!("{name}.log")), words, &env)?);
        }
        self.stop.until("three observers that find all well", Duration::from_secs(30), || {
            std::thread::sleep(Duration::from_millis(50));
            Ok(observers.iter().all(|observer| observer.log().contains("orders: nothing (dub up, fra up)")))
        })?;
        Ok(observers)
    }

    /// Shows what the one that acts says, until its run has come to rest.
    fn await_run(&self, observers: &[Leash]) -> Result<(), Failure> {
        let began = Instant::now();
        self.stop.until("a run that nobody asked for", Duration::from_mins(1), || {
            std::thread::sleep(Duration::from_millis(50));
            Ok(observers.iter().any(|observer| observer.log().contains("orders-3 came to rest")))
        })?;
        let Some(acted) = observers.iter().find(|observer| observer.log().contains("orders-3 came to rest")) else {
            return Err("the run is lost".into());
        };
        let log = acted.log();
        for line in log.lines().skip_while(|line| !line.contains("orders: hold")) {
            self.terminal.say(line);
        }
        if !log.contains("orders-3 came to rest: succeeded") && !log.contains("completed with exceptions") {
            return Err(format!("the run did not end well after {:.0} s", began.elapsed().as_secs_f64()).into());
        }
        Ok(())
    }
}
