//! Documents that change under a watch: what checks is taken up, what does not is refused as a whole, and a run goes on.

use std::{fs, net::SocketAddr};

use serde_json::{Value, json};

use super::{LIMIT, Region, told::get};
use crate::{
    cli::{EFFECTS, Running, Stage},
    servers::{await_until, free_port},
};

const ANEW: &str = "orders: its documents changed; its watch begins anew";

/// One judge with figures, two more observers, and documents that somebody edits.
struct Watch {
    stage: Stage,
    fra: Region,
    _dub: Region,
    at: SocketAddr,
    observers: Vec<Running>,
    /// The documents as they were when the watch began.
    good: String,
}

impl Watch {
    fn begin(automation: &str, database: Value) -> Self {
        let (fra, dub) = (Region::start("127.1.0.41"), Region::start("127.2.0.41"));
        let group = format!(
            "  automation: {automation}\n  detection: {{periodSeconds: 0.1, failureThreshold: 3, observerQuorum: 2, holdDownSeconds: 1}}\n"
        );
        let stage = Stage::with(database, &group, &fra.probe(), &dub.probe());
        let good = fs::read_to_string(stage.path("orders.yaml")).unwrap();
        fs::write(stage.path("good.yaml"), &good).unwrap();
        let at = SocketAddr::new("127.0.0.1".parse().unwrap(), free_port(&["127.0.0.1".parse().unwrap()]));
        let observers = [
            format!("serve --observer a --listen {at}"),
            "serve --observer b --observe-only --no-markers".into(),
            "serve --observer c --observe-only --no-markers".into(),
        ];
        let observers = observers.iter().map(|words| stage.start(words)).collect();
        let watch = Self { stage, fra, _dub: dub, at, observers, good };
        await_until("a verdict", LIMIT, || watch.judged()["answer"] == "nothing");
        watch
    }

    /// Somebody writes documents.
    fn write(&self, text: &str) {
        fs::write(self.stage.path("orders.yaml"), text).unwrap();
    }

    /// The status, as somebody with good documents sees it.
    fn status(&self) -> Value {
        let good = self.stage.path("good.yaml").display().to_string();
        // With an alarm its code is not 0.
        self.stage.run_with("status orders -o json", &["--file", &good]).json()[0].clone()
    }

    fn judged(&self) -> Value {
        let observers = self.status()["observers"].as_array().cloned().unwrap_or_default();
        let first = observers.iter().find(|observed| observed["report"]["observer"] == "a");
        first.map_or(Value::Null, |observed| observed["report"]["judged"].clone())
    }

    fn figure(&self, line: &str) -> bool {
        get(self.at, "/metrics").contains(line)
    }
}

#[test]
fn a_policy_that_changes_is_in_force_without_a_restart_and_one_that_is_wrong_is_refused_as_a_whole() {
    let watch = Watch::begin("Manual", json!({}));
    watch.write(&watch.good.replace("automation: Manual", "automation: ProposeOnly"));
    await_until("watches that begin anew", LIMIT, || {
        watch.observers.iter().all(|observer| observer.output().contains(ANEW))
    });
    await_until("a verdict by the new documents", LIMIT, || watch.judged()["answer"] == "nothing");

    // Half of it would be well: nothing of it is taken up.
    let wrong = watch.good.replace("failureThreshold: 3", "failureThreshold: 0").replace("Manual", "Automatic");
    watch.write(&wrong);
    await_until("documents that are refused", LIMIT, || watch.figure("lifeboat_documents_refused 1"));
    let alarmed = || watch.status()["alarms"].to_string().contains("observer a refused documents: LB");
    await_until("the refusal in the status", LIMIT, alarmed);
    assert!(watch.observers[0].output().contains("refused as a whole, and the old ones stay in force"));
    watch.fra.end();
    await_until("a proposal, which is what the documents before said", LIMIT, || watch.judged()["answer"] == "propose");
    assert!(watch.stage.acts().is_empty());

    watch.write(&watch.good);
    await_until("documents that are mended", LIMIT, || watch.figure("lifeboat_documents_refused 0"));
    await_until("the policy of the beginning", LIMIT, || {
        watch.judged()["reasons"].to_string().contains("automation is Manual")
    });
    await_until("the end of the alarm", LIMIT, || !alarmed());
}

#[test]
fn a_group_that_is_added_is_watched_and_one_that_is_removed_is_not_and_the_others_do_not_notice() {
    let watch = Watch::begin("Manual", json!({}));
    let (head, group) = watch.good.split_once("kind: ProtectionGroup").unwrap();
    let world = |text: &str| text.replace("db.json", "db-2.json").replace("www.json", "www-2.json");
    let second = world(&group.replace("name: orders", "name: billing"));
    let both = format!(
        "{head}kind: ProtectionGroup{group}---\napiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup{second}"
    );
    watch.write(&both);
    let billing = r#"lifeboat_region_verdict{group="billing",region="fra",verdict="up"} 1"#;
    await_until("a verdict on the group that was added", LIMIT, || watch.figure(billing));
    watch.write(&watch.good);
    await_until("the end of its watch", LIMIT, || !watch.figure(r#"group="billing""#));
    let ended = "billing: it is in no document any more; its watch ended";
    await_until("word of it", LIMIT, || watch.observers[0].output().contains(ended));
    let output = watch.observers[0].output();
    assert!(!output.contains(ANEW), "nothing of orders changed: {output}");
    assert_eq!(watch.judged()["answer"], "nothing");
}

#[test]
fn a_run_under_way_goes_on_with_what_it_pinned_and_the_watch_begins_anew_after_it() {
    let slow = json!({ "steps": { "promote-db": { "takesMs": 8_000 } } });
    let watch = Watch::begin("Automatic", slow);
    watch.fra.end();
    watch.observers[0].until("promote-db  begins");
    watch.write(&watch.good.replace("recoveryTimeSeconds: 300", "recoveryTimeSeconds: 301"));
    // The others have nothing under way.
    watch.observers[1].until(ANEW);
    watch.observers[0].until(ANEW);
    let output = watch.observers[0].output();
    let (rested, anew) = (output.find("run orders-1 came to rest: succeeded"), output.find(ANEW));
    assert!(rested.is_some() && rested < anew, "{output}");
    assert_eq!(watch.stage.acts(), EFFECTS);
    assert_eq!(watch.stage.run("run list orders -o json").with(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn how_long_the_store_takes_to_append_shows_where_the_run_is_driven() {
    let watch = Watch::begin("Automatic", json!({}));
    let appends = |watch: &Watch| {
        let figures = get(watch.at, "/metrics");
        let line = figures.lines().find_map(|line| {
            line.strip_prefix(r#"lifeboat_journal_append_duration_seconds_count{result="ok"} "#).map(str::to_owned)
        });
        line.map_or(0, |count| count.parse::<usize>().unwrap())
    };
    assert_eq!(appends(&watch), 0);
    watch.fra.end();
    watch.observers[0].until("run orders-1 came to rest: succeeded");
    // It was opened, each of three steps was begun and ended, and it was closed; several events may go in one append.
    let appends = appends(&watch);
    assert!(appends >= 5, "{appends}");
}
