//! The comparison of controls, at a real pair.

use std::sync::Arc;

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial},
        parity::Parity,
        postgres::Postgres,
    },
    model::Verb,
    port::{Driver, Permit},
    probe::Probes,
};
use serde_json::{Value, json};

use super::{Worth, call, conforms, permit};
use crate::servers::postgres::{Node, PASSWORD, Pair};

struct OnTrial {
    pair: Pair,
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "the comparison of controls".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let bad = json!({"controls": {"encryption": "rot13"}});
        vec![Trial::of(call(Verb::DrillParity, json!({"controls": {"encryption": "None"}}))).refusing([bad])]
    }
    fn open(&self) -> Arc<dyn Driver> {
        let settings = self.pair.target(&Value::Null);
        let driver: Arc<dyn Driver> =
            Arc::new(Postgres::open("orders-db", &settings, Arc::new(Worth(PASSWORD))).unwrap());
        let prober = Arc::new(Probes::new(Arc::new(Worth(PASSWORD))));
        Arc::new(Parity::new(vec![("orders-db".parse().unwrap(), driver)], prober))
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        let roles = |node| self.pair.psql(node, "select pg_is_in_recovery(), count(*) from pg_roles");
        let both = format!("fra {}, dub {}", roles(Node::Fra), roles(Node::Dub));
        Box::pin(async { both })
    }
    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.into()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comparison_of_controls_conforms() {
    insta::assert_snapshot!(conforms(&OnTrial { pair: Pair::start() }).await);
}
