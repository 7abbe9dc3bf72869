//! The real program on a disk that fails: it says where and what to do, stops acting, and whoever resumes reaches the same
//! end.

use lifeboat::{
    model::{EventBody, RunId},
    port::Journal as _,
    store::Sqlite,
};

use super::*;
use crate::disk::{Call, Disk, Fault, How, LOG, SmallDisk};

impl Stage {
    /// Runs it on this disk.
    fn run_on(&self, disk: &Disk, fault: Fault, words: &str) -> Ended {
        let mut command = self.command(words);
        disk.meets(&mut command, fault);
        Ended::of(&command.output().unwrap())
    }

    /// No effect without its intent in the journal.
    #[track_caller]
    fn every_act_was_intended(&self) {
        let acts = self.acts();
        if acts.is_empty() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = Sqlite::open(&self.path("data/lifeboat.db")).unwrap();
        let run: RunId = "orders-1".parse().unwrap();
        let events = runtime.block_on(store.read(&run, 0)).unwrap();
        let EventBody::Opened(opened) = &events[0].body else { panic!("{:?}", events[0]) };
        let intended: Vec<_> = events
            .iter()
            .filter(|event| matches!(event.body, EventBody::Acting { .. }))
            .filter_map(|event| opened.plan.step(event.body.step()?))
            .map(|step| step.name.as_str())
            .collect();
        for act in acts {
            assert!(intended.contains(&act.as_str()), "{act} was done and is not in the journal: {intended:?}");
        }
    }

    /// Goes on, or starts where nothing was opened, and gets to the same end as a run without trouble.
    #[track_caller]
    fn gets_to_the_same_end(&self) {
        let open = self.run("run list orders -o json").with(0).json();
        if open.as_array().unwrap().is_empty() {
            self.run(FAILOVER).with(0);
        } else {
            self.run("run resume orders-1").with(0).says("succeeded");
        }
        assert_eq!(self.acts(), EFFECTS);
        self.run("evidence show orders-1").with(0).says("succeeded");
    }
}

/// Where, why, and what to do: code 5.
#[track_caller]
fn is_refused(ended: Ended, stage: &Stage, remedy: &str) {
    let ended = ended.with(5);
    let place = stage.path("data/lifeboat.db");
    assert!(ended.err.contains(place.to_str().unwrap()), "the file is not named:\n{}", ended.err);
    assert!(ended.err.contains(remedy), "no {remedy:?} in\n{}", ended.err);
}

#[test]
fn whichever_sync_fails_the_run_stops_and_a_resume_gets_to_the_same_end() {
    let disk = Disk::new();
    let mut refused = 0;
    for n in 1.. {
        let stage = Stage::new(json!({}));
        let ended = stage.run_on(&disk, Fault::once(Call::Sync, LOG, n, How::Eio), FAILOVER);
        if !disk.fired() {
            ended.with(0);
            break;
        }
        stage.every_act_was_intended();
        // The lease ends by itself, and a checkpoint can wait: nobody needs to hear of those.
        if ended.code != 0 {
            is_refused(ended, &stage, "failed; look at the kernel's log");
            refused += 1;
        }
        stage.gets_to_the_same_end();
    }
    assert!(refused > 6, "{refused}");
}

#[test]
fn a_disk_that_is_full_from_some_point_on_stops_the_run_there() {
    let disk = Disk::new();
    for (n, how) in [(9, How::Enospc), (13, How::Short), (17, How::Enospc)] {
        let stage = Stage::new(json!({}));
        let ended = stage.run_on(&disk, Fault::from(Call::Write, LOG, n, how), FAILOVER);
        assert!(disk.fired());
        stage.every_act_was_intended();
        assert!(stage.acts().len() < EFFECTS.len(), "it went on: {:?}", stage.acts());
        is_refused(ended, &stage, "is full, and nothing was written; make room there");
        stage.gets_to_the_same_end();
    }
}

#[test]
fn a_store_that_became_read_only_under_a_run_stops_it() {
    let (disk, stage) = (Disk::new(), Stage::new(json!({})));
    let ended = stage.run_on(&disk, Fault::from(Call::Write, LOG, 15, How::Erofs), FAILOVER);
    stage.every_act_was_intended();
    is_refused(ended, &stage, "mounted for writing");
    stage.gets_to_the_same_end();
}

/// A stage whose data are on a small disk of their own.
fn on_a_disk_of(kilobytes: usize, database: Value) -> (SmallDisk, Stage) {
    let (disk, stage) = (SmallDisk::of(kilobytes), Stage::new(database));
    (disk, stage)
}

impl SmallDisk {
    fn command(&self, stage: &Stage, words: &str) -> Command {
        let mut command = stage.command(words);
        command.env("LIFEBOAT_DATA", self.path().join("data"));
        self.inside(&command)
    }

    fn run(&self, stage: &Stage, words: &str) -> Ended {
        Ended::of(&self.command(stage, words).output().unwrap())
    }
}

