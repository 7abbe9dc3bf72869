//! Two lamps behind a socket, and a driver of them that can be faulty in one way at a time.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream as Plain},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use futures::future::BoxFuture;
use lifeboat::{
    driver::conformance::{Subject, Trial, Wire},
    model::{Attempt, Effect, Endpoint, Facts, Observed, Output, RegionName, Role, Side, Verb},
    port::{Call, Descriptor, Driver, Permit, Touches},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Relayed, SECRET, WRONG, permit, plain};
use crate::servers::relay::Relay;

/// One way to break one promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// The descriptor allows no try at all.
    NoTries,
    /// The descriptor offers a verb that the subject does not try.
    UntriedVerb,
    /// The first look leaves a note at the target.
    ObserveWrites,
    /// A survey leaves a note.
    SurveyWrites,
    /// Every second look sees other roles.
    Fickle,
    /// The act says that it does not know, when it does.
    NeverSure,
    /// The output has a field more.
    OutputMore,
    /// The output has a field less.
    OutputLess,
    /// The address is not told.
    NoEndpoint,
    /// What is done is not seen until somebody doubts.
    Blind,
    /// A second act does more.
    Adds,
    /// Parameters are not checked again.
    Unchecked,
    /// A reply that was lost counts as a failure.
    LostIsFailed,
    /// After a lost reply nothing is seen any more.
    Poisoned,
    /// A refused connection is final.
    RefusedIsFinal,
    /// A target that does not answer is taken for one that is ready.
    GuessesReady,
    /// A target that does not answer is taken for one where it is so.
    GuessesAlready,
    /// A survey knows the roles of members that do not answer.
    SurveyGuesses,
    /// An observation waits for ever.
    LooksForever,
    /// The act waits for ever.
    ActsForever,
    /// The time is up, so it was not done.
    LateIsFailed,
    /// A session stays open.
    LeavesOpen,
    /// The act does not ask for a permit at the start.
    ActsUnpermitted,
    /// The undo does not ask for a permit.
    UndoesUnpermitted,
    /// The permit is asked for once.
    AsksOnce,
    /// Half of it is done when the permit goes out, and it says that nothing is.
    DeniesHalf,
    /// The undo takes back one lamp.
    UndoesHalf,
    /// A second undo does more.
    UndoAdds,
    /// A rejected token is repeated in the error.
    SecretInError,
    /// The token is among the facts.
    SecretInFacts,
    /// The token is part of the address.
    SecretInEndpoint,
    /// The token is told in base64.
    SecretInDisguise,
}

/// The lamps' state.
#[derive(Debug, Default)]
struct Lit {
    left: String,
    right: String,
    notes: u32,
    extra: u32,
}

/// The server of both lamps.
struct House {
    address: SocketAddr,
    lit: Arc<Mutex<Lit>>,
}

impl House {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let lit = Arc::new(Mutex::new(Lit::default()));
        let shared = Arc::clone(&lit);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let lit = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &lit));
            }
        });
        Self { address, lit }
    }
}

