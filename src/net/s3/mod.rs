//! Connections to S3-compatible stores: the provider's own client, with our limits.
//!
//! Promises: every call has a time limit; a connection that was refused, an answer, and silence are three different
//! troubles; no trouble's text holds a credential.
//!
//! Assumes credentials from references (asked for again at every call, so a rotated key is picked up) or, without them, from the
//! provider's own chain, which renews itself.

mod trouble;

use std::{fmt, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};
pub use trouble::{Trouble, deepest, trouble};

use super::http::CONNECT_TIMEOUT;
use crate::{port::Secrets, spec::SecretRef};

/// One try of a small call. A listing page of 1,000 keys comes well within it.
pub const ATTEMPT: Duration = Duration::from_secs(3);
/// All tries of a small call: a bucket that is silent for so long is taken for silent.
const OPERATION: Duration = Duration::from_secs(6);
/// The first pause between tries; it doubles, and a random part of it is waited.
const BACKOFF: Duration = Duration::from_millis(100);
/// What is signed for where a server of somebody else does not care.
const LOCATION: &str = "us-east-1";

/// Where a store is, and who asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// URL of a server that is not AWS (path-style addressing is used then).
    pub endpoint: Option<String>,
    /// The AWS region to sign for.
    pub location: Option<String>,
    /// Access key id; without both halves: the AWS credential chain.
    pub access_key: Option<SecretRef>,
    /// Secret access key.
    pub secret_key: Option<SecretRef>,
}

impl Account {
    /// Where a bucket is, for people.
    pub fn address(&self, bucket: &str) -> String {
        match (&self.endpoint, &self.location) {
            (Some(endpoint), _) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            (None, Some(location)) => format!("https://{bucket}.s3.{location}.amazonaws.com"),
            (None, None) => format!("https://{bucket}.s3.amazonaws.com"),
        }
    }
}

/// A store. Nothing is contacted before the first call.
pub struct Connection {
    account: Account,
    secrets: Arc<dyn Secrets>,
    made: Mutex<Option<(SecretString, SecretString, Client)>>,
    chain: OnceCell<Client>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.account.endpoint)
    }
}

impl Connection {
    /// To this account.
    pub fn new(account: Account, secrets: Arc<dyn Secrets>) -> Self {
        Self { account, secrets, made: Mutex::new(None), chain: OnceCell::new() }
    }

    /// Where it is, and who asks.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// A client with the credentials as they are now.
    pub async fn client(&self) -> Result<Client, Trouble> {
        let (Some(access), Some(secret)) = (&self.account.access_key, &self.account.secret_key) else {
            return Ok(self.chain.get_or_init(|| self.chained()).await.clone());
        };
        let resolve = |reference| self.secrets.resolve(reference).map_err(|error| Trouble::NotAsked(error.to_string()));
        let (access, secret) = (resolve(access)?, resolve(secret)?);
        let mut made = self.made.lock().await;
        match &*made {
            Some((a, s, client))
                if a.expose_secret() == access.expose_secret() && s.expose_secret() == secret.expose_secret() =>
            {
                Ok(client.clone())
            }
            Some(_) | None => {
                let credentials =
                    Credentials::new(access.expose_secret(), secret.expose_secret(), None, None, "lifeboat");
                let location = self.account.location.clone().unwrap_or_else(|| LOCATION.into());
                let config = aws_sdk_s3::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new(location))
                    .credentials_provider(credentials);
                let client = Client::from_conf(self.limits(config).build());
                *made = Some((access, secret, client.clone()));
                Ok(client)
            }
        }
    }

    async fn chained(&self) -> Client {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        let location = self.account.location.clone();
        let location = location.or_else(|| self.account.endpoint.is_some().then(|| LOCATION.into()));
        if let Some(location) = location {
            loader = loader.region(Region::new(location));
        }
        let shared = loader.load().await;
        Client::from_conf(self.limits(aws_sdk_s3::config::Builder::from(&shared)).build())
    }

    fn limits(&self, config: aws_sdk_s3::config::Builder) -> aws_sdk_s3::config::Builder {
        let config = config
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(OPERATION)
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(BACKOFF))
            // Not every compatible server knows the newer trailing checksums; we compare contents ourselves.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        match &self.account.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint).force_path_style(true),
            None => config,
        }
    }
}

/// Settings for calls that must not be repeated after a lost reply.
pub fn once(once: bool) -> aws_sdk_s3::config::Builder {
    let builder = aws_sdk_s3::Config::builder();
    if once { builder.retry_config(RetryConfig::disabled()) } else { builder }
}

/// Settings for calls that carry up to a whole part: a megabit a second is slow enough. Repeating them does no harm.
pub fn patiently() -> aws_sdk_s3::config::Builder {
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(150))
        .operation_timeout(Duration::from_mins(5))
        .build();
    aws_sdk_s3::Config::builder().timeout_config(limits)
}
