//! The client: a shop that takes orders and stores uploads without pause, and keeps its own list of what was
//! acknowledged to it. It knows nothing of Lifeboat, and nothing of regions but the name that it resolves.

use std::{fs::File, io::Write as _, net::IpAddr, path::Path, time::Duration};

use aws_sdk_s3::{Client as Bucket, primitives::ByteStream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time;
use tokio_postgres::Client as Session;

use crate::{
    Failure,
    places::{Names, PATIENCE, Place, Ports, bucket},
};

/// Between two tries while nothing works.
const AGAIN: Duration = Duration::from_millis(15);
/// Between two uploads. A person uploads less often than a program could; orders have no pause at all.
const UPLOAD: Duration = Duration::from_millis(20);

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Order,
    Upload,
}

/// A write that was acknowledged: one line of the shop's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Acknowledged {
    pub(crate) kind: Kind,
    pub(crate) id: u64,
    /// The moment the acknowledgement came.
    pub(crate) at: Timestamp,
    /// `fra` or `dub`.
    pub(crate) region: String,
}

/// The key of an upload.
pub(crate) fn key(id: u64) -> String {
    format!("uploads/{id:08}.txt")
}

/// Works until it is killed. Its lists go to `orders.jsonl` and `uploads.jsonl` in `folder`.
pub(crate) async fn run(ports: &Ports, folder: &Path) -> Result<(), Failure> {
    let (orders, uploads) = (Orders::new(ports, folder)?, Uploads::new(ports, folder)?);
    let (never, _) = tokio::join!(orders.run(), uploads.run());
    never
}

struct List(File);

impl List {
    fn new(path: &Path) -> Result<Self, Failure> {
        Ok(Self(File::options().create(true).append(true).open(path)?))
    }
    fn add(&mut self, kind: Kind, id: u64, place: Place) -> Result<(), Failure> {
        let line = Acknowledged { kind, id, at: Timestamp::now(), region: place.name().into() };
        Ok(self.0.write_all(format!("{}\n", serde_json::to_string(&line)?).as_bytes())?)
    }
}

struct Orders<'a> {
    ports: &'a Ports,
    names: Names,
    list: List,
    session: Option<(Session, Place)>,
}

impl<'a> Orders<'a> {
    fn new(ports: &'a Ports, folder: &Path) -> Result<Self, Failure> {
        let list = List::new(&folder.join("orders.jsonl"))?;
        Ok(Self { ports, names: Names::of(ports)?, list, session: None })
    }

    async fn run(mut self) -> Result<(), Failure> {
        for id in 1_u64.. {
            match self.place_order(id).await {
                Ok(place) => self.list.add(Kind::Order, id, place)?,
                Err(_not_acknowledged) => {
                    // Perhaps it was written, perhaps not; nobody said so, so it is not on the list.
                    self.session = None;
                    time::sleep(AGAIN).await;
                }
            }
        }
        Ok(())
    }

    async fn place_order(&mut self, id: u64) -> Result<Place, Failure> {
        if self.session.is_none() {
            let (address, place) = self.names.find("db.dr.test").await?;
            self.session = Some((self.ports.database(address).await?, place));
        }
        let Some((session, place)) = &self.session else { return Err("no session".into()) };
        let id = i64::try_from(id)?;
        time::timeout(PATIENCE, session.execute("INSERT INTO orders (id) VALUES ($1)", &[&id])).await??;
        Ok(*place)
    }
}

struct Uploads<'a> {
    ports: &'a Ports,
    names: Names,
    list: List,
    at: Option<(IpAddr, Bucket, Place)>,
}

impl<'a> Uploads<'a> {
    fn new(ports: &'a Ports, folder: &Path) -> Result<Self, Failure> {
        let list = List::new(&folder.join("uploads.jsonl"))?;
        Ok(Self { ports, names: Names::of(ports)?, list, at: None })
    }

    async fn run(mut self) -> Result<(), Failure> {
        for id in 1_u64.. {
            match self.upload(id).await {
                Ok(place) => {
                    self.list.add(Kind::Upload, id, place)?;
                    time::sleep(UPLOAD).await;
                }
                Err(_not_acknowledged) => {
                    self.at = None;
                    time::sleep(AGAIN).await;
                }
            }
        }
        Ok(())
    }

    async fn upload(&mut self, id: u64) -> Result<Place, Failure> {
        // An object store has no session that breaks, so the name is asked for every time.
        let (address, place) = self.names.find("s3.dr.test").await?;
        if self.at.as_ref().is_none_or(|(known, _, _)| *known != address) {
            self.at = Some((address, self.ports.objects(place, address), place));
        }
        let Some((_, objects, place)) = &self.at else { return Err("no object store".into()) };
        let body = ByteStream::from(format!("upload {id}\n").into_bytes());
        objects.put_object().bucket(bucket(*place)).key(key(id)).body(body).send().await?;
        Ok(*place)
    }
}
