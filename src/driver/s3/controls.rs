//! What a bucket tells of its controls: how it is reached, what it encrypts, who its policy lets in.
//!
//! Changes nothing. Sources: Amazon S3 API, `GetBucketEncryption`, `GetPublicAccessBlock`, `GetBucketPolicy`, `HeadObject`. Amazon encrypts
//! every new object with SSE-S3 since January 2023; another server says nothing of it, and may not. Our own fence is no difference:
//! it stands on one side at most.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{PublicAccessBlockConfiguration, ServerSideEncryption};
use futures::future::BoxFuture;
use serde_json::Value;

use super::{
    S3,
    client::{Bucket, Trouble, trouble},
    policy,
    survey::HEARTBEATS,
};
use crate::{
    model::{Control, RegionName, Strength},
    net::tls,
    port::{Controls, Held, Reading},
};

const CONNECTIONS: &str = "connections";
const DEFAULT: &str = "default encryption";
const MARKER: &str = "newest heartbeat";
const POLICY: &str = "bucket policy";
const PUBLIC: &str = "public access block";
const PRINCIPALS: &str = "principals of the policy";

/// What the bucket's own name is called, so that two buckets compare.
const ITSELF: &str = "BUCKET";

impl Controls for S3 {
    fn told(&self) -> Vec<(Control, &'static str)> {
        vec![
            (Control::EncryptionInTransit, CONNECTIONS),
            (Control::EncryptionAtRest, DEFAULT),
            (Control::Access, POLICY),
            (Control::Access, PUBLIC),
            (Control::Revocation, PRINCIPALS),
        ]
    }

    fn read<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Vec<Reading>, String>> {
        Box::pin(async move {
            let bucket = self.member(region).map_err(|trouble| trouble.to_string())?;
            let (transit, default, marker, public, policy) =
                tokio::join!(transit(bucket), encryption(bucket), marker(bucket), public(bucket), bucket.policy());
            let mut readings = vec![
                Reading::new(Control::EncryptionInTransit, CONNECTIONS, transit),
                Reading::new(Control::EncryptionAtRest, DEFAULT, told(default)),
                Reading::new(Control::Access, PUBLIC, told(public)),
            ];
            readings.extend(marker.map(|held| Reading::new(Control::EncryptionAtRest, MARKER, held)));
            readings.extend(policies(policy, &bucket.name));
            Ok(readings)
        })
    }
}

/// What one call could not tell, the others may.
fn told(read: Result<Held, Trouble>) -> Held {
    read.unwrap_or_else(|trouble| Held::Untold(trouble.to_string()))
}

async fn transit(bucket: &Bucket) -> Held {
    let address = bucket.address();
    if address.starts_with("http://") {
        return Held::Encryption { strength: Strength::None, said: "plain HTTP".into() };
    }
    match tls::agreed(&address).await {
        Ok((suite, bits)) => Held::Encryption { strength: Strength::of_bits(bits), said: suite },
        Err(why) => Held::Untold(why),
    }
}

async fn encryption(bucket: &Bucket) -> Result<Held, Trouble> {
    let client = bucket.client().await?;
    let answer = client.get_bucket_encryption().bucket(&bucket.name).send().await.map_err(|error| trouble(&error));
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) if trouble.is("ServerSideEncryptionConfigurationNotFoundError") => return Ok(sealed(None, None)),
        Err(trouble) => return Err(trouble),
    };
    let rules = answer.server_side_encryption_configuration().map_or(&[][..], |config| config.rules());
    let default = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default());
    Ok(sealed(
        default.map(|default| default.sse_algorithm().as_str()),
        default.and_then(|default| default.kms_master_key_id()),
    ))
}

/// As the newest heartbeat was really kept: settings say what will be, an object what is.
async fn marker(bucket: &Bucket) -> Option<Held> {
    let markers = bucket.list(Some(HEARTBEATS)).await.ok()?;
    let (key, _) = markers.into_iter().max_by_key(|(_, object)| object.modified)?;
    let client = bucket.client().await.ok()?;
    let head = client.head_object().bucket(&bucket.name).key(key).send().await.ok()?;
    Some(sealed(head.server_side_encryption().map(ServerSideEncryption::as_str), head.ssekms_key_id()))
}

/// SSE-S3 and SSE-KMS encrypt with AES-256 (Amazon S3 User Guide, "Protecting data with encryption").
fn sealed(algorithm: Option<&str>, key: Option<&str>) -> Held {
    let strength = match algorithm {
        Some("AES256" | "aws:kms" | "aws:kms:dsse") => Strength::Aes256,
        Some(_) => Strength::Weak,
        None => Strength::None,
    };
    let said = match (algorithm, key) {
        (Some(algorithm), Some(key)) => format!("{algorithm} with {key}"),
        (Some(algorithm), None) => algorithm.to_owned(),
        (None, _) => "nothing".to_owned(),
    };
    Held::Encryption { strength, said }
}

