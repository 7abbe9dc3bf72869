//! Reports of observers and evidence records: the newest of each. A try whose reply was lost never overwrites what came
//! after it, because it compares what it replaces.

use futures::future::BoxFuture;

use super::{
    Etcd, Written,
    journal::{json, parse},
    txn::{self, Compare, Txn},
};
use crate::{
    model::{GroupName, RunId},
    port::{ObserverReport, Records, Reports, StoreError},
};

impl Etcd {
    /// Writes a text in place of the last one. `run`: only if there is this run.
    async fn replace(
        &self,
        intent: impl Fn() -> String,
        key: &str,
        text: &str,
        run: Option<&RunId>,
    ) -> Result<(), StoreError> {
        let parcel = self.pack(&intent, text).await?;
        // Each turn that is refused found that somebody else replaced it first.
        loop {
            let head = run.map(|run| (run, self.layout.head(run)));
            let looks = [txn::get(key)].into_iter().chain(head.as_ref().map(|(_, head)| txn::get(head)));
            let answer = self.ask(&intent, &Txn::read(looks)).await?;
            let condition: Option<Compare> = match &head {
                Some((run, _)) if answer.one(1).is_none() => {
                    self.discard(&parcel).await;
                    return Err(StoreError::NoRun { run: (*run).clone() });
                }
                Some((_, head)) => Some(txn::present(head)),
                None => None,
            };
            let before = answer.one(0);
            let write =
                Txn::when([txn::unmoved(key, before.map_or(0, |found| found.revision))].into_iter().chain(condition))
                    .then([txn::put(key, &parcel.value)])
                    .then(before.and_then(|found| self.forget(&found.value)));
            match self.write(&intent, key, &parcel.mark, write).await? {
                Written::Done(_) => return Ok(()),
                Written::Refused(_) => {}
            }
        }
    }
}

impl Reports for Etcd {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let intent = || format!("publish the report of observer {} on {}", report.observer, report.group);
            let key = self.layout.report(&report.group, &report.observer);
            self.replace(intent, &key, &json("a report", report)?, None).await
        })
    }

    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        Box::pin(async move {
            let prefix = self.layout.reports(group);
            let intent = || format!("read the observers' reports on {group}");
            let place = || format!("an observer's report on {group}");
            let mut reports = Vec::new();
            for found in self.list(intent, &prefix, prefix.clone()).await? {
                let text = self.unpack(place, &found.value).await?;
                reports.push(parse(place, text.as_bytes())?);
            }
            Ok(reports)
        })
    }
}

impl Records for Etcd {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let key = self.layout.record(run);
            self.replace(|| format!("keep the record of {run}"), &key, &record, Some(run)).await
        })
    }

    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let read = Txn::read([txn::get(&self.layout.record(run)), txn::get(&self.layout.head(run))]);
            let answer = self.ask(|| format!("read the record of {run}"), &read).await?;
            match (answer.one(0), answer.one(1)) {
                (Some(found), _) => Ok(Some(self.unpack(|| format!("the record of {run}"), &found.value).await?)),
                (None, Some(_)) => Ok(None),
                (None, None) => Err(StoreError::NoRun { run: run.clone() }),
            }
        })
    }
}
