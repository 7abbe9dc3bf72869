//! Looks at the buckets without changing them, and the heartbeat.

use std::{collections::HashMap, time::Duration};

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    S3,
    client::{Bucket, Inventory, Trouble},
    compare::{self, Gap},
    copy,
    observe::{self, Look, Marker, Seen},
    operation::MARKER,
    policy,
};
use crate::{
    model::{Facts, Loss, RegionName},
    port::{Beat, Call, Concern, Heartbeat},
};

/// The markers of all regions.
pub(super) const HEARTBEATS: &str = ".lifeboat/heartbeat/";
/// Clocks of two stores that differ by more make ages of objects misleading. HTTP dates have whole seconds.
const SKEW: Duration = Duration::from_secs(5);
/// Keys that are named in a concern.
const NAMED: usize = 5;

/// One heartbeat marker.
#[derive(Debug, Serialize, Deserialize)]
struct Pulse {
    region: RegionName,
    at: Timestamp,
}

/// What was measured for a promotion.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// Objects of data on the destination, where it could be listed.
    pub(super) objects: Option<usize>,
    /// The loss of promoting.
    pub(super) loss: Loss,
    /// The source's newest marker on the destination.
    pub(super) marker: Option<Timestamp>,
    /// The first keys that are missing.
    pub(super) first: Vec<String>,
}

/// The bucket's own marker.
pub(super) async fn marker(bucket: &Bucket) -> Result<Option<(Marker, String)>, Trouble> {
    let Some((bytes, etag)) = bucket.get(MARKER).await? else { return Ok(None) };
    match Marker::read(&bytes) {
        Ok(marker) => Ok(Some((marker, etag))),
        Err(error) => Err(Trouble::NotAsked(format!("{MARKER} in {} is not understood: {error}", bucket.region))),
    }
}

/// What the bucket shows of itself.
pub(super) fn look(bucket: &Bucket) -> BoxFuture<'_, Look> {
    // Boxed: the client library's futures are large, and this one stands in many others.
    Box::pin(asked(bucket))
}

async fn asked(bucket: &Bucket) -> Look {
    let marker = match marker(bucket).await {
        Ok(marker) => marker,
        Err(trouble) => return Look::from_trouble(&trouble),
    };
    let (policy, writable) = futures::join!(bucket.policy(), bucket.accepts_writes());
    let writable = match writable {
        Ok(writable) => writable,
        Err(trouble) => return Look::from_trouble(&trouble),
    };
    let fence = match policy {
        Ok(policy) => policy::holds_fence(policy.as_deref()).map_err(|error| error.to_string()),
        // A server without policies holds none of ours.
        Err(trouble) if trouble.has_status(501) || trouble.has_status(405) => Ok(false),
        Err(trouble) => Err(trouble.to_string()),
    };
    Look::Seen(Seen { marker, fence, writable })
}

/// All members.
pub(super) async fn looks(s3: &S3) -> Vec<(RegionName, Look)> {
    join_all(s3.buckets.iter().map(async |bucket| (bucket.region.clone(), look(bucket).await))).await
}

/// The newest heartbeat marker in this bucket, of one region or of any.
pub(super) async fn newest_marker(bucket: &Bucket, of: Option<&RegionName>) -> Result<Option<Timestamp>, Trouble> {
    let keys = match of {
        Some(region) => vec![format!("{HEARTBEATS}{region}.json")],
        None => bucket.list(Some(HEARTBEATS)).await?.into_keys().collect(),
    };
    let mut newest = None;
    for key in keys {
        if let Some((bytes, _)) = bucket.get(&key).await? {
            let pulse: Option<Pulse> = serde_json::from_slice(&bytes).ok();
            newest = newest.max(pulse.map(|pulse| pulse.at));
        }
    }
    Ok(newest)
}

/// The gap between the buckets of a call, source first.
pub(super) async fn gap(s3: &S3, from: &RegionName, to: &RegionName) -> Result<(Inventory, Gap), Trouble> {
    copy::measure(s3.member(from)?, s3.member(to)?, s3.prefix.as_deref()).await
}

