//! `s3` against two real S3-compatible servers.

use std::{fmt::Write as _, sync::Arc, thread};

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial, Wire},
        s3::S3,
    },
    model::{Attempt, RegionName, Verb},
    port::{Call, Driver, Permit},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Relayed, SECRET, WRONG, Worth, conforms, permit, plain};
use crate::servers::{moto::Moto, relay::Relay};

const REGIONS: [&str; 2] = ["fra", "dub"];

struct OnTrial {
    stores: [Moto; 2],
    relays: [Relay; 2],
    wire: Relayed,
    verbs: &'static [Verb],
    _folder: TempDir,
}

impl OnTrial {
    fn start(verbs: &'static [Verb]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = |ip: &str| Moto::start(ip.parse().unwrap(), folder.path());
        let stores = thread::scope(|scope| {
            ["127.1.0.10", "127.2.0.10"].map(|ip| scope.spawn(move || start(ip))).map(|thread| thread.join().unwrap())
        });
        let wire = Relayed::default();
        let relays = [&stores[0], &stores[1]].map(|store| Relay::on(&wire.line, store.address().ip(), store.address()));
        for (store, region) in stores.iter().zip(REGIONS) {
            store.create_bucket(&format!("uploads-{region}"));
        }
        Self { stores, relays, wire, verbs, _folder: folder }
    }

    fn settings(urls: [String; 2]) -> Value {
        let key = json!({"env": "KEY"});
        let members = REGIONS.iter().zip(urls).map(|(region, url)| {
            json!({"region": region, "bucket": format!("uploads-{region}"), "endpoint": url, "accessKey": key, "secretKey": key})
        });
        json!({"members": members.collect::<Vec<_>>()})
    }

    fn driver(&self, worth: &'static str) -> S3 {
        let urls = [&self.relays[0], &self.relays[1]].map(|relay| format!("http://{}", relay.address()));
        S3::open("uploads", &Self::settings(urls), Arc::new(Worth(worth))).unwrap()
    }

    /// Key and entity tag of every object: the tag is the MD5 of what it holds.
    fn objects(&self, at: usize) -> Vec<(String, String)> {
        let (_, body) = self.stores[at].ask("GET", &format!("/uploads-{}?list-type=2", REGIONS[at]), &[]);
        let text = String::from_utf8(body).unwrap();
        let inner = |part: &str, name: &str| {
            let rest = part.split_once(&format!("<{name}>"))?.1;
            Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
        };
        let objects = text.split("<Contents>").skip(1);
        objects.filter_map(|part| Some((inner(part, "Key")?, inner(part, "ETag")?))).collect()
    }

    /// Straight to the stores, for a state that only the driver can bring about.
    async fn bring(&self, verb: Verb, from: &str, to: &str) {
        let urls = [&self.stores[0], &self.stores[1]].map(Moto::url);
        let driver = S3::open("uploads", &Self::settings(urls), Arc::new(Worth(SECRET))).unwrap();
        let region = |name: &str| name.parse::<RegionName>().unwrap();
        let call = Call { source: region(from), destination: region(to), ..plain(verb) };
        let attempt = driver.act(&permit(), &call).await;
        assert!(matches!(attempt, Attempt::Applied { .. }), "{verb}: {attempt:?}");
    }

    fn empty(&self) {
        for (at, region) in REGIONS.iter().enumerate() {
            self.stores[at].ask("DELETE", &format!("/uploads-{region}?policy"), &[]);
            for (key, _) in self.objects(at) {
                assert_eq!(self.stores[at].delete(&format!("uploads-{region}"), &key), 204);
            }
        }
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "s3".into()
    }
    fn trials(&self) -> Vec<Trial> {
        let trial = |verb: Verb| {
            let trial = Trial::of(plain(verb)).points(3);
            match verb {
                Verb::StorageCatchUp => trial
                    .again("the source takes writes and may have more the next moment")
                    .refusing([json!({"within": "soon"}), json!({"member": "destination"})]),
                Verb::StorageVerify => {
                    trial.traceless().again("only its write proves anything, and it leaves none behind")
                }
                Verb::StorageReverse => trial.refusing([json!({"member": "dub"})]),
                _ => trial,
            }
        };
        self.verbs.iter().map(|verb| trial(*verb)).collect()
    }
    fn elsewhere(&self) -> Vec<Verb> {
        Verb::ALL.iter().copied().filter(|verb| !self.verbs.contains(verb)).collect()
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(self.driver(SECRET))
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(self.driver(WRONG)))
    }
    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), WRONG.into()]
    }
    fn printed(&self) -> Vec<String> {
        let mut half = Self::settings(["http://127.0.0.1:1".into(), "http://127.0.0.1:2".into()]);
        half["members"][0]["secretKey"] = json!(WRONG);
        let opened = S3::open("uploads", &half, Arc::new(Worth(SECRET)));
        vec![format!("{:?}", self.driver(SECRET)), format!("{opened:?}")]
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, trial: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.empty();
            let put = |at: usize, key: &str, text: &str| {
                assert_eq!(self.stores[at].put(&format!("uploads-{}", REGIONS[at]), key, text.as_bytes()), 200);
            };
            put(0, "a", "a");
            put(0, "b", "b");
            put(1, "a", "a");
            match trial.call.verb {
                Verb::StorageUnfence => self.bring(Verb::StorageFence, "fra", "dub").await,
                Verb::StoragePromote => {
                    self.bring(Verb::StorageFence, "fra", "dub").await;
                    self.bring(Verb::StorageFence, "dub", "fra").await;
                }
                Verb::StorageVerify => self.bring(Verb::StoragePromote, "fra", "dub").await,
                Verb::StorageReverse => {
                    self.bring(Verb::StorageFence, "fra", "dub").await;
                    self.bring(Verb::StoragePromote, "fra", "dub").await;
                    put(1, "b", "another");
                    put(1, "c", "c");
                }
                _ => {}
            }
        })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let mut text = String::new();
            for (at, region) in REGIONS.iter().enumerate() {
                let bucket = format!("uploads-{region}");
                let (status, policy) = self.stores[at].ask("GET", &format!("/{bucket}?policy"), &[]);
                let policy = if status == 200 { String::from_utf8(policy).unwrap() } else { "none".into() };
                writeln!(text, "{bucket} policy {policy}").unwrap();
                for (key, tag) in self.objects(at) {
                    writeln!(text, "{bucket} {key} {tag}").unwrap();
                }
            }
            text
        })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.wire.open() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_conforms_where_it_fences_and_copies() {
    let subject = OnTrial::start(&[Verb::StorageFence, Verb::StorageUnfence, Verb::StorageCatchUp]);
    insta::assert_snapshot!(conforms(&subject).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_conforms_where_it_promotes_and_reverses() {
    let subject = OnTrial::start(&[Verb::StoragePromote, Verb::StorageVerify, Verb::StorageReverse]);
    insta::assert_snapshot!(conforms(&subject).await);
}
