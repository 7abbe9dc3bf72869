//! What buckets hold of ours: markers and policies. (Everything else of S3 is read by the provider's own client.)

use lifeboat::driver::s3::{Marker, holds_fence, with_fence, without_fence};
use serde_json::Value;

/// Promises: any body is a marker or an error; a fence that was put into a policy is seen there, can be taken out again, and
/// neither touches any other statement.
pub fn s3(input: &[u8]) {
    if let Ok(marker) = Marker::read(input) {
        let text = serde_json::to_vec(&marker).expect("a marker is written as JSON");
        assert_eq!(Marker::read(&text).expect("and read back"), marker);
    }
    let Ok(policy) = std::str::from_utf8(input) else { return };
    let held = holds_fence(Some(policy));
    let Ok(fenced) = with_fence(Some(policy), "orders") else { return };
    assert_eq!(holds_fence(Some(&fenced)), Ok(true));
    assert_eq!(with_fence(Some(&fenced), "orders").as_ref(), Ok(&fenced), "a second fence changes the policy");
    let lifted = without_fence(&fenced).expect("what was written is read");
    match (&lifted, held) {
        (Some(lifted), Ok(false)) => {
            assert_eq!(statements(lifted), statements(policy), "another statement was touched");
        }
        (None, Ok(false)) => assert_eq!(statements(policy), [Value::Null; 0], "a statement was lost"),
        (_, Ok(true) | Err(_)) => {}
    }
    assert!(lifted.is_none_or(|lifted| holds_fence(Some(&lifted)) == Ok(false)), "the fence is still there");
}

fn statements(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).expect("it was read before");
    match policy.get("Statement") {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}