/// What promoting would lose, by the best means there is.
pub(super) async fn measure_loss(s3: &S3, call: &Call) -> Measured {
    let newest = async {
        match s3.member(&call.destination) {
            Ok(bucket) => newest_marker(bucket, Some(&call.source)).await.ok().flatten(),
            Err(_) => None,
        }
    };
    let (newest, compared) = futures::join!(newest, gap(s3, &call.source, &call.destination));
    match compared {
        Ok((inventory, gap)) => Measured {
            objects: Some(gap.objects),
            loss: compare::loss(&inventory, &gap),
            marker: newest,
            first: gap.lacking.into_iter().take(NAMED).collect(),
        },
        Err(_) => Measured {
            objects: None,
            loss: observe::loss_without_source(&call.source, newest, &call.known),
            marker: newest,
            first: Vec::new(),
        },
    }
}

/// The roles of all members.
pub(super) async fn survey(s3: &S3) -> Facts {
    facts(&looks(s3).await)
}

/// Roles and what stands behind them.
pub(super) fn facts(looks: &[(RegionName, Look)]) -> Facts {
    let mut facts = Facts { sides: observe::roles(looks), ..Facts::default() };
    for (region, look) in looks {
        if let Some(seen) = look.seen() {
            let marker = seen
                .marker
                .as_ref()
                .map(|(marker, _)| json!({"region": marker.region, "run": marker.run, "at": marker.at}));
            let fence = match &seen.fence {
                Ok(there) => json!(there),
                Err(why) => json!(why),
            };
            let shown = json!({"marker": marker, "fencePolicy": fence, "writable": seen.writable});
            facts.details.insert(region.to_string(), shown);
        }
    }
    facts
}

/// What would stand in the way of a failover.
pub(super) async fn preflight(s3: &S3, source: &RegionName, destination: &RegionName) -> Vec<Concern> {
    let mut found = Vec::new();
    let (Ok(from), Ok(to)) = (s3.member(source), s3.member(destination)) else {
        let what = format!("{} has no bucket in {source} or in {destination}", s3.name);
        return vec![Concern { what, remedy: "add a member for each region".into() }];
    };
    let (a, b, clocks) = futures::join!(look(from), look(to), clocks(from, to));
    for (bucket, look) in [(from, &a), (to, &b)] {
        found.extend(of_member(bucket, look));
    }
    let (Some(_), Some(seen)) = (a.seen(), b.seen()) else { return found };
    if let Err(why) = &seen.fence {
        found.push(Concern {
            what: format!("the policy of bucket {} in {destination} cannot be read ({why}): it could not be fenced or opened on the way back", to.name),
            remedy: "give these credentials s3:GetBucketPolicy, s3:PutBucketPolicy and s3:DeleteBucketPolicy".into(),
        });
    }
    let (versions, compared) = futures::join!(
        async { futures::try_join!(from.keeps_versions(), to.keeps_versions()) },
        copy::measure(from, to, s3.prefix.as_deref())
    );
    found.extend(of_versions(&versions, source, destination));
    match compared {
        Ok((inventory, gap)) => found.extend(of_gap(&compare::loss(&inventory, &gap), &gap, source, destination)),
        Err(trouble) => found.push(Concern {
            what: format!("the buckets cannot be compared: {trouble}"),
            remedy: "give these credentials s3:ListBucket and s3:GetObject on both".into(),
        }),
    }
    if let Some(apart) = clocks.filter(|apart| *apart > SKEW) {
        found.push(Concern {
            what: format!("the clocks of {source} and {destination} are {} s apart", apart.as_secs()),
            remedy: "synchronise the servers' clocks: ages of objects are wrong by as much".into(),
        });
    }
    found
}

