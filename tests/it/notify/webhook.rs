//! CloudEvents.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::servers::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_the_attributes_of_cloudevents_and_proves_who_sent_it() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start([]);
    let spec = format!(
        "webhook:\n  url: {}\n  bearer: {}\n  signature: {{secret: {}}}",
        receiver.url("/hook?room=7"),
        secret(folder.path(), "bearer", SECRET),
        secret(folder.path(), "key", "the key"),
    );
    channel("hook", &spec).notifier.notify(&outage()).await.unwrap();
    let received = &receiver.received()[0];
    assert_eq!(received.path, "/hook?room=7");
    assert_eq!(received.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(received.header("authorization"), format!("Bearer {SECRET}"));
    let signed =
        format!("{}.{}.{}", received.header("webhook-id"), received.header("webhook-timestamp"), received.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"the key");
    let signature = STANDARD.decode(received.header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    let event = received.json();
    assert_eq!(event["id"], received.header("webhook-id"));
    insta::assert_json_snapshot!(event);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_try_has_the_same_identity() {
    let receiver = Receiver::start([Reply::Status(500), Reply::Status(503), Reply::Close]);
    let (outbox, meter) = open(vec![channel("hook", &format!("webhook: {{url: \"{}\"}}", receiver.url("/")))], quick());
    outbox.tell(outage());
    await_figure(&meter, r#"lifeboat_notices_total{channel="hook",result="sent"} 1"#).await;
    let ids: Vec<_> = receiver.received().iter().map(|request| request.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_repeats_what_it_was_given_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    for (status, again) in [(401, true), (403, true), (404, false), (400, false)] {
        let echo = format!("Bearer {SECRET} at /services/T0/B0/of-the-path?t=of-the-query");
        let receiver = Receiver::always(Reply::Says(status, echo));
        let spec = format!(
            "webhook:\n  url: {}\n  bearer: {}",
            receiver.url("/services/T0/B0/of-the-path?t=of-the-query"),
            secret(folder.path(), "bearer", SECRET),
        );
        let error = channel("hook", &spec).notifier.notify(&outage()).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(&status.to_string()) && text.contains("127.0.0.1"), "{text}");
        for hidden in [SECRET, "of-the-path", "of-the-query"] {
            assert!(!text.contains(hidden), "{text}");
        }
        assert_eq!(error.again(), again, "{status}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_yet_is_waited_for() {
    let receiver = Receiver::start([]);
    let spec = format!("webhook: {{url: \"{}\", bearer: {{file: /nowhere/bearer}}}}", receiver.url("/"));
    let error = channel("hook", &spec).notifier.notify(&outage()).await.unwrap_err();
    assert!(error.again());
    assert!(receiver.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_is_the_text_of_the_message() {
    let receiver = Receiver::start([]);
    let spec = format!(
        "webhook: {{url: \"{}\"}}\ntemplate: \"{{{{ severity | upper }}}} {{{{ title }}}}{{% if run %}} in {{{{ run }}}}{{% endif %}}\"",
        receiver.url("/")
    );
    channel("hook", &spec).notifier.notify(&outage()).await.unwrap();
    assert_eq!(receiver.received()[0].json()["data"]["text"], "CRITICAL orders: fra is down");
}
