//! Network namespaces that a test makes for itself.
//!
//! The test starts itself again inside a network and a mount namespace of its own (`unshare`). Every name it makes there is
//! seen by nobody else and ends with its last process, however that ends.

use std::process::Command;

/// Set in the test that runs inside.
const INSIDE: &str = "LIFEBOAT_TEST_INSIDE_NAMESPACES";

/// Whether this is the test inside. Outside it is started again inside by its whole name, and this is `false` once it has passed
/// there: nothing is left to do.
pub fn entered(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        // `ip netns` keeps names under /run; this one is ours alone.
        for words in ["mount -t tmpfs tmpfs /run", "mkdir /run/netns", "ip link set lo up"] {
            run(words);
        }
        return true;
    }
    let root = lifeboat::app::identity::user().id == Some(0);
    let output = Command::new("unshare")
        .args(if root { &[][..] } else { &["--user", "--map-root-user"] })
        .args(["--net", "--mount", "--"])
        .arg(std::env::current_exe().expect("the test's program"))
        .args(["--exact", "--nocapture", name])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Runs a command, which must succeed.
pub fn run(words: &str) {
    let mut words = words.split_whitespace();
    let output = Command::new(words.next().expect("a program")).args(words.clone()).output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Joins namespace `place` to `bridge` by a cable whose end at the bridge is called `plug`, with this address at its own end,
/// which is called `port`.
pub fn join(place: &str, bridge: &str, plug: &str, port: &str, address: &str) {
    run(&format!("ip link add {plug} type veth peer name {port} netns {place}"));
    run(&format!("ip link set {plug} master {bridge} up"));
    run(&format!("ip -n {place} addr add {address} dev {port}"));
    run(&format!("ip -n {place} link set {port} up"));
}