fn of_member(bucket: &Bucket, look: &Look) -> Option<Concern> {
    let (name, region) = (&bucket.name, &bucket.region);
    let concern = |what: String, remedy: &str| Some(Concern { what, remedy: remedy.into() });
    match look {
        Look::Down(why) | Look::Unknown(why) => concern(
            format!("bucket {name} in {region} cannot be used: {why}"),
            "check the server, the bucket and the credentials",
        ),
        Look::Seen(seen) if !seen.writable && seen.fence == Ok(false) => concern(
            format!("bucket {name} in {region} refuses these credentials' writes, and not by Lifeboat's fence"),
            "give these credentials s3:PutObject and s3:DeleteObject",
        ),
        Look::Seen(_) => None,
    }
}

fn of_versions(
    versions: &Result<(bool, bool), Trouble>,
    source: &RegionName,
    destination: &RegionName,
) -> Option<Concern> {
    match versions {
        Ok((ours, theirs)) if ours != theirs => {
            let (with, without) = if *ours { (source, destination) } else { (destination, source) };
            Some(Concern {
                what: format!("old versions of objects are kept in {with} and not in {without}"),
                remedy: "enable versioning on both buckets".into(),
            })
        }
        Err(Trouble::Denied(why)) => Some(Concern {
            what: format!("whether old versions of objects are kept cannot be seen: {why}"),
            remedy: "give these credentials s3:GetBucketVersioning on both buckets".into(),
        }),
        Ok(_) | Err(_) => None,
    }
}

fn of_gap(loss: &Loss, gap: &Gap, source: &RegionName, destination: &RegionName) -> Option<Concern> {
    if gap.lacking.is_empty() {
        return None;
    }
    let first: Vec<&str> = gap.lacking.iter().take(NAMED).map(String::as_str).collect();
    Some(Concern {
        what: format!(
            "{destination} lacks {} objects of {source} ({} of them differ): {loss}; first: {}",
            gap.lacking.len(),
            gap.differing.len(),
            first.join(", ")
        ),
        remedy: "look at the replication, or run storage.catchUp".into(),
    })
}

/// How far the two servers' clocks are apart, by the dates of their answers.
async fn clocks(a: &Bucket, b: &Bucket) -> Option<Duration> {
    let (a, b) = futures::join!(a.date(), b.date());
    Some(a?.duration_since(b?).unsigned_abs())
}

impl Heartbeat for S3 {
    fn beat<'a>(&'a self, region: &'a RegionName, at: Timestamp) -> BoxFuture<'a, Beat> {
        Box::pin(async move {
            let refused = |why: String| Beat::Refused { why };
            let bucket = match self.member(region) {
                Ok(bucket) => bucket,
                Err(trouble) => return refused(trouble.to_string()),
            };
            // A standby accepts writes too, when it is not fenced: its marker tells. Without one, the bucket listed first serves.
            match marker(bucket).await {
                Ok(Some((marker, _))) if marker.region != *region => {
                    return refused(format!("{} is the primary, says the marker in {region}", marker.region));
                }
                Ok(None) if self.buckets.first().is_none_or(|first| first.region != *region) => {
                    return refused(format!("{region} is a standby that was never promoted"));
                }
                Ok(_) => {}
                Err(trouble) => return refused(trouble.to_string()),
            }
            let pulse = Pulse { region: region.clone(), at };
            let text = match serde_json::to_vec(&pulse) {
                Ok(text) => text,
                Err(error) => return refused(error.to_string()),
            };
            match bucket.put(&format!("{HEARTBEATS}{region}.json"), text, None).await {
                Ok(()) => Beat::Acknowledged { position: None },
                Err(trouble) => refused(trouble.to_string()),
            }
        })
    }

    fn newest<'a>(&'a self, region: &'a RegionName) -> BoxFuture<'a, Result<Option<Timestamp>, String>> {
        Box::pin(async move {
            let bucket = self.member(region).map_err(|trouble| trouble.to_string())?;
            newest_marker(bucket, None).await.map_err(|trouble| trouble.to_string())
        })
    }
}

/// Measurements by run and step: an act need not count again what its observation counted.
pub(super) type Measurements = HashMap<String, Measured>;
