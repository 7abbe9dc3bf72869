//! Inboxes of runs, and orders to stop: each order is a key of its own, whose number is one above the last.

use futures::future::BoxFuture;

use super::{
    Etcd, Written,
    journal::{Head, json, parse},
    layout::number_of,
    txn::{self, Answer, Txn},
};
use crate::{
    model::{Command, RunId, StopOrder},
    port::{InboxEntry, Stops, StoreError},
    store::rules,
};

impl Etcd {
    /// Puts an order into an inbox.
    pub(super) async fn order(&self, run: &RunId, command: Command) -> Result<u64, StoreError> {
        let intent = || format!("put an order into the inbox of {run}");
        let parcel = self.pack(intent, &json("an order", &command)?).await?;
        let inbox = self.layout.inbox(run);
        // Each turn that is refused found another order in the same place, a new term, or that the run was closed.
        loop {
            let spoke = self.layout.spoke(run);
            let read = Txn::read([txn::get(&self.layout.head(run)), txn::last(&inbox, None), txn::get(&spoke)]);
            let answer = self.ask(intent, &read).await?;
            let closed = Head::of(run, answer.one(0))?.closed;
            let last =
                answer.one(2).map(|found| parse(|| format!("the term of run {run}"), &found.value)).transpose()?;
            let last = last.unwrap_or_default();
            let allowed = if closed {
                Err(StoreError::RunClosed { run: run.clone() })
            } else {
                rules::may_tell(run, &command, last)
            };
            if let Err(no) = allowed {
                self.discard(&parcel).await;
                return Err(no);
            }
            let same_term = command.expected_term.map(|term| txn::is(&spoke, &term.0.to_string()));
            let number = answer.one(1).and_then(|found| number_of(&found.key)).unwrap_or(0) + 1;
            let proof = self.layout.order(run, number);
            let tell =
                Txn::when([txn::absent(&proof), txn::absent(&self.layout.closed(run))].into_iter().chain(same_term))
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

impl Stops for Etcd {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let intent = || "write down the order to stop".to_owned();
            let parcel = self.pack(intent, &json("an order to stop", order)?).await?;
            // Each turn that is refused found another order in the same place.
            loop {
                let answer = self.ask(intent, &Txn::read([txn::last(&self.layout.stops(), None)])).await?;
                let number = answer.one(0).and_then(|found| number_of(&found.key)).unwrap_or(0) + 1;
                let proof = self.layout.stop(number);
                let stop = Txn::when([txn::absent(&proof)]).then([txn::put(&proof, &parcel.value)]);
                match self.write(intent, &proof, &parcel.mark, stop).await? {
                    Written::Done(_) => return Ok(()),
                    Written::Refused(_) => {}
                }
            }
        })
    }

    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        Box::pin(async move {
            let prefix = self.layout.stops();
            let intent = || "see whether anything is stopped".to_owned();
            let place = || "an order to stop".to_owned();
            let mut orders = Vec::new();
            for found in self.list(intent, &prefix, prefix.clone()).await? {
                let text = self.unpack(place, &found.value).await?;
                orders.push(parse(place, text.as_bytes())?);
            }
            Ok(orders)
        })
    }
}
