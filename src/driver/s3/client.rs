//! One bucket, and what its answers mean.
//!
//! Promises: what [`crate::net::s3`] does, and that calls whose repetition would hide a lost reply are made once.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError},
};

use aws_sdk_s3::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
    primitives::ByteStream,
};
use jiff::Timestamp;

pub(super) use crate::net::s3::{Trouble, deepest, once, patiently, trouble};
use crate::{
    model::RegionName,
    net::s3::{ATTEMPT, Account, Connection},
    port::Secrets,
    spec::S3Member,
};

/// An object whose write can never match: asking to write it shows whether writing is allowed, and changes nothing.
const PROBE_KEY: &str = ".lifeboat/probe/never";

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
}

/// All objects of a bucket, by key.
pub(super) type Inventory = BTreeMap<String, Object>;

/// A condition on a write (RFC 9110 section 13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// The key must not exist.
    Absent,
    /// The key must still hold this.
    Unchanged(String),
}

/// A bucket.
pub(super) struct Bucket {
    pub(super) region: RegionName,
    pub(super) name: String,
    connection: Connection,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({} in {})", self.name, self.region)
    }
}

impl Bucket {
    pub(super) fn new(member: S3Member, secrets: Arc<dyn Secrets>) -> Self {
        let S3Member { region, bucket: name, endpoint, location, access_key, secret_key } = member;
        let account = Account { endpoint, location, access_key, secret_key };
        Self { region, name, connection: Connection::new(account, secrets) }
    }

    /// Where it is, for people.
    pub(super) fn address(&self) -> String {
        self.connection.account().address(&self.name)
    }

    /// A client with the credentials as they are now.
    pub(super) async fn client(&self) -> Result<Client, Trouble> {
        self.connection.client().await
    }

