//! Reading every server, and sending an update with the key.

use std::{error::Error, net::SocketAddr, time::Duration};

use futures::future::{join, join_all};

use super::{
    Rfc2136,
    observe::{Reading, World},
};
use crate::net::dns::{self, Key, Replacement, Reply};

/// How long one server may take to answer one question. A server that needs longer is silent to its resolvers too: they ask
/// another one after about a second.
pub(super) const ASK: Duration = Duration::from_secs(2);

impl Rfc2136 {
    /// Every record and the serial, from every server at once.
    pub(super) async fn read(&self, limit: Duration) -> World {
        let limit = limit.min(ASK);
        let (primary, others) = join(
            self.ask(self.settings.primary, limit),
            join_all(self.settings.others.iter().map(|server| self.ask(*server, limit))),
        )
        .await;
        World { primary, others }
    }

    /// All questions to one server at once, so that a silent server costs `limit` and no more.
    async fn ask(&self, server: SocketAddr, limit: Duration) -> Reading {
        let records = join_all(self.settings.records.iter().map(|r| dns::ask(server, &r.name, r.kind, limit)));
        let (answers, soa) = join(records, dns::soa(server, &self.settings.zone, limit)).await;
        Reading { server, answers, soa: soa.ok() }
    }

    /// Sends an update (`rehearse`: one that cannot change anything). `Err`: the key cannot sign, so nothing was sent; why, in words.
    pub(super) async fn send(&self, sets: &[Replacement], rehearse: bool, limit: Duration) -> Result<Reply, String> {
        let key = self.key()?;
        let (server, zone, now) = (self.settings.primary, &self.settings.zone, self.clock.now());
        Ok(if rehearse {
            dns::rehearse(server, zone, &key, sets, now, limit).await
        } else {
            dns::replace(server, zone, &key, sets, now, limit).await
        })
    }

    fn key(&self) -> Result<Key, String> {
        let declared = &self.settings.key;
        let secret = self.secrets.resolve(&declared.secret).map_err(|error| told(&error))?;
        Key::new(declared, &secret).map_err(|error| told(&error))
    }
}

/// An error with its causes in one line.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
