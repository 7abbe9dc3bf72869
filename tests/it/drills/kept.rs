//! The loop of the program: real documents, the real flows, a real store in a file, fake targets whose world is kept beside
//! it, and a wall clock that a test can set.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    app::{self, App, FilesAndEnvironment, Manner, Order, Request, Scheduled, Tools, Typed, documents},
    controller::{Declined, Drills, Noted},
    decide::{Passed, Wait},
    engine::Stop,
    model::{CommandBody, DrillMode, Event, EventBody, Firing, GroupName, Outcome, Run, RunId, RunKind, Schedule},
    port::{Clock, LeaseState, RunSummary, SystemClock},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

/// A wall clock that can be set. Each time an hour passes by the other clock, too, so that nothing rests any more.
pub(crate) struct Wall {
    machine: SystemClock,
    /// Nanoseconds since 1970 at the machine's monotonic zero.
    zero: AtomicI64,
    hours: AtomicI64,
}

impl Wall {
    pub(crate) fn at(time: &str) -> Arc<Self> {
        let wall = Self { machine: SystemClock::start(), zero: AtomicI64::new(0), hours: AtomicI64::new(0) };
        wall.set(time);
        Arc::new(wall)
    }

    fn set(&self, time: &str) {
        let to = time.parse::<Timestamp>().unwrap() - SignedDuration::try_from(self.machine.monotonic()).unwrap();
        self.zero.store(i64::try_from(to.as_nanosecond()).unwrap(), Ordering::SeqCst);
        self.hours.fetch_add(1, Ordering::SeqCst);
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let zero = Timestamp::from_nanosecond(self.zero.load(Ordering::SeqCst).into()).unwrap();
        zero + SignedDuration::try_from(self.machine.monotonic()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        let hours = u64::try_from(self.hours.load(Ordering::SeqCst)).unwrap();
        self.machine.monotonic() + Duration::from_hours(hours)
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.machine.sleep(time)
    }
}

/// A folder with documents and data, and programs that are started in it.
struct House {
    folder: TempDir,
    wall: Arc<Wall>,
}

impl House {
    /// A group whose database's world follows `database`, and a drill of it at half past two in Berlin, with `more` of the spec.
    fn new(database: Value, more: &str, at: &str) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap(), wall: Wall::at(at) };
        let mut script = database;
        script["file"] = json!(house.folder.path().join("db.json"));
        let documents = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: fra}}\nspec: {{provider: other}}\n---\n\
             apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: dub}}\nspec: {{provider: other}}\n---\n\
             apiVersion: lifeboat.dev/v1alpha1\nkind: ProtectionGroup\nmetadata: {{name: orders}}\nspec:\n\
             \x20 regions: [{{name: fra, role: Preferred}}, {{name: dub, role: Standby}}]\n\
             \x20 objectives: {{recoveryTimeSeconds: 300, recoveryPointSeconds: 10}}\n\
             \x20 approvals: {{required: 2}}\n\
             \x20 targets: [{{name: db, fake: {{capability: database, world: {script}}}}}]\n"
        );
        fs::write(house.folder.path().join("orders.yaml"), documents).unwrap();
        house.schedule(more);
        house
    }

    fn schedule(&self, more: &str) {
        let schedule = format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: DrillSchedule\nmetadata: {{name: nightly}}\nspec:\n  group: orders\n  \
             schedule: 30 2 * * *\n  timeZone: Europe/Berlin\n  reason: every night\n{more}"
        );
        fs::write(self.folder.path().join("nightly.yaml"), schedule).unwrap();
    }

    /// A process that begins.
    fn app(&self) -> App {
        let typed = Typed {
            data_dir: Some(self.folder.path().join("data")),
            files: vec![self.folder.path().join("orders.yaml"), self.folder.path().join("nightly.yaml")],
            actor: Some("daemon".into()),
            store: None,
        };
        let mut app = App::open(app::settle(typed, &|_| None).unwrap()).unwrap();
        let clock: Arc<dyn Clock> = Arc::<Wall>::clone(&self.wall);
        app.clock = Arc::clone(&clock);
        app.tools = Tools::new(Arc::new(FilesAndEnvironment), clock);
        app
    }

    /// What the fake database was made to do.
    fn acts(&self) -> usize {
        let text = fs::read_to_string(self.folder.path().join("db.json")).unwrap_or_default();
        let world: Value = serde_json::from_str(&text).unwrap_or_default();
        world["acts"].as_array().map_or(0, Vec::len)
    }
}

