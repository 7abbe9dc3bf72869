//! The verbs: what each does, in which order.
//!
//! Every order is chosen so that a crash after any part of it ends in a state from which the same verb, done again, reaches
//! its end. The standby keeps its fence all its life: a copy into it lifts the fence for as long as it lasts, and a
//! promotion lifts it for good. So an application that still writes to the old bucket is refused, while the provider's own
//! replication (`s3:ReplicateObject`, which the fence leaves out) goes on.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    S3,
    client::{Bucket, Condition, Trouble},
    compare::Gap,
    copy::{self, Side as CopySide},
    fence::{self, Fenced},
    leave::Leave,
    observe::{self, Look, Marker},
    params, survey,
};
use crate::{
    model::{Attempt, Facts, Loss, Output},
    port::Call,
};

/// The object that names the primary.
pub(super) const MARKER: &str = ".lifeboat/primary.json";

/// Why an act ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Certainly not done.
    NotApplied { why: String, retry: bool },
    /// Perhaps done.
    Unknown { why: String },
}

impl Stop {
    pub(super) fn not_applied(why: String, retry: bool) -> Self {
        Self::NotApplied { why, retry }
    }
    pub(super) fn why(&self) -> &str {
        match self {
            Self::NotApplied { why, .. } | Self::Unknown { why } => why,
        }
    }
}

impl From<Stop> for Attempt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::NotApplied { why, retry } => Self::NotApplied { why, retry },
            Stop::Unknown { why } => Self::Unknown { why },
        }
    }
}

/// A failed question changes nothing.
pub(super) fn read_failed(intent: &str, trouble: &Trouble) -> Stop {
    let retry = match trouble {
        Trouble::Refused(_) | Trouble::Silent(_) | Trouble::Answered { .. } => true,
        Trouble::Denied(_) | Trouble::NotAsked(_) => false,
    };
    Stop::not_applied(format!("could not {intent}: {trouble}"), retry)
}

/// A change whose reply was lost may have been made.
pub(super) fn write_failed(intent: &str, trouble: &Trouble) -> Stop {
    match trouble {
        Trouble::Silent(_) => {
            Stop::Unknown { why: format!("could not see whether it was done to {intent}: {trouble}") }
        }
        Trouble::Refused(_) | Trouble::Answered { .. } | Trouble::Denied(_) | Trouble::NotAsked(_) => {
            read_failed(intent, trouble)
        }
    }
}

fn copy_failed(side: CopySide) -> Stop {
    match side {
        CopySide::Reading(trouble) => read_failed("read an object to copy", &trouble),
        CopySide::Writing(trouble) => write_failed("write a copy", &trouble),
        CopySide::Lease => Stop::not_applied("the lease was lost".into(), false),
        CopySide::Corrupt(why) => Stop::not_applied(format!("a copy is not what was read: {why}"), true),
    }
}

pub(super) type Done = Result<(Output, Facts), Stop>;

/// `storage.fence`.
pub(super) async fn fence(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let source = s3.bucket(&call.source)?;
    match fence::apply(source, leave, call.timeout).await? {
        Fenced::Proven(proof) => Ok((observe::fenced(true), Facts { fence: Some(proof), ..Facts::default() })),
        Fenced::NotEnforced(why) => {
            let why = format!(
                "bucket {} in {} cannot be fenced: {why}; keep the applications of {} from writing by other means, then accept UnverifiedFence",
                source.name, source.region, source.region
            );
            Err(Stop::not_applied(why, false))
        }
    }
}

/// `storage.unfence`, and taking back `storage.fence`.
pub(super) async fn unfence(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let source = s3.bucket(&call.source)?;
    let destination = survey::look(s3.bucket(&call.destination)?).await;
    if observe::promoted(&destination, &call.destination) {
        let why = format!(
            "{} is the primary; without the fence of {} two buckets would accept writes",
            call.destination, call.source
        );
        return Err(Stop::not_applied(why, false));
    }
    fence::lift(source, leave, call.timeout).await?;
    Ok((observe::fenced(false), Facts::default()))
}

/// `storage.catchUp`.
pub(super) async fn catch_up(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let (source, destination) = (s3.bucket(&call.source)?, s3.bucket(&call.destination)?);
    let limit = params::limit(&call.with, call.timeout).map_err(|why| Stop::not_applied(why, false))?;
    let open = opened(destination, leave, limit).await?;
    let filled = fill(s3, source, destination, leave, limit).await;
    let closed = if open { fence::apply(destination, leave, limit).await.map(|_| ()) } else { Ok(()) };
    let (output, loss) = filled?;
    closed?;
    let marker = survey::newest_marker(destination, Some(&call.source)).await.ok().flatten();
    Ok((output, Facts { loss: Some(loss), marker, ..Facts::default() }))
}

