//! The fence as text: one statement of a bucket policy. Pure.
//!
//! It denies every call that makes, changes or removes an object, to everybody. It leaves out `s3:ReplicateObject` and
//! its kin on purpose: the provider's own replication goes on filling a fenced standby, which is what a standby is for, while
//! every application is refused. It leaves out reading and the policy itself, or nobody could lift it again.
//! (Amazon S3 User Guide, "Policy actions for Amazon S3"; a deny outweighs every allow.)

use serde_json::{Map, Value, json};

/// Marks the statement that is ours, in a policy that may hold others.
pub(super) const SID: &str = "LifeboatFence";

const DENIED: &[&str] = &[
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectTagging",
    "s3:DeleteObjectTagging",
    "s3:RestoreObject",
];

/// A policy that could not be changed safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bucket's policy is no JSON object with a list of statements")]
pub struct BadPolicy;

/// Whether the policy holds our statement.
pub fn holds_fence(policy: Option<&str>) -> Result<bool, BadPolicy> {
    let Some(text) = policy else { return Ok(false) };
    Ok(statements(&parse(text)?)?.iter().any(ours))
}

/// The policy with our statement added; every other statement stays as it is.
pub fn with_fence(policy: Option<&str>, bucket: &str) -> Result<String, BadPolicy> {
    let mut object = match policy {
        Some(text) => parse(text)?,
        None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
    };
    let mut all = if object.contains_key("Statement") { statements(&object)? } else { Vec::new() };
    all.retain(|statement| !ours(statement));
    all.push(json!({
        "Sid": SID, "Effect": "Deny", "Principal": "*", "Action": DENIED, "Resource": format!("arn:aws:s3:::{bucket}/*"),
    }));
    object.insert("Statement".into(), Value::Array(all));
    Ok(Value::Object(object).to_string())
}

/// What is left without our statement; `None`: nothing, so the policy goes.
pub fn without_fence(policy: &str) -> Result<Option<String>, BadPolicy> {
    let mut object = parse(policy)?;
    let mut all = statements(&object)?;
    all.retain(|statement| !ours(statement));
    if all.is_empty() {
        return Ok(None);
    }
    object.insert("Statement".into(), Value::Array(all));
    Ok(Some(Value::Object(object).to_string()))
}

/// Every statement that is not ours.
pub(super) fn others(policy: Option<&str>) -> Result<Vec<Value>, BadPolicy> {
    let Some(text) = policy else { return Ok(Vec::new()) };
    let mut all = statements(&parse(text)?)?;
    all.retain(|statement| !ours(statement));
    Ok(all)
}

fn ours(statement: &Value) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(SID)
}

fn parse(text: &str) -> Result<Map<String, Value>, BadPolicy> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(BadPolicy),
    }
}

/// A single statement may stand without its list.
fn statements(object: &Map<String, Value>) -> Result<Vec<Value>, BadPolicy> {
    match object.get("Statement") {
        Some(Value::Array(all)) => Ok(all.clone()),
        Some(one @ Value::Object(_)) => Ok(vec![one.clone()]),
        Some(_) | None => Err(BadPolicy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"Read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;

    #[test]
    fn a_fence_is_added_once_and_taken_away_alone() {
        let fenced = with_fence(Some(OTHER), "b").unwrap();
        assert!(holds_fence(Some(&fenced)).unwrap());
        assert_eq!(with_fence(Some(&fenced), "b").unwrap(), fenced, "twice is the same as once");
        assert_eq!(without_fence(&fenced).unwrap().unwrap(), OTHER);
        let alone = with_fence(None, "b").unwrap();
        assert!(holds_fence(Some(&alone)).unwrap());
        assert_eq!(without_fence(&alone).unwrap(), None);
        assert!(!holds_fence(Some(OTHER)).unwrap());
        assert!(!holds_fence(None).unwrap());
    }

    #[test]
    fn a_single_statement_without_a_list_is_kept() {
        let single = r#"{"Version":"2012-10-17","Statement":{"Sid":"Read","Effect":"Allow"}}"#;
        let fenced = with_fence(Some(single), "b").unwrap();
        assert!(fenced.contains(r#""Sid":"Read""#) && fenced.contains(SID));
    }

    #[test]
    fn a_policy_that_is_not_understood_is_left_alone() {
        for bad in ["", "[]", "{\"Statement\": 3}", "not json"] {
            assert_eq!(with_fence(Some(bad), "b"), Err(BadPolicy), "{bad}");
        }
    }
}
