//! How much memory a long run takes.
//!
//! Only what the program itself asks for counts: `RssAnon` of `/proc/PID/status`, without the pages of its own file that the linker wrote
//! addresses into (`Anonymous` of those mappings, proc(5) `smaps`). The file is the linker's affair: it grows with every verb, and is three
//! times as large in an unoptimised build.

use std::{
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Steps of the run.
const STEPS: usize = 1_000;
/// Between two looks: what is kept for less than that is no waste.
const LOOK: Duration = Duration::from_millis(2);
/// How often it is looked at what the linker wrote: it is written once, at the start, as far as it is needed.
const SELDOM: usize = 50;
/// KiB. Measured: 10,770, and the same within 20 each time. With the plan kept aside while its event is read, lists with room for more and
/// the plan made on a copy of the runbook it was 1,300 more; with the entry of the ledger made beside the record 1,500; with events made of
/// their text in the thread that reads them 2,700; with a copy of the plan for each who looks at it, and authorities read for nobody, 5,700.
const BOUND: u64 = 11_000;

/// A hundred layers of ten steps; each needs the ten before.
fn documents() -> String {
    let mut text = String::from(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {name: fra}\nspec: {provider: other}\n---\n\
         apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {name: dub}\nspec: {provider: other}\n---\n\
         apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {name: long}\nspec:\n  \
         regions: [{name: fra, role: Preferred}, {name: dub, role: Standby}]\n  \
         objectives: {recoveryTimeSeconds: 86400, recoveryPointSeconds: 10}\n  \
         targets: [{name: nothing, fake: {capability: storage}}]\n  cooldownSeconds: 0\n  \
         runbooks: {switchover: long}\n---\napiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\n\
         metadata: {name: long}\nspec:\n  description: A thousand steps.\n  steps:\n",
    );
    for step in 0..STEPS {
        let before = (step / 10).checked_sub(1).map_or(0..0, |layer| layer * 10..layer * 10 + 10);
        let needs = before.map(|need| format!("s{need}")).collect::<Vec<_>>().join(", ");
        writeln!(text, "  - {{name: s{step}, uses: command, with: {{run: [/bin/true]}}, needs: [{needs}]}}").unwrap();
    }
    text
}

/// KiB that a process has of its own, while it is there.
fn own_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// KiB of this program's file that the linker wrote addresses into.
fn relocated(pid: u32) -> Option<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let (mut own, mut sum) = (false, 0);
    for line in maps.lines() {
        if let Some(kib) = line.strip_prefix("Anonymous:") {
            let kib: u64 = kib.trim().trim_end_matches(" kB").parse().ok()?;
            sum += if own { kib } else { 0 };
        } else if line.split('-').next().is_some_and(|start| u64::from_str_radix(start, 16).is_ok()) {
            // A mapping begins with its addresses, and ends with its file.
            own = line.ends_with(env!("CARGO_BIN_EXE_lifeboat"));
        }
    }
    Some(sum)
}

#[test]
fn a_run_of_a_thousand_steps_takes_no_more_memory_than_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.yaml");
    fs::write(&file, documents()).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["switchover", "long", "--as", "anna", "--reason", "a test", "--yes-i-mean", "long", "--file"])
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut most, mut linked) = (0, 0);
    let status = (0..).find_map(|look: usize| {
        if let Some(status) = run.try_wait().unwrap() {
            return Some(status);
        }
        most = most.max(own_memory(run.id()).unwrap_or(0));
        if look.is_multiple_of(SELDOM) {
            linked = linked.max(relocated(run.id()).unwrap_or(0));
        }
        thread::sleep(LOOK);
        None
    });
    let status = status.unwrap();
    assert!(status.success(), "{status}");
    assert!(linked > 100, "the program's own file was not found among its mappings");
    println!("peak of a run of {STEPS} steps: {most} KiB, of which the linker wrote {linked}");
    let most = most - linked;
    assert!((1_000..BOUND).contains(&most), "{most} KiB, expected less than {BOUND}");
}
