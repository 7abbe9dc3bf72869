//! `POST /add-checkpoint`: a witness, asked over HTTP (C2SP tlog-witness).
//!
//! Promises what the health answers promise of slow and endless clients. What is sent is verified before anything is remembered, so
//! there is no login: a stranger can only ask for what the log itself would. There is no TLS here: what passes is signed on both ways,
//! and public; put a proxy before it to be known under a name.

use std::{io, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
    routing::post,
};
use futures::future::BoxFuture;
use tokio::net::TcpListener;

use super::{
    CONNECTIONS, IDLE,
    answer::{TEXT, answer},
    guest::Guests,
};
use crate::{
    app::Witness,
    evidence::witness::{LONGEST, PATH},
};

/// Serves until `shutdown` resolves.
pub fn witnessing(
    listener: TcpListener,
    witness: Arc<Witness>,
    shutdown: BoxFuture<'static, ()>,
) -> BoxFuture<'static, io::Result<()>> {
    let routes = Router::new()
        .route(&format!("/{PATH}"), post(add))
        .layer(DefaultBodyLimit::max(LONGEST + 1))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_posts)
        .with_state(witness);
    Box::pin(async move {
        tokio::select! {
            served = axum::serve(Guests::new(listener, CONNECTIONS, IDLE), routes) => served,
            () = shutdown => Ok(()),
        }
    })
}

async fn add(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // A write to the disk takes milliseconds, and there is one at a time.
    let said = witness.add(&body);
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer(status, said.content, said.body)
}

async fn nothing_here() -> Response {
    answer(StatusCode::NOT_FOUND, TEXT, format!("there is POST /{PATH}\n"))
}

async fn only_posts() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, format!("/{PATH} takes POST\n"))
}
