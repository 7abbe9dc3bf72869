//! The conformance kit, run on every driver with its real target, and on a driver that is faulty on purpose.
//!
//! Each report is a snapshot: what could not be tried, and why, is reviewed as text.

mod aftermath;
mod awaiting;
mod command;
mod fake;
mod faulty;
mod http;
mod lamps;
mod parity;
mod postgres;
mod rfc2136;
mod s3;
mod wait;
mod web;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use lifeboat::{
    driver::conformance::{Fault, Report, Subject, Wire, examine},
    model::{RunKind, Term, Verb},
    port::{Call, Known, LeaseKey, Permit, SecretError, Secrets, SystemClock},
    spec::SecretRef,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::servers::relay::{Line, Rule};

/// The right secret, and a wrong one.
pub(crate) const SECRET: &str = "hush/hush+4711-right";
pub(crate) const WRONG: &str = "hush/hush+4712-wrong";

/// Every reference is worth this.
pub(crate) struct Worth(pub(crate) &'static str);

impl Secrets for Worth {
    fn resolve(&self, _: &SecretRef) -> Result<SecretString, SecretError> {
        Ok(self.0.into())
    }
}

pub(crate) fn permit() -> Permit {
    Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1))
}

/// A call that moves from `fra` to `dub`.
pub(crate) fn call(verb: Verb, with: Value) -> Call {
    let Value::Object(with) = with else { panic!("parameters are an object: {with}") };
    Call {
        run: "orders-17".parse().unwrap(),
        kind: RunKind::Switchover,
        step: "the-step".parse().unwrap(),
        attempt: 1,
        in_doubt: false,
        verb,
        target: Some("target".parse().unwrap()),
        source: "fra".parse().unwrap(),
        destination: "dub".parse().unwrap(),
        with,
        timeout: Duration::from_secs(20),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        known: Known::default(),
    }
}

/// The same without parameters.
pub(crate) fn plain(verb: Verb) -> Call {
    call(verb, Value::Object(Map::new()))
}

/// Faults by relays.
#[derive(Default)]
pub(crate) struct Relayed {
    pub(crate) line: Arc<Line>,
    /// What the driver calls a relay, where that is not its address.
    pub(crate) names: BTreeMap<SocketAddr, String>,
}

impl Wire for Relayed {
    fn put(&self, fault: Fault) -> Result<(), String> {
        self.line.put(match fault {
            Fault::Refuse => Rule::Refuse,
            Fault::Cut { after } => Rule::Cut(after),
            Fault::Hold { after } => Rule::Hold(after),
        });
        Ok(())
    }
    fn heal(&self) {
        self.line.heal();
    }
    fn exchanges(&self) -> u32 {
        self.line.exchanges()
    }
    fn holds(&self) -> bool {
        self.line.held() > 0
    }
    fn release(&self) {
        self.line.release();
    }
    fn in_flight(&self) -> bool {
        self.line.flying() > 0
    }
    fn contacted(&self) -> Vec<String> {
        let name = |address: SocketAddr| self.names.get(&address).cloned().unwrap_or_else(|| address.to_string());
        self.line.contacted().into_iter().map(name).collect()
    }
}

impl Relayed {
    /// Connections that are still open, for [`Subject::left_open`].
    pub(crate) fn open(&self) -> Vec<String> {
        match self.line.open() {
            0 => Vec::new(),
            some => vec![format!("{some} connections")],
        }
    }
}

/// Examines a subject, by the machine's own clock.
pub(crate) async fn examined(subject: &dyn Subject) -> Report {
    let start = std::time::Instant::now();
    let report = examine(subject, &SystemClock::start()).await;
    println!("{report}\nin {:.1} s", start.elapsed().as_secs_f64());
    report
}

/// The same, and it conforms.
pub(crate) async fn conforms(subject: &dyn Subject) -> String {
    let report = examined(subject).await;
    report.assert_conforms();
    report.to_string()
}
