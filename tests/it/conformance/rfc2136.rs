//! `rfc2136` against a real pair of BIND servers.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use lifeboat::{
    driver::{
        conformance::{Subject, Trial, Wire},
        rfc2136::Rfc2136,
    },
    model::Verb,
    port::{Driver, Permit},
};
use serde_json::{Value, json};

use super::{Relayed, Worth, conforms, permit, plain};
use crate::servers::{
    await_until,
    bind::{Bind, KEY, SECRET},
    relay::Relay,
};

const FRA: &str = "10.1.0.80";
const DUB: &str = "10.2.0.80";
const WRONG: &str = "d3Jvbmcgc2VjcmV0IGZvciB0aGUgcmlnaHQga2V5IQ==";

/// The one address of `www.dr.test`, asked for by hand (RFC 1035 section 4): it is the end of the answer.
fn address(server: SocketAddr) -> Option<Ipv4Addr> {
    const QUESTION: &[u8] = b"\x47\x11\0\0\0\x01\0\0\0\0\0\0\x03www\x02dr\x04test\0\0\x01\0\x01";
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    socket.send_to(QUESTION, server).ok()?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).ok()?;
    let last = answer[..length].last_chunk::<4>()?;
    (answer[7] == 1).then(|| Ipv4Addr::from(*last))
}

struct OnTrial {
    servers: [Bind; 2],
    relays: [Relay; 2],
    wire: Relayed,
}

impl OnTrial {
    fn settings(&self) -> Value {
        json!({
            "zone": "dr.test", "server": self.relays[0].address(), "authoritative": [self.relays[1].address()],
            "key": {"name": KEY, "algorithm": "hmac-sha256", "secret": {"env": "TSIG"}},
            "records": [{"name": "www.dr.test", "type": "A", "ttlSeconds": 30, "byRegion": [
                {"region": "fra", "values": [FRA]}, {"region": "dub", "values": [DUB]},
            ]}],
        })
    }
    fn asked(&self) -> [String; 2] {
        [&self.servers[0], &self.servers[1]].map(|server| format!("www is {:?}", address(server.address())))
    }
    fn driver(&self, worth: &'static str) -> Rfc2136 {
        Rfc2136::open(&"names".parse().unwrap(), &self.settings(), Arc::new(Worth(worth))).unwrap()
    }
}

impl Subject for OnTrial {
    fn name(&self) -> String {
        "rfc2136".into()
    }
    fn trials(&self) -> Vec<Trial> {
        vec![Trial::of(plain(Verb::DnsSwitch)).points(4), Trial::of(plain(Verb::DnsVerify)).points(2)]
    }
    fn open(&self) -> Arc<dyn Driver> {
        Arc::new(self.driver(SECRET))
    }
    fn open_with_wrong_secrets(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(self.driver(WRONG)))
    }
    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), WRONG.into()]
    }
    fn printed(&self) -> Vec<String> {
        let mut literal = self.settings();
        literal["key"]["secret"] = json!(WRONG);
        literal["zone"] = json!("..");
        let error = Rfc2136::open(&"names".parse().unwrap(), &literal, Arc::new(Worth(SECRET))).unwrap_err();
        vec![format!("{:?}", self.driver(SECRET)), format!("{error} {error:?}")]
    }
    fn permit(&self) -> BoxFuture<'_, Permit> {
        Box::pin(async { permit() })
    }
    fn prepare<'a>(&'a self, trial: &'a Trial) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let value = if trial.call.verb == Verb::DnsVerify { DUB } else { FRA };
            self.servers[0].change("www", 30, "A", &[value]);
            await_until("the secondary following", Duration::from_secs(10), || {
                self.servers[1].values("www", "A") == [value]
            });
        })
    }
    fn fingerprint(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            // A secondary follows within a moment: the world is at rest when both say the same.
            for _ in 0..100 {
                let [first, second] = self.asked();
                if first == second {
                    return first;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.asked().join(", and the secondary ")
        })
    }
    fn wire(&self) -> Option<&dyn Wire> {
        Some(&self.wire)
    }
    fn left_open(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.wire.open() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc2136_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = Bind::pair(folder.path(), &[("www", 30, "A", FRA)]);
    let wire = Relayed::default();
    let relays = [&first, &second].map(|server| Relay::on(&wire.line, Ipv4Addr::LOCALHOST.into(), server.address()));
    let subject = OnTrial { servers: [first, second], relays, wire };
    insta::assert_snapshot!(conforms(&subject).await);
}
