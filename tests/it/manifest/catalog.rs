//! The facts about every verb, as the checker needs them, without any driver: what a verb touches, what it gives and
//! which parameters it takes.

use std::{sync::LazyLock, time::Duration};

use lifeboat::{
    model::{Capability, Effect, Verb},
    port::{Catalog, Descriptor, Touches},
    spec::{ApproveParams, CommandParams, HttpParams, NoParams, ProbeAwaitParams, WaitParams, WithinParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(super) struct TestCatalog;

/// Which side becomes the copy.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Reverse {
    #[serde(default, rename = "member")]
    _member: Option<String>,
}

type Check = fn(&Map<String, Value>) -> Result<(), String>;

fn takes<T: DeserializeOwned>(with: &Map<String, Value>) -> Result<(), String> {
    serde_json::from_value::<T>(Value::Object(with.clone())).map(|_| ()).map_err(|error| error.to_string())
}

fn facts(verb: Verb) -> Descriptor {
    use Effect::{Changes, Destroys, Reads};
    use Touches::{Both, Destination, Neither, Source, SourceIfAlive};
    let (touches, effect, expected, outputs, check): (Touches, Effect, u64, &'static [&'static str], Check) = match verb
    {
        Verb::DatabaseFence => (SourceIfAlive, Destroys, 5, &["method", "effect"], takes::<NoParams>),
        Verb::DatabaseUnfence | Verb::StorageUnfence => (Source, Changes, 5, &[], takes::<NoParams>),
        Verb::DatabaseCatchUp => (Both, Reads, 5, &["lag_bytes", "lag_seconds"], takes::<WithinParams>),
        Verb::DatabasePromote => {
            let outputs = &["position", "timeline", "lost_seconds", "lost_bytes"];
            (Destination, Destroys, 5, outputs, takes::<NoParams>)
        }
        Verb::DatabaseVerify => (Destination, Changes, 1, &["position"], takes::<NoParams>),
        Verb::DatabaseReverse => (Both, Destroys, 60, &[], takes::<Reverse>),
        Verb::StorageFence => (SourceIfAlive, Changes, 5, &["method", "effect"], takes::<NoParams>),
        Verb::StorageCatchUp => (Both, Changes, 30, &["copied", "bytes"], takes::<WithinParams>),
        Verb::StoragePromote => (Destination, Changes, 5, &["objects", "missing"], takes::<NoParams>),
        Verb::StorageVerify => (Destination, Changes, 1, &[], takes::<NoParams>),
        Verb::StorageReverse => (Both, Changes, 60, &[], takes::<NoParams>),
        Verb::DnsSwitch => (Neither, Changes, 2, &["ttl_seconds", "serial"], takes::<NoParams>),
        Verb::DnsVerify => (Neither, Reads, 2, &[], takes::<NoParams>),
        Verb::ProbeAwait => (Destination, Reads, 5, &["took_ms"], takes::<ProbeAwaitParams>),
        Verb::Approve => (Neither, Reads, 60, &[], takes::<ApproveParams>),
        Verb::Wait => (Neither, Reads, 1, &[], takes::<WaitParams>),
        Verb::Http => (Neither, Destroys, 2, &["status", "body"], takes::<HttpParams>),
        Verb::Command => (Neither, Destroys, 5, &["exit_code", "stdout"], takes::<CommandParams>),
    };
    Descriptor {
        verb,
        effect,
        reversible: verb.fences(),
        observable: true,
        touches,
        expected: Duration::from_secs(expected),
        timeout: Duration::from_mins(1),
        attempts: 3,
        outputs,
        check,
    }
}

static ALL: LazyLock<Vec<Descriptor>> = LazyLock::new(|| Verb::ALL.iter().copied().map(facts).collect());

impl Catalog for TestCatalog {
    fn drivers(&self) -> Vec<&'static str> {
        vec!["postgres", "s3", "rfc2136", "fake"]
    }
    fn descriptor(&self, driver: Option<&str>, capability: Capability, verb: Verb) -> Option<&'static Descriptor> {
        let offers = match driver {
            None => Capability::General,
            Some("postgres") => Capability::Database,
            Some("s3") => Capability::Storage,
            Some("rfc2136") => Capability::Dns,
            Some("fake") => capability,
            Some(_) => return None,
        };
        // One gap, so that a verb of the right kind can still be missing: S3 has no unfence here.
        if (driver, verb) == (Some("s3"), Verb::StorageUnfence) {
            return None;
        }
        ALL.iter().find(|facts| facts.verb == verb && verb.capability() == offers && capability == offers)
    }
}
