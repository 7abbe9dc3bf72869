//! Fences a bucket, and lifts the fence.
//!
//! Promises: a fence counts only when a write that was accepted before it is refused after it; where the server does not
//! enforce policies the statement is taken away again and the fence is not applied; only our own statement is ever touched.
//!
//! Assumes that nobody else changes the policy in the same second: the API has no conditional write for it. A crash in the middle
//! leaves the statement there, or not; doing it again ends the same.

use std::time::Duration;

use super::{
    client::{Bucket, Trouble},
    leave::Leave,
    operation::{Stop, read_failed, write_failed},
    policy,
};
use crate::model::FenceProof;

/// How long a policy may take to be obeyed everywhere. Amazon S3 says "a few seconds" usually.
const SETTLES: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// The object whose write must be refused.
const PROBE: &str = ".lifeboat/probe/fence";

/// What came of fencing.
#[derive(Debug)]
pub(super) enum Fenced {
    /// Proven.
    Proven(FenceProof),
    /// The server has no policies, or does not obey them; nothing of ours was left behind.
    NotEnforced(String),
}

/// Puts the statement, and proves it.
pub(super) async fn apply(bucket: &Bucket, leave: &Leave<'_>, limit: Duration) -> Result<Fenced, Stop> {
    let what = format!("the policy of bucket {} in {}", bucket.name, bucket.region);
    let before = match bucket.policy().await {
        Ok(policy) => policy,
        Err(trouble @ Trouble::Answered { .. }) => {
            return Ok(Fenced::NotEnforced(format!("the server has no bucket policies: {trouble}")));
        }
        Err(trouble) => return Err(read_failed(&format!("read {what}"), &trouble)),
    };
    let not_understood =
        |_| Stop::not_applied(format!("{what} is not understood; add the statement {} by hand", policy::SID), false);
    if !policy::holds_fence(before.as_deref()).map_err(not_understood)? {
        // A refusal proves a fence only when the same write was accepted before it.
        match bucket.accepts_writes().await {
            Ok(true) => {}
            Ok(false) => {
                let why = format!(
                    "bucket {} in {} refuses these credentials' writes already, so a fence could not be proven; give them s3:PutObject",
                    bucket.name, bucket.region
                );
                return Err(Stop::not_applied(why, false));
            }
            Err(trouble) => return Err(read_failed(&format!("probe bucket {}", bucket.name), &trouble)),
        }
        let with = policy::with_fence(before.as_deref(), &bucket.name).map_err(not_understood)?;
        leave.ask()?;
        match bucket.set_policy(Some(with)).await {
            Ok(()) => leave.did(),
            Err(trouble @ Trouble::Answered { status: 400 | 405 | 501, .. }) => {
                return Ok(Fenced::NotEnforced(format!("the server takes no bucket policy: {trouble}")));
            }
            Err(trouble) => return Err(write_failed(&format!("put {what}"), &trouble)),
        }
    }
    prove(bucket, leave, limit).await
}

async fn prove(bucket: &Bucket, leave: &Leave<'_>, limit: Duration) -> Result<Fenced, Stop> {
    // Half of the call's time at most: the rest is for taking it back.
    let settled = settle(bucket, false, SETTLES.min(limit / 2)).await?;
    if settled {
        // The looks above cannot change anything; now a real write.
        leave.ask()?;
        match bucket.put(PROBE, b"this write must be refused\n".to_vec(), None).await {
            Err(Trouble::Denied(answer)) => {
                return Ok(Fenced::Proven(FenceProof {
                    method: "denyPolicy".into(),
                    effect: format!("writing an object, which was accepted before, was refused: {answer}"),
                }));
            }
            Ok(()) => {}
            Err(trouble) => return Err(write_failed(&format!("prove the fence of bucket {}", bucket.name), &trouble)),
        }
    }
    let clean = lift(bucket, leave, Duration::ZERO)
        .await
        .and(bucket.delete(PROBE).await.map_err(|trouble| write_failed("remove the probing object", &trouble)));
    let left = match clean {
        Ok(()) => {
            // The statement, and its removal.
            leave.undid(2);
            "the statement was taken away again".to_owned()
        }
        Err(stop) => format!("taking the statement away again did not work either: {}", stop.why()),
    };
    Ok(Fenced::NotEnforced(format!("the server took the policy and went on accepting writes; {left}")))
}

/// Takes our statement away, where it is, and waits until writes are accepted, at most `limit`.
pub(super) async fn lift(bucket: &Bucket, leave: &Leave<'_>, limit: Duration) -> Result<(), Stop> {
    let what = format!("the policy of bucket {} in {}", bucket.name, bucket.region);
    let Some(text) = bucket.policy().await.map_err(|trouble| read_failed(&format!("read {what}"), &trouble))? else {
        return Ok(());
    };
    let not_understood =
        |_| Stop::not_applied(format!("{what} is not understood; remove the statement {} by hand", policy::SID), false);
    if !policy::holds_fence(Some(&text)).map_err(not_understood)? {
        return Ok(());
    }
    let without = policy::without_fence(&text).map_err(not_understood)?;
    leave.ask()?;
    bucket.set_policy(without).await.map_err(|trouble| write_failed(&format!("put {what}"), &trouble))?;
    leave.did();
    if limit > Duration::ZERO && !settle(bucket, true, SETTLES.min(limit / 2)).await? {
        let why = format!(
            "bucket {} still refuses writes although Lifeboat's fence is gone: look at its policy",
            bucket.name
        );
        return Err(Stop::not_applied(why, true));
    }
    Ok(())
}

/// Waits until writes are accepted, or refused, as wanted.
async fn settle(bucket: &Bucket, wanted: bool, limit: Duration) -> Result<bool, Stop> {
    let looking = async {
        loop {
            match bucket.accepts_writes().await {
                Ok(accepts) if accepts == wanted => return Ok(()),
                Ok(_) => tokio::time::sleep(PAUSE).await,
                // The policy was put; whether it works was not seen.
                Err(trouble) => {
                    return Err(Stop::Unknown {
                        why: format!(
                            "the policy of bucket {} was put; its effect was not seen: {trouble}",
                            bucket.name
                        ),
                    });
                }
            }
        }
    };
    match tokio::time::timeout(limit, looking).await {
        Ok(seen) => seen.map(|()| true),
        Err(_) => Ok(false),
    }
}
