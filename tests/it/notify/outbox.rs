//! The outbox: nobody waits, nothing is lost without being counted.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::servers::receiver::{Receiver, Reply};

fn hook(name: &str, receiver: &Receiver) -> Channel {
    channel(name, &format!("webhook: {{url: \"{}\"}}", receiver.url("/")))
}

fn titles(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|request| request.json()["data"]["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_delays_neither_whoever_tells_nor_the_others() {
    let (hanging, well) = (Receiver::always(Reply::Hang), Receiver::start([]));
    let limits = Limits { one_try: Duration::from_mins(1), ..quick() };
    let (outbox, meter) = open(vec![hook("hanging", &hanging), hook("well", &well)], limits);
    let start = Instant::now();
    for number in 1..=100 {
        outbox.tell(closed(number));
    }
    let took = start.elapsed();
    await_figure(&meter, r#"lifeboat_notices_total{channel="well",result="sent"} 100"#).await;
    assert_eq!(well.received().len(), 100);
    assert!(took < Duration::from_secs(1), "telling took {took:?}");
    assert_eq!(hanging.received().len(), 1);
    let start = Instant::now();
    let left = outbox.flush(Duration::from_millis(200)).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!((left.len(), left[0].channel.as_str(), left[0].titles.len()), (1, "hanging", 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_a_rest_gets_it() {
    let receiver = Receiver::start([Reply::Busy(1)]);
    let (outbox, meter) = open(vec![hook("hook", &receiver)], quick());
    let start = Instant::now();
    outbox.tell(outage());
    let receiver = elsewhere(move || {
        receiver.await_requests(1);
        receiver
    })
    .await;
    outbox.tell(closed(1)); // Another notice to the same receiver rests, too.
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="sent"} 2"#).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_given_up_after_its_time_and_counted() {
    let receiver = Receiver::always(Reply::Status(500));
    let limits = Limits { give_up: Duration::from_millis(150), ..quick() };
    let (outbox, meter) = open(vec![hook("hook", &receiver)], limits);
    outbox.tell(outage());
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="failed"} 1"#).await;
    assert!(receiver.received().len() > 1);
    assert_eq!(outbox.waiting(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_tried_again() {
    let receiver = Receiver::always(Reply::Status(410));
    let (outbox, meter) = open(vec![hook("hook", &receiver)], quick());
    outbox.tell(outage());
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="failed"} 1"#).await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_what_is_least_grave_goes_and_is_counted() {
    let receiver = Receiver::always(Reply::Hang);
    let limits = Limits { capacity: 3, ..quick() };
    let (outbox, meter) = open(vec![hook("hook", &receiver)], limits);
    for number in 1..=5 {
        outbox.tell(closed(number));
    }
    outbox.tell(outage());
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="dropped"} 3"#).await;
    let left = outbox.flush(Duration::from_millis(50)).await;
    assert_eq!(
        left[0].titles,
        ["orders: run orders-4 succeeded", "orders: run orders-5 succeeded", "orders: fra is down"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_told_once_in_a_while_and_what_changed_is_told_at_once() {
    let receiver = Receiver::start([]);
    let (outbox, meter) = open(vec![hook("hook", &receiver)], quick());
    for notice in [outage(), outage(), over(), over(), outage()] {
        outbox.tell(notice);
    }
    assert_eq!(outbox.flush(Duration::from_secs(20)).await, []);
    assert_eq!(titles(&receiver), ["orders: fra is down", "orders: fra is up again", "orders: fra is down"]);
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="repeated"} 2"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_told_of_a_beginning_is_told_of_its_end_and_nobody_else_is() {
    let (grave, drills) = (Receiver::start([]), Receiver::start([]));
    let channels = vec![
        channel("grave", &format!("webhook: {{url: \"{}\"}}\nminimumSeverity: Critical", grave.url("/"))),
        channel("drills", &format!("webhook: {{url: \"{}\"}}\nevents: [DrillOverdue]", drills.url("/"))),
    ];
    let (outbox, _) = open(channels, quick());
    for notice in [outage(), over(), closed(1), word::drill_overdue(&group(), None, at())] {
        outbox.tell(notice);
    }
    assert_eq!(outbox.flush(Duration::from_secs(20)).await, []);
    assert_eq!(titles(&grave), ["orders: fra is down", "orders: fra is up again"]);
    assert_eq!(titles(&drills), ["orders: the drill is overdue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_tries_what_rests_at_once_and_tells_everything() {
    let receiver = Receiver::start([Reply::Status(500)]);
    let limits = Limits { first_rest: Duration::from_mins(1), ..quick() };
    let (outbox, _) = open(vec![hook("hook", &receiver)], limits);
    outbox.tell(outage());
    outbox.tell(over());
    let receiver = elsewhere(move || {
        receiver.await_requests(1);
        receiver
    })
    .await;
    let start = Instant::now();
    assert_eq!(outbox.flush(Duration::from_secs(20)).await, []);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(titles(&receiver)[1..], ["orders: fra is down", "orders: fra is up again"]);
}

/// Log lines, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// On one thread, so that the subscriber of the test hears of everything.
#[tokio::test]
async fn no_log_line_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Careless servers repeat what they were given.
    let echo = |status, text: String| Receiver::start([Reply::Says(status, text)]);
    let hooked = echo(500, format!("{SECRET} /of-the-path"));
    let (slacked, paged) = (echo(500, "/of-the-path".into()), echo(400, SECRET.into()));
    let bearer = secret(folder.path(), "bearer", SECRET);
    let url = secret(folder.path(), "slack", &slacked.url("/of-the-path"));
    let channels = vec![
        channel(
            "hook",
            &format!(
                "webhook: {{url: \"{}\", bearer: {bearer}, signature: {{secret: {bearer}}}}}",
                hooked.url("/of-the-path")
            ),
        ),
        channel("chat", &format!("slack: {{webhookUrl: {url}}}")),
        channel("pager", &format!("pagerduty: {{routingKey: {bearer}, url: \"{}\"}}", paged.url("/"))),
    ];
    let (outbox, meter) = open(channels, quick());
    outbox.tell(outage());
    for (channel, fate) in [("hook", "sent"), ("chat", "sent"), ("pager", "failed")] {
        await_figure(&meter, &format!(r#"lifeboat_notices_total{{channel="{channel}",result="{fate}"}} 1"#)).await;
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("it is tried again") && text.contains("nobody was told"), "{text}");
    for hidden in [SECRET, "of-the-path"] {
        assert!(!text.contains(hidden), "{text}");
    }
}
