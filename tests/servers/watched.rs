//! Documents of a group whose only target is a real PostgreSQL pair, and processes of the real program that watch it.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::postgres::Pair;

/// How the regions are probed.
#[derive(Debug, Clone, Copy)]
pub enum Probe {
    /// The server's port accepts. A frozen server's port does, too.
    Tcp,
    /// The server lets us in and answers.
    Sql,
}

/// The documents. `detection` is the group's, as YAML in one line.
pub fn documents(pair: &Pair, probe: Probe, automation: &str, detection: &str) -> String {
    let port = pair.port;
    let password = pair.password_file();
    let member = |region: &str, ip: &str| {
        format!(
            "{{region: {region}, url: \"postgres://{ip}:{port}/orders\", user: lifeboat, password: {{file: {}}}, tls: {{mode: disable}}}}",
            password.display()
        )
    };
    let probed = |ip: &str| match probe {
        Probe::Tcp => format!("tcp: {{address: \"{ip}:{port}\"}}"),
        Probe::Sql => format!(
            "sql: {{url: \"postgres://{ip}:{port}/orders\", user: lifeboat, password: {{file: {}}}, tls: {{mode: disable}}}}",
            password.display()
        ),
    };
    let region = |name: &str, ip: &str| {
        format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec:\n  provider: other\n  \
             probes: [{{name: db, timeoutMs: 500, {}}}]\n---\n",
            probed(ip)
        )
    };
    format!(
        "{}{}apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {{name: orders}}\nspec:\n  \
         regions: [{{name: fra, role: Preferred}}, {{name: dub, role: Standby}}]\n  \
         objectives: {{recoveryTimeSeconds: 300, recoveryPointSeconds: 60}}\n  automation: {automation}\n  \
         detection: {detection}\n  targets:\n  - name: db\n    postgres:\n      \
         members:\n      - {}\n      - {}\n      fence: [{}]\n",
        region("fra", "127.1.0.10"),
        region("dub", "127.2.0.10"),
        member("fra", "127.1.0.10"),
        member("dub", "127.2.0.10"),
        pair.fence_command(),
    )
}

/// Three processes that observe and judge. They end with the value.
pub struct Watchers {
    processes: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Watchers {
    /// Starts them, and waits until each judges that nothing is to be done.
    pub fn start(program: &Path, documents: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("orders.yaml"), documents).expect("the documents");
        let start = |name: &str| {
            let log = fs::File::create(folder.path().join(name)).expect("a log");
            Command::new(program)
                .args(["serve", "--observer", name])
                .env("LIFEBOAT_DATA", folder.path().join("data"))
                .env("LIFEBOAT_FILES", folder.path().join("orders.yaml"))
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log)
                .spawn()
                .expect("lifeboat")
        };
        let processes = ["a", "b", "c"].map(start).into();
        let watchers = Self { processes, folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        for name in ["a", "b", "c"] {
            while !watchers.log(name).contains("orders: nothing") {
                assert!(Instant::now() < deadline, "{name} does not find that all is well:\n{}", watchers.log(name));
                thread::sleep(Duration::from_millis(10));
            }
        }
        watchers
    }

    /// What a process said so far.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Whether any of them said this.
    pub fn said(&self, text: &str) -> bool {
        ["a", "b", "c"].iter().any(|name| self.log(name).contains(text))
    }

    /// Sends a signal by name to the first, second or third.
    pub fn signal(&self, which: usize, name: &str) {
        let pid = self.processes.get(which).expect("a watcher").id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill").success());
    }

    /// The record of a run, once it is written.
    pub fn record(&self, run: &str) -> Option<lifeboat::evidence::Record> {
        let path = self.folder.path().join(format!("data/evidence/{run}.json"));
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone = process.kill();
            let _status = process.wait();
        }
    }
}
