//! A process reads an entry once: appends and questions read what others wrote since, and nothing else.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use lifeboat::{
    app::{self, App, Shelf, Typed},
    evidence::{
        key::private_pem,
        statement::{Role, What},
    },
    port::{Batch, Ledger as _, LedgerError},
    store::ledger::{Disk, Folder},
};
use serde_json::json;

use super::{
    closed, enter, files, flaws, key,
    memory::{Fault, Memory},
    opened, record, seal, small,
};
use crate::cli::Stage;

/// A disk that counts how often a file under `tile/` is read.
#[derive(Debug)]
struct Counting<D> {
    disk: D,
    reads: Arc<AtomicUsize>,
}

impl<D: Disk> Disk for Counting<D> {
    fn place(&self) -> String {
        self.disk.place()
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if path.starts_with("tile/") {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        if path.starts_with("tile/entries/") {
            BUNDLES.fetch_add(1, Ordering::SeqCst);
        }
        self.disk.read(path)
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        self.disk.length(path)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.disk.list()
    }

    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.create(path, bytes)
    }

    fn append(&self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.append(path, at, bytes)
    }

    fn cut(&self, path: &str, length: u64) -> io::Result<()> {
        self.disk.cut(path, length)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_names(&self, path: &str) -> io::Result<()> {
        self.disk.sync_names(path)
    }

    fn lock(&self, writes: bool) -> io::Result<Option<Box<dyn Send>>> {
        self.disk.lock(writes)
    }
}

/// Bundles that were read by this process: each test is one.
static BUNDLES: AtomicUsize = AtomicUsize::new(0);

fn counting(disk: &Memory) -> (Counting<Memory>, Arc<AtomicUsize>) {
    let reads = Arc::<AtomicUsize>::default();
    (Counting { disk: disk.clone(), reads: Arc::clone(&reads) }, reads)
}

#[test]
fn an_append_reads_no_entry_and_no_tile_that_its_process_knows() {
    let (disk, beside) = (Memory::default(), Memory::default());
    let (counted, reads) = counting(&disk);
    let ledger = files(counted, beside.clone());
    for number in 1..=300 {
        enter(&ledger, &[opened(number)], &[]).unwrap();
    }
    assert_eq!((ledger.entries().unwrap().len(), reads.load(Ordering::SeqCst)), (301, 0));
    // A process that begins reads each bundle once, and compares the tiles.
    let (counted, reads) = counting(&disk);
    let begun = files(counted, beside.clone());
    assert_eq!(begun.entries().unwrap(), ledger.entries().unwrap());
    let first = reads.swap(0, Ordering::SeqCst);
    assert!((3..=6).contains(&first), "two bundles, and the tiles over them: {first}");
    enter(&begun, &[opened(301)], &[]).unwrap();
    assert_eq!((begun.entries().unwrap().len(), reads.load(Ordering::SeqCst)), (302, 0));
}

#[test]
fn what_another_process_wrote_in_between_is_read_and_kept_once() {
    let (disk, beside) = (Memory::default(), Memory::default());
    let (counted, reads) = counting(&disk);
    let (one, other) = (files(counted, beside.clone()), files(disk.clone(), beside.clone()));
    enter(&one, &[opened(1)], &[]).unwrap();
    enter(&other, &[closed(1)], &[record(1)]).unwrap();
    enter(&one, &[opened(2)], &[]).unwrap();
    let after = reads.swap(0, Ordering::SeqCst);
    assert!(after > 0, "the entry of the other one was read");
    assert_eq!(one.entries().unwrap(), other.entries().unwrap());
    assert_eq!((one.entries().unwrap().len(), reads.load(Ordering::SeqCst)), (4, 0));
    assert_eq!(flaws(&disk, Some(&beside)), Vec::<String>::new());
}

#[test]
fn a_folder_that_went_back_to_what_a_process_knows_is_noticed_by_the_mark() {
    let (disk, beside) = (Memory::default(), Memory::default());
    let (one, other) = (files(disk.clone(), beside.clone()), files(disk.clone(), beside.clone()));
    enter(&one, &[opened(1)], &[]).unwrap();
    let old = disk.all();
    enter(&other, &[closed(1)], &[record(1)]).unwrap();
    for path in disk.all().keys() {
        disk.take(path);
    }
    for (path, bytes) in &old {
        disk.put(path, bytes);
    }
    assert!(matches!(enter(&one, &[opened(2)], &[]), Err(LedgerError::WentBack { .. })));
}

#[test]
fn a_key_that_was_rotated_away_signs_no_more_in_the_process_that_rotated_it() {
    let (disk, beside) = small();
    let ledger = files(disk.clone(), beside.clone());
    let next = private_pem(&[7; 32]);
    let (new, anna) = (key(7).public().into(), "anna".parse().unwrap());
    let added = What::KeyAdded { role: Role::Ledger, key: new, requested_by: anna };
    ledger
        .append(&mut |standing, _| {
            let entries = vec![seal(standing, added.clone())];
            Ok(Batch { entries, blobs: Vec::new(), next_key: Some(next.clone().into()) })
        })
        .unwrap();
    assert!(matches!(enter(&ledger, &[opened(2)], &[]), Err(LedgerError::Other { .. })));
}

#[test]
fn after_an_error_everything_is_read_anew_and_damage_is_found_then() {
    let (disk, beside) = (Memory::default(), Memory::default());
    let (counted, reads) = counting(&disk);
    let ledger = files(counted, beside.clone());
    enter(&ledger, &[opened(1)], &[]).unwrap();
    let mut bytes = disk.content("tile/entries/000");
    bytes[60] ^= 1;
    disk.put("tile/entries/000", &bytes);
    // What this process has verified is not looked at again; `verify` and whoever begins see it.
    enter(&ledger, &[opened(2)], &[]).unwrap();
    assert_eq!(reads.load(Ordering::SeqCst), 0);
    assert!(!flaws(&disk, Some(&beside)).is_empty());
    assert!(matches!(files(disk.clone(), beside.clone()).entries(), Err(LedgerError::Damaged { .. })));
    disk.meets(1, Fault::Full);
    enter(&ledger, &[opened(3)], &[]).unwrap_err();
    assert!(matches!(enter(&ledger, &[opened(3)], &[]), Err(LedgerError::Damaged { .. })));
    assert!(reads.load(Ordering::SeqCst) > 0);
}

/// The program's own disks, counted.
fn counted(folder: &Path) -> Box<dyn Disk> {
    Box::new(Counting { disk: Folder::at(folder), reads: Arc::default() })
}

#[tokio::test]
async fn status_and_a_report_read_each_bundle_of_the_ledger_once() {
    app::install_crypto();
    let policy = "---\napiVersion: lifeboat.dev/v1alpha1\nkind: DrillPolicy\nmetadata: {name: tier1}\nspec:\n  \
                  require: [{kind: Rehearse, everyDays: 30}]\n---\napiVersion: lifeboat.dev/v1alpha1\nkind: EvidenceAnchor\n\
                  metadata: {name: clock}\nspec: {timestamp: {url: \"http://127.0.0.1:1\"}}\n";
    let stage = Stage::new(json!({}));
    let file = stage.path("orders.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + policy).unwrap();
    stage.run("drill orders --mode rehearse").with(0);
    let open = || {
        let typed = Typed {
            data_dir: Some(stage.path("data")),
            files: vec![file.clone()],
            actor: Some("anna".into()),
            store: None,
        };
        let app = App::open(app::settle(typed, &|_| None).unwrap()).unwrap();
        App { shelf: std::sync::Arc::new(Shelf::on(counted)), ..app }
    };
    let read = || BUNDLES.swap(0, Ordering::SeqCst);
    let (app, group) = (open(), "orders".parse().unwrap());
    let papers = app::documents::read(&app.settings).unwrap();
    let status = app.status(&papers, &group).await.unwrap();
    assert_eq!((status.anchors.len(), status.alarms.len()), (1, 0), "the ledger was asked: {:?}", status.alarms);
    assert_eq!(read(), 1, "status");
    let (app, run) = (open(), "orders-1".parse().unwrap());
    assert!(app.reviewed(&run).unwrap().signature.is_some());
    assert!(app.programme(&run).unwrap().is_some());
    assert_eq!(read(), 1, "evidence report");
    // `verify` reads in a way of its own, and trusts no memory.
    open().coverage(None, None).await.unwrap();
    assert_eq!(read(), 2, "evidence coverage");
}