/// Lifts our fence where it is, and says whether it was.
async fn opened(bucket: &Bucket, leave: &Leave<'_>, limit: Duration) -> Result<bool, Stop> {
    match survey::look(bucket).await {
        Look::Seen(seen) if seen.fence == Ok(true) => fence::lift(bucket, leave, limit).await.map(|()| true),
        Look::Seen(_) => Ok(false),
        look @ (Look::Down(_) | Look::Unknown(_)) => {
            let why = format!("the bucket in {} does not answer: {}", bucket.region, observe::why_not(&look));
            Err(Stop::not_applied(why, true))
        }
    }
}

/// Copies until nothing is missing. A bucket that still takes writes is never caught up with: there, rounds go on only as
/// long as each of them finds less missing than the one before, and what is missing then is said.
async fn fill(s3: &S3, from: &Bucket, to: &Bucket, leave: &Leave<'_>, limit: Duration) -> Result<(Output, Loss), Stop> {
    let (mut objects, mut bytes, mut missing) = (0, 0, None);
    let live = survey::look(from).await.seen().is_some_and(|seen| seen.writable);
    let filling = async {
        loop {
            let compared = copy::measure(from, to, s3.prefix.as_deref()).await;
            let (inventory, gap) = compared.map_err(|trouble| read_failed("compare the buckets", &trouble))?;
            let before = missing.replace(gap.lacking.len());
            if gap.lacking.is_empty() || (live && before.is_some_and(|before| gap.lacking.len() >= before)) {
                return Ok(super::compare::loss(&inventory, &gap));
            }
            let (some, size) = copy::copy(from, to, &gap.lacking, leave).await.map_err(copy_failed)?;
            objects += some;
            bytes += size;
        }
    };
    let filled = timeout(limit, filling).await;
    if let Ok(loss) = filled {
        let loss = loss?;
        copy_markers(from, to, leave).await?;
        return Ok((observe::copied(objects, bytes, missing.unwrap_or_default()), loss));
    }
    let missing = missing.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string());
    let why = format!(
        "{} had not caught up after {limit:?}: {objects} objects copied, {missing} still missing at the last look; fence the source first, or give it more time",
        to.region
    );
    Err(Stop::not_applied(why, true))
}

/// Copies the heartbeat markers: they measure how far the copy has come.
async fn copy_markers(from: &Bucket, to: &Bucket, leave: &Leave<'_>) -> Result<(), Stop> {
    let markers =
        from.list(Some(survey::HEARTBEATS)).await.map_err(|trouble| read_failed("list the markers", &trouble))?;
    let keys = markers.into_keys().collect();
    copy::copy(from, to, &keys, leave).await.map(|_| ()).map_err(copy_failed)
}

/// `storage.promote`.
pub(super) async fn promote(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let destination = s3.bucket(&call.destination)?;
    let measured = match s3.measured(call) {
        Some(measured) => measured,
        None => survey::measure_loss(s3, call).await,
    };
    let output = observe::promotion(measured.objects, measured.loss.amount);
    let look = survey::look(destination).await;
    let Look::Seen(seen) = &look else {
        let why = format!("the bucket in {} does not answer: {}", call.destination, observe::why_not(&look));
        return Err(Stop::not_applied(why, true));
    };
    // First writable, then the primary: the other way round a crash would leave a primary that refuses writes.
    if seen.fence == Ok(true) {
        fence::lift(destination, leave, call.timeout).await?;
    }
    if !seen.names(&call.destination) {
        let condition = seen.marker.as_ref().map_or(Condition::Absent, |(_, etag)| Condition::Unchanged(etag.clone()));
        put_marker(destination, leave, call, false, &condition).await?;
    }
    let facts = Facts { loss: Some(measured.loss), marker: measured.marker, ..Facts::default() };
    Ok((output, facts))
}

