//! The real binary against fake targets whose world is kept in a file, in a data folder of its own.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

mod control;
mod faults;
mod readiness;
mod traces;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::servers::{
    await_until,
    postgres::{Node, Pair},
};

/// Long enough for a loaded machine; nothing waits for it when all is well.
const LIMIT: Duration = Duration::from_mins(1);
/// Where `ip` finds what it needs.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A folder with documents, data and fake worlds.
pub(crate) struct Stage {
    folder: TempDir,
    /// More settings, in the environment of every process.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What was printed, and the code.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "no {text:?} in\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.out, self.err))
    }
}

/// A process in the background; killed with the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: PathBuf,
}

impl Running {
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn until(&self, text: &str) {
        let start = Instant::now();
        while !self.output().contains(text) {
            assert!(start.elapsed() < LIMIT, "no {text:?} within {LIMIT:?} in\n{}", self.output());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    #[track_caller]
    pub(crate) fn ends(mut self) -> Ended {
        let mut code = None;
        await_until("the end of the process", LIMIT, || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        Ended { code: code.and_then(|code| code.code()).unwrap_or(-1), out: self.output(), err: String::new() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Stage {
    /// Two regions, a database and a name. `database` is the script of the database's world; `group` is put into the
    /// group, `fra` and `dub` into the regions.
    pub(crate) fn with(database: Value, group: &str, fra: &str, dub: &str) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap(), settings: Vec::new() };
        let script = |name: &str, mut script: Value| {
            script["file"] = json!(stage.path(name));
            script.to_string()
        };
        let documents = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: fra}}\nspec: {{provider: other{fra}}}\n---\n\
             apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: dub}}\nspec: {{provider: other{dub}}}\n---\n\
             apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {{name: orders}}\nspec:\n\
             \x20 regions: [{{name: fra, role: Preferred}}, {{name: dub, role: Standby}}]\n\
             \x20 objectives: {{recoveryTimeSeconds: 300, recoveryPointSeconds: 10}}\n\
             \x20 targets:\n\
             \x20 - {{name: db, fake: {{capability: database, world: {}}}}}\n\
             \x20 - {{name: www, fake: {{capability: dns, world: {}}}}}\n{group}",
            script("db.json", database),
            script("www.json", json!({})),
        );
        fs::write(stage.path("orders.yaml"), documents).unwrap();
        stage
    }

    pub(crate) fn new(database: Value) -> Self {
        Self::with(database, "", "", "")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("LIFEBOAT_DATA", self.path("data"))
            .env("LIFEBOAT_FILES", self.path("orders.yaml"))
            .env("LIFEBOAT_AS", "anna")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Ended {
        Ended::of(&self.command(words).output().unwrap())
    }

    /// With a reason, which may hold blanks.
    pub(crate) fn run_because(&self, words: &str, reason: &str) -> Ended {
        Ended::of(&self.command(words).args(["--reason", reason]).output().unwrap())
    }

    /// With more arguments, which may hold blanks.
    pub(crate) fn run_with(&self, words: &str, more: &[&str]) -> Ended {
        Ended::of(&self.command(words).args(more).output().unwrap())
    }

    pub(crate) fn start(&self, words: &str) -> Running {
        self.start_on("data", words)
    }

    /// Starts the program with a data folder of its own, as on another machine.
    pub(crate) fn start_on(&self, machine: &str, words: &str) -> Running {
        let out = self.path(&format!("out-{machine}-{}", words.replace([' ', '/'], "_")));
        let file = File::create(&out).unwrap();
        let mut command = self.command(words);
        command.env("LIFEBOAT_DATA", self.path(machine)).stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: command.spawn().unwrap(), out }
    }

    /// Starts the program inside a network namespace, with the stage's own data folder.
    pub(crate) fn start_within(&self, place: &str, words: &str) -> Running {
        let out = self.path(&format!("out-{place}"));
        let file = File::create(&out).unwrap();
        let inner = self.command(words);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place]).arg(inner.get_program()).args(inner.get_args()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", PATH);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: command.spawn().unwrap(), out }
    }

    /// Every effect on the database, in order: `fence-db`, or `~fence-db` when it was taken back.
    pub(crate) fn acts(&self) -> Vec<String> {
        let Ok(text) = fs::read(self.path("db.json")) else { return Vec::new() };
        let world: Value = serde_json::from_slice(&text).unwrap();
        let undo = |act: &Value| if act["undo"] == json!(true) { "~" } else { "" };
        let acts = world["acts"].as_array().unwrap();
        acts.iter().map(|act| format!("{}{}", undo(act), act["step"].as_str().unwrap())).collect()
    }
}

