//! `wait`: time passes, and nothing else.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial},
        wait::Wait,
    },
    model::Verb,
    port::{Driver, Permit, SystemClock},
};
use serde_json::json;

use super::{call, conforms, permit};

struct OnTrial;

impl Subject for OnTrial {
    fn name(&self) -> String {
        "wait".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let trial = Trial::of(call(Verb::Wait, json!({"seconds": 0.01})))
            .refusing([json!({}), json!({"seconds": -1}), json!({"seconds": "soon"})])
            .endless(&json!({"seconds": 10}))
            .patient(Duration::from_millis(200))
            .again("time that has passed leaves no trace, and waiting again does no harm");
        vec![trial]
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(Wait::new(Arc::new(SystemClock::start())))
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async { "nothing".into() })
    }
}

#[tokio::test]
async fn wait_conforms() {
    insta::assert_snapshot!(conforms(&OnTrial).await);
}
