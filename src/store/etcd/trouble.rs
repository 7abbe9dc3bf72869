//! What can be wrong with the cluster or the way to it, each with its way out. Kept as the source of
//! `StoreError::Unavailable`.

use crate::net::tls::TlsError;

/// A cluster that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody answered in time.
    #[error(
        "no member of the etcd cluster did it within {seconds} s ({tried}); see that a majority of the members runs and \
         can be reached from here{}", if *.doubt { ", and read the journal before anything else: what was written may be there" } else { "" }
    )]
    Silent {
        /// How long they were asked.
        seconds: u64,
        /// What each member said last.
        tried: String,
        /// A member may have done it all the same.
        doubt: bool,
    },
    /// The space of the cluster is used up.
    #[error(
        "the space of the etcd cluster is used up, and nothing was written; compact and defragment it, then \
         `etcdctl alarm disarm` ({member}: {said})"
    )]
    Full {
        /// Which member.
        member: String,
        /// What it said.
        said: String,
    },
    /// Not allowed.
    #[error(
        "{member} does not let us in ({said}); name a certificate it trusts in LIFEBOAT_STORE_CERT and \
         LIFEBOAT_STORE_KEY"
    )]
    Forbidden {
        /// Which member.
        member: String,
        /// What it said.
        said: String,
    },
    /// Too large for one request.
    #[error(
        "{member} takes no request of this size ({said}); nothing was written. Leave its --max-request-bytes at 1.5 MiB or more"
    )]
    TooLarge {
        /// Which member.
        member: String,
        /// What it said.
        said: String,
    },
    /// It refused for a reason of its own.
    #[error("{member} refused: {said}")]
    Refused {
        /// Which member.
        member: String,
        /// What it said.
        said: String,
    },
    /// Something else answers there.
    #[error(
        "{member} answers, but not like an etcd 3.4 or later with its JSON gateway ({said}); see the address, and that \
         --enable-grpc-gateway is on"
    )]
    Stranger {
        /// Which member.
        member: String,
        /// What it said.
        said: String,
    },
    /// The certificates cannot be used.
    #[error("the certificates for the etcd store cannot be used")]
    Tls(#[from] TlsError),
    /// The HTTP client cannot be made.
    #[error("the HTTP client for the etcd store cannot be made")]
    Client(#[source] reqwest::Error),
    /// No random number.
    #[error("the operating system gave no random number")]
    Chance,
}
