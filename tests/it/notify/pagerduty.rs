//! PagerDuty's events.

use super::*;
use crate::servers::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_triggered_and_resolved_by_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::always(Reply::Says(202, "{\"status\":\"success\"}".into()));
    let key = secret(folder.path(), "key", SECRET);
    let spec = format!(
        "pagerduty: {{routingKey: {key}, url: \"{}\"}}\nminimumSeverity: Critical\nevents: [OutageDetected]",
        receiver.url("/v2/enqueue")
    );
    let (outbox, _) = open(vec![channel("pager", &spec)], quick());
    outbox.tell(outage());
    outbox.tell(closed(1)); // Ends what nobody was paged for: harmless, and another process may have paged.
    outbox.tell(over());
    assert_eq!(outbox.flush(Duration::from_secs(20)).await, []);
    let events: Vec<_> = receiver.received().iter().map(crate::servers::receiver::Received::json).collect();
    let told: Vec<_> =
        events.iter().map(|event| (event["event_action"].as_str(), event["dedup_key"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("trigger"), Some("outage/orders/fra")),
            (Some("resolve"), Some("run/orders-1")),
            (Some("resolve"), Some("outage/orders/fra"))
        ]
    );
    insta::assert_json_snapshot!(events[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::always(Reply::Says(400, format!("invalid key {SECRET}")));
    let key = secret(folder.path(), "key", SECRET);
    let spec = format!("pagerduty: {{routingKey: {key}, url: \"{}\"}}", receiver.url("/v2/enqueue"));
    let error = channel("pager", &spec).notifier.notify(&outage()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("invalid key [REDACTED]") && !text.contains(SECRET), "{text}");
    assert!(!error.again());
}
