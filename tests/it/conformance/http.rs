//! `http` against a real web server.

use std::sync::Arc;

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial, Wire},
        http::HttpRequest,
    },
    model::Verb,
    port::{Driver, Permit},
};
use serde_json::{Value, json};

use super::{Relayed, SECRET, WRONG, Worth, call, conforms, permit, web::Web};
use crate::servers::relay::Relay;

struct OnTrial {
    web: Web,
    relay: Relay,
    wire: Relayed,
}

impl OnTrial {
    fn with(&self, path: &str, idempotent: bool) -> Value {
        json!({"url": format!("http://{}{path}", self.relay.address()), "method": "POST", "body": "now",
            "bearer": {"env": "TOKEN"}, "idempotent": idempotent})
    }
    fn driver(worth: &'static str) -> HttpRequest {
        HttpRequest::new(Arc::new(Worth(worth)))
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "http".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let mut header = self.with("/each", false);
        header["headers"] = json!({"Authorization": format!("Bearer {SECRET}")});
        let mut status = self.with("/each", false);
        status["expectStatus"] = json!([100]);
        let refused = [json!({}), json!({"url": "ftp://127.0.0.1/"}), header, status];
        vec![
            Trial::of(call(Verb::Http, self.with("/each", false))).refusing(refused),
            Trial::of(call(Verb::Http, self.with("/once", true))).labelled("idempotent").repeatable(),
        ]
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(Self::driver(SECRET))
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(Self::driver(WRONG)))
    }
    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), WRONG.into()]
    }
    fn printed(&self) -> Vec<String> {
        vec![format!("{:?}", Self::driver(SECRET))]
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
async fn http_conforms() {
    let (web, wire) = (Web::start(Some(SECRET)), Relayed::default());
    let relay = Relay::on(&wire.line, "127.0.0.1".parse().unwrap(), web.address());
    insta::assert_snapshot!(conforms(&OnTrial { web, relay, wire }).await);
}
