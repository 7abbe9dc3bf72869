//! One file, from its beginning to its end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lifeboat::{
    controller::{Heart, Judge, Means, Said, Started, observe},
    manifest,
    model::{Group, Judged, Region},
    port::{Drivers, Store, Tied},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    scene::{AtTheWheel, Eyes, Scene},
    story::{Act, Story},
};
use crate::{
    scenario::play::Played,
    theatre::{
        self,
        dice::Dice,
        hall::Hall,
        links::{Cut, Net, StoreLink},
        world::World,
    },
};

/// What a request to the store takes, and its reply.
const PACE: Duration = Duration::from_millis(5);

/// The group of all stories, with what a file says in its place: the real documents, read by the real reader.
fn documents(story: &Story) -> Result<(Group, Vec<Region>), String> {
    let mut spec = json!({
        "regions": [{"name": "fra", "role": "Preferred"}, {"name": "dub", "role": "Standby"}, {"name": "ams", "role": "Witness"}],
        "objectives": {"recoveryTimeSeconds": 600, "recoveryPointSeconds": 10},
        "targets": [{"name": "db", "fake": {"capability": "database"}}],
        "automation": "Automatic",
        "detection": {
            "periodSeconds": 2, "failureThreshold": 3, "observerQuorum": 2, "holdDownSeconds": 60,
            "references": [{"name": "outside", "tcp": {"address": "10.9.0.53:53"}}],
        },
    });
    for (field, value) in &story.group {
        spec[field] = value.clone();
    }
    let probes = |net: u8| {
        json!([
            {"name": "edge", "timeoutMs": 1000, "tcp": {"address": format!("10.{net}.0.80:443")}},
            {"name": "db", "timeoutMs": 1000, "tcp": {"address": format!("10.{net}.0.10:5432")}},
        ])
    };
    let document = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "lifeboat.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
            .to_string()
    };
    let text = [
        document("Region", "fra", json!({"provider": "other", "probes": probes(1)})),
        document("Region", "dub", json!({"provider": "other", "probes": probes(2)})),
        document("Region", "ams", json!({"provider": "other"})),
        document("ProtectionGroup", "orders", spec),
    ]
    .join("\n---\n");
    let loaded = manifest::load_texts([("story", text.as_str())]);
    if manifest::has_errors(&loaded.findings) {
        return Err(manifest::render(&loaded.findings, manifest::Look::default()));
    }
    let documents = &loaded.documents;
    let group =
        manifest::group(&documents.groups[0]).map_err(|found| manifest::render(&found, manifest::Look::default()))?;
    Ok((group, documents.regions.iter().map(manifest::region).collect()))
}

/// One observer's process. Dropped, it is dead.
struct Process(#[expect(dead_code, reason = "held for its drop")] Vec<Tied>);

fn begin(scene: &Arc<Scene>, name: &str, judges: bool, group: &Group, regions: &[Region]) -> Process {
    let clock = scene.clock(name);
    let store: Arc<dyn Store> = Arc::new(StoreLink { process: name.to_owned(), hall: Arc::clone(&scene.hall) });
    let (judged, heard) = watch::channel(None);
    // Nobody writes documents here.
    let (_nobody, remark) = tokio::sync::watch::channel(None);
    let means = Means {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        prober: Arc::new(Eyes { observer: name.to_owned(), scene: Arc::clone(scene) }),
        drivers: Drivers::default(),
        judged: heard,
        remark,
    };
    let heart = Heart {
        group: group.clone(),
        regions: regions.to_vec(),
        observer: name.to_owned(),
        markers: None,
        serves: None,
    };
    let mut tasks = vec![Tied::start(async move { observe(heart, means, &mut |_| {}).await })];
    if judges {
        let helm =
            Arc::new(AtTheWheel { scene: Arc::clone(scene), store: Arc::clone(&store), clock: Arc::clone(&clock) });
        let approve = |order: &lifeboat::controller::Order| format!("lifeboat failover {}", order.group);
        let judge = Judge { group: group.clone(), store, clock, helm, approve, judged };
        let (scene, name) = (Arc::clone(scene), name.to_owned());
        tasks.push(Tied::start(async move {
            let mut told = |said: Said<'_>| match said {
                Said::Looked(_) => {}
                Said::Judged(judged) => scene.say(&name, &in_words(judged)),
                Said::Starting(order) => {
                    scene.say(&name, &format!("fails over from {} to {}", order.source, order.destination));
                }
                Said::Started(Started::Refused(why)) => scene.say(&name, &format!("is refused: {why}")),
                Said::Started(Started::Rested { run, how }) => scene.say(&name, &format!("{run} {how}")),
            };
            judge.run(&mut told).await;
        }));
    } else {
        // Nobody judges, and the channel must stay open.
        tasks.push(Tied::start(async move {
            let _open = judged;
            std::future::pending::<()>().await;
        }));
    }
    Process(tasks)
}

/// `hold (fra down, dub up): …`.
fn in_words(judged: &Judged) -> String {
    let regions = |wanted: &[&str]| {
        let states = wanted.iter().filter_map(|name| {
            let verdict = judged.verdicts.iter().find(|verdict| verdict.region.as_str() == *name)?;
            Some(format!("{name} {}", verdict.state))
        });
        states.collect::<Vec<_>>().join(", ")
    };
    let mut words = format!("{} ({})", judged.answer, regions(&super::story::REGIONS));
    if !judged.reasons.is_empty() {
        words = format!("{words}: {}", judged.reasons.join("; "));
    }
    words
}

/// Plays a story.
pub(super) fn play(story: &Story) -> Result<Played, String> {
    let (group, regions) = documents(story)?;
    let lasts = story.lasts()?;
    Ok(theatre::play(async {
        let net = Net::new(Dice::new(7));
        net.pace(PACE);
        let hall = Hall::new(World::new("fra", "dub"), net, Box::new(()), false);
        let scene = Scene::new(hall, story.begins);
        let start = |name: &String| begin(&scene, name, story.judges.contains(name), &group, &regions);
        let mut processes: BTreeMap<String, Process> =
            story.observers.iter().map(|name| (name.clone(), start(name))).collect();
        for (at, act, words) in &story.acts {
            tokio::time::sleep(at.saturating_sub(scene.hall.now())).await;
            scene.say("world", words);
            scene.take(act);
            match act {
                Act::Observer { observer, lives: false } => drop(processes.remove(observer)),
                Act::Observer { observer, lives: true } => {
                    processes.insert(observer.clone(), start(observer));
                }
                Act::Store { observer, lost: true } => scene.hall.net.cut(link(observer.as_ref())),
                Act::Store { observer, lost: false } => scene.hall.net.mend(|cut| *cut == link(observer.as_ref())),
                Act::Region { .. }
                | Act::Flaps { .. }
                | Act::Cut { .. }
                | Act::Lies { .. }
                | Act::Clock { .. }
                | Act::Stop { .. }
                | Act::Run { .. } => {}
            }
        }
        tokio::time::sleep(lasts.saturating_sub(scene.hall.now())).await;
        Played { lines: scene.lines(), end: json!({"serves": scene.serves(), "runs": scene.runs()}) }
    }))
}

fn link(observer: Option<&String>) -> Cut {
    Cut { process: observer.cloned(), word: "store.".into(), region: None, replies_only: false }
}
