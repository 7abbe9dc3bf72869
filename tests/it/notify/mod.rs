//! Telling people, against receivers that are slow, broken, busy or gone.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use lifeboat::{
    app::FilesAndEnvironment,
    manifest::{Look, load_texts, render},
    meter::Meter,
    model::{GroupName, Outcome, RegionName, RunId},
    notify::{Channel, Limits, Means, Outbox, word},
    port::{Clock, Notice, SystemClock},
};

mod mail;
mod outbox;
mod pagerduty;
mod slack;
mod webhook;

const SECRET: &str = "hunter2-of-the-channel";

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// A channel from what a person writes under `spec:`.
fn channel(name: &str, spec: &str) -> Channel {
    let spec = spec.lines().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat();
    let text = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: NotificationChannel\nmetadata: {{name: {name}}}\nspec:\n{spec}"
    );
    let loaded = load_texts([("channel.yaml", text.as_str())]);
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Look::default()));
    let document = &loaded.documents.channels[0];
    let means = Means { secrets: Arc::new(FilesAndEnvironment), clock: clock() };
    Channel::open(document.name.clone(), &document.spec, &means).unwrap()
}

/// A secret in a file, as a document refers to it.
fn secret(folder: &Path, name: &str, value: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("{value}\n")).unwrap();
    format!("{{file: {}}}", path.display())
}

/// Rests of hundredths of a second, where a person's are seconds.
fn quick() -> Limits {
    Limits {
        first_rest: Duration::from_millis(20),
        one_try: Duration::from_secs(5),
        give_up: Duration::from_mins(1),
        ..Limits::default()
    }
}

fn open(channels: Vec<Channel>, limits: Limits) -> (Outbox, Meter) {
    let meter = Meter::new("test");
    (Outbox::open(channels, &clock(), &meter, limits), meter)
}

fn group() -> GroupName {
    GroupName::new("orders").unwrap()
}
fn region() -> RegionName {
    RegionName::new("fra").unwrap()
}
fn at() -> Timestamp {
    "2026-03-01T03:04:05.678Z".parse().unwrap()
}
fn outage() -> Notice {
    word::outage_detected(&group(), &region(), Some(at()), &["edge <fails> & nobody answers".to_owned()], at())
}
fn over() -> Notice {
    word::outage_over(&group(), &region(), at())
}
fn closed(number: u64) -> Notice {
    word::run_closed(&RunId { group: group(), number }, Outcome::Succeeded, &[], at())
}

/// Waits for what a meter shows.
async fn await_figure(meter: &Meter, line: &str) {
    let found = async {
        while !meter.render().lines().any(|found| found == line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap_or_else(|_| panic!("no `{line}` in\n{}", meter.render()));
}

/// Waits on another thread, so that the outbox goes on meanwhile.
async fn elsewhere<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(wait).await.unwrap()
}
