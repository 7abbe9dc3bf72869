//! Stands for the object store's own replication between regions: what is new in the bucket of the region that serves
//! appears a moment later in the other one. What was lost before is not its business, nor are deletions.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_s3::Client;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time;

use crate::{
    Failure,
    places::{Names, Place, Ports, bucket},
};

/// How long an object takes to appear on the other side, at least.
const DELAY: Duration = Duration::from_millis(200);
/// Copies under way at once.
const ABREAST: usize = 4;
/// Lifeboat's heartbeat markers: overwritten in place, so they are looked at anew in each round.
const MARKERS: &str = ".lifeboat/heartbeat/";
/// The shop's objects: their keys only grow, so a round looks behind the last one.
const DATA: &str = "uploads/";

struct Direction {
    from: Place,
    last: Option<String>,
    markers: BTreeMap<String, String>,
}

/// Copies until it is killed. What goes wrong is tried again in the next round.
pub(crate) async fn run(ports: &Ports) -> Result<(), Failure> {
    let names = Names::of(ports)?;
    let stores = |place: Place| (ports.objects(place, place.objects()), bucket(place));
    let (fra, dub) = (stores(Place::Fra), stores(Place::Dub));
    let mut direction = Direction { from: Place::Fra, last: None, markers: BTreeMap::new() };
    loop {
        if let Ok((_, from)) = names.find("s3.dr.test").await {
            if from != direction.from {
                direction = Direction { from, last: newest(&stores(from)).await, markers: BTreeMap::new() };
            }
            let (source, target) = match from {
                Place::Fra => (&fra, &dub),
                Place::Dub => (&dub, &fra),
            };
            // A region that is down is down; there is nothing to do about it here.
            drop(round(source, target, &mut direction).await);
        } else {
            time::sleep(DELAY).await;
        }
    }
}

type Store = (Client, &'static str);

/// The last key that is there already: the new direction begins behind it.
async fn newest((client, bucket): &Store) -> Option<String> {
    let mut pages = client.list_objects_v2().bucket(*bucket).prefix(DATA).into_paginator().send();
    let mut last = None;
    while let Some(Ok(page)) = pages.next().await {
        last = page.contents().last().and_then(|object| object.key()).map(str::to_owned).or(last);
    }
    last
}

async fn round(source: &Store, target: &Store, direction: &mut Direction) -> Result<(), Failure> {
    let (client, bucket) = source;
    let data = client.list_objects_v2().bucket(*bucket).prefix(DATA).set_start_after(direction.last.clone());
    let data = data.send().await?;
    let markers = client.list_objects_v2().bucket(*bucket).prefix(MARKERS).send().await?;
    let etags: BTreeMap<String, String> =
        markers.contents().iter().filter_map(|m| Some((m.key()?.to_owned(), m.e_tag()?.to_owned()))).collect();
    let changed = etags.iter().filter(|(key, etag)| direction.markers.get(*key) != Some(*etag));
    let data: Vec<String> = data.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect();
    let wanted: Vec<String> = changed.map(|(key, _)| key.clone()).chain(data.iter().cloned()).collect();
    // What is read now appears later, as it is now.
    let read = stream::iter(wanted).map(|key| async move { read(source, key).await }).buffered(ABREAST);
    let read: Vec<Object> = read.try_collect().await?;
    time::sleep(DELAY).await;
    let written = stream::iter(read).map(|object| async move { write(target, object).await }).buffered(ABREAST);
    let written: Vec<Result<(), Failure>> = written.collect().await;
    if written.iter().all(Result::is_ok) {
        direction.last = data.last().cloned().or(direction.last.take());
        direction.markers = etags;
    }
    Ok(())
}

struct Object {
    key: String,
    metadata: Option<HashMap<String, String>>,
    body: Vec<u8>,
}

async fn read((client, bucket): &Store, key: String) -> Result<Object, Failure> {
    let object = client.get_object().bucket(*bucket).key(&key).send().await?;
    let metadata = object.metadata().cloned();
    Ok(Object { key, metadata, body: object.body.collect().await?.to_vec() })
}

async fn write((client, bucket): &Store, object: Object) -> Result<(), Failure> {
    let put = client.put_object().bucket(*bucket).key(object.key).set_metadata(object.metadata);
    put.body(object.body.into()).send().await?;
    Ok(())
}