async fn public(bucket: &Bucket) -> Result<Held, Trouble> {
    let client = bucket.client().await?;
    let answer = client.get_public_access_block().bucket(&bucket.name).send().await.map_err(|error| trouble(&error));
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) if trouble.is("NoSuchPublicAccessBlockConfiguration") => return Ok(Held::Rules(BTreeSet::new())),
        Err(trouble) => return Err(trouble),
    };
    let block = answer.public_access_block_configuration();
    let flags = [
        ("BlockPublicAcls", block.and_then(PublicAccessBlockConfiguration::block_public_acls)),
        ("IgnorePublicAcls", block.and_then(PublicAccessBlockConfiguration::ignore_public_acls)),
        ("BlockPublicPolicy", block.and_then(PublicAccessBlockConfiguration::block_public_policy)),
        ("RestrictPublicBuckets", block.and_then(PublicAccessBlockConfiguration::restrict_public_buckets)),
    ];
    let set = flags.into_iter().filter(|(_, set)| *set == Some(true)).map(|(name, _)| name.to_owned());
    Ok(Held::Rules(set.collect()))
}

fn policies(policy: Result<Option<String>, Trouble>, bucket: &str) -> [Reading; 2] {
    let statements = policy
        .map_err(|trouble| trouble.to_string())
        .and_then(|policy| policy::others(policy.as_deref()).map_err(|error| error.to_string()));
    let (rules, principals) = match statements {
        Ok(statements) => (Held::Rules(written(&statements, bucket)), identities(&statements)),
        Err(why) => (Held::Untold(why.clone()), Held::Untold(why)),
    };
    [Reading::new(Control::Access, POLICY, rules), Reading::new(Control::Revocation, PRINCIPALS, principals)]
}

/// Each statement as text, in which the bucket is called the same on both sides.
fn written(statements: &[Value], bucket: &str) -> BTreeSet<String> {
    let arn = format!("arn:aws:s3:::{bucket}");
    statements.iter().map(|statement| statement.to_string().replace(&arn, &format!("arn:aws:s3:::{ITSELF}"))).collect()
}

/// Who is let in by some statement, and who is denied everything.
fn identities(statements: &[Value]) -> Held {
    let named = |effect: &'static str| {
        statements.iter().filter(move |statement| statement.get("Effect").and_then(Value::as_str) == Some(effect))
    };
    let everything =
        |statement: &&Value| words(statement.get("Action")).iter().any(|word| word == "*" || word == "s3:*");
    let disabled: BTreeSet<String> =
        named("Deny").filter(everything).flat_map(|statement| words(statement.get("Principal"))).collect();
    let let_in: BTreeSet<String> = named("Allow").flat_map(|statement| words(statement.get("Principal"))).collect();
    Held::Identities { enabled: let_in.difference(&disabled).cloned().collect(), disabled }
}

/// One word, a list of them, or lists by kind.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(word)) => vec![word.clone()],
        Some(Value::Array(list)) => list.iter().flat_map(|one| words(Some(one))).collect(),
        Some(Value::Object(kinds)) => kinds.values().flat_map(|one| words(Some(one))).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_algorithm_that_is_not_known_is_weak_and_none_is_none() {
        for (algorithm, strength) in [
            (Some("AES256"), Strength::Aes256),
            (Some("aws:kms"), Strength::Aes256),
            (Some("rot13"), Strength::Weak),
            (None, Strength::None),
        ] {
            let Held::Encryption { strength: found, .. } = sealed(algorithm, None) else { panic!("no encryption") };
            assert_eq!(found, strength, "{algorithm:?}");
        }
    }

    #[test]
    fn two_buckets_with_the_same_policy_read_the_same_and_a_denied_principal_is_disabled() {
        let policy = |bucket: &str| {
            let resource = format!("arn:aws:s3:::{bucket}/*");
            vec![
                json!({"Effect": "Allow", "Principal": {"AWS": ["ann", "bob"]}, "Action": "s3:GetObject", "Resource": resource}),
                json!({"Effect": "Deny", "Principal": {"AWS": "bob"}, "Action": ["s3:*"], "Resource": resource}),
                json!({"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": resource}),
            ]
        };
        assert_eq!(written(&policy("here"), "here"), written(&policy("there"), "there"));
        assert_ne!(written(&policy("here"), "here"), written(&policy("there"), "here"));
        let Held::Identities { enabled, disabled } = identities(&policy("here")) else { panic!("no identities") };
        assert_eq!(enabled.into_iter().collect::<Vec<_>>(), ["ann"]);
        assert_eq!(disabled.into_iter().collect::<Vec<_>>(), ["bob"]);
    }
}
