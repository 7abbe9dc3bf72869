//! How much memory a long run takes.
//!
//! Only what the program itself asks for counts (`RssAnon` of `/proc/PID/status`). The pages of its file are the linker's affair:
//! they are three times as many in an unoptimised build.

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
/// KiB. Measured: 14,800, and the same within 20 each time. With the entry of the ledger made beside the record it was 16,300; with events made of their text in the thread that reads them it was 17,500;
/// with a copy of the plan for each who looks at it, and authorities read for nobody, 20,500.
const BOUND: u64 = 15_000;

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
    let mut most = 0;
    let status = loop {
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        most = most.max(own_memory(run.id()).unwrap_or(0));
        thread::sleep(LOOK);
    };
    assert!(status.success(), "{status}");
    println!("peak of a run of {STEPS} steps: {most} KiB of its own");
    assert!((1_000..BOUND).contains(&most), "{most} KiB, expected less than {BOUND}");
}
