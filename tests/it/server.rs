//! `/livez`, `/readyz`, `/metrics`: what they say, and who cannot hold them up.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use lifeboat::{
    app::{Check, Vitals},
    meter::{CONTENT_TYPE, Meter},
    server,
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    meter::everything,
    servers::{Leash, await_until, free_port},
};

/// A process whose health a test decides.
struct Patient {
    meter: Meter,
    store: AtomicBool,
    /// Its checks never answer.
    stuck: AtomicBool,
}

impl Vitals for Patient {
    fn live(&self) -> Vec<Check> {
        vec![Check { name: "observer", ok: true, detail: "probed 1 s ago".into() }]
    }
    fn ready(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async {
            if self.stuck.load(Ordering::SeqCst) {
                futures::future::pending::<()>().await;
            }
            let ok = self.store.load(Ordering::SeqCst);
            let detail = if ok { "answered" } else { "could not read /var/lib/lifeboat.db\ndisk full" };
            vec![
                Check { name: "documents", ok: true, detail: "valid".into() },
                Check { name: "store", ok, detail: detail.into() },
            ]
        })
    }
    fn render(&self) -> String {
        self.meter.render()
    }
}

struct Served {
    address: SocketAddr,
    patient: Arc<Patient>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn serve() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patient = Arc::new(Patient { meter: Meter::new("1.2.3"), store: true.into(), stuck: AtomicBool::new(false) });
    let (stop, stopped) = oneshot::channel();
    let vitals: Arc<dyn Vitals> = Arc::clone(&patient) as _;
    let task = tokio::spawn(server::serve(listener, vitals, async {
        let _stopped = stopped.await;
    }));
    Served { address, patient, stop: Some(stop), task }
}

/// One request on a connection of its own: status, headers and body.
async fn ask(address: SocketAddr, request: &str) -> (u16, String, String) {
    let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_is_named_and_the_others_are_not() {
    let served = serve().await;
    assert_eq!(ask(served.address, "GET /livez").await.2, "ok\n");
    assert_eq!(ask(served.address, "GET /readyz").await.2, "ok\n");
    served.patient.store.store(false, Ordering::SeqCst);
    let (status, head, body) = ask(served.address, "GET /readyz").await;
    assert_eq!(status, 503);
    assert_eq!(body, "[-] store: could not read /var/lib/lifeboat.db disk full\nreadyz failed\n");
    assert!(head.contains("cache-control: no-store") && head.contains("text/plain"), "{head}");
    let (_, _, body) = ask(served.address, "GET /readyz?verbose").await;
    assert!(body.starts_with("[+] documents: valid\n[-] store: "), "{body}");
    let (status, _, body) = ask(served.address, "GET /livez?verbose=1").await;
    assert_eq!((status, body.as_str()), (200, "[+] observer: probed 1 s ago\nlivez passed\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_never_answer_are_a_failure_and_liveness_does_not_wait_for_them() {
    let served = serve().await;
    served.patient.stuck.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let (ready, live) = tokio::join!(ask(served.address, "GET /readyz"), async {
        let live = ask(served.address, "GET /livez").await;
        (live, start.elapsed())
    });
    assert_eq!(ready.0, 503);
    assert!(ready.2.contains("did not answer within 5 s"), "{}", ready.2);
    assert_eq!(live.0.0, 200);
    assert!(live.1 < server::ANSWER, "{:?}", live.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_reading_is_possible() {
    let served = serve().await;
    assert_eq!(ask(served.address, "POST /metrics").await.0, 405);
    assert_eq!(ask(served.address, "DELETE /readyz").await.0, 405);
    assert_eq!(ask(served.address, "GET /").await.0, 404);
    assert_eq!(ask(served.address, &format!("GET /{}", "x".repeat(100_000))).await.0, 414);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_send_nothing_hold_nobody_up_for_long() {
    let served = serve().await;
    let idle: Vec<_> = (0..server::CONNECTIONS - 1).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    assert_eq!(ask(served.address, "GET /livez").await.0, 200);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_end_does_not_wait_for_a_client_that_never_finishes() {
    let mut served = serve().await;
    let mut slow = TcpStream::connect(served.address).unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost").unwrap();
    assert_eq!(ask(served.address, "GET /livez").await.0, 200);
    served.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), served.task).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(served.address).is_err());
}

/// A real Prometheus scrapes, and knows every figure afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_every_figure() {
    let served = serve().await;
    everything(&served.patient.meter);
    let (status, head, text) = ask(served.address, "GET /metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains(&CONTENT_TYPE.to_ascii_lowercase()), "{head}");
    assert!(text.ends_with("# EOF\n"));
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port(&[[127, 0, 0, 1].into()]);
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- {{job_name: lifeboat, static_configs: [{{targets: [\"{}\"]}}]}}\n",
        served.address
    );
    std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let (file, data) = (folder.path().join("prometheus.yml"), folder.path().join("data"));
    let words = [
        "prometheus".to_owned(),
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let _prometheus = Leash::start(&folder.path().join("prometheus.log"), &words, &[]).expect("prometheus");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let taken = tokio::task::spawn_blocking(move || {
        let mut taken = String::new();
        await_until("a scrape", Duration::from_mins(1), || {
            taken = query(address, "scrape_samples_scraped");
            !taken.is_empty()
        });
        (taken, query(address, "sum(lifeboat_runs_total)"), query(address, "up"))
    })
    .await
    .unwrap();
    assert_eq!(taken.0, samples.to_string());
    assert_eq!((taken.1.as_str(), taken.2.as_str()), ("1", "1"));
}

/// The value of the one series that a query finds; empty: none, or no answer.
fn query(address: SocketAddr, expression: &str) -> String {
    // HTTP/1.0: an answer in one piece.
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /api/v1/query?query={expression} HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let answer = ask().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let Ok(answer) = serde_json::from_str::<serde_json::Value>(body) else { return String::new() };
    answer["data"]["result"][0]["value"][1].as_str().unwrap_or_default().to_owned()
}