/// A failover would lose more than the objective allows, so its rehearsal stops at the promotion.
fn lossy() -> Value {
    json!({ "loss": { "seconds": 60.0, "amount": 9, "unit": "bytes", "basis": "marker" } })
}

fn group() -> GroupName {
    "orders".parse().unwrap()
}

async fn runs(app: &App) -> Vec<RunSummary> {
    app.store.runs(Some(&group())).await.unwrap()
}

async fn told(app: &App) -> Scheduled {
    let papers = documents::read(&app.settings).unwrap();
    app.schedules(&papers, None).await.unwrap().remove(0)
}

fn schedules(app: &App) -> Vec<Schedule> {
    documents::read(&app.settings).unwrap().schedules().unwrap()
}

/// One pass of a loop that has just begun, driven until everything rests.
async fn pass(app: &App) -> Vec<Noted> {
    let stop = watch::Sender::new(Stop::No);
    let master = app.drillmaster(stop.subscribe());
    let mut drills = Drills::new(&master, app.clock.as_ref());
    pass_of(&mut drills, app).await
}

async fn pass_of(drills: &mut Drills<'_>, app: &App) -> Vec<Noted> {
    let mut noted = Vec::new();
    let mut tell = |note: &Noted| noted.push(note.clone());
    let started = drills.look(&schedules(app), &mut tell).await;
    drills.wait(started, &mut tell).await;
    noted
}

