//! Who stands watch tells people, and answers for itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{LIMIT, judged, observers_with, stage};
use crate::servers::{
    agent::{Agent, Answer},
    await_until, free_port,
};

fn get(at: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(at) else { return String::new() };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: lifeboat\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    let _closed = stream.read_to_string(&mut text);
    text
}

#[test]
fn an_outage_is_told_and_shows_in_the_figures_while_a_receiver_hangs() {
    let (stage, fra, _dub) = stage("ProposeOnly");
    let hook = Agent::start("127.0.0.1".parse().unwrap(), |_| Answer::Status(204));
    // Nobody ever takes what this one is sent.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let documents = stage.path("orders.yaml");
    let channel = |name: &str, url: &str| {
        format!(
            "---\napiVersion: lifeboat.dev/v1alpha1\nkind: NotificationChannel\nmetadata: {{name: {name}}}\n\
             spec: {{webhook: {{url: \"{url}\"}}}}\n"
        )
    };
    let dead = format!("http://{}/", hanging.local_addr().unwrap());
    let text = fs::read_to_string(&documents).unwrap() + &channel("night", &hook.url("/")) + &channel("dead", &dead);
    fs::write(&documents, text).unwrap();
    let at = SocketAddr::new("127.0.0.1".parse().unwrap(), free_port(&["127.0.0.1".parse().unwrap()]));
    let _observers = observers_with(&stage, &format!(" --listen {at}"));

    assert!(get(at, "/livez").starts_with("HTTP/1.1 200"), "{}", get(at, "/livez"));
    assert!(get(at, "/readyz?verbose").contains("[+] store: "), "{}", get(at, "/readyz?verbose"));
    await_until("the figures of a region that serves", LIMIT, || {
        get(at, "/metrics").contains(r#"lifeboat_region_verdict{group="orders",region="fra",verdict="up"} 1"#)
    });
    fra.end();
    await_until("a notice of the outage, and one with the command", LIMIT, || {
        let all: Vec<String> = hook.asked().into_iter().map(|asked| asked.body).collect();
        all.iter().any(|body| body.contains("orders: fra is down"))
            && all
                .iter()
                .any(|body| body.contains("orders: fail over from fra to dub?") && body.contains("--yes-i-mean orders"))
    });
    await_until("the proposal in the status", LIMIT, || judged(&stage)["answer"] == "propose");
    assert!(get(at, "/metrics").contains(r#"region="fra",verdict="down"} 1"#));
    // Documents that became wrong: it cannot do its work, and says why.
    fs::write(&documents, "kind: Nonsense\n").unwrap();
    let ready = get(at, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("[-] documents: "), "{ready}");
    assert!(get(at, "/livez").starts_with("HTTP/1.1 200"));
}