fn serve(mut stream: &Plain, lit: &Mutex<Lit>) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    let mut known = false;
    for line in reader.lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let reply = {
            let mut lit = lit.lock().unwrap();
            match words.as_slice() {
                ["hello", token] => {
                    known = *token == SECRET;
                    if known { "ok".to_owned() } else { "who are you?".to_owned() }
                }
                _ if !known => "who are you?".to_owned(),
                ["get"] => format!("{} {}", lit.left, lit.right),
                ["set", "left", to] => {
                    (*to).clone_into(&mut lit.left);
                    "ok".to_owned()
                }
                ["set", "right", to] => {
                    (*to).clone_into(&mut lit.right);
                    "ok".to_owned()
                }
                ["note"] => {
                    lit.notes += 1;
                    "ok".to_owned()
                }
                ["add"] => {
                    lit.extra += 1;
                    "ok".to_owned()
                }
                _ => "what?".to_owned(),
            }
        };
        if stream.write_all(format!("{reply}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// A session.
struct Session(tokio::io::BufReader<TcpStream>);

impl Session {
    async fn say(&mut self, line: &str) -> std::io::Result<String> {
        self.0.write_all(format!("{line}\n").as_bytes()).await?;
        let mut reply = String::new();
        if self.0.read_line(&mut reply).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(reply.trim_end().to_owned())
    }
}

/// The driver.
pub(crate) struct Lamps {
    address: SocketAddr,
    token: &'static str,
    flaw: Flaw,
    looks: AtomicU32,
    poisoned: AtomicBool,
}

const fn describe(attempts: u32) -> Descriptor {
    Descriptor {
        verb: Verb::DnsSwitch,
        effect: Effect::Changes,
        reversible: true,
        observable: true,
        touches: Touches::Neither,
        expected: Duration::from_millis(5),
        timeout: Duration::from_secs(5),
        attempts,
        outputs: &["left", "right"],
        check: |with| if with.is_empty() { Ok(()) } else { Err("it takes no parameters".into()) },
    }
}

static SOUND: Descriptor = describe(3);
static NO_TRIES: Descriptor = describe(0);
static UNTRIED: Descriptor = Descriptor { verb: Verb::DnsVerify, ..describe(1) };

fn not(why: impl Into<String>, retry: bool) -> Attempt {
    Attempt::NotApplied { why: why.into(), retry }
}

impl Lamps {
    async fn open(&self) -> Result<Session, String> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        let mut session = Session(tokio::io::BufReader::new(stream));
        match session.say(&format!("hello {}", self.token)).await {
            Ok(reply) if reply == "ok" => Ok(session),
            Ok(reply) if self.flaw == Flaw::SecretInError => Err(format!("{reply} ({})", self.token)),
            Ok(reply) => Err(reply),
            Err(error) => Err(error.to_string()),
        }
    }

    fn output(&self, to: &RegionName) -> Output {
        let mut output = Output::from_iter([("left".to_owned(), json!(to)), ("right".to_owned(), json!(to))]);
        match self.flaw {
            Flaw::OutputMore => drop(output.insert("brightness".into(), json!(3))),
            Flaw::OutputLess => drop(output.remove("right")),
            _ => {}
        }
        output
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        match self.flaw {
            Flaw::Fickle => {
                let even = self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
                let role = if even { Role::Primary } else { Role::Standby };
                facts.sides.push(Side { region: "fra".parse().unwrap(), role, position: None });
            }
            Flaw::SecretInFacts => drop(facts.details.insert("token".into(), json!(self.token))),
            Flaw::SecretInDisguise => {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(self.token);
                drop(facts.details.insert("authorization".into(), json!(text)));
            }
            _ => {}
        }
        facts
    }

    async fn look(&self, call: &Call) -> Observed {
        let unknown = |why: String| match self.flaw {
            Flaw::GuessesReady => Observed::Ready { facts: Facts::default() },
            Flaw::GuessesAlready => {
                Observed::Already { facts: Facts::default(), output: self.output(&call.destination) }
            }
            _ => Observed::Unknown { why },
        };
        if self.poisoned.load(Ordering::Relaxed) {
            return unknown("the connection is broken".into());
        }
        let mut session = match self.open().await {
            Ok(session) => session,
            Err(why) => return unknown(why),
        };
        if self.flaw == Flaw::ObserveWrites && call.attempt == 0 {
            let _noted = session.say("note").await;
        }
        match session.say("get").await {
            Ok(reply) if reply == format!("{0} {0}", call.destination) => {
                if self.flaw == Flaw::Blind && call.attempt == 0 {
                    return Observed::Ready { facts: self.facts() };
                }
                Observed::Already { facts: self.facts(), output: self.output(&call.destination) }
            }
            Ok(_) => Observed::Ready { facts: self.facts() },
            Err(error) => unknown(error.to_string()),
        }
    }

    async fn turn(&self, permit: &Permit, call: &Call, to: &RegionName, undo: bool) -> Attempt {
        let unasked = match self.flaw {
            Flaw::ActsUnpermitted => !undo && !permit.live(),
            Flaw::UndoesUnpermitted => undo && !permit.live(),
            _ => false,
        };
        let mut session = match self.open().await {
            Ok(session) => session,
            Err(why) if why.contains("refused") => return not(why, self.flaw != Flaw::RefusedIsFinal),
            Err(why) => return not(why, true),
        };
        let before = match session.say("get").await {
            Ok(before) => before,
            Err(error) => return not(format!("nothing was sent: {error}"), true),
        };
        let adds = match self.flaw {
            Flaw::Adds => !undo && call.attempt > 1 && before == format!("{to} {to}"),
            Flaw::UndoAdds => undo && before == format!("{to} {to}"),
            _ => false,
        };
        if adds {
            let _more = session.say("add").await;
        }
        if self.flaw == Flaw::LeavesOpen {
            Box::leak(Box::new(Plain::connect(self.address)));
        }
        let asked = permit.live();
        for (lamp, first) in [("left", true), ("right", false)] {
            let live = if self.flaw == Flaw::AsksOnce { asked } else { permit.live() };
            if !live && !unasked {
                let nothing = first || self.flaw == Flaw::DeniesHalf;
                let why = "the lease was lost";
                return if nothing { not(why, false) } else { Attempt::Unknown { why: why.into() } };
            }
            if undo && !first && self.flaw == Flaw::UndoesHalf {
                break;
            }
            if let Err(error) = session.say(&format!("set {lamp} {to}")).await {
                self.poisoned.store(self.flaw == Flaw::Poisoned, Ordering::Relaxed);
                let why = format!("the reply was lost: {error}");
                return if self.flaw == Flaw::LostIsFailed { not(why, true) } else { Attempt::Unknown { why } };
            }
        }
        if self.flaw == Flaw::NeverSure {
            return Attempt::Unknown { why: "who knows".into() };
        }
        Attempt::Applied { output: self.output(to), facts: self.facts() }
    }

    async fn act_to(&self, permit: &Permit, call: &Call, to: &RegionName, undo: bool) -> Attempt {
        if self.flaw != Flaw::Unchecked
            && let Err(why) = (SOUND.check)(&call.with)
        {
            return not(why, false);
        }
        let turn = self.turn(permit, call, to, undo);
        if self.flaw == Flaw::ActsForever {
            return turn.await;
        }
        timeout(call.timeout, turn).await.unwrap_or_else(|_| match self.flaw {
            Flaw::LateIsFailed => not("it took too long", true),
            _ => Attempt::Unknown { why: "no reply in time".into() },
        })
    }
}

impl Driver for Lamps {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        match (verb, self.flaw) {
            (Verb::DnsSwitch, Flaw::NoTries) => Some(&NO_TRIES),
            (Verb::DnsSwitch, _) => Some(&SOUND),
            (Verb::DnsVerify, Flaw::UntriedVerb) => Some(&UNTRIED),
            _ => None,
        }
    }
    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(async move {
            if self.flaw == Flaw::LooksForever {
                return self.look(call).await;
            }
            let late = |_| Observed::Unknown { why: "no answer in time".into() };
            timeout(call.timeout, self.look(call)).await.unwrap_or_else(late)
        })
    }
    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.act_to(permit, call, &call.destination, false))
    }
    fn undo<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.act_to(permit, call, &call.source, true))
    }
    fn endpoints(&self, _: &Call) -> Vec<Endpoint> {
        let address = match self.flaw {
            Flaw::NoEndpoint => return Vec::new(),
            Flaw::SecretInEndpoint => format!("lamps://{}@{}", self.token, self.address),
            _ => format!("lamps://{}", self.address),
        };
        vec![Endpoint { address, region: None, purpose: "both lamps".into() }]
    }
    fn survey(&self) -> BoxFuture<'_, Facts> {
        Box::pin(async {
            let (region, position) = ("fra".parse().unwrap(), None);
            let role = match self.open().await {
                Ok(mut session) => {
                    if self.flaw == Flaw::SurveyWrites {
                        let _noted = session.say("note").await;
                    }
                    Role::Primary
                }
                Err(_) if self.flaw == Flaw::SurveyGuesses => Role::Primary,
                Err(why) => Role::Unknown(why),
            };
            Facts { sides: vec![Side { region, role, position }], ..Facts::default() }
        })
    }
}

/// The lamps on trial.
pub(crate) struct OnTrial {
    house: House,
    relay: Relay,
    wire: Relayed,
    flaw: Flaw,
}

impl OnTrial {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let (house, wire) = (House::start(), Relayed::default());
        let relay = Relay::on(&wire.line, "127.0.0.1".parse().unwrap(), house.address);
        Self { house, relay, wire, flaw }
    }

    fn driver(&self, token: &'static str) -> Arc<dyn Driver> {
        Arc::new(Lamps {
            address: self.relay.address(),
            token,
            flaw: self.flaw,
            looks: AtomicU32::new(0),
            poisoned: AtomicBool::new(false),
        })
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "lamps".into()
    }
    fn trials(&self) -> Vec<Trial> {
        vec![Trial::of(plain(Verb::DnsSwitch)).patient(Duration::from_millis(400))]
    }
    fn open(&self) -> Arc<dyn Driver> {
        self.driver(SECRET)
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(self.driver(WRONG))
    }
    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), WRONG.into()]
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, _: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async {
            *self.house.lit.lock().unwrap() = Lit { left: "fra".into(), right: "fra".into(), ..Lit::default() };
        })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async { format!("{:?}", self.house.lit.lock().unwrap()) })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.wire.open() })
    }
}
