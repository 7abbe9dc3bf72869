//! The members of the cluster, asked one after the other until one has an answer.
//!
//! Promises: a member that does not listen, does not answer or has no leader is passed over, and the one that answered last is
//! asked first the next time. What is sent again may have been applied before: only reads and transactions that compare
//! what they rest on go through here, and [`Answer::repeated`] says that an earlier try is in doubt. Redirects and the
//! environment's proxies are not followed. A crash in the middle means what a lost reply means.

use std::{
    error::Error as _,
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use reqwest::{Client, redirect, retry};
use serde::Deserialize;

use super::{
    Place, Trouble,
    txn::{Answer, Txn},
};
use crate::net::tls;

/// How long a connection may take to come about, with its handshake: a member on another continent needs three round
/// trips of 0.2 s at most; a dead one must not use up a lease's time-to-live of 3 s.
const CONNECT: Duration = Duration::from_millis(700);

/// How long one member may take: a commit between continents takes two round trips. A member that is stopped or cut off
/// costs this much once; one that waits for an election is asked again.
const ATTEMPT: Duration = Duration::from_millis(1_200);

/// How long the cluster is asked before the answer is "unavailable": an election with etcd's defaults takes up to two
/// seconds, and a person waits this long without wondering.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two rounds of all members.
const PAUSE: Duration = Duration::from_millis(50);

/// The members.
#[derive(Debug)]
pub(super) struct Gateway {
    client: Client,
    /// `https://host:port`.
    members: Vec<String>,
    /// Which answered last.
    favourite: AtomicUsize,
}

/// What one member said.
enum Said {
    Answer(Answer),
    /// Ask another; whether this one may have done it.
    Next {
        why: String,
        doubt: bool,
    },
    No(Trouble),
}

impl Gateway {
    pub(super) fn open(place: &Place) -> Result<Self, Trouble> {
        let mut config = if place.tls {
            tls::store_config(place.ca.as_deref(), place.identity.as_ref().map(|(cert, key)| (&**cert, &**key)))?
        } else {
            tls::trusting(rustls::RootCertStore::empty())?
        };
        // One request at a time on a connection: a request that is given up closes its own and disturbs no other.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .no_proxy()
            .referer(false)
            .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Trouble::Client)?;
        let scheme = if place.tls { "https" } else { "http" };
        let members = place.members.iter().map(|member| format!("{scheme}://{member}")).collect();
        Ok(Self { client, members, favourite: AtomicUsize::new(0) })
    }

    /// Asks for a transaction, until a member answers or the time is up.
    pub(super) async fn txn(&self, txn: &Txn) -> Result<Answer, Trouble> {
        let body = serde_json::to_vec(txn)
            .map_err(|error| Trouble::Refused { member: "this program".into(), said: error.to_string() })?;
        let mut tried = vec![String::new(); self.members.len()];
        let mut doubt = false;
        let asked = self.rounds(&body, &mut tried, &mut doubt);
        if let Ok(answer) = tokio::time::timeout(PATIENCE, asked).await {
            return answer;
        }
        let mut said = String::new();
        for (member, why) in self.members.iter().zip(&tried) {
            let why = if why.is_empty() { "was not asked in time" } else { why };
            // Writing to a String cannot fail.
            let _always = write!(said, "{}{member} {why}", if said.is_empty() { "" } else { "; " });
        }
        Err(Trouble::Silent { seconds: PATIENCE.as_secs(), tried: said, doubt: doubt && txn.writes() })
    }

    async fn rounds(&self, body: &[u8], tried: &mut [String], doubt: &mut bool) -> Result<Answer, Trouble> {
        loop {
            let first = self.favourite.load(Ordering::Relaxed);
            for turn in 0..self.members.len() {
                let at = (first + turn) % self.members.len().max(1);
                let (Some(member), Some(said)) = (self.members.get(at), tried.get_mut(at)) else { continue };
                // Until the answer is here, the request may be applied: also when we are dropped in the middle.
                let before = std::mem::replace(doubt, true);
                match self.attempt(member, body).await {
                    Said::Answer(mut answer) => {
                        self.favourite.store(at, Ordering::Relaxed);
                        answer.repeated = before;
                        return Ok(answer);
                    }
                    Said::Next { why, doubt: this } => {
                        *doubt = before || this;
                        *said = why;
                        self.favourite.store((at + 1) % self.members.len().max(1), Ordering::Relaxed);
                    }
                    Said::No(trouble) => return Err(trouble),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, member: &str, body: &[u8]) -> Said {
        let request = self.client.post(format!("{member}/v3/kv/txn")).timeout(ATTEMPT).body(body.to_vec());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Said::Next { doubt: !error.is_connect() && !error.is_builder(), why: reason(&error) };
            }
        };
        let status = response.status().as_u16();
        let text = match response.bytes().await {
            Ok(text) => text,
            Err(error) => return Said::Next { why: reason(&error), doubt: true },
        };
        if status == 200 {
            return match Answer::parse(&text) {
                Ok(answer) => Said::Answer(answer),
                Err(said) => Said::No(Trouble::Stranger { member: member.to_owned(), said }),
            };
        }
        judge(member, status, &text)
    }

    /// A stream of the watch, from the member that answered last. `None`: no stream came about.
    pub(super) async fn watch(&self, body: &serde_json::Value) -> Option<reqwest::Response> {
        let member = self.members.get(self.favourite.load(Ordering::Relaxed))?;
        let response = self.client.post(format!("{member}/v3/watch")).json(body).send().await.ok()?;
        response.status().is_success().then_some(response)
    }
}

/// The gateway's form of an error.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    code: u32,
}

