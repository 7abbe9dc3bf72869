//! The service of one region, as far as its health goes: `200` when the region's own database takes a write and its own
//! bucket takes an object, otherwise `503` with the reason.

use std::net::SocketAddr;

use aws_sdk_s3::primitives::ByteStream;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time,
};

use crate::{
    Failure,
    places::{PATIENCE, Place, Ports, bucket},
};

/// Outside of `uploads/`, so that it is nobody's data.
const KEY: &str = "service/health";

/// Serves until it is killed.
pub(crate) async fn run(ports: &Ports, place: Place, address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    let objects = ports.objects(place, place.objects());
    loop {
        let (stream, _) = listener.accept().await?;
        let (ports, objects) = (ports.clone(), objects.clone());
        tokio::spawn(async move { drop(answer(stream, &ports, &objects, place).await) });
    }
}

async fn answer(
    mut stream: TcpStream,
    ports: &Ports,
    objects: &aws_sdk_s3::Client,
    place: Place,
) -> Result<(), Failure> {
    let mut lines = BufReader::new(&mut stream).lines();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match healthy(ports, objects, place).await {
        Ok(()) => ("200 OK", format!("{place} takes orders and uploads\n")),
        Err(why) => ("503 Service Unavailable", format!("{place}: {why}\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Ok(stream.write_all((head + &body).as_bytes()).await?)
}

async fn healthy(ports: &Ports, objects: &aws_sdk_s3::Client, place: Place) -> Result<(), Failure> {
    let session = ports.database(place.database()).await.map_err(|why| format!("the database: {why}"))?;
    let write = session.execute("UPDATE health SET at = now()", &[]);
    let written = time::timeout(PATIENCE, write).await?;
    // The server's own words; the client's are only "db error".
    written.map_err(|error| match error.as_db_error() {
        Some(reply) => format!("the database: {}", reply.message()),
        None => format!("the database: {error}"),
    })?;
    let put = objects.put_object().bucket(bucket(place)).key(KEY).body(ByteStream::from_static(b"ok\n"));
    put.send().await.map_err(|error| format!("the bucket: {error}"))?;
    Ok(())
}