async fn put_marker(
    bucket: &Bucket,
    leave: &Leave<'_>,
    call: &Call,
    unfenced: bool,
    condition: &Condition,
) -> Result<(), Stop> {
    let marker = Marker {
        region: call.destination.clone(),
        from: call.source.clone(),
        run: call.run.to_string(),
        at: call.now,
        unfenced,
    };
    let text = serde_json::to_vec(&marker).map_err(|error| Stop::not_applied(error.to_string(), false))?;
    leave.ask()?;
    let intent = format!("write {MARKER} in {}", bucket.region);
    let put = match bucket.put(MARKER, text.clone(), Some(condition)).await {
        Ok(()) => Ok(()),
        Err(trouble) if trouble.has_status(412) => {
            Err(Stop::not_applied(format!("{intent}: somebody else changed it meanwhile; look again"), true))
        }
        // A server without conditional writes: the lease alone keeps others away.
        Err(trouble) if trouble.has_status(501) || trouble.is("NotImplemented") => {
            bucket.put(MARKER, text, None).await.map_err(|trouble| write_failed(&intent, &trouble))
        }
        Err(trouble) => Err(write_failed(&intent, &trouble)),
    };
    put.map(|()| leave.did())
}

/// `storage.verify`.
pub(super) async fn verify(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let bucket = s3.bucket(&call.destination)?;
    let key = format!(".lifeboat/verify/{}-{}", call.run, call.step);
    let written = format!("run {} wrote this at {}\n", call.run, call.now).into_bytes();
    leave.ask()?;
    let intent = format!("write an object in {}", bucket.region);
    bucket.put(&key, written.clone(), None).await.map_err(|trouble| write_failed(&intent, &trouble))?;
    leave.did();
    let read = bucket.get(&key).await.map_err(|trouble| read_failed("read the object that was written", &trouble))?;
    if read.map(|(bytes, _)| bytes) != Some(written) {
        let why = format!("bucket {} in {} gave back something else than was written", bucket.name, bucket.region);
        return Err(Stop::not_applied(why, true));
    }
    leave.ask()?;
    bucket.delete(&key).await.map_err(|trouble| write_failed("remove the verifying object", &trouble))?;
    Ok((Output::from_iter([("verified".into(), true.into())]), Facts::default()))
}

/// `storage.reverse`: the source's bucket becomes a fenced copy of the destination's.
pub(super) async fn reverse(s3: &S3, leave: &Leave<'_>, call: &Call) -> Done {
    let (source, destination) = (s3.bucket(&call.source)?, s3.bucket(&call.destination)?);
    let limit = params::limit(&call.with, call.timeout).map_err(|why| Stop::not_applied(why, false))?;
    if !observe::promoted(&survey::look(destination).await, &call.destination) {
        let why = format!("the marker in {} does not name it as the primary; promote it first", call.destination);
        return Err(Stop::not_applied(why, true));
    }
    let open = opened(source, leave, limit).await?;
    let work = async {
        let gap = overwritten(s3, destination, source).await?;
        let aside = copy::set_aside(source, &gap.differing, &call.run.to_string(), leave).await.map_err(copy_failed)?;
        let (output, _) = fill(s3, destination, source, leave, limit).await?;
        record(source, leave, call, false).await?;
        Ok::<_, Stop>((output, aside))
    };
    let done = work.await;
    if done.is_err() && !open {
        return done.map(|_| (Output::new(), Facts::default()));
    }
    let fenced = fence::apply(source, leave, limit).await;
    let (output, aside) = done?;
    let facts = |proof| Facts { fence: proof, ..Facts::default() };
    match fenced? {
        Fenced::Proven(proof) => Ok((observe::reversed(output, aside, true), facts(Some(proof)))),
        Fenced::NotEnforced(_) => {
            record(source, leave, call, true).await?;
            Ok((observe::reversed(output, aside, false), facts(None)))
        }
    }
}

/// What the standby-to-be holds under the same keys with another content: writes that nobody copied.
async fn overwritten(s3: &S3, from: &Bucket, to: &Bucket) -> Result<Gap, Stop> {
    let compared = copy::measure(from, to, s3.prefix.as_deref()).await;
    compared.map(|(_, gap)| gap).map_err(|trouble| read_failed("compare the buckets", &trouble))
}

/// Writes into the standby's bucket that the destination is the primary, unless it says so already.
async fn record(bucket: &Bucket, leave: &Leave<'_>, call: &Call, unfenced: bool) -> Result<(), Stop> {
    let present = survey::marker(bucket).await.map_err(|trouble| read_failed("read the marker", &trouble))?;
    match present {
        Some((marker, _)) if marker.region == call.destination && marker.unfenced == unfenced => Ok(()),
        Some((_, etag)) => put_marker(bucket, leave, call, unfenced, &Condition::Unchanged(etag)).await,
        None => put_marker(bucket, leave, call, unfenced, &Condition::Absent).await,
    }
}
