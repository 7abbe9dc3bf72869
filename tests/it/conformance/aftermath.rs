//! The looks at the end of an isolated drill, at a real pair and at stand-ins that are gone.

use std::sync::Arc;

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        aftermath::{Aftermath, Watched},
        conformance::{Subject, Trial},
        postgres::Postgres,
    },
    model::{Capability, Verb},
    port::{Driver, Permit},
};
use serde_json::{Value, json};

use super::{Worth, call, conforms, permit};
use crate::servers::{
    free_port,
    postgres::{Node, PASSWORD, Pair},
};

struct OnTrial {
    pair: Pair,
    /// Where nothing listens.
    gone: u16,
}

impl OnTrial {
    fn watched(settings: &Value) -> Vec<Watched> {
        let driver: Arc<dyn Driver> =
            Arc::new(Postgres::open("orders-db", settings, Arc::new(Worth(PASSWORD))).unwrap());
        vec![("orders-db".parse().unwrap(), Capability::Database, driver)]
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "the looks after an isolated drill".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let seen = json!({"orders-db": {"fra": "primary", "dub": "standby"}});
        let bad = json!({"expected": "as before"});
        vec![
            Trial::of(call(Verb::DrillLeftovers, json!({}))).refusing([bad.clone()]),
            Trial::of(call(Verb::DrillUntouched, json!({ "expected": seen }))).refusing([bad]),
        ]
    }
    fn open(&self) -> Arc<dyn Driver> {
        let mut stand_ins = self.pair.target(&Value::Null);
        for (place, node) in [(0, Node::Fra), (1, Node::Dub)] {
            stand_ins["members"][place]["url"] = json!(format!("postgres://{}:{}/orders", node.ip(), self.gone));
        }
        Arc::new(Aftermath::new(Self::watched(&stand_ins), Self::watched(&self.pair.target(&Value::Null))))
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        let role = |node| self.pair.psql(node, "select pg_is_in_recovery()");
        let both = format!("fra {}, dub {}", role(Node::Fra), role(Node::Dub));
        Box::pin(async { both })
    }
    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.into()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_looks_after_an_isolated_drill_conform() {
    let pair = Pair::start();
    let gone = free_port(&[Node::Fra, Node::Dub].map(|node| node.ip().parse().unwrap()));
    insta::assert_snapshot!(conforms(&OnTrial { pair, gone }).await);
}
