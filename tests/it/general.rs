//! The general verbs `http`, `command` and `wait`, against real sockets and real programs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::disallowed_methods,
    clippy::unnecessary_wraps,
    reason = "what a test lacks ends the test; a test measures time itself"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use lifeboat::{
    driver::{command::RunProgram, http::HttpRequest, wait::Wait},
    model::{Attempt, Observed, RunKind, Term, Verb},
    port::{Call, Driver, Known, LeaseKey, Permit, SecretError, Secrets, SystemClock},
    spec::SecretRef,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::servers::await_until;

const HUSH: &str = "hush-hush-4711";

/// Every reference is worth the same.
struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        match reference {
            SecretRef::Env(_) => Ok(HUSH.into()),
            SecretRef::File(_) | SecretRef::Literal => Err(SecretError::Literal),
        }
    }
}

fn permit() -> Permit {
    Permit::granted(LeaseKey { group: "orders".parse().unwrap(), rehearsal: false }, Term(1))
}

fn call(verb: Verb, with: Value) -> Call {
    Call {
        run: "orders-17".parse().unwrap(),
        kind: RunKind::Failover,
        step: "the-step".parse().unwrap(),
        attempt: 1,
        in_doubt: false,
        verb,
        target: None,
        source: "fra".parse().unwrap(),
        destination: "dub".parse().unwrap(),
        with: with.as_object().unwrap().clone(),
        timeout: Duration::from_secs(10),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        known: Known::default(),
    }
}

async fn command(with: Value) -> Attempt {
    RunProgram::new(Arc::new(OneSecret)).act(&permit(), &call(Verb::Command, with)).await
}

async fn http(with: Value) -> Attempt {
    HttpRequest::new(Arc::new(OneSecret)).act(&permit(), &call(Verb::Http, with)).await
}

fn applied(attempt: Attempt) -> serde_json::Map<String, Value> {
    match attempt {
        Attempt::Applied { output, .. } => output,
        other => panic!("expected Applied, found {other:?}"),
    }
}

