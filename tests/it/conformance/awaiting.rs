//! `probe.await` against a real web server.

use std::sync::Arc;

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        awaiting::Awaiting,
        conformance::{Subject, Trial, Wire},
    },
    model::{Provider, Region, Verb},
    port::{Driver, Permit, SystemClock},
    probe::Probes,
};
use serde_json::json;

use super::{Relayed, SECRET, Worth, call, conforms, permit, web::Web};
use crate::servers::relay::Relay;

struct OnTrial {
    web: Web,
    relay: Relay,
    wire: Relayed,
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "awaiting".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let refused = [json!({}), json!({"probe": "edge", "within": 0})];
        let two = call(Verb::ProbeAwait, json!({"probe": "edge", "rise": 2}));
        vec![
            Trial::of(call(Verb::ProbeAwait, json!({"probe": "edge"}))).refusing(refused),
            Trial::of(two).labelled("twice in a row").again("one look is not two healthy probes in a row"),
        ]
    }
    fn open(&self) -> Arc<dyn Driver> {
        let url = format!("http://{}/healthz", self.relay.address());
        let probe = json!({"name": "edge", "timeoutMs": 300, "http": {"url": url}});
        let dub = Region {
            name: "dub".parse().unwrap(),
            provider: Provider::Other,
            addresses: Vec::new(),
            probes: vec![probe],
        };
        let probes = Probes::new(Arc::new(Worth(SECRET)));
        Arc::new(Awaiting::new(Arc::new(probes), vec![dub], Arc::new(SystemClock::start())))
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async { self.web.forget() })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async { self.web.effects() })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.wire.open() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_await_conforms() {
    let (web, wire) = (Web::start(None), Relayed::default());
    let relay = Relay::on(&wire.line, "127.0.0.1".parse().unwrap(), web.address());
    insta::assert_snapshot!(conforms(&OnTrial { web, relay, wire }).await);
}
