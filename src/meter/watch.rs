//! What watching sees and does: observers, probes, the store, notices.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Meter,
    family::{Fraction, Series},
    group::one,
    label::{Fate, Judged, OfChannel, OfNotice, OfObserver, OfProbe, OfProbed, OfReport, OfStore},
};
use crate::model::{ChannelName, GroupName, ProbeName, RegionName};

/// A probe takes 1 ms in the same building and gives up after seconds; ten buckets, for there may be thousands of probes.
fn probe_buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5])
}

/// An append is a disk's sync (0.1 to 10 ms) or a quorum's round trip (1 to 300 ms).
fn append_buckets() -> Histogram {
    Histogram::new([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0])
}

#[derive(Clone)]
pub(super) struct WatchSeries {
    observer: Series<OfObserver, Fraction>,
    reported: Series<OfReport, Fraction>,
    probe_up: Series<OfProbe, Fraction>,
    probes: Series<OfProbed, Counter>,
    probe_took: Series<OfProbe, Histogram>,
    store: Series<OfStore, Histogram>,
    reachable: Fraction,
    refused: Fraction,
    notices: Series<OfNotice, Counter>,
    queued: Series<OfChannel, Fraction>,
}

impl WatchSeries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let reachable = Fraction::default();
        registry.register("store_reachable", "1: the store answered the last time it was asked", reachable.clone());
        let refused = Fraction::default();
        registry.register(
            "documents_refused",
            "1: the documents on disk do not check, and the ones before them stay in force",
            refused.clone(),
        );
        Self {
            observer: Series::register(
                registry,
                "observer_verdict",
                "1: this is what the observer says of the region",
                None,
            ),
            reported: Series::register(
                registry,
                "observer_report_timestamp",
                "When the observer's last report was published, in seconds since 1970",
                Some(Unit::Seconds),
            ),
            probe_up: Series::register(registry, "probe_up", "1: the last probe was healthy", None),
            probes: Series::register(registry, "probes", "Probes that were made", None),
            probe_took: Series::histogram(registry, "probe_duration", "How long probes took", probe_buckets),
            store: Series::histogram(
                registry,
                "journal_append_duration",
                "How long an append to the journal took",
                append_buckets,
            ),
            reachable,
            refused,
            notices: Series::register(registry, "notices", "Notices, by what became of them", None),
            queued: Series::register(registry, "notices_queued", "Notices that wait for their channel", None),
        }
    }

    pub(super) fn forget(&self, group: &str) {
        self.observer.forget(group);
        self.reported.forget(group);
    }
}

impl Meter {
    /// Takes down what one observer says of a region, and when it reported.
    pub fn observer(&self, group: &GroupName, region: &RegionName, observer: &str, judged: Judged, at: Timestamp) {
        let group = group.to_string();
        for each in Judged::ALL {
            let labels = OfObserver {
                group: group.clone(),
                region: region.to_string(),
                observer: observer.to_owned(),
                verdict: each.as_str().to_owned(),
            };
            self.watch.observer.set(&labels, Some(one(each == judged)));
        }
        let labels = OfReport { group, observer: observer.to_owned() };
        self.watch.reported.set(&labels, Some(at.as_duration().as_secs_f64()));
    }

    /// Takes down one probe.
    pub fn probed(&self, region: &RegionName, probe: &ProbeName, healthy: bool, took: Duration) {
        let labels = OfProbe { region: region.to_string(), probe: probe.to_string() };
        self.watch.probe_up.set(&labels, Some(one(healthy)));
        self.watch.probe_took.of(&labels).observe(took.as_secs_f64());
        let OfProbe { region, probe } = labels;
        let result = if healthy { "healthy" } else { "failed" }.to_owned();
        self.watch.probes.count(&OfProbed { region, probe, result });
    }

    /// Drops a probe that is in no document any more.
    pub fn forget_probe(&self, region: &RegionName, probe: &ProbeName) {
        let labels = OfProbe { region: region.to_string(), probe: probe.to_string() };
        self.watch.probe_up.drop_where(|known| *known == labels);
        self.watch.probe_took.drop_where(|known| *known == labels);
        self.watch.probes.drop_where(|known| known.region == labels.region && known.probe == labels.probe);
    }

    /// Takes down one append to a journal: how long it took, and whether the store took it.
    pub fn appended(&self, took: Duration, taken: bool) {
        let result = if taken { "ok" } else { "error" }.to_owned();
        self.watch.store.of(&OfStore { result }).observe(took.as_secs_f64());
    }

    /// Takes down whether the store answers.
    pub fn store(&self, reachable: bool) {
        self.watch.reachable.set(one(reachable));
    }

    /// Takes down whether the documents on disk were refused.
    pub fn documents(&self, refused: bool) {
        self.watch.refused.set(one(refused));
    }

    /// Makes a channel known, so that its counters begin at zero and not when the first notice is lost.
    pub fn channel(&self, channel: &ChannelName) {
        for fate in Fate::ALL {
            let labels = OfNotice { channel: channel.to_string(), result: fate.as_str().to_owned() };
            let _zero = self.watch.notices.of(&labels);
        }
        self.queued(channel, 0);
    }

    /// Counts a notice.
    pub fn notice(&self, channel: &ChannelName, fate: Fate) {
        self.watch.notices.count(&OfNotice { channel: channel.to_string(), result: fate.as_str().to_owned() });
    }

    /// Takes down how many notices wait.
    pub fn queued(&self, channel: &ChannelName, waiting: usize) {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.watch.queued.set(&OfChannel { channel: channel.to_string() }, Some(f64::from(waiting)));
    }

    /// Drops a channel that is in no document any more.
    pub fn forget_channel(&self, channel: &ChannelName) {
        self.watch.notices.drop_where(|known| known.channel == channel.as_str());
        self.watch.queued.drop_where(|known| known.channel == channel.as_str());
    }
}
