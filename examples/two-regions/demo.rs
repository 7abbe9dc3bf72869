//! The story: check, plan, an outage, a failover, the comparison, and the way back.

mod unattended;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    Failure,
    comparison::{Comparison, Measured, OVERSTATED, PERIOD},
    places::{Place, Ports, bucket},
    servers::{Leash, postgres::Node, regions},
    shop::{Kind, key},
    terminal::{Interrupt, Lifeboat, Running, Terminal},
    view::View,
};

/// Writes of each kind after which the client counts as served by a region.
const SERVED: usize = 20;

/// The whole demonstration. Fails when the client and Lifeboat disagree.
pub(crate) fn run(keep: bool) -> Result<ExitCode, Failure> {
    let stop = Interrupt::listen()?;
    let folder = tempfile::Builder::new().prefix("lifeboat-two-regions-").tempdir()?;
    let told = match panic::catch_unwind(panic::AssertUnwindSafe(|| tell(folder.path(), &stop, keep))) {
        Ok(told) => told,
        // A server that did not start has said why.
        Err(_) => Err("it broke off".into()),
    };
    let evidence = keep_evidence(folder.path());
    match told {
        Ok((terminal, agreed)) => {
            if let Some(evidence) = evidence? {
                terminal.say(&format!("\nThe evidence records are in {}", evidence.display()));
            }
            let verdict = if agreed {
                terminal.good("The client and Lifeboat agree, and the way back lost nothing.")
            } else {
                terminal.bad("The client and Lifeboat DISAGREE.")
            };
            terminal.say(&format!("{verdict} {:.0} seconds in all; every server is stopped.", terminal.seconds()));
            Ok(if agreed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(_) if stop.asked() => {
            drop(folder);
            eprintln!("two-regions: interrupted; every server is stopped");
            Ok(ExitCode::from(130))
        }
        Err(failure) => {
            eprintln!("two-regions: what was written is kept in {}", folder.keep().display());
            Err(failure)
        }
    }
}

fn tell(folder: &Path, stop: &Interrupt, keep: bool) -> Result<(Terminal, bool), Failure> {
    let mut story = Story::begin(folder, stop)?;
    let told = story.tell(keep);
    if told.is_err() {
        fs::write(folder.join("servers.log"), story.regions.logs())?;
    }
    Ok((story.end(), told?))
}

/// Moves the evidence out of the temporary folder, to `target/two-regions/<time>-<process>`.
fn keep_evidence(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    let records = folder.join("data/evidence");
    if !records.exists() {
        return Ok(None);
    }
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("no target folder")?;
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let kept = target.join("two-regions").join(format!("{time}-{}", std::process::id()));
    fs::create_dir_all(&kept)?;
    for record in fs::read_dir(&records)? {
        let record = record?;
        fs::copy(record.path(), kept.join(record.file_name()))?;
    }
    Ok(Some(kept))
}

struct Story {
    terminal: Terminal,
    stop: Interrupt,
    folder: PathBuf,
    lifeboat: Lifeboat,
    runtime: tokio::runtime::Runtime,
    ports: Ports,
    // In the order in which they end: first those that use the servers.
    heartbeat: Option<Leash>,
    _helpers: [Leash; 2],
    regions: regions::Regions,
}

impl Story {
    fn begin(folder: &Path, stop: &Interrupt) -> Result<Self, Failure> {
        let terminal = Terminal::new();
        terminal.chapter("Two regions, a witness, and a client that writes without pause");
        let regions = regions::Regions::start(folder);
        stop.check()?;
        terminal.say("  fra  127.1.0.0/16   PostgreSQL primary · object store · service     serves");
        terminal.say(
            "  dub  127.2.0.0/16   PostgreSQL standby · object store · service     stands by, and has a name server",
        );
        terminal.say("  ams  127.3.0.0/16   name server (takes updates signed with TSIG)    witness\n");
        let (data, ports_file) = (folder.join("data"), regions.ports());
        let lifeboat = Lifeboat::beside(&data, &regions.documents())?;
        let own = std::env::current_exe()?.display().to_string();
        let (ports_text, folder_text) = (ports_file.display().to_string(), folder.display().to_string());
        let client = [own.as_str(), "shop", &ports_text, &folder_text];
        let client = Leash::start(&folder.join("shop.log"), client, &[])?;
        let replicate = Leash::start(&folder.join("replicate.log"), [own.as_str(), "replicate", &ports_text], &[])?;
        for line in lifeboat.exports() {
            terminal.typed(&line);
        }
        terminal.typed("lifeboat heartbeat orders --period 0.25 &");
        let (words, env) = lifeboat.words(&["heartbeat", "orders", "--period", "0.25"]);
        let heartbeat = Leash::start(&folder.join("heartbeat.log"), words, &env)?;
        let story = Self {
            terminal,
            stop: stop.clone(),
            folder: folder.to_owned(),
            lifeboat,
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
            ports: Ports::read(&ports_file)?,
            heartbeat: Some(heartbeat),
            _helpers: [client, replicate],
            regions,
        };
        story.await_served(Place::Fra, Timestamp::UNIX_EPOCH)?;
        story.terminal.say(
            "\nThe client resolves db.dr.test and s3.dr.test, writes orders and uploads, and keeps its own list of what was\n\
             acknowledged. `lifeboat heartbeat` leaves a marker in the database and the bucket four times a second, by which loss is measured.",
        );
        Ok(story)
    }

    /// All chapters; whether the client and Lifeboat agree.
    fn tell(&mut self, keep: bool) -> Result<bool, Failure> {
        self.check_and_plan()?;
        let failover = self.fail_over()?;
        let failback = self.fail_back()?;
        let unattended = self.nobody_types()?;
        self.look_back()?;
        if keep {
            self.play()?;
        }
        Ok(failover && failback && unattended)
    }

    /// Waits until the client was served by a region.
    fn await_served(&self, place: Place, after: Timestamp) -> Result<(), Failure> {
        let what = format!("{SERVED} orders and uploads acknowledged in {place}");
        self.stop.until(&what, Duration::from_secs(30), || {
            std::thread::sleep(Duration::from_millis(90));
            let Ok(view) = View::read(&self.folder) else { return Ok(false) };
            let served = |kind| view.acknowledged(kind, place, after) >= SERVED;
            Ok(served(Kind::Order) && served(Kind::Upload))
        })
    }

    fn lifeboat(&self, words: &[&str]) -> Result<(), Failure> {
        let status = self.lifeboat.run(&self.terminal, &self.stop, words)?;
        if status.success() { Ok(()) } else { Err(format!("lifeboat {} ended with {status}", words.join(" ")).into()) }
    }

    fn measured(&self, run: &str) -> Result<Measured, Failure> {
        Measured::read(&self.folder.join("data"), run)
    }

    fn check_and_plan(&self) -> Result<(), Failure> {
        self.terminal.chapter("Before anything happens: are the documents right, and what would a failover do?");
        self.lifeboat(&["check"])?;
        self.terminal.say("");
        self.lifeboat(&["plan", "orders"])
    }

    fn fail_over(&mut self) -> Result<bool, Failure> {
        self.terminal.chapter("An engineer stands by: as soon as fra is down, orders moves");
        let reason = "fra announced trouble with its power";
        let words = ["failover", "orders", "--when-down", "--as", "anna", "--reason", reason, "--yes-i-mean", "orders"];
        let mut failover = self.lifeboat.start(&self.terminal, &words)?;
        self.await_armed(&mut failover)?;
        self.stop.pause(Duration::from_secs(3))?;
        let before = self.kill()?;
        let status = failover.wait(&self.stop, Duration::from_mins(1))?;
        if !self.measured("orders-1")?.completed() {
            return Err(format!("the failover ended with {status}").into());
        }
        self.await_served(Place::Dub, before)?;
        self.terminal.chapter("Where the seconds went");
        self.lifeboat(&["evidence", "show", "orders-1"])?;
        self.compare_failover("orders-1", before, Timestamp::UNIX_EPOCH)
    }

    fn await_armed(&self, failover: &mut Running) -> Result<(), Failure> {
        self.stop.until("standing by", Duration::from_secs(30), || {
            if failover.ended()? {
                return Err(format!("lifeboat does not stand by: {}", failover.said()).into());
            }
            Ok(failover.said().to_lowercase().contains("ready:"))
        })
    }

    /// The region dies. The moment just before.
    fn kill(&mut self) -> Result<Timestamp, Failure> {
        let servers = self.regions.servers(Node::Fra);
        let (names, ids): (Vec<_>, Vec<_>) = servers.into_iter().map(|(name, id)| (name, id.to_string())).unzip();
        self.terminal.typed(&format!("kill -9 {}      # {} of fra", ids.join(" "), names.join(", ")));
        std::io::stdout().flush()?;
        let before = Timestamp::now();
        self.regions.kill_region(Node::Fra);
        Ok(before)
    }

    /// `since`: what was acknowledged in fra before that moment is the business of an earlier chapter.
    fn compare_failover(&self, run: &str, before: Timestamp, since: Timestamp) -> Result<bool, Failure> {
        self.terminal.chapter("What the client saw, beside what Lifeboat measured");
        let (view, measured) = (View::read(&self.folder)?, self.measured(run)?);
        let [orders, uploads] = [Kind::Order, Kind::Upload].map(|kind| view.longest_gap(kind, before));
        let lost = |kind, there: &BTreeSet<u64>| view.lost(kind, Place::Fra, since, there);
        let lost_orders = lost(Kind::Order, &self.orders(Place::Dub));
        let lost_uploads = lost(Kind::Upload, &self.uploads(Place::Dub)?);
        let mut table = Comparison::new();
        let terminal = &self.terminal;
        table.client("no order acknowledged for", orders);
        table.client("no upload acknowledged for", uploads);
        table.compare("time without service (RTO)", orders.max(uploads), measured.recovery());
        table.lost("orders", lost_orders, measured.lost("orders-db"));
        table.lost("uploads", lost_uploads, measured.lost("uploads"));
        let agree = table.show(terminal);
        terminal.say(&format!(
            "The client knows only its own writes, Lifeboat only its probes and markers; they must agree within one\n\
             probe period ({PERIOD} s). A loss may be stated up to {OVERSTATED} s larger than it was, since a marker bears the time before\n\
             its write. Acknowledged writes are lost because replication between the regions is asynchronous."
        ));
        Ok(agree)
    }

    fn orders(&self, place: Place) -> BTreeSet<u64> {
        self.regions.orders(node(place))
    }

    fn uploads(&self, place: Place) -> Result<BTreeSet<u64>, Failure> {
        let client = self.ports.objects(place, place.objects());
        let keys = self.runtime.block_on(async {
            let mut pages = client.list_objects_v2().bucket(bucket(place)).prefix("uploads/").into_paginator().send();
            let mut keys = BTreeSet::new();
            while let Some(page) = pages.next().await {
                keys.extend(page?.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
            }
            Ok::<_, Failure>(keys)
        })?;
        let last = keys.last().and_then(|key| key.get(8..16)).and_then(|id| id.parse::<u64>().ok()).unwrap_or(0);
        Ok((1..=last).filter(|id| keys.contains(&key(*id))).collect())
    }

    fn fail_back(&mut self) -> Result<bool, Failure> {
        self.terminal
            .chapter("fra is repaired: its machines are back, its object store is empty, its database is not started");
        self.regions.start_region(Node::Fra);
        self.terminal.say("Nothing fails back by itself. A person asks, and this time nothing may be lost: fra becomes a standby, catches up,");
        self.terminal.say("dub is fenced, and only then the roles change.\n");
        let before = Timestamp::now();
        let reason = "fra is repaired";
        self.lifeboat(&["failback", "orders", "--as", "anna", "--reason", reason, "--yes-i-mean", "orders"])?;
        self.await_served(Place::Fra, before)?;
        self.compare_failback(before)
    }

    fn compare_failback(&self, before: Timestamp) -> Result<bool, Failure> {
        self.terminal.chapter("The way back, as the client saw it");
        let (view, measured) = (View::read(&self.folder)?, self.measured("orders-2")?);
        let [orders, uploads] = [Kind::Order, Kind::Upload].map(|kind| view.longest_gap(kind, before));
        let lost = |kind, there: &BTreeSet<u64>| view.lost(kind, Place::Dub, Timestamp::UNIX_EPOCH, there);
        let lost_orders = lost(Kind::Order, &self.orders(Place::Fra));
        let lost_uploads = lost(Kind::Upload, &self.uploads(Place::Fra)?);
        let mut table = Comparison::new();
        let terminal = &self.terminal;
        table.client("no order acknowledged for", orders);
        table.client("no upload acknowledged for", uploads);
        table.compare("time without service", orders.max(uploads), measured.interruption());
        table.lost("orders", lost_orders, measured.lost("orders-db"));
        table.lost("uploads", lost_uploads, measured.lost("uploads"));
        let agree = table.show(terminal);
        let nothing = lost_orders.writes == 0 && lost_uploads.writes == 0;
        if !nothing {
            terminal.say(&terminal.bad("A planned move may lose nothing, and this one did."));
        }
        Ok(agree && nothing)
    }

    fn look_back(&self) -> Result<(), Failure> {
        self.terminal.chapter("What is on record");
        self.lifeboat(&["run", "list"])
    }

    /// Everything goes on until somebody presses Enter.
    fn play(&self) -> Result<(), Failure> {
        self.terminal.chapter("Everything keeps running until you press Enter. In another terminal:");
        for line in self.lifeboat.exports() {
            self.terminal.typed(&line);
        }
        for line in [
            "lifeboat status",
            "lifeboat plan orders --kind switchover",
            "lifeboat failback orders --reason 'to see it' --yes-i-mean orders",
            "lifeboat run watch orders-4",
            "lifeboat evidence show orders-2",
        ] {
            self.terminal.typed(line);
        }
        let pressed = std::thread::spawn(|| {
            let mut line = String::new();
            let _pressed = std::io::stdin().read_line(&mut line);
        });
        self.stop.until("Enter", Duration::from_hours(24), || Ok(pressed.is_finished()))
    }

    fn end(self) -> Terminal {
        self.terminal
    }
}

fn node(place: Place) -> Node {
    match place {
        Place::Fra => Node::Fra,
        Place::Dub => Node::Dub,
    }
}
