//! Whole runs of the real program against real servers: the two regions of `examples/two-regions`, and the shipped
//! runbooks. Each test has regions of its own.

mod drilled;
mod failed;
mod killed;
mod lost;
mod moved;
mod odd;
mod refused;
mod twice;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use lifeboat::evidence::Record;

use crate::servers::{
    Leash, await_until,
    postgres::Node,
    regions::{self, Regions},
};

/// The regions, with the program in front of them.
pub(crate) struct World {
    pub(crate) regions: Regions,
    helpers: Vec<Leash>,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts everything; `edit` changes the documents before anything reads them.
    pub(crate) fn start(edit: impl Fn(String) -> String) -> Self {
        let folder = tempfile::Builder::new().prefix("lifeboat-real-").tempdir().expect("a folder");
        let regions = Regions::start(folder.path());
        let world = Self { regions, helpers: Vec::new(), folder };
        world.edit(edit);
        world
    }

    /// Changes the documents.
    pub(crate) fn edit(&self, edit: impl Fn(String) -> String) {
        let path = self.regions.documents().join("orders.yaml");
        let text = fs::read_to_string(&path).expect("the documents");
        fs::write(&path, edit(text)).expect("the documents");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LIFEBOAT_DATA", self.path("data"))
            .env("LIFEBOAT_FILES", self.regions.documents())
            .env("LIFEBOAT_AS", "anna")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn lifeboat(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("lifeboat starts")
    }

    /// Runs it, and fails with everything it said unless it ends with this code.
    pub(crate) fn ends(&self, code: i32, words: &[&str]) -> String {
        let output = self.lifeboat(words);
        let said = format!(
            "$ lifeboat {}\n{}{}",
            words.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{said}\n{}", self.regions.logs());
        said
    }

    /// Begins a run of this kind and waits for its end.
    pub(crate) fn begin(&self, kind: &str, code: i32) -> String {
        self.ends(code, &[kind, "orders", "--reason", "a test", "--yes-i-mean", "orders"])
    }

    /// Begins a run in the background.
    pub(crate) fn spawn(&self, kind: &str) -> Child {
        let words = [kind, "orders", "--reason", "a test", "--yes-i-mean", "orders"];
        self.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lifeboat starts")
    }

    /// The record of a run.
    pub(crate) fn record(&self, run: &str) -> Record {
        let text = fs::read_to_string(self.path("data").join(format!("evidence/{run}.json"))).expect("a record");
        serde_json::from_str(&text).expect("a record")
    }

    /// Starts `lifeboat heartbeat` beside the service and waits for its first report.
    pub(crate) fn heartbeat(&mut self, period: &str) {
        let mut child = self.command(&["heartbeat", "orders", "--period", period]);
        let words: Vec<_> =
            std::iter::once(child.get_program().to_owned()).chain(child.get_args().map(ToOwned::to_owned)).collect();
        let env: Vec<(String, String)> = child
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
            .collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let _configured = child.stdin(Stdio::null());
        self.helpers.push(Leash::start(&self.path("heartbeat.log"), words, &env).expect("the heartbeat starts"));
        let marked = || {
            let table = "SELECT count(*) FROM lifeboat_heartbeat";
            self.regions.databases.try_psql(Node::Fra, table).is_ok_and(|rows| rows.trim() == "1")
        };
        await_until("the first marker", Duration::from_secs(20), marked);
    }

    /// What normal operation looks like: heartbeat markers, and objects that are replicated. Waits until a marker of fra has
    /// arrived in dub's bucket.
    pub(crate) fn protect(&mut self, period: &str) {
        let (program, ports) = (regions::program().display().to_string(), self.regions.ports().display().to_string());
        let replicate = [program.as_str(), "replicate", &ports];
        self.helpers.push(Leash::start(&self.path("replicate.log"), replicate, &[]).expect("replication starts"));
        self.heartbeat(period);
        let arrived = || self.regions.store(Node::Dub).get("uploads-dub", ".lifeboat/heartbeat/fra.json").is_some();
        await_until("a replicated marker", Duration::from_secs(20), arrived);
    }

    /// Starts the shop and waits until orders are taken.
    pub(crate) fn open_shop(&mut self) {
        let program = regions::program().display().to_string();
        let (ports, folder) = (self.regions.ports().display().to_string(), self.folder.path().display().to_string());
        let shop = [program.as_str(), "shop", &ports, &folder];
        self.helpers.push(Leash::start(&self.path("shop.log"), shop, &[]).expect("the shop opens"));
        self.await_orders(50);
    }

    /// Waits for that many more acknowledged orders.
    pub(crate) fn await_orders(&self, more: usize) {
        let before = self.acknowledged("orders").len();
        await_until("orders", Duration::from_secs(30), || self.acknowledged("orders").len() >= before + more);
    }

    /// The shop's own list.
    pub(crate) fn acknowledged(&self, kind: &str) -> BTreeSet<u64> {
        let Ok(file) = fs::File::open(self.path(&format!("{kind}.jsonl"))) else { return BTreeSet::new() };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok()?.get("id")?.as_u64()).collect()
    }

    /// Closes the shop: what is on its lists now is all there is.
    pub(crate) fn close_shop(&mut self) {
        self.helpers.clear();
    }

    /// The address that the name of the service has at both name servers, which must agree.
    pub(crate) fn name(&self) -> String {
        let first = self.regions.names.0.values("orders", "A");
        let second = self.regions.names.1.values("orders", "A");
        assert_eq!(first, second, "the name servers disagree");
        first.join(" ")
    }

    /// Whether the region's database takes writes.
    pub(crate) fn writable(&self, node: Node) -> bool {
        let write = "CREATE TABLE IF NOT EXISTS it_may (write int)";
        self.regions.databases.try_psql(node, write).is_ok()
    }
}
