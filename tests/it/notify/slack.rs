//! Slack's messages.

use super::*;
use crate::servers::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_a_text_for_phones_and_blocks_for_screens() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start([]);
    let url = secret(folder.path(), "slack", &receiver.url("/services/T0/B0/of-the-path"));
    channel("chat", &format!("slack: {{webhookUrl: {url}}}")).notifier.notify(&outage()).await.unwrap();
    let received = &receiver.received()[0];
    assert_eq!(received.path, "/services/T0/B0/of-the-path");
    insta::assert_json_snapshot!(received.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_is_the_secret_is_in_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::always(Reply::Says(404, "no_service at /services/T0/B0/of-the-path".into()));
    let url = secret(folder.path(), "slack", &receiver.url("/services/T0/B0/of-the-path"));
    let error = channel("chat", &format!("slack: {{webhookUrl: {url}}}")).notifier.notify(&outage()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("404") && text.contains("no_service") && !text.contains("of-the-path"), "{text}");
    assert!(!error.again());
    let gone = secret(folder.path(), "slack", "http://127.0.0.1:9/services/T0/B0/of-the-path");
    let error =
        channel("chat", &format!("slack: {{webhookUrl: {gone}}}")).notifier.notify(&outage()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(error.again() && text.contains("127.0.0.1:9") && !text.contains("of-the-path"), "{text}");
    let none = secret(folder.path(), "slack", "of-the-path");
    let error =
        channel("chat", &format!("slack: {{webhookUrl: {none}}}")).notifier.notify(&outage()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("of-the-path"), "{error}");
}
