//! A connection that is accepted. Nothing is sent over it.

use futures::future::BoxFuture;

use super::{
    Asks, Found, Ill,
    place::{Place, leave_nothing},
};
use crate::spec::TcpProbe;

pub(super) struct Tcp(Place);

impl Tcp {
    pub(super) fn new(spec: &TcpProbe) -> Result<Self, Ill> {
        Place::parse(&spec.address).map(Self)
    }
}

impl Asks for Tcp {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(async {
            leave_nothing(&self.0.connect().await?);
            Ok(Found::Well)
        })
    }

    fn shown(&self) -> &str {
        &self.0.shown
    }
}
