//! Stands for the object store's own replication between regions: what is new in the bucket of the region that serves
//! appears a moment later in the other one. What was lost before is not its business, nor are deletions.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use aws_sdk_s3::Client;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use crate::{
    Failure,
    places::{Names, PATIENCE, Place, Ports, bucket},
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
                // Keys only grow: what is new on the other side lies behind the last one copied from this side.
                direction = Direction { from, last: direction.last.take(), markers: BTreeMap::new() };
            }
            let (source, to) = match from {
                Place::Fra => (&fra, Place::Dub),
                Place::Dub => (&dub, Place::Fra),
            };
            if round(source, ports, to, &mut direction).await.is_err() {
                // A region that is down is down; there is nothing to do about it here.
                time::sleep(DELAY).await;
            }
        } else {
            time::sleep(DELAY).await;
        }
    }
}

type Store = (Client, &'static str);

/// Reads the markers before it looks for data, and writes them after it: what a marker's time vouches for is there when the marker is. A
/// provider's replication promises no order, and a marker may then be ahead of objects by as much as it lets them wait.
async fn round(source: &Store, ports: &Ports, to: Place, direction: &mut Direction) -> Result<(), Failure> {
    let (client, bucket) = source;
    let markers = client.list_objects_v2().bucket(*bucket).prefix(MARKERS).send().await?;
    let etags: BTreeMap<String, String> =
        markers.contents().iter().filter_map(|m| Some((m.key()?.to_owned(), m.e_tag()?.to_owned()))).collect();
    let changed = etags.iter().filter(|(key, etag)| direction.markers.get(*key) != Some(*etag));
    let markers = read_all(source, changed.map(|(key, _)| key.clone()).collect()).await?;
    let data = client.list_objects_v2().bucket(*bucket).prefix(DATA).set_start_after(direction.last.clone());
    let data = data.send().await?;
    let data: Vec<String> = data.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect();
    let last = data.last().cloned();
    let objects = read_all(source, data).await?;
    // What is read now appears later, as it is now.
    time::sleep(DELAY).await;
    if write_all(ports, to, objects).await && write_all(ports, to, markers).await {
        direction.last = last.or(direction.last.take());
        direction.markers = etags;
    }
    Ok(())
}

async fn read_all(source: &Store, keys: Vec<String>) -> Result<Vec<Object>, Failure> {
    stream::iter(keys).map(|key| async move { read(source, key).await }).buffered(ABREAST).try_collect().await
}

/// Whether all were written.
async fn write_all(ports: &Ports, to: Place, objects: Vec<Object>) -> bool {
    let written = stream::iter(objects).map(|object| async move { write(ports, to, object).await }).buffered(ABREAST);
    written.collect::<Vec<_>>().await.iter().all(Result::is_ok)
}

struct Object {
    key: String,
    body: Vec<u8>,
}

async fn read((client, bucket): &Store, key: String) -> Result<Object, Failure> {
    let object = client.get_object().bucket(*bucket).key(&key).send().await?;
    Ok(Object { key, body: object.body.collect().await?.to_vec() })
}

/// Writes by the form that browsers send (Amazon S3 API, "POST Object"). Replication of a provider has a right of its own,
/// `s3:ReplicateObject`, which a fence leaves it; the server here does not know that right, but it judges forms apart from
/// what programs put.
async fn write(ports: &Ports, to: Place, object: Object) -> Result<(), Failure> {
    const EDGE: &str = "two-regions-edge";
    let part = |name: &str| format!("--{EDGE}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let mut body = format!("{}{}\r\n{}", part("key"), object.key, part("file")).into_bytes();
    body.extend(object.body);
    body.extend(format!("\r\n--{EDGE}--\r\n").into_bytes());
    let address = SocketAddr::new(to.objects(), ports.s3.get(to.name()).copied().unwrap_or_default());
    let head = format!(
        "POST /{} HTTP/1.1\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=shop/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Type: multipart/form-data; boundary={EDGE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bucket(to),
        body.len()
    );
    let sent = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, Failure>(answer)
    };
    let answer = time::timeout(PATIENCE, sent).await??;
    if answer.starts_with("HTTP/1.1 204") { Ok(()) } else { Err(answer.into()) }
}
