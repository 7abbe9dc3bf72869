//! Recordings of real observers, taken here and graded in `src/controller/graded.rs`. `tests/recorded/README.md` says how each was taken.
//!
//! `RECORD=always` plays all stories, for as long as an outage that is acted on takes, and writes them to `tests/recorded`. Without it one of
//! them is played and judged again, and nothing is written.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use lifeboat::controller::{Entry, Line, Truth, replay};
use serde_json::{Value, json};

use super::{
    LIMIT,
    cut::{PLACES, networks},
    judged, observers_with, stage,
};
use crate::{
    cli::{EFFECTS, Running, Stage},
    servers::{
        Leash, await_until,
        namespaces::{self, run},
    },
};

const NAME: &str = "watch::recorded::what_a_real_judge_heard_is_judged_the_same_again";
/// What lasts longer than this is acted on.
const HOLD_DOWN: Duration = Duration::from_secs(45);
/// Longer than that, and than it takes to notice.
const LONG: Duration = Duration::from_secs(55);

/// A web server that takes 300 ms longer while the file exists that it is given.
const SERVER: &str = "\
import http.server, os, sys, time
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3 if os.path.exists(sys.argv[2]) else 0)
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
http.server.ThreadingHTTPServer((sys.argv[1], 8080), Page).serve_forever()
";

/// One recorded story.
struct Told {
    name: &'static str,
    play: fn(&mut Ground, Duration),
    lasts: Duration,
}

const STORIES: [Told; 7] = [
    Told { name: "one-observer-cannot-see-fra", play: one_cannot_see, lasts: LONG },
    Told { name: "own-cable-pulled", play: own_cable, lasts: LONG },
    Told { name: "partition-of-40-seconds", play: partition, lasts: Duration::from_secs(40) },
    Told { name: "fra-killed-is-acted-on", play: killed, lasts: LONG },
    Told { name: "frozen-probers", play: frozen, lasts: Duration::from_secs(20) },
    Told { name: "both-regions-fail", play: both, lasts: LONG },
    Told { name: "fra-is-slow", play: slow, lasts: LONG },
];

/// Two regions and three observers, the first of which judges and records.
struct Ground {
    stage: Stage,
    fra: Option<Leash>,
    _dub: Leash,
    observers: Vec<Running>,
    truths: Vec<(Timestamp, Truth)>,
}

impl Ground {
    fn begin() -> Self {
        let probe = |address: &str| {
            format!(
                ", probes: [{{name: edge, timeoutMs: 800, degradedMs: 200, http: {{url: \"http://{address}:8080/\"}}}}]"
            )
        };
        let group = format!(
            "  automation: Automatic\n  detection:\n    periodSeconds: 1\n    failureThreshold: 3\n    observerQuorum: 2\n    \
             holdDownSeconds: {}\n",
            HOLD_DOWN.as_secs()
        );
        let stage = Stage::with(json!({}), &group, &probe(PLACES[0].1), &probe(PLACES[1].1));
        let (fra, dub) = (server(&stage, 0), server(&stage, 1));
        let record = format!("serve --no-markers --observer a --record {}", stage.path("watch.jsonl").display());
        let observers = [
            stage.start_within("a", &record),
            stage.start_within("b", "serve --no-markers --observe-only --observer b"),
            stage.start_within("c", "serve --no-markers --observe-only --observer c"),
        ];
        await_until("a region that is up", LIMIT, || judged(&stage)["answer"] == "nothing");
        Self { stage, fra: Some(fra), _dub: dub, observers: observers.into(), truths: Vec::new() }
    }

    fn happens(&mut self, what: &str, deserved: bool, deed: impl FnOnce(&mut Self)) {
        self.truths.push((Timestamp::now(), Truth { what: what.into(), deserved }));
        deed(self);
    }

    fn file(&self) -> PathBuf {
        self.stage.path("watch.jsonl")
    }

    /// The lines, with the truth among them.
    fn ends(mut self) -> Vec<Line> {
        // One more pass, so that what came last is heard.
        thread::sleep(Duration::from_secs(2));
        self.observers.clear();
        let mut lines = lines(&self.file());
        let begun = lines.first().expect("a line").clone();
        let Entry::Begins(charge) = &begun.what else { panic!("{begun:?}") };
        for (at, truth) in self.truths {
            let since = at.duration_since(charge.wall).as_micros();
            let us = begun.us + u64::try_from(since).expect("it happened later");
            let place = lines.partition_point(|line| line.us <= us);
            lines.insert(place, Line { group: begun.group.clone(), us, what: Entry::Truth(truth) });
        }
        lines
    }
}

fn one_cannot_see(ground: &mut Ground, lasts: Duration) {
    ground.happens("a has no route to fra any more; b and c see it serve", false, |_| {
        run("ip -n a route add blackhole 10.77.0.1/32");
    });
    thread::sleep(lasts);
    ground.happens("a has its route again", false, |_| run("ip -n a route del blackhole 10.77.0.1/32"));
}

fn own_cable(ground: &mut Ground, lasts: Duration) {
    ground.happens("the cable of b is pulled; both regions serve", false, |_| run("ip link set to-b down"));
    await_until("the silence of b", LIMIT, || {
        lines(&ground.file()).iter().any(|line| match &line.what {
            Entry::Heard(report) => report.observer == "b" && report.probes.iter().all(|probe| probe.falling >= 3),
            _ => false,
        })
    });
    thread::sleep(lasts);
    ground.happens("the cable of b is back", false, |_| run("ip link set to-b up"));
}

fn partition(ground: &mut Ground, lasts: Duration) {
    ground.happens("the cable of fra is pulled for 40 s", false, |_| run("ip link set to-fra down"));
    thread::sleep(lasts);
    ground.happens("the cable of fra is back", false, |_| run("ip link set to-fra up"));
}

