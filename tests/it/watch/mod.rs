//! The standing controller, as processes of the real program: observers that probe real servers, judges that start real runs.

mod changed;
mod cut;
mod freeze;
mod frozen;
mod primaries;
mod recorded;
pub(crate) mod told;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use lifeboat::{
    app::{App, Manner, Request, Typed},
    engine::Stop,
    model::{Event, Run, RunKind},
};
use serde_json::{Value, json};

use crate::{
    cli::{EFFECTS, Running, Stage},
    servers::{await_until, free_port},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Something that accepts connections until it is told not to.
struct Region {
    address: SocketAddr,
    open: Arc<AtomicBool>,
}

impl Region {
    fn start(ip: &str) -> Self {
        let address = SocketAddr::new(ip.parse().unwrap(), free_port(&[ip.parse().unwrap()]));
        let region = Self { address, open: Arc::new(AtomicBool::new(false)) };
        region.serve();
        region
    }

    fn serve(&self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.open.store(true, Ordering::Release);
        let open = Arc::clone(&self.open);
        thread::spawn(move || {
            while open.load(Ordering::Acquire) {
                drop(listener.accept());
                thread::park_timeout(Duration::from_millis(1));
            }
        });
    }

    fn end(&self) {
        self.open.store(false, Ordering::Release);
        await_until("a closed port", LIMIT, || std::net::TcpStream::connect(self.address).is_err());
    }

    fn probe(&self) -> String {
        format!(", probes: [{{name: edge, timeoutMs: 300, tcp: {{address: \"{}\"}}}}]", self.address)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Release);
    }
}

/// Two regions, and a group with this policy that is probed ten times a second.
fn stage(policy: &str) -> (Stage, Region, Region) {
    let (fra, dub) = (Region::start("127.1.0.40"), Region::start("127.2.0.40"));
    let group = format!(
        "  automation: {policy}\n  detection: {{periodSeconds: 0.1, failureThreshold: 3, observerQuorum: 2, holdDownSeconds: 1}}\n"
    );
    let stage = Stage::with(json!({}), &group, &fra.probe(), &dub.probe());
    (stage, fra, dub)
}

/// Three vantage points; the first two judge.
fn observers(stage: &Stage) -> Vec<Running> {
    observers_with(stage, "")
}

/// The same, with more words for the first.
fn observers_with(stage: &Stage, more: &str) -> Vec<Running> {
    let observers: Vec<Running> =
        [format!("serve --observer a{more}"), "serve --observer b".into(), "serve --observer c --observe-only".into()]
            .iter()
            .map(|words| stage.start(words))
            .collect();
    await_until("a verdict", LIMIT, || judged(stage)["answer"] == "nothing");
    observers
}

/// What the first observer's process judges.
fn judged(stage: &Stage) -> Value {
    let status = stage.run("status orders -o json").with(0).json();
    let observers = status[0]["observers"].as_array().cloned().unwrap_or_default();
    let first = observers.iter().find(|observed| observed["report"]["observer"] == "a");
    first.map_or(Value::Null, |observed| observed["report"]["judged"].clone())
}

#[test]
fn an_outage_is_acted_on_once_although_two_judge_and_nobody_types_anything() {
    let (stage, fra, _dub) = stage("Automatic");
    let observers = observers(&stage);
    fra.end();
    await_until("the end of the run", LIMIT, || {
        observers.iter().any(|observer| observer.output().contains("run orders-1 came to rest: succeeded"))
    });
    assert_eq!(stage.acts(), EFFECTS);
    let taken_over = observers.iter().any(|observer| observer.output().contains("taken over"));
    assert!(!taken_over, "whoever opened it drove it to its end");
    let shown = stage.run("run show orders-1 -o json").with(0).json();
    let record = &shown["record"];
    assert!(record["requestedBy"].as_str().unwrap().starts_with("lifeboat serve on "), "{record}");
    assert_eq!(record["measures"]["recoveryTime"]["basis"], "observers' verdict", "{record}");
    // It cools down, and the region that serves now is up: no second run, however often it is judged.
    await_until("the new judgement", LIMIT, || judged(&stage)["answer"] == "nothing");
    let runs = stage.run("run list orders -o json").with(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_prepared_before_another_run_moved_the_group_is_not_started_after_it() {
    let stage = Stage::new(json!({}));
    let typed = Typed {
        data_dir: Some(stage.path("data")),
        files: vec![stage.path("orders.yaml")],
        actor: Some("anna".into()),
        store: None,
    };
    let app = App::open(lifeboat::app::settle(typed, &|_| None).unwrap()).unwrap();
    let request = || Request { healthy_anyway: true, ..Request::new(RunKind::Failover, "orders".parse().unwrap()) };
    let (first, second) = (app.prepare(request()).await.unwrap(), app.prepare(request()).await.unwrap());
    let (_sender, stop) = tokio::sync::watch::channel(Stop::No);
    let mut quiet = |_: &Event, _: &Run| {};
    let rested = app.start(first, Manner::default(), &mut |_| {}, &mut quiet, stop.clone()).await.unwrap();
    assert!(rested.run.closed().is_some());
    let refused = app.start(second, Manner::default(), &mut |_| {}, &mut quiet, stop).await.unwrap_err();
    assert!(refused.to_string().contains("run orders-1 came in between"), "{refused}");
    assert_eq!(stage.acts(), EFFECTS);
}
