//! `command` with real programs. What can be lost between a program and us is its end: it is killed, or it never comes.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        command::RunProgram,
        conformance::{Fault, Subject, Trial, Wire},
    },
    model::Verb,
    port::{Driver, Permit},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRET, WRONG, Worth, call, conforms, permit};
use crate::servers::await_until;

/// `program.sh each|once`: leaves a line, at most one for a key with `once`; then does what the wire says.
const PROGRAM: &str = r#"#!/bin/sh
D=@D@
echo $$ >> "$D/pids"
n=$(cat "$D/count"); echo $((n + 1)) > "$D/count"
if [ "$1" = each ] || ! grep -qs "$LIFEBOAT_IDEMPOTENCY_KEY" "$D/effects"; then
  echo "$LIFEBOAT_IDEMPOTENCY_KEY" >> "$D/effects"
fi
echo "out $TOKEN"; echo "err $TOKEN" >&2
case $(cat "$D/rule") in
  cut) kill -9 $$ ;;
  hold) : > "$D/held"
    while [ ! -e "$D/go" ]; do sleep 0.01; done
    rm -f "$D/held" ;;
esac
"#;

/// Files that the program reads.
struct Files(PathBuf);

impl Files {
    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }
    fn write(&self, name: &str, text: &str) {
        // In one piece: the program may read it at any time.
        fs::write(self.at("next"), text).unwrap();
        fs::rename(self.at("next"), self.at(name)).unwrap();
    }
    fn remove(&self, name: &str) {
        let _absent = fs::remove_file(self.at(name));
    }
    fn running(&self) -> Vec<String> {
        let text = self.text("pids");
        let alive = |pid: &&str| {
            fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        text.lines().filter(alive).map(|pid| format!("process {pid}")).collect()
    }
}

impl Wire for Files {
    fn put(&self, fault: Fault) -> Result<(), String> {
        // One program is one exchange.
        let rule = match fault {
            Fault::Refuse => return Err("a program has no connection that could be refused".into()),
            Fault::Cut { after: 0 } => "cut",
            Fault::Hold { after: 0 } => "hold",
            Fault::Cut { .. } | Fault::Hold { .. } => "pass",
        };
        self.write("rule", rule);
        Ok(())
    }
    fn heal(&self) {
        self.write("rule", "pass");
        self.release();
        self.write("count", "0");
        self.remove("go");
        self.remove("held");
    }
    fn exchanges(&self) -> u32 {
        self.text("count").trim().parse().unwrap_or(0)
    }
    fn holds(&self) -> bool {
        self.at("held").exists()
    }
    fn release(&self) {
        self.write("go", "");
        await_until("the end of the programs", Duration::from_secs(10), || self.running().is_empty());
    }
}

struct OnTrial {
    files: Files,
    _folder: TempDir,
}

impl OnTrial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Files(folder.path().to_owned());
        files.write("program.sh", &PROGRAM.replace("@D@", &folder.path().display().to_string()));
        fs::set_permissions(files.at("program.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { files, _folder: folder }
    }
    fn with(&self, how: &str) -> Value {
        json!({"run": [self.files.at("program.sh"), how], "secretEnv": {"TOKEN": {"env": "TOKEN"}}})
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "command".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let mut own = self.with("each");
        own["env"] = json!({"LIFEBOAT_RUN": "another"});
        let refused = [json!({}), json!({"run": [""]}), own];
        let mut idempotent = self.with("once");
        idempotent["idempotent"] = json!(true);
        let mut checked = self.with("each");
        checked["check"] = json!(["test", "-e", self.files.at("effects")]);
        let trial = |with| Trial::of(call(Verb::Command, with));
        vec![
            trial(self.with("each")).refusing(refused),
            trial(idempotent).labelled("idempotent").repeatable(),
            trial(checked).labelled("with a check program"),
        ]
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(RunProgram::new(Arc::new(Worth(SECRET))))
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(RunProgram::new(Arc::new(Worth(WRONG)))))
    }
    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), WRONG.into()]
    }
    fn printed(&self) -> Vec<String> {
        vec![format!("{:?}", RunProgram::new(Arc::new(Worth(SECRET))))]
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async { self.files.remove("effects") })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async { self.files.text("effects") })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.files)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.files.running() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn command_conforms() {
    insta::assert_snapshot!(conforms(&OnTrial::new()).await);
}