pub(crate) const FAILOVER: &str = "failover orders --yes-i-mean orders";
/// What a failover does to the database.
pub(crate) const EFFECTS: [&str; 3] = ["fence-db", "promote-db", "verify-db"];

/// The promotion takes this long.
fn slow(ms: u64) -> Value {
    json!({ "steps": { "promote-db": { "takesMs": ms } } })
}

/// More would be lost than the objective allows.
pub(crate) fn lossy() -> Value {
    json!({ "loss": { "seconds": 60.0, "amount": 9000, "unit": "bytes", "basis": "last marker" } })
}

/// The promotion fails for good, once.
fn broken() -> Value {
    json!({ "steps": { "promote-db": { "fail": 1, "fatal": true } } })
}

#[test]
fn a_failover_prints_a_line_for_each_event_and_ends_with_its_measures_and_its_record() {
    let stage = Stage::new(json!({}));
    let ended = stage.run_because(FAILOVER, "fra is dark").with(0);
    for text in [
        "orders-1: failover from fra to dub opened by anna: fra is dark",
        "promote-db  done in 0.",
        "lost 0.000 s, 0 bytes (by fake world)",
        "run         succeeded",
        "orders-1 succeeded: fra -> dub",
        "data loss      0.000 s of 10 s: met",
    ] {
        assert!(ended.out.contains(text), "no {text:?} in\n{}", ended.out);
    }
    assert!(ended.err.lines().all(|line| line.starts_with("made ")), "{}", ended.err);
    assert_eq!(stage.acts(), EFFECTS);
    let record: Value = serde_json::from_slice(&fs::read(stage.path("data/evidence/orders-1.json")).unwrap()).unwrap();
    assert_eq!((&record["success"], &record["requestedBy"]), (&json!(true), &json!("anna")));
    assert_eq!(record["estimates"][0]["target"], json!("db"), "stated before anything acted: {}", record["estimates"]);
    stage.run("status").with(0).says("orders  serves from dub").says("last run orders-1 failover: succeeded");
    stage.run("evidence show orders-1").with(0).says("reason    fra is dark");
}

#[test]
fn a_killed_run_is_resumed_without_its_documents_and_no_effect_is_repeated() {
    let stage = Stage::new(slow(1_500));
    let mut running = stage.start(FAILOVER);
    running.until("promote-db  begins");
    running.child.kill().unwrap();
    let _killed = running.ends();
    assert_eq!(stage.acts(), ["fence-db"]);
    stage.run("evidence show orders-1").with(2).says("lifeboat run resume orders-1");
    fs::remove_file(stage.path("orders.yaml")).unwrap();
    let ended = stage.run("run resume orders-1").with(0).says("taken over by").says("holds the lease");
    assert!(ended.out.contains("the process that acted is gone"), "{}", ended.out);
    assert_eq!(stage.acts(), EFFECTS);
    stage.run("evidence show orders-1").with(0).says("succeeded");
    // A run that is over is only recorded again: its process may have been killed just before.
    stage.run("run resume orders-1").with(0).says("succeeded");
}

