//! Floor 7: what a process that stands watch answers over HTTP: `/metrics`, `/livez`, `/readyz`; and what a witness does.
//!
//! Promises: a client that is slow, sends without end or never comes back costs one of [`CONNECTIONS`] for [`IDLE`] at most,
//! and delays no other; no answer takes longer than [`ANSWER`]; nothing is changed by any request. Assumes that whoever can
//! reach the address may know what the checks say; there is no login. A crash in the middle loses an answer.

mod answer;
mod guest;
mod health;
mod witness;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use futures::future::BoxFuture;
use tokio::{net::TcpListener, time};

use self::guest::Guests;
pub use self::witness::witnessing;
use crate::app::Vitals;

/// Connections at once. A Prometheus, a kubelet and a person need three.
pub const CONNECTIONS: usize = 64;
/// How long a connection may send nothing. Longer than usual scrape intervals would only keep connections for their own sake.
pub const IDLE: Duration = Duration::from_secs(30);
/// How long an answer may take. Kubernetes gives a probe one second unless it says otherwise; a store that does not answer
/// should be named in the answer, not cut off.
pub const ANSWER: Duration = Duration::from_secs(5);
/// How long connections are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// [`serve`], as `app` takes it.
pub fn answering(
    listener: TcpListener,
    vitals: Arc<dyn Vitals>,
    shutdown: BoxFuture<'static, ()>,
) -> BoxFuture<'static, io::Result<()>> {
    Box::pin(serve(listener, vitals, shutdown))
}

/// Serves until `shutdown` resolves, and then waits a little for answers that are under way.
pub async fn serve(
    listener: TcpListener,
    vitals: Arc<dyn Vitals>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(answer::no_such_place)
        .method_not_allowed_fallback(answer::no_such_method)
        .with_state(vitals);
    let (over, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(Guests::new(listener, CONNECTIONS, IDLE), routes).with_graceful_shutdown(async move {
        shutdown.await;
        // Whoever waits for it is gone only when serving is.
        let _told = over.send(());
    });
    tokio::select! {
        served = serving => served,
        () = async {
            // An error would be a shutdown that was dropped before it resolved: nothing to wait for then.
            let _ended = ended.await;
            time::sleep(FAREWELL).await;
        } => Ok(()),
    }
}
