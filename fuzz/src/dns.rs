//! What name servers answer: to questions, and to updates.

use std::net::SocketAddr;

use jiff::Timestamp;
use lifeboat::{
    net::dns::{Answer, Expect, Key, Replacement, Reply, RrSet, Signed, name, understand},
    spec::{RecordType, SecretRef, TsigAlgorithm, TsigKey},
};
use secrecy::SecretString;

/// Promises: any bytes are an answer, or none; and no bytes of somebody without the key say that an update was applied, or that
/// it was not.
pub fn dns(input: &[u8]) {
    let owner = name("orders.example.com").expect("a name");
    for kind in [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Txt] {
        let Some(answer) = understand(input, &owner, kind) else { break };
        let _words = answer.to_string();
        if let Answer::Records(set) = answer {
            assert!(!set.values.is_empty(), "a set without records");
            assert!(set.values.is_sorted(), "{:?}", set.values);
            // What a server holds can be declared again, but for names and texts whose bytes are no text.
            match RrSet::declared(kind, set.ttl, &set.values) {
                Ok(declared) if kind != RecordType::Txt => assert_eq!(declared.values, set.values),
                Ok(_) => {}
                Err(bad) => assert!(matches!(kind, RecordType::Cname), "{bad}"),
            }
        }
    }
    let key = TsigKey {
        name: "lifeboat".into(),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: SecretRef::Env("UNUSED".into()),
    };
    let key = Key::new(&key, &SecretString::from("bm9ib2R5IGtub3dzIGl0")).expect("a key");
    let new = RrSet::declared(RecordType::A, 30, &["10.0.0.1".into()]).expect("an address");
    let sets = [Replacement { name: owner, kind: RecordType::A, expect: Expect::NoName, new }];
    let zone = name("example.com").expect("a name");
    let Ok(update) = Signed::new(&zone, &key, &sets, Timestamp::UNIX_EPOCH) else { panic!("it can be signed") };
    // As far as the identifier: a reply that repeats it is read to its end.
    let mut reply = input.to_vec();
    for (byte, right) in reply.iter_mut().zip(update.id().to_be_bytes()) {
        *byte = right;
    }
    let server = SocketAddr::from(([127, 0, 0, 1], 53));
    match update.reply(&reply, server) {
        Reply::Lost { .. } | Reply::Key { .. } => {}
        believed @ (Reply::Done | Reply::ConditionFailed { .. } | Reply::Refused { .. } | Reply::NotSent { .. }) => {
            panic!("believed without a signature: {believed:?}")
        }
    }
}