#[test]
fn a_disk_that_fills_up_under_a_run_stops_it_until_there_is_room() {
    let (disk, stage) = on_a_disk_of(2048, slow(1_500));
    let out = stage.path("out");
    let file = File::create(&out).unwrap();
    let mut command = disk.command(&stage, FAILOVER);
    let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
    let running = Running { child, out };
    running.until("promote-db  begins");
    let filler = disk.seen_from_outside().join("filler");
    let full = fs::write(&filler, vec![1; 4 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let ended = running.ends().with(5);
    assert!(ended.out.contains("data/lifeboat.db is full, and nothing was written; make room"), "{}", ended.out);
    assert!(ended.out.contains("lifeboat run resume orders-1"), "{}", ended.out);
    assert_eq!(stage.acts(), EFFECTS[..2], "what was under way ended, and nothing was begun");
    // While the disk is full, everything says so.
    let still = disk.run(&stage, "run resume orders-1").with(5);
    assert!(still.err.contains("lifeboat.db") && still.err.contains("is full"), "{}", still.err);
    assert_eq!(stage.acts(), EFFECTS[..2]);
    fs::remove_file(&filler).unwrap();
    disk.run(&stage, "run resume orders-1").with(0).says("succeeded");
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_store_on_a_disk_that_is_mounted_read_only_is_named_and_nothing_is_done() {
    let (disk, stage) = on_a_disk_of(4096, lossy());
    disk.run(&stage, FAILOVER).with(3);
    disk.remount("ro");
    let ended = disk.run(&stage, "run resume orders-1").with(5);
    assert!(ended.err.contains("lifeboat.db") && ended.err.contains("for writing"), "{}", ended.err);
    assert_eq!(stage.acts(), ["fence-db"]);
    disk.remount("rw");
    let mut accept = disk.command(&stage, "run accept orders-1 DataLoss");
    Ended::of(&accept.args(["--reason", "agreed"]).output().unwrap()).with(0);
    disk.run(&stage, "run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_disk_that_is_full_before_anything_began_is_named() {
    let (disk, stage) = on_a_disk_of(16, json!({}));
    let ended = disk.run(&stage, FAILOVER).with(5);
    assert!(ended.err.contains("lifeboat.db") && ended.err.contains("is full"), "{}", ended.err);
    assert_eq!(stage.acts(), [""; 0]);
}

#[test]
fn a_record_that_cannot_be_kept_is_no_failure_of_the_run_and_is_written_later() {
    let stage = Stage::new(json!({}));
    fs::create_dir(stage.path("data")).unwrap();
    fs::write(stage.path("data/evidence"), "in the way").unwrap();
    let ended = stage.run(FAILOVER).with(5).says("its record could not be kept").says("run resume orders-1");
    assert!(ended.err.contains("data/evidence/orders-1.json"), "{}", ended.err);
    assert_eq!(stage.acts(), EFFECTS);
    stage.run("run list").with(0).says("succeeded");
    fs::remove_file(stage.path("data/evidence")).unwrap();
    stage.run("run resume orders-1").with(0);
    assert!(stage.path("data/evidence/orders-1.json").exists());
    assert_eq!(stage.acts(), EFFECTS);
}

/// A disk that said it synced and had not: the end of the journal is gone, and every act is looked at before it is done
/// again.
#[test]
fn a_journal_whose_end_the_disk_lost_is_taken_up_where_it_ends_and_nothing_is_done_twice() {
    for lost in 1..=3 {
        let stage = Stage::new(slow(1_500));
        let mut running = stage.start(FAILOVER);
        running.until("promote-db  begins");
        running.child.kill().unwrap();
        let _killed = running.ends();
        assert_eq!(stage.acts(), ["fence-db"]);
        let log = stage.path("data/lifeboat.db-wal");
        let mut bytes = fs::read(&log).unwrap();
        // https://www.sqlite.org/fileformat2.html#walformat: a header of 32 bytes, then frames of 24 and a page. The last
        // frame is torn, and those before it never reached the disk.
        let frame = 24 + 4096;
        assert_eq!((bytes.len() - 32) % frame, 0);
        let torn = bytes.len() - (lost - 1) * frame - frame / 2;
        bytes.truncate(torn);
        fs::write(&log, bytes).unwrap();
        fs::remove_file(stage.path("data/lifeboat.db-shm")).unwrap();
        stage.gets_to_the_same_end();
    }
}

#[test]
fn a_main_file_whose_last_page_is_torn_is_named_and_nothing_is_done() {
    let stage = Stage::new(lossy());
    stage.run(FAILOVER).with(3);
    let main = stage.path("data/lifeboat.db");
    assert!(!stage.path("data/lifeboat.db-wal").exists(), "the last process put its log into the main file");
    let sound = fs::read(&main).unwrap();
    // Each page in turn: whichever tables it holds, nobody acts on what it says now.
    for page in 0..sound.len() / 4096 {
        let mut bytes = sound.clone();
        bytes[page * 4096..][..2048].fill(0xA5);
        fs::write(&main, bytes).unwrap();
        let ended = stage.run("run resume orders-1");
        assert!(matches!(ended.code, 3 | 5), "page {page}: {}\n{}", ended.code, ended.err);
        if ended.code == 5 {
            assert!(ended.err.contains(main.to_str().unwrap()), "page {page}: {}", ended.err);
            assert!(ended.err.contains("damaged; move it away and restore a copy"), "page {page}: {}", ended.err);
        }
        assert_eq!(stage.acts(), ["fence-db"], "page {page}");
        for file in ["data/lifeboat.db-wal", "data/lifeboat.db-shm"] {
            let _absent = fs::remove_file(stage.path(file));
        }
    }
    fs::write(&main, sound).unwrap();
    stage.run_because("run accept orders-1 DataLoss", "agreed with the shop").with(0);
    stage.run("run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}
