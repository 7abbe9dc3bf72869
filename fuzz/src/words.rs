//! Words that are read by hand: names of runs, addresses, names and values of records.

use std::str::FromStr;

use lifeboat::{
    manifest::Code,
    model::{Actor, GroupName, RunId},
    net::{dns, postgres::Address},
    spec::RecordType,
};

/// Promises: what is read is written back as the same word, and there is one way to write it.
pub fn words(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(run) = RunId::from_str(text) {
        assert_eq!(run.to_string(), text, "one run has two names");
    }
    if let Ok(group) = GroupName::new(text) {
        assert_eq!(group.as_str(), text);
    }
    let _actor = Actor::new(text);
    let _code = Code::parse(text);
    if let Ok(address) = Address::from_str(text) {
        let written = format!("postgres://{address}/{}", address.database);
        assert_eq!(Address::from_str(&written).as_ref(), Ok(&address), "{written}");
    }
    if let Ok(name) = dns::name(text) {
        assert_eq!(dns::name(&dns::bare(&name)).as_ref(), Ok(&name), "{}", dns::bare(&name));
    }
    for kind in [RecordType::A, RecordType::Aaaa, RecordType::Cname, RecordType::Txt] {
        if let Ok(set) = dns::RrSet::declared(kind, 30, &[text.to_owned()]) {
            let again = dns::RrSet::declared(kind, 30, &set.values);
            assert_eq!(again.map(|set| set.values), Ok(set.values), "a value that is read back is another");
        }
    }
}
