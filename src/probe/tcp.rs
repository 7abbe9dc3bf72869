//! A connection that is accepted. Nothing is sent over it.

use std::time::Duration;

use tokio::{net::TcpStream, time};

use super::Ill;
use crate::spec::TcpProbe;

pub(super) async fn probe(spec: &TcpProbe, timeout: Duration) -> Result<(), Ill> {
    match time::timeout(timeout, TcpStream::connect(&spec.address)).await {
        Ok(Ok(_accepted)) => Ok(()),
        Ok(Err(error)) => Err(Ill::of(&spec.address, &error)),
        Err(_) => Err(Ill::time_out(&spec.address, timeout)),
    }
}