    /// Every object whose key starts with `prefix`.
    pub(super) async fn list(&self, prefix: Option<&str>) -> Result<Inventory, Trouble> {
        let client = self.client().await?;
        let mut found = Inventory::new();
        let mut token = None;
        loop {
            let page = client
                .list_objects_v2()
                .bucket(&self.name)
                .set_prefix(prefix.map(str::to_owned))
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|error| trouble(&error))?;
            for object in page.contents() {
                let (Some(key), Some(size), Some(modified)) = (object.key(), object.size(), object.last_modified())
                else {
                    return Err(Trouble::Silent("a listing holds an object without key, size or time".into()));
                };
                let modified = Timestamp::new(modified.secs(), i32::try_from(modified.subsec_nanos()).unwrap_or(0))
                    .map_err(|error| Trouble::Silent(format!("a listing holds an impossible time: {error}")))?;
                let object = Object {
                    size: u64::try_from(size).unwrap_or(0),
                    etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                    modified,
                };
                found.insert(key.to_owned(), object);
            }
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// A small object and its entity tag; `None`: there is no such key.
    pub(super) async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, Trouble> {
        let client = self.client().await?;
        let object = match client.get_object().bucket(&self.name).key(key).send().await.map_err(|error| trouble(&error))
        {
            Ok(object) => object,
            Err(trouble) if trouble.is("NoSuchKey") => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let read = tokio::time::timeout(ATTEMPT, object.body.collect()).await;
        match read {
            Ok(Ok(bytes)) => Ok(Some((bytes.to_vec(), etag))),
            Ok(Err(error)) => Err(Trouble::Silent(format!("the answer broke off: {}", deepest(&error)))),
            Err(_) => Err(Trouble::Silent("the answer's body did not come in time".into())),
        }
    }

    /// Writes a small object. A conditional write is made once: its repetition after a lost reply would find its own work.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>, condition: Option<&Condition>) -> Result<(), Trouble> {
        let client = self.client().await?;
        let mut put = client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes));
        put = match condition {
            Some(Condition::Absent) => put.if_none_match("*"),
            Some(Condition::Unchanged(etag)) => put.if_match(etag),
            None => put,
        };
        let put = put.customize().config_override(once(condition.is_some()));
        put.send().await.map(|_| ()).map_err(|error| trouble(&error))
    }

    /// Removes an object; one that is not there is removed already.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Trouble> {
        let client = self.client().await?;
        client.delete_object().bucket(&self.name).key(key).send().await.map(|_| ()).map_err(|error| trouble(&error))
    }

    /// The bucket's policy.
    pub(super) async fn policy(&self) -> Result<Option<String>, Trouble> {
        let client = self.client().await?;
        match client.get_bucket_policy().bucket(&self.name).send().await.map_err(|error| trouble(&error)) {
            Ok(answer) => Ok(answer.policy().filter(|text| !text.is_empty()).map(str::to_owned)),
            Err(trouble) if trouble.is("NoSuchBucketPolicy") => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Puts a policy, or takes it away. The same policy twice is the same as once, so it is tried three times.
    pub(super) async fn set_policy(&self, policy: Option<String>) -> Result<(), Trouble> {
        let client = self.client().await?;
        if let Some(text) = policy {
            let put = client.put_bucket_policy().bucket(&self.name).policy(text);
            put.send().await.map(|_| ()).map_err(|error| trouble(&error))
        } else {
            let delete = client.delete_bucket_policy().bucket(&self.name);
            delete.send().await.map(|_| ()).map_err(|error| trouble(&error))
        }
    }

    /// Whether an object could be written now, found out without writing one.
    ///
    /// First a part for an upload that does not exist (Amazon S3 API, `UploadPart`, which needs `s3:PutObject`): 403 or 404
    /// `NoSuchUpload`. A server that answers neither is asked to write on a condition that cannot hold; one that ignores conditions
    /// too ends with an empty object in Lifeboat's own folder.
    pub(super) async fn accepts_writes(&self) -> Result<bool, Trouble> {
        let client = self.client().await?;
        let part = client
            .upload_part()
            .bucket(&self.name)
            .key(PROBE_KEY)
            .part_number(1)
            .upload_id("lifeboat-never")
            .body(ByteStream::from_static(b""))
            .customize()
            .config_override(once(true))
            .send()
            .await
            .map_err(|error| trouble(&error));
        match part {
            Err(Trouble::Denied(_)) => return Ok(false),
            Err(trouble) if trouble.is("NoSuchUpload") => return Ok(true),
            Err(trouble) if trouble.is("NoSuchBucket") => return Err(trouble),
            Err(trouble @ (Trouble::Refused(_) | Trouble::Silent(_) | Trouble::NotAsked(_))) => return Err(trouble),
            Ok(_) | Err(Trouble::Answered { .. }) => {}
        }
        let never = Condition::Unchanged("\"00000000000000000000000000000000\"".into());
        match self.put(PROBE_KEY, Vec::new(), Some(&never)).await {
            Ok(()) => Ok(true),
            Err(Trouble::Denied(_)) => Ok(false),
            Err(trouble) if trouble.has_status(404) || trouble.has_status(412) => Ok(true),
            Err(trouble) => Err(trouble),
        }
    }

    /// The server's clock, by the `Date` of an answer.
    pub(super) async fn date(&self) -> Option<Timestamp> {
        let client = self.client().await.ok()?;
        let dates = DateOf::default();
        let asked = client.head_bucket().bucket(&self.name).customize().interceptor(dates.clone()).send().await;
        // Any answer has a date.
        drop(asked);
        dates.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether old versions of objects are kept.
    pub(super) async fn keeps_versions(&self) -> Result<bool, Trouble> {
        let client = self.client().await?;
        let answer = client.get_bucket_versioning().bucket(&self.name).send().await.map_err(|error| trouble(&error))?;
        Ok(answer.status().is_some_and(|status| status.as_str() == "Enabled"))
    }
}

/// Keeps the `Date` of an answer (RFC 9110 section 6.6.1).
#[derive(Debug, Clone, Default)]
struct DateOf(Arc<std::sync::Mutex<Option<Timestamp>>>);

impl Intercept for DateOf {
    fn name(&self) -> &'static str {
        "DateOf"
    }
    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.map(|date| date.timestamp());
        Ok(())
    }
}