/// What an answer other than 200 means. The codes are gRPC's (<https://grpc.io/docs/guides/status-codes/>); what is not
/// certainly a refusal counts as "no answer".
fn judge(member: &str, status: u16, text: &[u8]) -> Said {
    let member = member.to_owned();
    let Ok(Refusal { error: said, code }) = serde_json::from_slice(text) else {
        let said = format!("status {status}");
        // A proxy, or a member that is about to end, says 502 to 504 in its own words.
        let passing = (500..600).contains(&status);
        return if passing {
            Said::Next { why: format!("answered with {said}"), doubt: true }
        } else {
            Said::No(Trouble::Stranger { member, said })
        };
    };
    match code {
        3 if said.contains("too large") => Said::No(Trouble::TooLarge { member, said }),
        8 if said.contains("space exceeded") => Said::No(Trouble::Full { member, said }),
        7 | 16 => Said::No(Trouble::Forbidden { member, said }),
        3 | 9 | 11 => Said::No(Trouble::Refused { member, said }),
        _ => Said::Next { why: format!("said \"{said}\""), doubt: true },
    }
}

/// The innermost cause, which names neither URL nor body.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return if error.is_connect() { "could not be connected to in time" } else { "did not answer in time" }.into();
    }
    let mut last = error.source();
    while let Some(next) = last.and_then(std::error::Error::source) {
        last = Some(next);
    }
    let word = if error.is_connect() { "could not be connected to" } else { "broke the connection off" };
    last.map_or_else(|| word.to_owned(), |last| format!("{word} ({last})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certainly_a_refusal_is_one() {
        let judged = |status, text: &str| match judge("m", status, text.as_bytes()) {
            Said::No(trouble) => trouble.to_string(),
            Said::Next { why, doubt } => format!("next: {why}, {doubt}"),
            Said::Answer(_) => "an answer".into(),
        };
        let table = [
            (503, r#"{"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14}"#, "next: said"),
            (503, r#"{"error":"etcdserver: request timed out","code":14}"#, "next: said"),
            (503, r#"{"error":"etcdserver: leader changed","code":14}"#, "next: said"),
            (504, r#"{"error":"context deadline exceeded","code":4}"#, "next: said"),
            (500, r#"{"error":"raft proposal dropped","code":2}"#, "next: said"),
            (400, r#"{"error":"etcdserver: request is too large","code":3}"#, "m takes no request of this size"),
            (429, r#"{"error":"etcdserver: mvcc: database space exceeded","code":8}"#, "the space of the etcd cluster"),
            (429, r#"{"error":"etcdserver: too many requests","code":8}"#, "next: said"),
            (401, r#"{"error":"etcdserver: user name is empty","code":16}"#, "m does not let us in"),
            (502, "<html>", "next: answered"),
            (404, "404 page not found", "m answers, but not like an etcd"),
        ];
        for (status, text, expected) in table {
            let found = judged(status, text);
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }
}
