//! Who stands watch tells people, and answers for itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use lifeboat::{
    app::{App, Typed},
    model::ObserverReport,
};
use serde_json::json;

use super::{LIMIT, judged, observers_with, stage};
use crate::servers::{
    agent::{Agent, Answer},
    await_until,
    etcd::{Cluster, Shape},
    free_port,
};

pub(crate) fn get(at: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(at) else { return String::new() };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: lifeboat\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    let _closed = stream.read_to_string(&mut text);
    text
}

#[test]
fn an_outage_is_told_and_shows_in_the_figures_while_a_receiver_hangs() {
    let (stage, fra, _dub) = stage("ProposeOnly");
    let hook = Agent::start("127.0.0.1".parse().unwrap(), |_| Answer::Status(204));
    // Nobody ever takes what this one is sent.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let documents = stage.path("orders.yaml");
    let channel = |name: &str, url: &str| {
        format!(
            "---\napiVersion: lifeboat.dev/v1alpha1\nkind: NotificationChannel\nmetadata: {{name: {name}}}\n\
             spec: {{webhook: {{url: \"{url}\"}}}}\n"
        )
    };
    let dead = format!("http://{}/", hanging.local_addr().unwrap());
    let text = fs::read_to_string(&documents).unwrap() + &channel("night", &hook.url("/")) + &channel("dead", &dead);
    fs::write(&documents, text).unwrap();
    let at = SocketAddr::new("127.0.0.1".parse().unwrap(), free_port(&["127.0.0.1".parse().unwrap()]));
    let observers = observers_with(&stage, &format!(" --listen {at}"));

    assert!(get(at, "/livez").starts_with("HTTP/1.1 200"), "{}", get(at, "/livez"));
    assert!(get(at, "/readyz?verbose").contains("[+] store: "), "{}", get(at, "/readyz?verbose"));
    await_until("the figures of a region that serves", LIMIT, || {
        get(at, "/metrics").contains(r#"lifeboat_region_verdict{group="orders",region="fra",verdict="up"} 1"#)
    });
    fra.end();
    await_until("a notice of the outage, and one with the command", LIMIT, || {
        let all: Vec<String> = hook.asked().into_iter().map(|asked| asked.body).collect();
        all.iter().any(|body| body.contains("orders: fra is down"))
            && all
                .iter()
                .any(|body| body.contains("orders: fail over from fra to dub?") && body.contains("--yes-i-mean orders"))
    });
    await_until("the proposal in the status", LIMIT, || judged(&stage)["answer"] == "propose");
    assert!(get(at, "/metrics").contains(r#"region="fra",verdict="down"} 1"#));
    // What the rounds and the probes see.
    let figures = get(at, "/metrics");
    for line in [
        r#"lifeboat_group_active{group="orders",region="fra"} 1"#,
        r#"lifeboat_group_epoch{group="orders"} 0"#,
        r#"lifeboat_group_condition{group="orders",type="Held"} 1"#,
        r#"lifeboat_group_condition{group="orders",type="Frozen"} 0"#,
        r#"lifeboat_drill_objective_met{group="orders"} 0"#,
        r#"lifeboat_probe_up{region="fra",probe="edge"} 0"#,
        r#"lifeboat_probe_up{region="dub",probe="edge"} 1"#,
        r#"lifeboat_observer_verdict{group="orders",region="dub",observer="c",verdict="up"} 1"#,
    ] {
        assert!(figures.contains(line), "no {line} in\n{figures}");
    }
    assert!(!figures.contains("lifeboat_lease_held{"), "nobody has to hold it: {figures}");
    // Documents that say something else: they are taken up.
    let text = fs::read_to_string(&documents).unwrap();
    fs::write(&documents, text.replace("recoveryTimeSeconds: 300", "recoveryTimeSeconds: 301")).unwrap();
    await_until("a watch of documents that changed", LIMIT, || {
        observers
            .iter()
            .all(|observer| observer.output().contains("orders: its documents changed; its watch begins anew"))
    });
    let ready = get(at, "/readyz?verbose");
    assert!(ready.contains("[+] watched: what is watched is what the documents say"), "{ready}");
    // Channels are opened once.
    let more = fs::read_to_string(&documents).unwrap() + &channel("third", &hook.url("/third"));
    fs::write(&documents, more).unwrap();
    await_until("a channel that only a restart opens", LIMIT, || {
        get(at, "/readyz?verbose")
            .contains("[+] watched: NotificationChannel/third changed on disk: restart this process")
    });
    // Documents that became wrong: it cannot do its work, and says why.
    fs::write(&documents, "kind: Nonsense\n").unwrap();
    let ready = get(at, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("[-] documents: "), "{ready}");
    assert!(get(at, "/livez").starts_with("HTTP/1.1 200"));
}

/// The titles that a hook was sent.
fn titles(hook: &Agent) -> Vec<String> {
    let title = |body: &str| {
        serde_json::from_str::<serde_json::Value>(body).unwrap()["data"]["title"].as_str().unwrap().to_owned()
    };
    hook.asked().into_iter().map(|asked| title(&asked.body)).collect()
}

fn count(hook: &Agent, title: &str) -> usize {
    titles(hook).iter().filter(|told| *told == title).count()
}

#[test]
fn an_observer_that_falls_silent_and_a_store_that_is_lost_are_told_once_and_so_is_their_end() {
    let mut cluster = Cluster::start(&Shape::one());
    let (mut stage, _fra, _dub) = stage("Manual");
    let hook = Agent::start("127.0.0.1".parse().unwrap(), |_| Answer::Status(204));
    let documents = stage.path("orders.yaml");
    let channel = format!(
        "---\napiVersion: lifeboat.dev/v1alpha1\nkind: NotificationChannel\nmetadata: {{name: night}}\nspec: {{webhook: {{url: \"{}\"}}}}\n",
        hook.url("/")
    );
    fs::write(&documents, fs::read_to_string(&documents).unwrap() + &channel).unwrap();
    stage.settings = cluster.environment();
    let _judge = stage.start("serve --observer a");
    let other = stage.start("serve --observer b --observe-only");
    await_until("both observers", LIMIT, || {
        let status = stage.run("status orders -o json").with(0).json();
        status[0]["observers"].as_array().is_some_and(|observers| observers.len() == 2)
    });
    await_until("the drill that is overdue", LIMIT, || count(&hook, "orders: the drill is overdue") == 1);
    drop(other);
    await_until("the observer that fell silent", LIMIT, || count(&hook, "orders: observer b is silent") == 1);
    let _other = stage.start("serve --observer b --observe-only --no-markers");
    await_until("the observer that is back", LIMIT, || count(&hook, "orders: observer b reports again") == 1);

    cluster.members[0].kill();
    let lost = |hook: &Agent, end: &str| {
        titles(hook).iter().filter(|title| title.starts_with("the store etcd at ") && title.ends_with(end)).count()
    };
    await_until("the store that is lost", LIMIT, || lost(&hook, " does not answer") == 1);
    cluster.members[0].start();
    await_until("the store that is back", LIMIT, || lost(&hook, " answers again") == 1);
    assert_eq!(lost(&hook, " does not answer"), 1);
    assert_eq!(count(&hook, "orders: the drill is overdue"), 1, "{:?}", titles(&hook));
    stage.run("drill orders --mode rehearse").with(0);
    await_until("the drill that passed", LIMIT, || count(&hook, "orders: drill orders-1 passed") == 1);
}

#[tokio::test]
async fn an_observer_that_has_not_reported_for_a_day_is_named_apart() {
    let (stage, _fra, _dub) = stage("Manual");
    let typed = Typed {
        data_dir: Some(stage.path("data")),
        files: vec![stage.path("orders.yaml")],
        actor: Some("anna".into()),
        store: None,
    };
    let app = App::open(lifeboat::app::settle(typed, &|_| None).unwrap()).unwrap();
    let ago = |hours| jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    for (observer, at) in [("ams", ago(25)), ("lon", ago(23))] {
        let report = ObserverReport {
            observer: observer.into(),
            group: "orders".parse().unwrap(),
            at,
            valid_ms: 6_000,
            abstains: None,
            probes: Vec::new(),
            markers: Vec::new(),
            remark: None,
            judged: None,
        };
        app.store.publish(&report).await.unwrap();
    }
    let status = stage.run("status orders -o json").with(0).json();
    let (observers, gone) = (&status[0]["observers"], &status[0]["gone"]);
    assert_eq!((observers.as_array().unwrap().len(), gone.as_array().unwrap().len()), (1, 1), "{status}");
    assert_eq!((&observers[0]["report"]["observer"], &gone[0]["observer"]), (&json!("lon"), &json!("ams")), "{status}");
    stage.run("status orders").with(0).says("observer ams is gone: its last report is from ");
}
