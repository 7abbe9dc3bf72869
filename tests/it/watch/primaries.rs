//! Two servers that both take writes are told of, once, and so is the end of it.

use std::{path::Path, time::Duration};

use serde_json::Value;

use crate::servers::{
    agent::{Agent, Answer},
    await_until,
    postgres::{Node, Pair},
    watched::{Probe, Watchers, documents},
};

const LIMIT: Duration = Duration::from_mins(1);
const DETECTION: &str =
    "{periodSeconds: 0.2, failureThreshold: 3, successThreshold: 1, observerQuorum: 2, holdDownSeconds: 30}";

/// What the hook was told of primaries: the title and the words.
fn told(hook: &Agent) -> Vec<(String, String)> {
    let of = |body: &str| {
        let event: Value = serde_json::from_str(body).unwrap();
        let text = |key: &str| event["data"][key].as_str().unwrap_or_default().to_owned();
        (text("title"), text("body"))
    };
    hook.asked().iter().map(|asked| of(&asked.body)).filter(|(title, _)| title.contains("two primaries")).collect()
}

#[test]
fn two_real_servers_that_both_take_writes_are_told_of_and_so_is_the_end_of_it() {
    let pair = Pair::start();
    pair.await_streaming(Node::Dub);
    let hook = Agent::start("127.0.0.1".parse().unwrap(), |_| Answer::Status(204));
    let channel = format!(
        "---\napiVersion: lifeboat.dev/v1alpha1\nkind: NotificationChannel\nmetadata: {{name: night}}\nspec: {{webhook: {{url: \"{}\"}}}}\n",
        hook.url("/")
    );
    let documents = documents(&pair, Probe::Tcp, "Automatic", DETECTION) + &channel;
    let watchers = Watchers::start(Path::new(env!("CARGO_BIN_EXE_lifeboat")), &documents);
    assert_eq!(told(&hook), []);

    // Somebody promotes the standby by hand, and the primary goes on.
    pair.psql(Node::Dub, "SELECT pg_promote()");
    for (node, id) in [(Node::Fra, 1), (Node::Dub, 2)] {
        pair.psql(node, &format!("CREATE TABLE parted_{id} (id bigint)"));
    }
    let both = |told: &(String, String)| {
        told.0 == "orders: db has two primaries" && told.1.starts_with("fra and dub take writes at once")
    };
    // Each of the three that judge tells for itself, and once.
    await_until("the notice of each process", LIMIT, || told(&hook).iter().filter(|told| both(told)).count() == 3);
    assert!(!watchers.said("failing over"), "both serve: nothing is started");

    // One of them is made a standby: it is over.
    pair.psql(Node::Fra, "COPY (SELECT 1) TO PROGRAM 'touch standby.signal'");
    pair.kill(Node::Fra);
    pair.start_again(Node::Fra);
    let over = |told: &(String, String)| {
        told.0 == "orders: db has two primaries no more" && told.1.starts_with("dub takes writes now")
    };
    await_until("the notice of the end", LIMIT, || told(&hook).iter().filter(|told| over(told)).count() == 3);
    assert_eq!(told(&hook).len(), 6, "{:?}", told(&hook));
}
