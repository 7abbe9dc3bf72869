//! The calls: what a bucket is, which versions it holds, one object put and one read, each with its lock.
//!
//! A put is made only where no object is, and may be repeated: whoever finds the name taken compares what is there, so a lost
//! reply does no harm. What was put is looked at again before it counts.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, ObjectLockEnabled, ObjectLockMode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};

use crate::{
    anchor::AnchorError,
    evidence::tree,
    net::s3::{Account, Connection, Trouble, patiently, trouble},
    port::Secrets,
};

/// How far the date that is read back may be before the one that was asked for: stores keep whole seconds.
const ROUNDED: SignedDuration = SignedDuration::from_secs(1);

/// One version of an object, or what hides the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) at: Timestamp,
    /// It is a delete marker.
    pub(super) marker: bool,
}

/// All versions below a prefix, by the rest of their key; the oldest first.
pub(super) type Listing = BTreeMap<String, Vec<Version>>;

/// How a version is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    /// Nobody can shorten it.
    pub(super) compliance: bool,
    pub(super) until: Option<Timestamp>,
}

/// A version as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) version: String,
    /// When it was written, by the store's clock.
    pub(super) at: Option<Timestamp>,
    pub(super) lock: Lock,
}

/// One bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    connection: Connection,
}

type Answer<T, E> = Result<T, SdkError<E, HttpResponse>>;

impl Bucket {
    pub(super) fn new(name: String, account: Account, secrets: Arc<dyn Secrets>) -> Self {
        Self { name, connection: Connection::new(account, secrets) }
    }

    /// For messages.
    pub(super) fn place(&self) -> String {
        format!("bucket {}", self.name)
    }

    fn told(&self, intent: &str, trouble: Trouble) -> AnchorError {
        let place = self.place();
        match trouble {
            Trouble::Refused(why) | Trouble::Silent(why) => {
                AnchorError::Silent { place, why: format!("could not {intent}: {why}") }
            }
            Trouble::Denied(why) => AnchorError::Denied { place, what: format!("{intent}: {why}") },
            Trouble::NotAsked(why) => AnchorError::Setting(format!("could not {intent}: {why}")),
            Trouble::Answered { code, .. } if code == "NoSuchBucket" => {
                AnchorError::Unfit { place, what: "there is none of this name".into() }
            }
            // 409: another process puts the same object at this moment.
            Trouble::Answered { status: status @ (408 | 409 | 425 | 429 | 500..=599), code, message } => {
                AnchorError::Silent {
                    place,
                    why: format!("could not {intent}: it answered {status} {code}: {message}"),
                }
            }
            Trouble::Answered { status, code, message } => {
                AnchorError::Refused { place, status, reason: format!("could not {intent}: {code}: {message}") }
            }
        }
    }

    async fn client(&self) -> Result<aws_sdk_s3::Client, AnchorError> {
        self.connection.client().await.map_err(|trouble| self.told("connect", trouble))
    }

