//! `postgres` against a real pair.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial, Wire},
        postgres::Postgres,
    },
    model::Verb,
    port::{Driver, Permit},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Relayed, Worth, conforms, permit, plain};
use crate::servers::{
    await_until,
    postgres::{Node, PASSWORD, Pair},
    relay::Relay,
};

const WRONG: &str = "Leaky-Hunter3-wrong";
/// Several looks of two seconds' patience each stand in an act.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pair's own reverse program, which says how long it runs.
struct Reversing {
    program: PathBuf,
    pid: PathBuf,
}

impl Reversing {
    fn of(pair: &Pair, folder: &Path) -> Self {
        let (program, pid) = (folder.join("reverse.sh"), folder.join("pid"));
        let text = format!("#!/bin/sh\necho $$ > {}\nexec {} \"$@\"\n", pid.display(), pair.script("reverse.sh"));
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { program, pid }
    }
    fn runs(&self) -> bool {
        let pid = fs::read_to_string(&self.pid).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        !pid.is_empty() && stat.is_ok_and(|stat| !stat.contains(") Z "))
    }
}

struct OnTrial {
    pair: Pair,
    reversing: Reversing,
    _folder: TempDir,
    relays: [Relay; 2],
    wire: Relayed,
    verbs: &'static [Verb],
}

