//! The fuzz targets, for seconds: the seeds of `fuzz/corpus` and the documents of other tests, whatever failed before (`fuzz/artifacts`), and a fixed number of
//! mutations of them. The same number gives the same input, so a failure is found again by everybody.
//!
//! An input lies in `fuzz/artifacts/<target>` while it runs and stays there when it fails, also when the whole process ends
//! with it. `make fuzz` goes on for as long as one likes.

use std::{
    any::Any,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

mod mutate;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use mutate::{Chance, Mutator};
use targets::TARGETS;

/// Processor time of one input: a hundred times what the slowest seed takes in a debug build.
const TIME: Duration = Duration::from_secs(3);
/// Memory of a whole run in KiB: the seeds alone take some 40 MiB.
const MEMORY: u64 = 256 << 10;

/// One test for each target: they run side by side, and each has a process of its own.
macro_rules! bounded {
    ($($target:ident: $mutations:literal),+ $(,)?) => {
        $(#[test]
        fn $target() {
            run(stringify!($target), $mutations);
        })+

        #[test]
        fn every_target_is_run() {
            let named: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!([$(stringify!($target)),+].as_slice(), named);
        }
    };
}

bounded! {
    documents: 400,
    journals: 1_500,
    dns: 6_000,
    s3: 6_000,
    expressions: 3_000,
    words: 12_000,
    ledger: 6_000,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Documents of both kinds are there already; `make fuzz` names the same folders.
const DOCUMENTS: [&str; 3] = ["tests/manifest/good", "tests/manifest/bad", "runbooks"];

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    match target {
        "documents" => DOCUMENTS.iter().flat_map(|folder| files(&root().join(folder))).collect(),
        other => files(&root().join("fuzz/corpus").join(other)),
    }
}

/// The files of a folder, in order of their names.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn run(name: &str, mutations: u64) {
    let (_, target) = TARGETS.iter().find(|(of, _)| *of == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let artifacts = root().join("fuzz/artifacts").join(name);
    fs::create_dir_all(&artifacts).unwrap();
    for (path, input) in files(&artifacts).iter().chain(&seeds) {
        attempt(*target, input, &path.display().to_string(), &artifacts);
    }
    let seeds: Vec<_> = seeds.into_iter().map(|(_, input)| input).collect();
    let mutator = Mutator::new(&seeds);
    for number in 0..mutations {
        let input = mutator.input(&mut Chance::new(number));
        attempt(*target, &input, &format!("mutation {number}"), &artifacts);
    }
}

/// Runs one input, which stays behind when it fails.
fn attempt(target: targets::Target, input: &[u8], what: &str, artifacts: &Path) {
    let kept = artifacts.join(what.rsplit('/').next().unwrap().replace(' ', "-"));
    fs::write(&kept, input).unwrap();
    let before = processor_time();
    let ended = catch_unwind(AssertUnwindSafe(|| target(input)));
    let took = processor_time().saturating_sub(before);
    let peak = peak_kib();
    let place = kept.display();
    if let Err(why) = ended {
        panic!("{what} breaks a promise: {}\nthe input is kept in {place}", reason(why.as_ref()));
    }
    assert!(took < TIME, "{what} takes {took:?} of processor time\nthe input is kept in {place}");
    assert!(peak < MEMORY, "{what} takes {peak} KiB of memory\nthe input is kept in {place}");
    fs::remove_file(&kept).unwrap();
}

fn reason(why: &(dyn Any + Send)) -> &str {
    why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied()).unwrap_or("?")
}

/// What this thread has run so far, in nanoseconds (proc(5), `schedstat`): a busy machine does not make it longer.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// The most memory this process ever had, in KiB (proc(5), `VmHWM`).
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
