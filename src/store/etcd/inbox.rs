//! Inboxes: each order is a key of its own, whose number is one above the last.

use super::{
    Etcd, Written,
    journal::{Head, json, parse},
    layout::number_of,
    txn::{self, Answer, Txn},
};
use crate::{
    model::{Command, RunId},
    port::{InboxEntry, StoreError},
};

impl Etcd {
    /// Puts an order into an inbox.
    pub(super) async fn order(&self, run: &RunId, command: Command) -> Result<u64, StoreError> {
        let intent = || format!("put an order into the inbox of {run}");
        let parcel = self.pack(intent, &json("an order", &command)?).await?;
        let inbox = self.layout.inbox(run);
        // Each turn that is refused found another order in the same place, or that the run was closed.
        loop {
            let read = Txn::read([txn::get(&self.layout.head(run)), txn::last(&inbox, None)]);
            let answer = self.ask(intent, &read).await?;
            if Head::of(run, answer.one(0))?.closed {
                self.discard(&parcel).await;
                return Err(StoreError::RunClosed { run: run.clone() });
            }
            let number = answer.one(1).and_then(|found| number_of(&found.key)).unwrap_or(0) + 1;
            let proof = self.layout.order(run, number);
            let tell = Txn::when([txn::absent(&proof), txn::absent(&self.layout.closed(run))])
                .then([txn::put(&proof, &parcel.value)]);
            match self.write(intent, &proof, &parcel.mark, tell).await? {
                Written::Done(_) => return Ok(number),
                Written::Refused(_) => {}
            }
        }
    }

    /// Orders with a number above `after`.
    pub(super) async fn orders(&self, run: &RunId, after: u64) -> Result<Vec<InboxEntry>, StoreError> {
        let intent = || format!("read the inbox of {run}");
        let (inbox, from) = (self.layout.inbox(run), self.layout.order(run, after + 1));
        let read = Txn::read([txn::get(&self.layout.head(run)), txn::page(&inbox, &from)]);
        let first: Answer = self.ask(intent, &read).await?;
        Head::of(run, first.one(0))?;
        let mut found = first.all(1).to_vec();
        if found.len() >= txn::PAGE {
            found = self.list(intent, &inbox, from).await?;
        }
        let mut entries = Vec::new();
        for found in found {
            let number = number_of(&found.key).unwrap_or(0);
            let place = || format!("order {number} of run {run}");
            let text = self.unpack(place, &found.value).await?;
            entries.push(InboxEntry { number, command: parse(place, text.as_bytes())? });
        }
        Ok(entries)
    }
}