#[test]
fn an_act_whose_reply_was_lost_is_looked_at_and_not_done_again() {
    let stage = Stage::new(json!({ "steps": { "promote-db": { "loseReply": 1 } } }));
    stage.run(FAILOVER).with(0).says("the outcome of try 1 is not known");
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn ctrl_c_waits_for_what_is_under_way_and_leaves_the_run_paused() {
    let stage = Stage::new(slow(1_000));
    let running = stage.start(FAILOVER);
    running.until("promote-db  begins");
    running.signal("INT");
    let ended = running.ends().with(130);
    assert!(ended.out.contains("nothing new is started; waiting for promote-db"), "{}", ended.out);
    assert!(ended.out.contains("go on: lifeboat run resume orders-1"), "{}", ended.out);
    assert_eq!(stage.acts(), EFFECTS[..2], "what was under way has ended, and nothing new was started");
    stage.run("evidence show orders-1").with(0).says("not closed");
    stage.run("run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_second_process_pauses_a_run_and_the_first_ends_with_the_way_on() {
    let stage = Stage::new(slow(1_000));
    let running = stage.start(FAILOVER);
    running.until("promote-db  begins");
    stage.run_because("run pause orders-1 --as bob", "wait for the network team").with(0).says("taken");
    let ended = running.ends().with(3);
    assert!(ended.out.contains("bob paused the run: wait for the network team"), "{}", ended.out);
    stage.run("run show orders-1").with(0).says("now paused").says("lifeboat run resume orders-1");
    stage.run("run pause orders-1 --as bob").with(4).says("bob paused it already");
    stage.run("run resume orders-1").with(0);
}

#[test]
fn a_run_that_stays_is_resumed_by_an_order_from_another_process() {
    let stage = Stage::new(lossy());
    let running = stage.start(&format!("{FAILOVER} --stay"));
    running.until("paused: promote-db is blocked");
    running.until("lifeboat run accept orders-1 DataLoss --reason");
    stage.run_because("run accept orders-1 DataLoss --as bob", "agreed with the shop").with(0).says("taken");
    running.ends().with(0);
    let record = stage.run("evidence show orders-1 -o json").with(0).json();
    assert_eq!(record["accepted"][0]["by"], json!("bob"));
    assert_eq!(record["accepted"][0]["reason"], json!("agreed with the shop"));
}

#[test]
fn a_failover_beyond_the_objective_is_blocked_until_a_person_accepts_the_loss() {
    let stage = Stage::new(lossy());
    stage.run(FAILOVER).with(3).says("would lose 60.000 s of writes").says("run accept orders-1 DataLoss --reason");
    assert_eq!(stage.acts(), ["fence-db"]);
    stage.run("run accept orders-1 DataLoss").with(2).says("--reason");
    let accept = stage.run_because("run accept orders-1 DataLoss", "agreed with the shop").with(0);
    accept.says("recorded; continue with lifeboat run resume orders-1");
    stage.run("run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_risk_accepted_with_the_request_needs_a_reason_and_opens_the_gate() {
    let stage = Stage::new(lossy());
    stage.run(&format!("{FAILOVER} --accept DataLoss")).with(2).says("needs a reason");
    stage.run(&format!("{FAILOVER} --accept Everything")).with(2).says("DivergentHistory");
    stage.run_because(&format!("{FAILOVER} --accept DataLoss"), "agreed").with(0);
}

#[test]
fn a_failed_step_is_tried_again_by_order() {
    let stage = Stage::new(broken());
    stage.run(FAILOVER).with(3).says("lifeboat run retry orders-1 promote-db");
    stage.run("run retry orders-1 no-such-step").with(4).says("there is no step `no-such-step`");
    stage.run("run retry orders-1 promote-db").with(0).says("recorded");
    stage.run("run resume orders-1").with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_run_with_a_step_left_out_is_never_called_a_success() {
    let stage = Stage::new(broken());
    stage.run(FAILOVER).with(3);
    stage.run_because("run skip orders-1 promote-db", "done by hand").with(0).says("recorded");
    stage.run("run resume orders-1").with(6).says("completed with exceptions").says("promote-db");
}

#[test]
fn a_cancelled_run_takes_back_what_it_did_and_asks_for_the_groups_name() {
    let stage = Stage::new(lossy());
    stage.run(FAILOVER).with(3);
    stage.run("run cancel orders-1 --unwind").with(2).says("add --yes-i-mean orders");
    stage.run("run cancel orders-1 --unwind --yes-i-mean orders").with(0).says("recorded");
    stage.run("run resume orders-1").with(1).says("unwound");
    assert_eq!(stage.acts(), ["fence-db", "~fence-db"]);
    stage.run("run list").with(0).says("unwound");
}

#[test]
fn a_group_that_wants_two_persons_waits_for_another_one() {
    let stage = Stage::with(json!({}), "  approvals: {required: 2}\n", "", "");
    stage.run(FAILOVER).with(3).says("lifeboat approve orders-1");
    assert_eq!(stage.acts(), [""; 0]);
    stage.run("approve orders-1").with(4).says("wants another person");
    stage.run("approve orders-1 --as bob").with(0).says("recorded");
    stage.run("run resume orders-1").with(0);
    let record = stage.run("evidence show orders-1 -o json").json();
    assert_eq!(record["approvals"][0]["by"], json!("bob"));
}

/// A runbook that asks a person between fence and promotion.
const ASKING: &str = "  runbooks: {failover: asking}
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: {name: asking}
spec:
  steps:
  - {name: fence-db, uses: database.fence, target: db}
  - {name: go-ahead, uses: approve, with: {message: really?}, needs: [fence-db]}
  - {name: promote-db, uses: database.promote, target: db, needs: [go-ahead]}
";

#[test]
fn a_step_that_asks_is_approved_from_another_process() {
    let stage = Stage::with(json!({}), ASKING, "", "");
    let running = stage.start(FAILOVER);
    running.until("lifeboat approve orders-1 go-ahead");
    stage.run("approve orders-1 go-ahead --as bob").with(0).says("taken");
    running.ends().with(0);
    assert_eq!(stage.acts(), EFFECTS[..2]);
}

#[test]
fn a_step_that_asks_and_is_denied_pauses_the_run() {
    let stage = Stage::with(json!({}), ASKING, "", "");
    let running = stage.start(FAILOVER);
    running.until("lifeboat approve orders-1 go-ahead");
    stage.run_because("approve orders-1 go-ahead --deny --as bob", "not now").with(0).says("taken");
    running.ends().with(3).says("bob denied it: not now");
}

#[test]
fn a_second_failover_is_refused_and_names_the_open_run() {
    let stage = Stage::new(slow(1_500));
    let running = stage.start(FAILOVER);
    running.until("promote-db  begins");
    stage.run(FAILOVER).with(4).says("run orders-1 of this group is still open").says("run show orders-1");
    running.ends().with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn a_rehearsal_is_recorded_and_leaves_the_world_untouched() {
    let stage = Stage::new(json!({}));
    stage.run("drill orders --mode rehearse").with(0).says("rehearsal: nothing was changed");
    assert_eq!(stage.acts(), [""; 0]);
    let record = stage.run("evidence show orders-1 -o json").json();
    assert_eq!((&record["rehearsal"], &record["success"]), (&json!(true), &json!(true)));
    stage.run("status").with(0).says("serves from fra").says("last drill orders-1: succeeded");
}

#[test]
fn a_plan_says_what_each_step_would_do_and_changes_nothing() {
    let stage = Stage::new(json!({}));
    stage.run("plan orders").with(0).says("would act").says("db: 0.000 s, 0 bytes (by fake world)");
    assert_eq!(stage.acts(), [""; 0]);
    stage.run("run list").with(0).says("no runs yet");
    let plan = stage.run("plan orders -o json").json();
    assert_eq!(plan["critical_path"][0], json!("fence-db"));
    stage.run(FAILOVER).with(0);
    let plan = stage.run("plan orders --kind failback").with(4);
    plan.says("is so already").says("the last run that acted is too recent");
}

#[test]
fn a_plan_that_a_gate_would_refuse_has_its_own_code() {
    let stage = Stage::new(lossy());
    stage.run("plan orders").with(4).says("would be blocked").says("would lose 60.000 s of writes");
}

#[test]
fn nothing_that_moves_a_service_starts_without_the_groups_name() {
    let stage = Stage::new(json!({}));
    for verb in ["failover", "switchover", "failback"] {
        stage.run(&format!("{verb} orders")).with(2).says("add --yes-i-mean orders");
        stage.run(&format!("{verb} orders --yes-i-mean other")).with(2).says("--yes-i-mean says other");
    }
    stage.run("run list").with(0).says("no runs yet");
}

#[test]
fn documents_with_errors_start_nothing_and_say_where_they_are_wrong() {
    let stage = Stage::with(json!({}), "  approvals: {required: two}\n", "", "");
    stage.run("check").with(2).says("orders.yaml:").says("required");
    stage.run(FAILOVER).with(2).says("orders.yaml:").says("nothing was started");
    stage.run("check /no/such/file").with(2).says("could not read /no/such/file");
    stage.run("plan carts").with(2);
}

#[test]
fn a_group_or_a_run_that_does_not_exist_is_answered_with_those_that_do() {
    let stage = Stage::new(json!({}));
    stage.run("plan carts").with(2).says("there is no group `carts`").says("they hold orders");
    stage.run("run show orders-7").with(2).says("there is no run orders-7").says("lifeboat run list");
    stage.run("run show orders").with(2).says("`<group>-<number>`");
    stage.run("plan orders --to mars").with(2).says("fra or dub");
    stage.run("failback orders --yes-i-mean orders").with(4).says("fra serves group orders already");
}

#[test]
fn a_store_that_cannot_be_used_has_its_own_code() {
    let stage = Stage::new(json!({}));
    fs::write(stage.path("data"), "a file where the folder should be").unwrap();
    stage.run("run list").with(5).says("help:");
}

fn probe(listener: &TcpListener) -> String {
    format!(", probes: [{{name: edge, timeoutMs: 1000, tcp: {{address: \"{}\"}}}}]", listener.local_addr().unwrap())
}

#[test]
fn a_failover_away_from_a_healthy_source_is_refused_and_names_the_switchover() {
    let (fra, dub) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let stage = Stage::with(json!({}), "", &probe(&fra), &probe(&dub));
    stage.run(FAILOVER).with(4).says("every probe of fra says that it serves").says("lifeboat switchover orders");
    stage.run(&format!("{FAILOVER} --source-is-healthy-anyway")).with(0);
}

#[test]
fn an_outage_that_only_this_process_sees_has_its_onset_from_its_own_probe() {
    let (fra, dub) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let stage = Stage::with(json!({}), "", &probe(&fra), &probe(&dub));
    drop(fra);
    stage.run(FAILOVER).with(0);
    let record = stage.run("evidence show orders-1 -o json").json();
    assert_eq!(record["measures"]["recoveryTime"]["basis"], json!("own probe"), "{}", record["measures"]);
    assert_eq!(record["measures"]["recoveryTime"]["verdict"], json!("met"));
}

#[test]
fn standing_ready_starts_the_run_when_every_probe_of_the_source_failed_often_enough() {
    let (fra, dub) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let detection = "  detection: {periodSeconds: 3, reprobeSeconds: 0.05, failureThreshold: 3}\n";
    let stage = Stage::with(json!({}), detection, &probe(&fra), &probe(&dub));
    let running = stage.start(&format!("{FAILOVER} --when-down"));
    running.until("ready: fra -> dub");
    assert_eq!(stage.acts(), [""; 0]);
    drop(fra);
    let ended = running.ends().with(0);
    assert!(ended.out.contains("every probe failed, 3 in a row"), "{}", ended.out);
    assert_eq!(stage.acts(), EFFECTS);
    let record = stage.run("evidence show orders-1 -o json").json();
    let recovery = &record["measures"]["recoveryTime"];
    assert_eq!(recovery["basis"], json!("own probe"));
    // After the first failure it is not asked at the period's leisure: that would have taken 6 s.
    let detected = &recovery["phases"][0];
    assert_eq!(detected["phase"], json!("detect"));
    assert!(detected["ms"].as_u64().unwrap() < 3_000, "{recovery}");
}

#[test]
fn standing_ready_starts_nothing_when_everything_fails_everywhere() {
    let (fra, dub) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let detection = "  detection: {periodSeconds: 0.05, failureThreshold: 2}\n";
    let world = json!({ "dead": ["dub"] });
    let stage = Stage::with(world, detection, &probe(&fra), &probe(&dub));
    let running = stage.start(&format!("{FAILOVER} --when-down"));
    running.until("ready: fra -> dub");
    drop((fra, dub));
    running.until("the destination is not fine");
    running.signal("INT");
    running.ends().with(130);
    stage.run("run list").with(0).says("no runs yet");
}

#[test]
fn the_heartbeat_reports_what_it_sees_and_status_shows_it() {
    let (fra, dub) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let stage = Stage::with(json!({}), "", &probe(&fra), &probe(&dub));
    let running = stage.start("heartbeat orders --period 0.05 --observer ams-1");
    running.until("observer ams-1 reports on orders");
    drop(fra);
    await_until("a report of the outage", LIMIT, || {
        let status = stage.run("status -o json").json();
        let probes = &status[0]["observers"][0]["report"]["probes"];
        let fra = probes.as_array().into_iter().flatten().find(|probe| probe["region"] == json!("fra"));
        fra.is_some_and(|probe| probe["failing_since"].is_string())
    });
    stage.run("status").with(0).says("observer ams-1 reported").says("failing since");
    running.signal("TERM");
    running.ends().with(0);
    stage.run(FAILOVER).with(0);
    let record = stage.run("evidence show orders-1 -o json").json();
    assert_eq!(record["measures"]["recoveryTime"]["basis"], json!("observer report"));
}

/// A stage whose database is the real pair, fenced by a program, seen by a probe every 0.1 s.
fn real(pair: &Pair) -> Stage {
    let probe = |node: Node| {
        let password = pair.password_file();
        json!([{"name": "db", "timeoutMs": 1000, "sql": {
            "url": pair.url(node), "user": "lifeboat", "password": {"file": password}, "tls": {"mode": "disable"},
        }}])
    };
    let stage = Stage { folder: tempfile::tempdir().unwrap(), settings: Vec::new() };
    let region = |node: Node| {
        json!({"apiVersion": "lifeboat.dev/v1alpha1", "kind": "Region", "metadata": {"name": node.region()},
               "spec": {"provider": "other", "probes": probe(node)}})
    };
    let group = json!({
        "apiVersion": "lifeboat.dev/v1alpha1", "kind": "ProtectionGroup", "metadata": {"name": "orders"},
        "spec": {
            "regions": [{"name": "fra", "role": "Preferred"}, {"name": "dub", "role": "Standby"}],
            "objectives": {"recoveryTimeSeconds": 30, "recoveryPointSeconds": 10},
            "detection": {"periodSeconds": 0.1, "failureThreshold": 3},
            "targets": [{"name": "db", "postgres": pair.target(&json!([pair.fence_command()]))}],
        },
    });
    // JSON is YAML.
    let documents = [region(Node::Fra), region(Node::Dub), group].map(|document| document.to_string()).join("\n---\n");
    fs::write(stage.path("orders.yaml"), documents).unwrap();
    stage
}

#[test]
fn a_killed_postgresql_primary_is_failed_over_by_the_process_that_stood_ready() {
    let pair = Pair::start();
    let stage = real(&pair);
    let heart = stage.start("heartbeat orders --period 0.1 --observer ams-1");
    heart.until("markers of db go to fra");
    stage.run("plan orders").with(0).says("would act");
    stage.run("status").with(0).says("primary").says("standby");
    let running = stage.start(&format!("{FAILOVER} --when-down"));
    running.until("ready: fra -> dub");
    let start = Instant::now();
    pair.kill(Node::Fra);
    await_until("a write on the standby", LIMIT, || {
        pair.try_psql(Node::Dub, "create table if not exists t (i int); insert into t values (1)").is_ok()
    });
    println!("from kill -9 to the first committed write: {:?}", start.elapsed());
    let ended = running.ends();
    println!("{}", ended.out);
    ended.with(0);
    // The markers follow the primary.
    heart.until("markers of db go to dub");
    let record = stage.run("evidence show orders-1 -o json").json();
    let measures = &record["measures"];
    assert_eq!(measures["recoveryTime"]["verdict"], json!("met"), "{measures}");
    assert_eq!(measures["recoveryPoint"]["verdict"], json!("met"), "{measures}");
    assert_eq!(record["success"], json!(true));
    stage.run("status").with(0).says("serves from dub");
}

#[test]
fn two_primaries_are_an_alarm_and_no_run_chooses_between_them() {
    let pair = Pair::start();
    let stage = real(&pair);
    pair.psql(Node::Dub, "select pg_promote()");
    stage.run("status").with(1).says("ALARM: db accepts writes in more than one region: fra and dub");
    stage.run("plan orders").with(4).says("ALARM");
    for verb in ["failover", "switchover"] {
        stage
            .run(&format!("{verb} orders --yes-i-mean orders"))
            .with(4)
            .says("ALARM")
            .says("stop writes in one of them");
    }
    stage.run("run list").with(0).says("no runs yet");
}

#[test]
fn a_primary_elsewhere_than_the_history_says_refuses_the_run_until_a_person_says_where_it_is() {
    let pair = Pair::start();
    let stage = real(&pair);
    pair.kill(Node::Fra);
    pair.psql(Node::Dub, "select pg_promote()");
    stage.run(FAILOVER).with(4).says("db has its primary in dub").says("--from and --to");
    stage.run("status").with(1).says("db has its primary in dub");
}

#[test]
fn every_verb_answers_in_json() {
    let stage = Stage::new(json!({}));
    for verb in [
        "check",
        "plan orders",
        "status",
        "run list",
        "runbook scaffold orders",
        "schema",
        "crds",
        "explain",
        "explain DataLoss",
        "explain database.promote",
        "completions bash",
        "man",
        "drill orders --mode rehearse",
        "drill schedules",
    ] {
        stage.run(&format!("{verb} -o json")).with(0).json();
    }
    let failover = stage.run(&format!("{FAILOVER} -o json")).with(0).json();
    assert_eq!((&failover["run"], &failover["exit"]), (&json!("orders-2"), &json!(0)));
    for verb in ["run show orders-2", "run watch orders-2", "evidence show orders-2"] {
        stage.run(&format!("{verb} -o json")).with(0).json();
    }
    for (verb, code) in [("plan carts", 2), ("run resume orders-9", 2), ("explain nothing", 2)] {
        let error = stage.run(&format!("{verb} -o json")).with(code).json();
        assert_eq!(error["error"]["exit"], json!(code));
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let stage = Stage::new(slow(300));
    let mut child = stage.command(FAILOVER).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    Ended::of(&output).with(0);
    assert_eq!(stage.acts(), EFFECTS);
}

#[test]
fn quiet_says_only_how_it_ended_and_colour_is_for_those_who_ask() {
    let stage = Stage::new(json!({}));
    let plain = stage.run("plan orders").out;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(stage.run("plan orders --color always").out.contains('\u{1b}'));
    let quiet = stage.run(&format!("{FAILOVER} -q")).with(0);
    assert!(!quiet.out.contains("begins") && quiet.out.contains("orders-1 succeeded"), "{}", quiet.out);
}

#[test]
fn completions_and_manual_pages_are_there() {
    let stage = Stage::new(json!({}));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        stage.run(&format!("completions {shell}")).with(0).says("switchover");
    }
    let dir = stage.path("man");
    stage.run(&format!("man --dir {}", dir.display())).with(0);
    assert!(fs::read_to_string(dir.join("lifeboat-failover.1")).unwrap().contains("source\\-is\\-healthy\\-anyway"));
    stage.run("man").with(0).says(".TH lifeboat");
}

#[test]
fn every_verb_has_help_with_examples() {
    let stage = Stage::new(json!({}));
    let mut all = String::new();
    for verb in [
        "",
        "check",
        "plan",
        "failover",
        "switchover",
        "failback",
        "drill",
        "drill schedules",
        "run",
        "run list",
        "run show",
        "run watch",
        "run resume",
        "run pause",
        "run retry",
        "run skip",
        "run cancel",
        "run accept",
        "approve",
        "status",
        "stop",
        "serve",
        "replay",
        "heartbeat",
        "evidence",
        "evidence show",
        "evidence report",
        "evidence population",
        "evidence controls",
        "evidence list",
        "evidence coverage",
        "evidence finding",
        "evidence action",
        "evidence waive",
        "evidence verify",
        "evidence anchor",
        "evidence receipts",
        "witness",
        "evidence export",
        "evidence keygen",
        "runbook",
        "runbook scaffold",
        "schema",
        "crds",
        "explain",
        "completions",
        "man",
    ] {
        let help = stage.run(&format!("{verb} --help")).with(0).out;
        assert!(help.contains("Examples:"), "{verb}: {help}");
        // What holds everywhere is shown once.
        let own = if verb.is_empty() { help.clone() } else { without_everywhere(&help) };
        all.extend(["$ lifeboat ", verb, " --help\n", &own, "\n"]);
    }
    insta::assert_snapshot!("help", all);
}

fn without_everywhere(help: &str) -> String {
    match (help.find("Everywhere:"), help.find("Examples:")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &help[..from], &help[to..]),
        _ => help.to_owned(),
    }
}