    fn answer<T, E>(&self, intent: &str, answer: Answer<T, E>) -> Result<T, AnchorError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        answer.map_err(|error| self.told(intent, trouble(&error)))
    }

    /// What keeps it from keeping anything; `None`: it can lock what it keeps. A bucket with Object Lock keeps versions, and nobody can
    /// suspend that (Amazon S3 user guide, "Object Lock considerations"); each put shows it, too.
    pub(super) async fn unfit(&self) -> Result<Option<&'static str>, AnchorError> {
        let client = self.client().await?;
        let lock = client.get_object_lock_configuration().bucket(&self.name).send().await;
        let enabled = match lock.map_err(|error| trouble(&error)) {
            Ok(lock) => {
                lock.object_lock_configuration().and_then(|lock| lock.object_lock_enabled())
                    == Some(&ObjectLockEnabled::Enabled)
            }
            Err(trouble) if trouble.is("ObjectLockConfigurationNotFoundError") => false,
            Err(trouble) => return Err(self.told("read the Object Lock configuration", trouble)),
        };
        let what =
            "it has no Object Lock, which comes with versioning, so what is put there can be overwritten and deleted";
        Ok((!enabled).then_some(what))
    }

    /// All versions and delete markers below a prefix.
    pub(super) async fn versions(&self, prefix: &str) -> Result<Listing, AnchorError> {
        let client = self.client().await?;
        let mut found = Listing::new();
        let mut add = |key: Option<&str>, id: Option<&str>, at: Option<&DateTime>, marker: bool| {
            let (key, at) = (key?.strip_prefix(prefix)?, time(at)?);
            found.entry(key.to_owned()).or_default().push(Version { id: id?.to_owned(), at, marker });
            Some(())
        };
        let (mut key, mut version) = (None, None);
        loop {
            let page = client.list_object_versions().bucket(&self.name).prefix(prefix);
            let page = page.set_key_marker(key).set_version_id_marker(version).send().await;
            let page = self.answer("list the versions", page)?;
            let of = page.versions().iter().map(|one| add(one.key(), one.version_id(), one.last_modified(), false));
            let all = of.collect::<Option<Vec<()>>>();
            let of = page.delete_markers().iter();
            let markers = of.map(|one| add(one.key(), one.version_id(), one.last_modified(), true));
            if all.is_none() || markers.collect::<Option<Vec<()>>>().is_none() {
                return Err(self.worthless("a listing holds a version without key, id or time"));
            }
            (key, version) =
                (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
            if key.is_none() {
                break;
            }
        }
        for versions in found.values_mut() {
            // The newest comes first, and times have whole seconds.
            versions.reverse();
            versions.sort_by_key(|version| version.at);
        }
        Ok(found)
    }

    pub(super) fn worthless(&self, what: impl Into<String>) -> AnchorError {
        AnchorError::Worthless { place: self.place(), what: what.into() }
    }

    /// Puts an object where none is, locked until then. `None`: one is there already.
    pub(super) async fn put(&self, key: &str, bytes: &[u8], until: Timestamp) -> Result<Option<Kept>, AnchorError> {
        let intent = format!("put {key}");
        let put = self.client().await?.put_object().bucket(&self.name).key(key);
        let put = put
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(STANDARD.encode(tree::sha256(bytes)))
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(DateTime::from_secs(until.as_second()))
            .body(ByteStream::from(bytes.to_vec()))
            .customize()
            .config_override(patiently());
        let done = match put.send().await.map_err(|error| trouble(&error)) {
            Ok(done) => done,
            Err(trouble) if trouble.has_status(412) => return Ok(None),
            Err(trouble) => return Err(self.told(&intent, trouble)),
        };
        let Some(version) = done.version_id().filter(|id| *id != "null") else {
            return Err(self.worthless(format!("it took {key} without a version")));
        };
        let kept = self.look(key, version).await?;
        if !kept.lock.compliance || kept.lock.until.is_none_or(|locked| locked < until - ROUNDED) {
            return Err(
                self.worthless(format!("{key} was put with a lock until {until:.0}, and reads back without it"))
            );
        }
        Ok(Some(kept))
    }

    /// How a version is kept.
    async fn look(&self, key: &str, version: &str) -> Result<Kept, AnchorError> {
        let head = self.client().await?.head_object().bucket(&self.name).key(key).version_id(version).send().await;
        let head = self.answer(&format!("look at {key}"), head)?;
        Ok(Kept {
            version: version.to_owned(),
            at: time(head.last_modified()),
            lock: lock(head.object_lock_mode(), head.object_lock_retain_until_date()),
        })
    }

    /// A version with its content; `None` for the version: what is seen without naming one.
    pub(super) async fn get(&self, key: &str, version: Option<&str>) -> Result<(Vec<u8>, Kept), AnchorError> {
        let intent = format!("read {key}");
        let get = self.client().await?.get_object().bucket(&self.name).key(key);
        let get = get.set_version_id(version.map(str::to_owned)).customize().config_override(patiently());
        let object = self.answer(&intent, get.send().await)?;
        let kept = Kept {
            version: object.version_id().or(version).unwrap_or_default().to_owned(),
            at: time(object.last_modified()),
            lock: lock(object.object_lock_mode(), object.object_lock_retain_until_date()),
        };
        let bytes = object.body.collect().await;
        let bytes = bytes.map_err(|_| self.told(&intent, Trouble::Silent("the answer broke off".into())))?;
        Ok((bytes.to_vec(), kept))
    }
}

fn lock(mode: Option<&ObjectLockMode>, until: Option<&DateTime>) -> Lock {
    Lock { compliance: mode == Some(&ObjectLockMode::Compliance), until: time(until) }
}

fn time(at: Option<&DateTime>) -> Option<Timestamp> {
    let at = at?;
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}
