//! Reports of observers and evidence records, the newest of each; and orders to stop, all of them.

use futures::future::BoxFuture;
use rusqlite::{OptionalExtension as _, params};

use super::{
    Sqlite,
    journal::exists,
    row::{json, key, parse},
};
use crate::{
    model::{GroupName, RunId, StopOrder},
    port::{ObserverReport, Records, Reports, Stops, StoreError},
};

impl Reports for Sqlite {
    fn publish<'a>(&'a self, report: &'a ObserverReport) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let text = json("a report", report)?;
            let (group, observer) = (report.group.to_string(), report.observer.clone());
            let intent = || format!("publish the report of observer {} on {}", report.observer, report.group);
            self.write(intent, move |db| {
                db.prepare_cached(
                    "INSERT INTO reports (grp, observer, report) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (grp, observer) DO UPDATE SET report = ?3",
                )?
                .execute(params![group, observer, text])?;
                Ok(())
            })
            .await
        })
    }

    fn reports<'a>(&'a self, group: &'a GroupName) -> BoxFuture<'a, Result<Vec<ObserverReport>, StoreError>> {
        Box::pin(async move {
            let of = group.to_string();
            let intent = || format!("read the observers' reports on {group}");
            let rows = self.read(intent, move |db| {
                let mut query = db.prepare_cached("SELECT report FROM reports WHERE grp = ?1 ORDER BY observer")?;
                let rows = query.query_map([of], |row| row.get::<_, String>(0))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            });
            rows.await?.iter().map(|text| parse(|| format!("an observer's report on {group}"), text)).collect()
        })
    }
}

impl Records for Sqlite {
    fn keep<'a>(&'a self, run: &'a RunId, record: String) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let of = run.clone();
            self.write(
                || format!("keep the record of {run}"),
                move |db| {
                    exists(db, &of)?;
                    let (group, number) = key(&of);
                    db.prepare_cached(
                        "INSERT INTO records (grp, number, record) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (grp, number) DO UPDATE SET record = ?3",
                    )?
                    .execute(params![group, number, record])?;
                    Ok(())
                },
            )
            .await
        })
    }

    fn record<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let of = run.clone();
            self.read(
                || format!("read the record of {run}"),
                move |db| {
                    let (group, number) = key(&of);
                    let found = db
                        .prepare_cached("SELECT record FROM records WHERE grp = ?1 AND number = ?2")?
                        .query_row(params![group, number], |row| row.get(0))
                        .optional()?;
                    if found.is_none() {
                        exists(db, &of)?;
                    }
                    Ok(found)
                },
            )
            .await
        })
    }
}

impl Stops for Sqlite {
    fn order_stop<'a>(&'a self, order: &'a StopOrder) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let text = json("an order to stop", order)?;
            self.write(
                || "write down the order to stop".into(),
                move |db| {
                    db.prepare_cached("INSERT INTO stops (stop) VALUES (?1)")?.execute([text])?;
                    Ok(())
                },
            )
            .await
        })
    }

    fn stop_orders(&self) -> BoxFuture<'_, Result<Vec<StopOrder>, StoreError>> {
        Box::pin(async move {
            let rows = self.read(
                || "see whether anything is stopped".into(),
                |db| {
                    let mut query = db.prepare_cached("SELECT stop FROM stops ORDER BY number")?;
                    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
                    Ok(rows.collect::<Result<Vec<_>, _>>()?)
                },
            );
            rows.await?.iter().map(|text| parse(|| "an order to stop".into(), text)).collect()
        })
    }
}
