//! Appends of one small event, one after the other, on each store, beside the floor of the same minute: raw commits of
//! the same size on the same disk, and raw puts of the same size to the same cluster, by a client with the same settings.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures time and prints it"
)]

#[path = "../tests/servers/mod.rs"]
mod servers;
#[path = "../tests/it/store/story.rs"]
#[allow(dead_code, unreachable_pub, reason = "the stories' words, of which this uses a part")]
mod story;

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifeboat::{
    net::tls,
    port::Store,
    store::{Etcd, Sqlite},
};
use servers::etcd::{Cluster, Shape};
use story::{at, lease, note, opened};

const ROUNDS: usize = 7;
const APPENDS: u64 = 300;

fn main() {
    // `cargo test --benches` compiles and starts benches; it is not the moment to measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    lifeboat::app::install_crypto();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let cluster = Cluster::start(&Shape::three());
    let folder =
        tempfile::tempdir_in(std::env::var_os("LIFEBOAT_BENCH_DIR").unwrap_or_else(|| ".".into())).expect("a folder");
    let floor = Floor::open(&folder.path().join("floor.db"));
    let puts = Puts::open(&cluster);
    let mut rows = Vec::new();
    for round in 0..ROUNDS {
        let sqlite = Sqlite::open(&folder.path().join(format!("{round}.db"))).expect("a store");
        let mut place = cluster.place(&[0, 1, 2]);
        place.prefix = format!("round-{round}");
        let etcd = Etcd::open(&place).expect("a store");
        rows.push([
            per_second(floor.commits()),
            per_second(runtime.block_on(appends(&sqlite))),
            per_second(runtime.block_on(puts.put())),
            per_second(runtime.block_on(appends(&etcd))),
        ]);
    }
    println!("\nappends of one event, one after the other, per second; {ROUNDS} rounds of {APPENDS}");
    println!(
        "{:>7} {:>18} {:>14} {:>18} {:>14}",
        "", "raw SQLite commits", "SQLite store", "raw etcd puts", "etcd store"
    );
    let print = |name: &str, row: &[f64]| {
        println!("{name:>7} {:>18.0} {:>14.0} {:>18.0} {:>14.0}", row[0], row[1], row[2], row[3]);
    };
    for row in &rows {
        print("", row);
    }
    let median = |place: usize| {
        let mut values: Vec<_> = rows.iter().map(|row| row[place]).collect();
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    };
    let medians = [median(0), median(1), median(2), median(3)];
    print("median", &medians);
    println!("store/floor: SQLite {:.2}, etcd {:.2}", medians[1] / medians[0], medians[3] / medians[2]);
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn per_second(took: Duration) -> f64 {
    APPENDS as f64 / took.as_secs_f64()
}

async fn appends(store: &dyn Store) -> Duration {
    let permit = lease(store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.expect("a run");
    let began = Instant::now();
    for after in 1..=APPENDS {
        store.append(&permit, &run, after, vec![(at(1), note(after + 1))]).await.expect("an append");
    }
    began.elapsed()
}

/// What one event is as JSON.
fn body() -> String {
    serde_json::to_string(&note(7)).expect("JSON")
}

/// WAL and `synchronous=FULL`.
struct Floor(rusqlite::Connection);

impl Floor {
    fn open(path: &std::path::Path) -> Self {
        let db = rusqlite::Connection::open(path).expect("a database");
        db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
        db.pragma_update(None, "synchronous", "FULL").expect("FULL");
        db.execute("CREATE TABLE j (seq INTEGER PRIMARY KEY, body TEXT) STRICT", []).expect("a table");
        Self(db)
    }

    fn commits(&self) -> Duration {
        let mut insert = self.0.prepare("INSERT INTO j (body) VALUES (?1)").expect("a statement");
        let body = body();
        let began = Instant::now();
        for _ in 0..APPENDS {
            insert.execute([&body]).expect("a commit");
        }
        began.elapsed()
    }
}

/// Puts by a client of its own to the first member.
struct Puts {
    client: reqwest::Client,
    url: String,
}

impl Puts {
    fn open(cluster: &Cluster) -> Self {
        let place = cluster.place(&[0]);
        let identity = place.identity.as_ref().map(|(certificate, key)| (&**certificate, &**key));
        let mut config = tls::store_config(place.ca.as_deref(), identity).expect("certificates");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = reqwest::Client::builder().tls_backend_preconfigured(config).http1_only().no_proxy();
        Self { client: client.build().expect("a client"), url: format!("https://{}/v3/kv/put", place.members[0]) }
    }

    async fn put(&self) -> Duration {
        let value = STANDARD.encode(body());
        let began = Instant::now();
        for n in 0..APPENDS {
            let key = STANDARD.encode(format!("raw/{n:020}"));
            let put = self.client.post(&self.url).json(&serde_json::json!({ "key": key, "value": value }));
            let answer = put.send().await.expect("an answer").error_for_status().expect("a put");
            answer.bytes().await.expect("a body");
        }
        began.elapsed()
    }
}
