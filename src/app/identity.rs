//! Who and what this process is, in the words of records and leases.

use std::{fs, os::unix::fs::MetadataExt as _};

/// The operating system's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user id; `None` where the system does not say.
    pub id: Option<u32>,
    /// The account's name; `uid-<number>` where the account has none.
    pub name: String,
}

/// The user that this process runs as, by the kernel's word: environment variables can be set by anybody.
pub fn user() -> User {
    let Some(id) = fs::metadata("/proc/self").ok().map(|about| about.uid()) else {
        return User { id: None, name: "unknown".into() };
    };
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    User { id: Some(id), name: account(&accounts, id).map_or_else(|| format!("uid-{id}"), str::to_owned) }
}

/// The name of the account with this id, in `passwd(5)` format.
fn account(accounts: &str, id: u32) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        (uid == id).then_some(name)
    })
}

/// The machine's name.
pub fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// `host/pid`: who holds a lease.
pub fn holder() -> String {
    format!("{}/{}", host(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_id_and_nothing_else() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(account(accounts, 1000), Some("anna"));
        assert_eq!(account(accounts, 0), Some("root"));
        assert_eq!(account(accounts, 7), None);
    }

    #[test]
    fn a_holder_is_told_from_another_by_its_process() {
        assert!(holder().ends_with(&format!("/{}", std::process::id())));
    }
}
