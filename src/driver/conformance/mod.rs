//! Does a driver keep its promises? A kit for whoever writes one.
//!
//! [`examine`] takes a [`Subject`] (your driver, with its target and a look at it from the side) and tries each promise of
//! [`crate::port::Driver`] on it, for each verb that the descriptors offer. The [`Report`] is a table; in a test,
//! [`Report::assert_conforms`] fails with it.
//!
//! # What you bring
//!
//! 1. **A real target**, on this machine, of no use to anybody: the kit acts on it, many times.
//! 2. **[`Trial`]s**: one call for each verb, in a state where acting makes sense ([`Subject::prepare`]). Exemptions are said
//!    there with their reasons, and stand in the table: [`Trial::again`], [`Trial::repeatable`].
//! 3. **A fingerprint**: the state of the world as a text, seen by other means than the driver (a command-line client, a file).
//!    This is the measure of everything: an act is *done* when the fingerprint is that of an undisturbed act, and *not
//!    done* when it is that of the start. Put in all that a call could change, leave out what changes by itself.
//! 4. **A [`Wire`]**, where the driver speaks to something over a network: a relay that counts exchanges, and that can refuse
//!    connections, hold a reply back, or close the connection in place of a reply. The checks that need it are *not applicable*
//!    without it, and a driver with a network target and without a wire has not been examined.
//! 5. **The secrets**, and the driver with wrong ones.
//!
//! # How faults are placed
//!
//! The kit acts once with every reply held back until it has looked at the world. So it learns at which exchange the effect
//! comes, and places the faults there, and just before: the reply of the exchange that *did* it is lost; the permit goes out
//! between the last look and the effect, and between two effects; the future is dropped there. Whatever the driver answers
//! is then compared with the world: `NotApplied` is true only of the start, `Applied` only of the end, `Unknown` always.
//!
//! # An example
//!
//! A driver of one lamp, whose target is a variable. It conforms, and its report says what could not be tried.
//!
//! ```
//! use std::{sync::{Arc, Mutex}, time::Duration};
//!
//! use futures::future::BoxFuture;
//! use lifeboat::{
//!     driver::conformance::{Outcome, Promise, Subject, Trial, examine},
//!     model::{Attempt, Effect, Endpoint, Facts, Observed, Output, RunKind, Verb},
//!     port::{Call, Descriptor, Driver, Known, LeaseKey, Leases, Permit, SystemClock, Touches},
//!     store::memory::Memory,
//! };
//!
//! /// Where the lamp shines.
//! type Lamp = Arc<Mutex<String>>;
//!
//! struct Keeper(Lamp);
//!
//! static SWITCH: Descriptor = Descriptor {
//!     verb: Verb::DnsSwitch,
//!     effect: Effect::Changes,
//!     reversible: true,
//!     observable: true,
//!     touches: Touches::Neither,
//!     expected: Duration::from_millis(1),
//!     timeout: Duration::from_secs(1),
//!     attempts: 1,
//!     outputs: &["shines"],
//!     check: |with| if with.is_empty() { Ok(()) } else { Err("it takes no parameters".into()) },
//! };
//!
//! impl Keeper {
//!     fn turn(&self, permit: &Permit, call: &Call, to: &str) -> Attempt {
//!         if let Err(why) = (SWITCH.check)(&call.with) {
//!             return Attempt::NotApplied { why, retry: false };
//!         }
//!         if !permit.live() {
//!             return Attempt::NotApplied { why: "the lease was lost".into(), retry: false };
//!         }
//!         *self.0.lock().unwrap() = to.to_owned();
//!         Attempt::Applied { output: shines(to), facts: Facts::default() }
//!     }
//! }
//!
//! fn shines(at: &str) -> Output {
//!     Output::from_iter([("shines".to_owned(), at.into())])
//! }
//!
//! impl Driver for Keeper {
//!     fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
//!         (verb == Verb::DnsSwitch).then_some(&SWITCH)
//!     }
//!     fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
//!         let at = self.0.lock().unwrap().clone();
//!         let facts = Facts::default();
//!         let seen = match at == call.destination.as_str() {
//!             true => Observed::Already { output: shines(&at), facts },
//!             false => Observed::Ready { facts },
//!         };
//!         Box::pin(std::future::ready(seen))
//!     }
//!     fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
//!         Box::pin(async move { self.turn(permit, call, call.destination.as_str()) })
//!     }
//!     fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
//!         Box::pin(async move { self.turn(permit, call, call.source.as_str()) })
//!     }
//!     fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
//!         Vec::new()
//!     }
//! }
//!
//! /// What the kit needs to know.
//! struct OnTrial(Lamp);
//!
//! impl Subject for OnTrial {
//!     fn name(&self) -> String {
//!         "lamp".into()
//!     }
//!     fn trials(&self) -> Vec<Trial> {
//!         vec![Trial::of(Call {
//!             run: "orders-1".parse().unwrap(),
//!             kind: RunKind::Failover,
//!             step: "lamp".parse().unwrap(),
//!             attempt: 1,
//!             in_doubt: false,
//!             verb: Verb::DnsSwitch,
//!             target: Some("lamp".parse().unwrap()),
//!             source: "fra".parse().unwrap(),
//!             destination: "dub".parse().unwrap(),
//!             with: serde_json::Map::new(),
//!             timeout: Duration::from_secs(1),
//!             now: "2026-01-01T00:00:00Z".parse().unwrap(),
//!             known: Known::default(),
//!         })]
//!     }
//!     fn open(&self) -> Arc<dyn Driver> {
//!         Arc::new(Keeper(self.0.clone()))
//!     }
//!     fn permit(&self) -> BoxFuture<'_, Permit> {
//!         Box::pin(async {
//!             // Only a store grants permits.
//!             let key = LeaseKey { group: "orders".parse().unwrap(), rehearsal: false };
//!             Memory::new().acquire(&key, "kit", None).await.unwrap()
//!         })
//!     }
//!     fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
//!         Box::pin(async { *self.0.lock().unwrap() = "fra".into() })
//!     }
//!     fn fingerprint(&self) -> BoxFuture<'_, String> {
//!         Box::pin(async { self.0.lock().unwrap().clone() })
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let subject = OnTrial(Arc::new(Mutex::new("fra".into())));
//! let report = examine(&subject, &SystemClock::start()).await;
//! println!("{report}");
//! report.assert_conforms();
//!
//! // Nothing stands between this driver and its target, so no reply could be lost.
//! let lost = report.checks.iter().find(|check| check.promise == Promise::LostReply).unwrap();
//! assert!(matches!(lost.outcome, Outcome::NotApplicable { .. }));
//! # });
//! ```
//!
//! # What the kit promises
//!
//! It starts no task, keeps nothing, and calls the driver in the caller's task, one call at a time. It assumes that the subject
//! tells the truth: a fingerprint that leaves something out hides what is done to it. A crash in its middle leaves the
//! target in any state that the driver can bring about.

mod acting;
mod examine;
mod faults;
mod looking;
mod report;
mod stage;
mod stopping;
mod subject;
mod telling;

pub use examine::examine;
pub use report::{Check, Outcome, Promise, Report};
pub use subject::{Fault, Subject, Trial, Wire};