fn succeeded(noted: &[Noted]) -> bool {
    matches!(noted, [Noted::Starts(_), Noted::Rested(drilled)] if drilled.outcome == Some(Outcome::Succeeded))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_is_started_at_its_time_and_says_in_its_journal_what_it_is_the_drill_of() {
    // The night before there was one, so that a process that begins late makes up for this one.
    let house = House::new(json!({}), "", "2026-03-26T01:00:00Z");
    let app = house.app();
    let (_still, heard) = watch::channel(Stop::No);
    let master = app.drillmaster(heard);
    let mut drills = Drills::new(&master, app.clock.as_ref());
    assert_eq!(pass_of(&mut drills, &app).await, []);
    house.wall.set("2026-03-26T01:30:00Z");
    assert!(succeeded(&pass_of(&mut drills, &app).await));
    house.wall.set("2026-03-27T01:29:59.700Z");
    let (stop, heard) = watch::channel(Stop::No);
    let noted = Mutex::new(Vec::new());
    let mut tell = |note: &Noted| {
        noted.lock().unwrap().push(note.clone());
        if matches!(note, Noted::Rested(_)) {
            stop.send_replace(Stop::Gently);
        }
    };
    app.drill_on_schedule(&mut tell, heard).await;
    assert!(succeeded(&noted.lock().unwrap()), "{noted:?}");
    let run = runs(&app).await.remove(0);
    let firing = run.scheduled.clone().unwrap();
    assert_eq!(
        (firing.to_string().as_str(), run.drill),
        ("2026-03-27T01:30:00Z of nightly", Some(DrillMode::Rehearse))
    );
    let record = app.build(&run.run).await.unwrap();
    assert_eq!((record.scheduled, record.drill, record.success), (Some(firing), Some(DrillMode::Rehearse), true));
    assert_eq!((record.requested_by.as_str(), record.reason.as_str()), ("schedule nightly", "every night"));
    assert_eq!(house.acts(), 0, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_restart_nor_a_clock_that_is_put_back_starts_a_drill_twice_and_what_was_missed_is_made_up_for_once() {
    let house = House::new(json!({}), "  startingDeadlineSeconds: 7200\n", "2026-03-27T01:00:00Z");
    let (first, mut counts) = (house.app(), Vec::new());
    // Read for the first time before its time, so that the process knows it.
    let stop = watch::Sender::new(Stop::No);
    let master = first.drillmaster(stop.subscribe());
    let mut drills = Drills::new(&master, first.clock.as_ref());
    assert_eq!(pass_of(&mut drills, &first).await, []);
    house.wall.set("2026-03-27T01:30:00Z");
    assert!(succeeded(&pass_of(&mut drills, &first).await));
    // Ten days: an hour late after an upgrade, again after a crash, with the clock put back, and far too late.
    for (at, drills) in [
        ("2026-03-27T01:31:00Z", 1),
        ("2026-03-27T00:45:00Z", 1),
        ("2026-03-27T01:30:00Z", 1),
        ("2026-03-28T02:29:00Z", 2),
        ("2026-03-28T02:30:00Z", 2),
        // Berlin's clock is put forward: half past two is three.
        ("2026-03-29T00:59:59Z", 2),
        ("2026-03-29T01:00:00Z", 3),
        ("2026-03-29T01:30:00Z", 3),
        // Three nights later, two hours and a half late: nothing. The next night, on time.
        ("2026-04-01T03:00:00Z", 3),
        ("2026-04-02T00:30:00Z", 4),
    ] {
        house.wall.set(at);
        let again = house.app();
        counts.push((pass(&again).await, at, drills));
        assert_eq!(runs(&again).await.len(), drills, "at {at}: {counts:?}");
        assert_eq!(pass(&again).await.iter().filter(|noted| matches!(noted, Noted::Starts(_))).count(), 0, "at {at}");
    }
    let late = counts.iter().find(|(_, at, _)| *at == "2026-04-01T03:00:00Z").unwrap();
    assert!(matches!(late.0.as_slice(), [Noted::Passed(_, Passed::TooLate)]), "{:?}", late.0);
    let distinct: std::collections::BTreeSet<_> = runs(&first).await.into_iter().map(|run| run.scheduled).collect();
    assert_eq!(distinct.len(), 4);
    assert_eq!(house.acts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_look_at_once_one_drills() {
    let house = House::new(json!({}), "", "2026-03-23T00:00:00Z");
    let (one, two) = (house.app(), house.app());
    let stop = watch::Sender::new(Stop::No);
    let (first, second) = (one.drillmaster(stop.subscribe()), two.drillmaster(stop.subscribe()));
    let mut drills = (Drills::new(&first, one.clock.as_ref()), Drills::new(&second, two.clock.as_ref()));
    let quiet = futures::join!(pass_of(&mut drills.0, &one), pass_of(&mut drills.1, &two));
    assert_eq!(quiet, (vec![], vec![]));
    for night in 23..=27 {
        house.wall.set(&format!("2026-03-{night}T02:15:00+01:00"));
        futures::join!(pass_of(&mut drills.0, &one), pass_of(&mut drills.1, &two));
        // Where the machine is so busy that a lease is lost, a later look goes on with the drill.
        for minute in 31..59 {
            house.wall.set(&format!("2026-03-{night}T02:{minute}:00+01:00"));
            futures::join!(pass_of(&mut drills.0, &one), pass_of(&mut drills.1, &two));
            let runs = runs(&one).await;
            if runs.len() == night - 22 && runs.iter().all(|run| run.closed.is_some()) {
                break;
            }
        }
        assert_eq!(runs(&one).await.len(), night - 22);
    }
    let runs = runs(&one).await;
    let firings: std::collections::BTreeSet<_> = runs.iter().map(|run| run.scheduled.clone()).collect();
    assert_eq!(firings.len(), 5);
    assert!(runs.iter().all(|run| run.closed.is_some_and(|(_, outcome)| outcome == Outcome::Succeeded)), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_would_wait_for_a_person_is_ended_and_does_not_hold_up_the_next_one() {
    let house = House::new(lossy(), "  historyLimit: {passed: 1, failed: 1}\n", "2026-03-27T01:00:00Z");
    let app = house.app();
    let stop = watch::Sender::new(Stop::No);
    let master = app.drillmaster(stop.subscribe());
    let mut drills = Drills::new(&master, app.clock.as_ref());
    pass_of(&mut drills, &app).await;
    for night in [27, 28] {
        house.wall.set(&format!("2026-03-{night}T02:30:30+01:00"));
        let noted = pass_of(&mut drills, &app).await;
        assert!(
            matches!(noted.as_slice(), [Noted::Starts(_), Noted::Rested(drilled)] if drilled.outcome == Some(Outcome::Cancelled)),
            "{noted:?}"
        );
    }
    let last = runs(&app).await.remove(0);
    let record = app.build(&last.run).await.unwrap();
    let why = record.events.iter().find_map(|event| match &event.body {
        EventBody::Commanded { command, .. } => Some(command.reason.clone()),
        _ => None,
    });
    let says =
        why.is_some_and(|why| why.contains("waits for nobody; it stopped at promote-db (") && why.contains("60"));
    assert!(!record.success && says, "{:?}", record.events);
    let told = told(&app).await;
    assert_eq!((told.history.len(), told.last.map(|run| run.run)), (1, Some(last.run)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_is_due_waits_for_a_blackout_a_suspension_and_an_open_run_and_says_for_which() {
    let weekly = "  blackouts:\n  - {weekly: {days: [Fri], from: \"02:40\", to: \"02:50\"}, reason: backup}\n";
    let house = House::new(lossy(), weekly, "2026-03-27T01:00:00Z");
    let app = house.app();
    let stop = watch::Sender::new(Stop::No);
    let master = app.drillmaster(stop.subscribe());
    let mut drills = Drills::new(&master, app.clock.as_ref());
    assert_eq!(pass_of(&mut drills, &app).await, []);
    let firing = || Firing { schedule: "nightly".parse().unwrap(), instant: "2026-03-27T01:30:00Z".parse().unwrap() };

    house.wall.set("2026-03-27T01:45:00Z");
    let until = "2026-03-27T01:50:00Z".parse().ok();
    let blackout = Wait::Blackout { reason: "backup".into(), until };
    assert_eq!(pass_of(&mut drills, &app).await, [Noted::Waits(firing(), blackout)]);

    house.schedule("  suspend: true\n");
    house.wall.set("2026-03-27T01:51:00Z");
    assert_eq!(pass_of(&mut drills, &app).await, [Noted::Waits(firing(), Wait::Suspended)]);

    // A person's own rehearsal is paused.
    house.schedule("");
    let (mut nobody, mut progress) = (|_: &LeaseState| {}, |_: &Event, _: &Run| {});
    let request = Request { rehearsal: true, ..Request::new(RunKind::Failover, group()) };
    let prepared = app.prepare(request).await.unwrap();
    app.start(prepared, Manner::default(), &mut nobody, &mut progress, stop.subscribe()).await.unwrap();
    let run: RunId = "orders-1".parse().unwrap();
    assert_eq!(pass_of(&mut drills, &app).await, [Noted::Waits(firing(), Wait::RunOpen { run: run.clone() })]);
    assert_eq!(pass_of(&mut drills, &app).await, [], "it is said once");

    let order =
        Order { body: CommandBody::Cancel { unwind: false }, reason: String::new(), expected_term: None, key: None };
    app.tell(&run, order).await.unwrap();
    app.resume(&run, "", Manner::default(), &mut nobody, &mut progress, stop.subscribe()).await.unwrap();
    house.wall.set("2026-03-27T02:00:00Z");
    let noted = pass_of(&mut drills, &app).await;
    assert!(
        matches!(noted.as_slice(), [Noted::Starts(started), Noted::Rested(_)] if *started == firing()),
        "{noted:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_whose_process_ended_in_its_middle_is_gone_on_with() {
    let slow = json!({ "steps": { "fence-db": { "takesMs": 2_000 } } });
    let house = House::new(slow, "", "2026-03-27T01:00:00Z");
    let app = house.app();
    let (stop, heard) = watch::channel(Stop::No);
    let master = app.drillmaster(heard);
    let mut drills = Drills::new(&master, app.clock.as_ref());
    pass_of(&mut drills, &app).await;
    house.wall.set("2026-03-27T01:30:00Z");
    // The process is asked to end before the first step was begun.
    stop.send_replace(Stop::Gently);
    let noted = pass_of(&mut drills, &app).await;
    assert!(
        matches!(noted.as_slice(), [Noted::Starts(_), Noted::Rested(drilled)] if drilled.outcome.is_none()),
        "{noted:?}"
    );
    assert!(runs(&app).await[0].closed.is_none());
    house.wall.set("2026-03-27T05:00:00Z");
    let noted = pass(&house.app()).await;
    assert!(
        matches!(noted.as_slice(), [Noted::GoesOn(_), Noted::Rested(drilled)] if drilled.outcome == Some(Outcome::Succeeded)),
        "{noted:?}"
    );
    assert_eq!(runs(&app).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_stopped_is_not_drilled_and_the_refusal_says_how_to_lift_the_stop() {
    let house = House::new(json!({}), "", "2026-03-27T01:00:00Z");
    let app = house.app();
    let stop = watch::Sender::new(Stop::No);
    let master = app.drillmaster(stop.subscribe());
    let mut drills = Drills::new(&master, app.clock.as_ref());
    pass_of(&mut drills, &app).await;
    app.stop(Some(group()), true, "a move is on").await.unwrap();
    house.wall.set("2026-03-27T01:30:00Z");
    let noted = pass_of(&mut drills, &app).await;
    let [Noted::Starts(_), Noted::Declined(_, Declined::Refused { why, remedy })] = noted.as_slice() else {
        panic!("{noted:?}")
    };
    assert!(why.contains("a move is on") && remedy.as_deref().is_some_and(|it| it.contains("--resume")), "{noted:?}");
    assert!(runs(&app).await.is_empty());
}
