//! A family of series that can be forgotten by group. The library's own family cannot list what it holds.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric},
    metrics::{TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// A gauge of fractions.
pub(super) type Fraction = Gauge<f64, AtomicU64>;

/// Labels of which one may be a group.
pub(super) trait Labels: Clone + Debug + Eq + Ord + Hash + EncodeLabelSet + Send + Sync + 'static {
    /// The group's name.
    fn group(&self) -> Option<&str>;
}

/// How a histogram is made.
type Make = fn() -> Histogram;

/// Series of one name.
pub(super) struct Series<L, M, C = fn() -> M> {
    family: Family<L, M, C>,
    known: Arc<Mutex<BTreeSet<L>>>,
}

impl<L, M, C: Clone> Clone for Series<L, M, C> {
    fn clone(&self) -> Self {
        Self { family: self.family.clone(), known: Arc::clone(&self.known) }
    }
}

impl<L: Labels, M: Clone + EncodeMetric + TypedMetric + Debug + Default + Send + Sync + 'static> Series<L, M> {
    /// Puts it into the registry. Counters get `_total`, and a unit is a part of the name.
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>) -> Self {
        Self::made(registry, name, help, unit, M::default)
    }
}

impl<L: Labels> Series<L, Histogram, Make> {
    /// A histogram of seconds.
    pub(super) fn histogram(registry: &mut Registry, name: &str, help: &str, make: Make) -> Self {
        Self::made(registry, name, help, Some(Unit::Seconds), make)
    }
}

impl<L: Labels, M: Clone + EncodeMetric + TypedMetric + Debug + Send + Sync + 'static> Series<L, M> {
    fn made(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, make: fn() -> M) -> Self {
        let family = Family::new_with_constructor(make);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, family.clone()),
            None => registry.register(name, help, family.clone()),
        }
        Self { family, known: Arc::default() }
    }

    /// The series with these labels.
    pub(super) fn of(&self, labels: &L) -> M {
        let mut known = self.known();
        if !known.contains(labels) {
            known.insert(labels.clone());
        }
        self.family.get_or_create_owned(labels)
    }

    /// Drops the series that `which` picks.
    pub(super) fn drop_where(&self, which: impl Fn(&L) -> bool) {
        self.known().retain(|labels| {
            let gone = which(labels);
            if gone {
                self.family.remove(labels);
            }
            !gone
        });
    }

    /// Drops the series of a group.
    pub(super) fn forget(&self, group: &str) {
        self.drop_where(|labels| labels.group() == Some(group));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<L>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Labels> Series<L, Fraction> {
    /// Sets the gauge; what is not known has no series.
    pub(super) fn set(&self, labels: &L, value: Option<f64>) {
        match value {
            Some(value) => {
                self.of(labels).set(value);
            }
            None => self.drop_where(|known| known == labels),
        }
    }
}

impl<L: Labels> Series<L, Counter> {
    /// Counts one.
    pub(super) fn count(&self, labels: &L) {
        self.of(labels).inc();
    }
}