impl OnTrial {
    fn start(verbs: &'static [Verb]) -> Self {
        let pair = Pair::start();
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), pair.port);
        let mut wire = Relayed::default();
        // A standby names the port of its primary: the relay of the destination has it too, under a name for its address.
        let dub = Relay::at(&wire.line, at("127.0.0.1"), at(Node::Dub.ip()));
        let fra = Relay::on(&wire.line, "127.1.0.11".parse().unwrap(), at(Node::Fra.ip()));
        wire.names.insert(dub.address(), format!("localhost:{}", pair.port));
        let folder = tempfile::tempdir().unwrap();
        let reversing = Reversing::of(&pair, folder.path());
        Self { pair, reversing, _folder: folder, relays: [fra, dub], wire, verbs }
    }

    fn settings(&self) -> Value {
        let mut settings = self.pair.target(&Value::Null);
        settings["members"][0]["url"] = json!(format!("postgres://{}/orders", self.relays[0].address()));
        settings["members"][1]["url"] = json!(format!("postgres://localhost:{}/orders", self.pair.port));
        settings["reverse"] = json!({"run": [self.reversing.program, "{{ source }}", "{{ destination }}"]});
        settings
    }

    fn driver(&self, worth: &'static str) -> Postgres {
        Postgres::open("orders-db", &self.settings(), Arc::new(Worth(worth))).unwrap()
    }

    /// Both as at the beginning: `fra` is the primary, `dub` streams.
    fn afresh(&self) {
        let plain = |node| self.pair.try_psql(node, "select pg_is_in_recovery()");
        if plain(Node::Fra).as_deref() != Ok("f") {
            self.pair.afresh(&[Node::Fra, Node::Dub]);
        } else if plain(Node::Dub).as_deref() != Ok("t") {
            self.pair.afresh(&[Node::Dub]);
        }
        self.writable(Node::Fra, true);
        self.writable(Node::Dub, true);
        self.pair.await_streaming(Node::Dub);
    }

    fn writable(&self, node: Node, writable: bool) {
        let (flag, kept) = if writable { ("off", "0") } else { ("on", "1") };
        let file = "select count(*) from pg_file_settings where name = 'default_transaction_read_only'";
        let seen = [self.answer(node, "show default_transaction_read_only"), self.answer(node, file)];
        if seen == [flag, kept] {
            return;
        }
        let order =
            if writable { "RESET default_transaction_read_only" } else { "SET default_transaction_read_only = on" };
        self.answer(node, &format!("ALTER SYSTEM {order}"));
        self.answer(node, "SELECT pg_reload_conf()");
        await_until("the read-only flag", Duration::from_secs(10), || {
            self.answer(node, "show default_transaction_read_only") == flag
        });
    }

    /// What a statement answers, as soon as the server does: it may have been started a moment ago.
    fn answer(&self, node: Node, sql: &str) -> String {
        let mut answer = None;
        await_until(sql, Duration::from_secs(30), || {
            answer = self.pair.try_psql(node, sql).ok();
            answer.is_some()
        });
        answer.unwrap()
    }

    fn promote(&self) {
        self.writable(Node::Fra, false);
        self.answer(Node::Dub, "select pg_promote()");
    }

    fn both(&self) -> String {
        // What a program was started for comes to its end also when nobody waits for it any more.
        for _ in 0..1000 {
            if !self.reversing.runs() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        thread::scope(|scope| {
            let [fra, dub] = [Node::Fra, Node::Dub].map(|node| scope.spawn(move || self.seen(node)));
            format!("{}\n{}", fra.join().unwrap(), dub.join().unwrap())
        })
    }

    /// Roles, the read-only flag as it is and as it is written, whom it follows, and the rows of `database.verify`. The note of
    /// where a timeline began is left out: it is best effort, and who loses the reply of a promotion loses the note too.
    fn seen(&self, node: Node) -> String {
        let rows = "select count(*) as n from public.lifeboat_heartbeat where region like ''verify/%''";
        let sql = format!(
            "select concat_ws(' ', pg_is_in_recovery(), current_setting('default_transaction_read_only'), \
            (select count(*) from pg_file_settings where name = 'default_transaction_read_only'), \
            (select status from pg_stat_wal_receiver), \
            case when to_regclass('public.lifeboat_heartbeat') is null then '0' else \
            (xpath('/row/n/text()', query_to_xml('{rows}', false, true, '')))[1]::text end, 'verified')"
        );
        let look = || self.pair.try_psql(node, &sql).unwrap_or_else(|_| "down".into());
        let mut said = look();
        for _ in 0..500 {
            // A promotion takes its time, and so does a start; the world is not at rest before they are over.
            let promotes = said.starts_with('t') && self.pair.told_to_promote(node);
            let starts = said == "down" && self.pair.runs(node);
            if !promotes && !starts {
                break;
            }
            thread::sleep(Duration::from_millis(20));
            said = look();
        }
        format!("{}: {said}", node.region())
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "postgres".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let trial = |verb: Verb| {
            let trial = Trial::of(plain(verb)).patient(PATIENCE).points(3);
            match verb {
                Verb::DatabaseCatchUp => trial
                    .again("the source takes writes and may have more the next moment")
                    .refusing([json!({"within": 0}), json!({"within": "soon"})]),
                // A promoted pair is made anew after each try, which takes seconds.
                Verb::DatabasePromote => trial.points(2),
                Verb::DatabaseVerify => trial.points(4).again("only its write proves anything, each time anew"),
                Verb::DatabaseReverse => trial.points(1).refusing([json!({"member": "dub"})]),
                _ => trial,
            }
        };
        self.verbs.iter().map(|verb| trial(*verb)).collect()
    }
    fn elsewhere(&self) -> Vec<Verb> {
        Verb::ALL.iter().copied().filter(|verb| !self.verbs.contains(verb)).collect()
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(self.driver(PASSWORD))
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(self.driver(WRONG)))
    }
    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.into(), WRONG.into()]
    }
    fn printed(&self) -> Vec<String> {
        let mut bad = self.settings();
        bad["members"][0]["url"] = json!(format!("postgres://me:{WRONG}@127.0.0.1/orders"));
        bad["members"][1]["password"] = json!(WRONG);
        let opened = Postgres::open("orders-db", &bad, Arc::new(Worth(PASSWORD)));
        vec![format!("{:?}", self.driver(PASSWORD)), format!("{opened:?}")]
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, trial: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match trial.call.verb {
                Verb::DatabaseUnfence | Verb::DatabasePromote => {
                    self.afresh();
                    self.writable(Node::Fra, false);
                }
                Verb::DatabaseVerify => {
                    if self.answer(Node::Dub, "select pg_is_in_recovery()") == "t" {
                        self.promote();
                    }
                    self.answer(Node::Dub, "drop table if exists public.lifeboat_heartbeat");
                }
                Verb::DatabaseReverse => {
                    self.afresh();
                    self.promote();
                }
                _ => self.afresh(),
            }
        })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async move { self.both() })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async {
            let sql = "select pid || ' ' || state from pg_stat_activity where application_name = 'lifeboat'";
            let mut open = self.wire.open();
            open.extend(self.reversing.runs().then(|| "the reverse program".to_owned()));
            for node in [Node::Fra, Node::Dub] {
                let sessions = self.pair.try_psql(node, sql).unwrap_or_default();
                open.extend(sessions.lines().map(|session| format!("session {session} in {}", node.region())));
            }
            open
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms_where_it_fences() {
    let verbs = &[Verb::DatabaseFence, Verb::DatabaseUnfence, Verb::DatabaseCatchUp];
    insta::assert_snapshot!(conforms(&OnTrial::start(verbs)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms_where_it_promotes() {
    insta::assert_snapshot!(conforms(&OnTrial::start(&[Verb::DatabasePromote, Verb::DatabaseVerify])).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms_where_it_reverses() {
    insta::assert_snapshot!(conforms(&OnTrial::start(&[Verb::DatabaseReverse])).await);
}