fn killed(ground: &mut Ground, _: Duration) {
    ground.happens("fra is killed, and stays so", true, |ground| ground.fra.take().expect("it serves").kill());
    await_until("the run's end", Duration::from_secs(90), || {
        ground.observers.iter().any(|observer| observer.output().contains("orders-1 came to rest: succeeded"))
    });
    assert_eq!(ground.stage.acts(), EFFECTS);
}

fn frozen(ground: &mut Ground, lasts: Duration) {
    ground.happens("the processes of b and c stand still; both regions serve", false, |ground| {
        ground.observers[1..].iter().for_each(|observer| observer.signal("STOP"));
    });
    thread::sleep(lasts);
    ground.happens("they go on", false, |ground| {
        ground.observers[1..].iter().for_each(|observer| observer.signal("CONT"));
    });
    thread::sleep(Duration::from_secs(5));
    ground.happens("the process of the judge stands still", false, |ground| ground.observers[0].signal("STOP"));
    thread::sleep(lasts);
    ground.happens("it goes on", false, |ground| ground.observers[0].signal("CONT"));
    thread::sleep(Duration::from_secs(5));
}

fn both(ground: &mut Ground, lasts: Duration) {
    ground.happens("the cables of both regions are pulled", false, |_| {
        run("ip link set to-fra down");
        run("ip link set to-dub down");
    });
    thread::sleep(lasts);
    ground.happens("both are back", false, |_| {
        run("ip link set to-fra up");
        run("ip link set to-dub up");
    });
}

fn slow(ground: &mut Ground, lasts: Duration) {
    let slow = ground.stage.path("slow-fra");
    ground.happens("fra takes 300 ms longer for each answer", false, |_| fs::write(&slow, "").expect("a file"));
    thread::sleep(lasts);
    ground.happens("it is quick again", false, |_| fs::remove_file(&slow).expect("no file"));
}

/// A region's web server, in its namespace.
fn server(stage: &Stage, place: usize) -> Leash {
    let (name, address) = PLACES[place];
    let slow = stage.path(&format!("slow-{name}")).display().to_string();
    let words = ["ip", "netns", "exec", name, "/usr/bin/python3", "-c", SERVER, address, &slow];
    Leash::start(&stage.path(&format!("{name}.log")), words, &[]).expect("a web server")
}

fn lines(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Every change of the answer, as it was and as it is found again.
fn then_and_now(lines: &[Line]) -> (Vec<Value>, Vec<Value>) {
    let bare = |judged: &lifeboat::model::Judged| {
        let states: Vec<_> = judged.verdicts.iter().map(|verdict| (&verdict.region, &verdict.state)).collect();
        json!([judged.answer, states])
    };
    let then = lines.iter().filter_map(|line| match &line.what {
        Entry::Judged(judged) => Some(bare(judged)),
        _ => None,
    });
    (then.collect(), replay(lines).iter().map(|replayed| bare(&replayed.judged)).collect())
}

#[test]
fn what_a_real_judge_heard_is_judged_the_same_again() {
    if !namespaces::entered(NAME) {
        return;
    }
    networks();
    let always = std::env::var("RECORD").is_ok_and(|value| value == "always");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    for told in STORIES.iter().filter(|told| always || told.name == "own-cable-pulled") {
        let mut ground = Ground::begin();
        let started = Instant::now();
        (told.play)(&mut ground, if always { told.lasts } else { Duration::ZERO });
        let stage = ground.stage.path("").display().to_string().trim_end_matches('/').to_owned();
        let lines = ground.ends();
        let (then, now) = then_and_now(&lines);
        assert_eq!(then, now, "{}", told.name);
        assert!(now.len() > 1, "{}: nothing was judged: {now:?}", told.name);
        println!("{}: {} lines in {:?}", told.name, lines.len(), started.elapsed());
        if always {
            let text: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
            // Where the stage was is nobody's business.
            let text = text.concat().replace(&stage, "/stage");
            fs::write(folder.join(told.name).with_extension("jsonl"), text).unwrap();
        }
    }
}

#[test]
fn an_incident_that_was_recorded_is_answered_by_replay_as_it_was_then() {
    let (stage, fra, _dub) = stage("Automatic");
    let file = stage.path("watch.jsonl");
    let observers = observers_with(&stage, &format!(" --record {}", file.display()));
    fra.end();
    await_until("the end of the run", LIMIT, || {
        observers.iter().any(|observer| observer.output().contains("run orders-1 came to rest: succeeded"))
    });
    await_until("the new judgement", LIMIT, || judged(&stage)["answer"] == "nothing");
    drop(observers);
    let (then, now) = then_and_now(&lines(&file));
    assert_eq!(then, now);
    let replayed = stage.run(&format!("replay {} -o json", file.display())).with(0).json();
    let replayed = replayed.as_array().unwrap().clone();
    assert!(replayed.iter().all(|answer| answer["asThen"] == true), "{replayed:?}");
    let answers: Vec<_> = replayed.iter().map(|answer| answer["judged"]["answer"].as_str().unwrap()).collect();
    assert!(answers.contains(&"hold"), "{answers:?}");
    stage
        .run(&format!("replay {}", file.display()))
        .with(0)
        .says("orders: nothing (dub up, fra up)")
        .says("down since");
    // What was cut off by the end of its process is no defect; a line that says nothing is one, with its place.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{{\"group\":\"ord")).unwrap();
    stage.run(&format!("replay {}", file.display())).with(0);
    fs::write(&file, format!("{{\"group\":\"orders\"}}\n{text}")).unwrap();
    stage.run(&format!("replay {}", file.display())).with(2).says("line 1 is no line of a recording");
}