fn alive(pid: u32) -> bool {
    // A zombie is not alive: it waits for its parent to look.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn pid_in(path: &Path) -> u32 {
    let mut pid = None;
    await_until("the program's process id", Duration::from_secs(5), || {
        pid = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}

/// A server for one request: answers with `answer`, or closes without a word, and keeps what it read.
fn peer(answer: Option<String>) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            kept.lock().unwrap().extend([head.as_str(), &String::from_utf8_lossy(&body)]);
            if let Some(answer) = &answer {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    (address, seen)
}

fn answer(status: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
}

#[tokio::test]
async fn a_program_is_told_what_it_runs_for_and_its_output_is_kept() {
    let output = applied(
        command(json!({"shell": "echo $LIFEBOAT_RUN $LIFEBOAT_STEP $LIFEBOAT_SOURCE $LIFEBOAT_DESTINATION $LIFEBOAT_IDEMPOTENCY_KEY $MORE",
            "env": {"MORE": "more"}}))
        .await,
    );
    assert_eq!(output["stdout"], "orders-17 the-step fra dub lifeboat/orders-17/the-step more");
    assert_eq!(output["exit_code"], 0);
}

#[tokio::test]
async fn words_are_not_read_by_a_shell() {
    let output = applied(command(json!({"run": ["printf", "%s", "$(id) ; *"]})).await);
    assert_eq!(output["stdout"], "$(id) ; *");
}

#[tokio::test]
async fn a_program_runs_in_the_declared_folder() {
    let output = applied(command(json!({"run": ["pwd"], "directory": "/"})).await);
    assert_eq!(output["stdout"], "/");
}

#[tokio::test]
async fn a_secret_is_given_to_the_program_and_cut_out_of_all_that_it_prints() {
    let secret = json!({"T": {"env": "T"}});
    let output = applied(command(json!({"shell": "printf 'a%sb%s' $T ${#T}", "secretEnv": secret})).await);
    assert_eq!(output["stdout"], format!("a[REDACTED]b{}", HUSH.len()));
    let failed = command(json!({"shell": "echo oh $T no >&2; exit 4", "secretEnv": secret})).await;
    assert_eq!(failed, Attempt::NotApplied { why: "the program exited with 4: oh [REDACTED] no".into(), retry: true });
    let driver = RunProgram::new(Arc::new(OneSecret));
    assert!(!format!("{driver:?}").contains(HUSH));
}

#[tokio::test]
async fn a_program_that_prints_without_end_of_line_or_utf8_or_measure_does_no_harm() {
    let output = applied(command(json!({"shell": "printf '\\377\\n'; head -c 1000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero >&2"})).await);
    let stdout = output["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("\u{fffd}\nxxx"));
    assert!(stdout.len() <= 64 * 1024 + 2, "{}", stdout.len());
}

#[tokio::test]
async fn a_missing_program_is_certainly_not_run_and_not_tried_again() {
    let attempt = command(json!({"run": ["/nowhere/program"]})).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
}

#[tokio::test]
async fn a_program_is_killed_with_its_children_at_the_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let mut call = call(
        Verb::Command,
        json!({"shell": format!("sleep 600 & echo $! > {}; echo working >&2; wait", file.display())}),
    );
    call.timeout = Duration::from_millis(500);
    let driver = RunProgram::new(Arc::new(OneSecret));
    let attempt = driver.act(&permit(), &call).await;
    assert!(matches!(&attempt, Attempt::Unknown { why } if why.ends_with("working")), "{attempt:?}");
    let child = pid_in(&file);
    await_until("the child's end", Duration::from_secs(5), || !alive(child));
}

#[tokio::test]
async fn a_program_is_killed_with_its_children_when_the_run_lets_go_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let call = call(Verb::Command, json!({"shell": format!("sleep 600 & echo $! > {}; wait", file.display())}));
    let driver = RunProgram::new(Arc::new(OneSecret));
    let permit = permit();
    let act = driver.act(&permit, &call);
    // The shell makes the file before it writes into it.
    let started = async {
        while std::fs::read_to_string(&file).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        attempt = act => panic!("it ended: {attempt:?}"),
        () = started => {}
    }
    let child = pid_in(&file);
    await_until("the child's end", Duration::from_secs(5), || !alive(child));
}

#[tokio::test]
async fn a_program_that_leaves_a_daemon_behind_ends_all_the_same() {
    let start = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let output =
        applied(command(json!({"shell": format!("sleep 600 & echo $! > {}; echo done", file.display())})).await);
    assert_eq!(output["stdout"], "done");
    assert!(start.elapsed() < Duration::from_secs(5));
    let child = pid_in(&file);
    assert!(alive(child), "the daemon was killed");
    std::process::Command::new("kill").arg(child.to_string()).status().unwrap();
}

#[tokio::test]
async fn a_program_ended_by_a_signal_has_an_unknown_outcome() {
    let attempt = command(json!({"shell": "kill -9 $$"})).await;
    assert!(matches!(&attempt, Attempt::Unknown { why } if why.contains("signal 9")), "{attempt:?}");
}

#[tokio::test]
async fn after_a_doubt_the_check_program_is_asked_and_without_one_a_person() {
    let driver = RunProgram::new(Arc::new(OneSecret));
    let observe = async |with: Value, in_doubt: bool| {
        let mut call = call(Verb::Command, with);
        call.in_doubt = in_doubt;
        driver.observe(&call).await
    };
    let already = observe(json!({"run": ["false"], "check": ["echo", "so"]}), true).await;
    assert!(matches!(&already, Observed::Already { output, .. } if output["stdout"] == "so"), "{already:?}");
    assert!(matches!(observe(json!({"run": ["true"], "check": ["false"]}), true).await, Observed::Ready { .. }));
    assert!(matches!(observe(json!({"run": ["true"]}), false).await, Observed::Ready { .. }));
    assert!(matches!(observe(json!({"run": ["true"]}), true).await, Observed::Unknown { .. }));
    assert!(matches!(observe(json!({"run": ["true"], "idempotent": true}), true).await, Observed::Ready { .. }));
    assert!(matches!(observe(json!({"run": ["true"], "readOnly": true}), true).await, Observed::Ready { .. }));
}

#[tokio::test]
async fn nothing_is_run_or_sent_without_a_lease() {
    let permit = permit();
    permit.revoke();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made");
    let attempt =
        RunProgram::new(Arc::new(OneSecret)).act(&permit, &call(Verb::Command, json!({"run": ["touch", file]}))).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
    assert!(!file.exists());
    let (address, seen) = peer(answer("200 OK", ""));
    let attempt = HttpRequest::new(Arc::new(OneSecret))
        .act(&permit, &call(Verb::Http, json!({"url": format!("http://{address}/")})))
        .await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
    assert_eq!(*seen.lock().unwrap(), "");
}

#[tokio::test]
async fn a_request_carries_its_parameters_and_an_idempotency_key() {
    let (address, seen) = peer(answer("202 Accepted", &format!("thanks for {HUSH}")));
    let output = applied(
        http(json!({"url": format!("http://{address}/fence?x=1"), "method": "PUT", "headers": {"x-why": "drill"},
            "bearer": {"env": "T"}, "body": "now", "expectStatus": [202]}))
        .await,
    );
    assert_eq!((&output["status"], &output["body"]), (&json!(202), &json!("thanks for [REDACTED]")));
    let seen = seen.lock().unwrap().to_ascii_lowercase();
    for part in ["put /fence?x=1 http/1.1", "idempotency-key: lifeboat/orders-17/the-step", "x-why: drill", "\nnow"] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
    assert!(seen.contains(&format!("authorization: bearer {HUSH}")), "{seen}");
}

#[tokio::test]
async fn a_long_answer_is_cut_and_a_token_in_it_is_cut_out_whole() {
    let body = format!("{}{HUSH}{}", "x".repeat(64 * 1024 - 5), "y".repeat(1000));
    let (address, _) = peer(answer("200 OK", &body));
    let output = applied(http(json!({"url": format!("http://{address}/"), "bearer": {"env": "T"}})).await);
    let kept = output["body"].as_str().unwrap();
    assert!(kept.len() <= 64 * 1024, "{}", kept.len());
    assert!(!kept.contains("hush"), "a piece of the token was kept");
}

#[tokio::test]
async fn a_header_that_is_ours_to_set_is_not_sent_when_an_expression_brought_it_in() {
    let (address, seen) = peer(answer("200 OK", ""));
    let attempt = http(json!({"url": format!("http://{address}/"), "headers": {"Authorization": "Basic x"}})).await;
    assert!(matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("bearer")), "{attempt:?}");
    assert_eq!(*seen.lock().unwrap(), "");
}

