//! News of a journal: a watch on the cluster, as a stream that is read until its first event.
//!
//! It only spares looking. Whatever goes wrong with the stream, the caller looks by itself at its own pace.

use std::{future::pending, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    Etcd,
    layout::{end_of, number_of},
    txn::{self, Txn},
};
use crate::model::RunId;

/// How often a caller looks by itself: a member that is cut off sends nothing and breaks nothing off either.
pub(super) const PACE: Duration = Duration::from_secs(2);

impl Etcd {
    /// Resolves when the journal may have events above `after`; never, when no watch came about.
    pub(super) async fn news(&self, run: &RunId, after: u64) {
        if self.first_news(run, after).await.is_none() {
            pending::<()>().await;
        }
    }

    async fn first_news(&self, run: &RunId, after: u64) -> Option<()> {
        let prefix = self.layout.journal(run);
        let answer = self.ask(String::new, &Txn::read([txn::last(&prefix, None)])).await.ok()?;
        let last = answer.one(0).and_then(|found| number_of(&found.key)).unwrap_or(0);
        if last > after {
            return Some(());
        }
        // From the revision after the look on: nothing falls in between.
        let create = json!({ "create_request": {
            "key": STANDARD.encode(&prefix), "range_end": STANDARD.encode(end_of(&prefix)),
            "start_revision": (answer.revision + 1).to_string(),
        } });
        let mut stream = self.gateway.watch(&create).await?;
        let mut line = Vec::new();
        while let Some(chunk) = stream.chunk().await.ok()? {
            line.extend_from_slice(&chunk);
            // The first line says that the watch was created, each further one is news, or the end of the watch.
            if line.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).any(is_news) {
                return Some(());
            }
        }
        None
    }
}

fn is_news(line: &[u8]) -> bool {
    let events = serde_json::from_slice::<serde_json::Value>(line).ok();
    events.is_some_and(|reply| reply.pointer("/result/events").is_some_and(serde_json::Value::is_array))
}