#[tokio::test]
async fn an_unexpected_status_is_told_without_the_token() {
    let (address, _) = peer(answer("403 Forbidden", &format!("no access with {HUSH}")));
    let attempt = http(json!({"url": format!("http://{address}/?q=secretquery"), "bearer": {"env": "T"}})).await;
    let why = "expected a status of 200 to 299, found 403: no access with [REDACTED]";
    assert_eq!(attempt, Attempt::NotApplied { why: why.into(), retry: false });
    let (address, _) = peer(answer("503 Service Unavailable", ""));
    let attempt = http(json!({"url": format!("http://{address}/")})).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: true, .. }), "{attempt:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, seen) = peer(answer("200 OK", ""));
    let moved =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = peer(Some(moved));
    let attempt = http(json!({"url": format!("http://{address}/"), "bearer": {"env": "T"}})).await;
    assert!(matches!(attempt, Attempt::NotApplied { retry: false, .. }), "{attempt:?}");
    assert_eq!(*seen.lock().unwrap(), "");
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_a_refused_connection_is_not_applied() {
    let (address, seen) = peer(None);
    let attempt = http(json!({"url": format!("http://{address}/"), "body": "once", "bearer": {"env": "T"}})).await;
    assert!(matches!(&attempt, Attempt::Unknown { why } if !why.contains(HUSH)), "{attempt:?}");
    assert_eq!(seen.lock().unwrap().matches("once").count(), 1, "it was sent more than once");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let attempt = http(json!({"url": format!("http://{free}/")})).await;
    assert!(matches!(&attempt, Attempt::NotApplied { retry: true, .. }), "{attempt:?}");
}

#[tokio::test]
async fn after_a_lost_reply_only_an_idempotent_request_may_be_repeated() {
    let driver = HttpRequest::new(Arc::new(OneSecret));
    for (idempotent, ready) in [(true, true), (false, false)] {
        let mut call = call(Verb::Http, json!({"url": "http://127.0.0.1:1/", "idempotent": idempotent}));
        call.in_doubt = true;
        let seen = driver.observe(&call).await;
        assert_eq!(matches!(seen, Observed::Ready { .. }), ready, "{seen:?}");
    }
}

#[tokio::test]
async fn the_endpoints_of_a_request_show_no_query() {
    let driver = HttpRequest::new(Arc::new(OneSecret));
    let found = driver.endpoints(&call(Verb::Http, json!({"url": "https://127.0.0.1:9/a?token=x"})));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].address, "https://127.0.0.1:9/a");
}

#[tokio::test(start_paused = true)]
async fn a_wait_waits_as_long_as_declared() {
    let driver = Wait::new(Arc::new(SystemClock::start()));
    let start = tokio::time::Instant::now();
    let long = Call { timeout: Duration::from_mins(2), ..call(Verb::Wait, json!({"seconds": 90.5})) };
    applied(driver.act(&permit(), &long).await);
    assert_eq!(start.elapsed().as_millis(), 90_500);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_does_not_fit_into_the_step_is_not_begun() {
    let driver = Wait::new(Arc::new(SystemClock::start()));
    let start = tokio::time::Instant::now();
    let long = Call { timeout: Duration::from_secs(10), ..call(Verb::Wait, json!({"seconds": 90.5})) };
    assert!(matches!(driver.observe(&long).await, Observed::Refused { .. }));
    let attempt = driver.act(&permit(), &long).await;
    assert!(
        matches!(&attempt, Attempt::NotApplied { why, retry: false } if why.contains("timeoutSeconds")),
        "{attempt:?}"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
}
