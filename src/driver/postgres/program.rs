//! Programs and fencing agents outside the database.
//!
//! Promises: no shell reads the words; what is dropped, also at a deadline, is killed with every process of its group, and a server that
//! a program started and left behind is waited for by nobody. A program that ended with another code than 0, and an answer outside 2xx, are
//! certain; no answer and a killed program are lost.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Method, Url};
use secrecy::ExposeSecret;

use crate::{
    net::{
        http::{Http, Outcome},
        postgres::told,
        program::{self, Ended, Program},
    },
    port::{Call, Secrets},
    spec::{HttpCall, SecretRef},
};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Exit code 0, or 2xx.
    Yes,
    /// Another code, or it could not be started.
    No(String),
    /// Nobody knows what it did.
    Lost(String),
}

/// The most of a program's error output that is kept, in characters: a line on a screen.
const TAIL: usize = 240;

/// Runs a program with the call's regions in its words and environment.
pub(super) async fn run(words: &[String], call: &Call, within: Duration) -> Done {
    let target = call.target.as_ref().map_or("", |target| target.as_str());
    let values = [("source", call.source.as_str()), ("destination", call.destination.as_str()), ("target", target)];
    let filled: Vec<String> = words
        .iter()
        .map(|word| {
            values.iter().fold(word.clone(), |word, (name, value)| {
                word.replace(&format!("{{{{ {name} }}}}"), value).replace(&format!("{{{{{name}}}}}"), value)
            })
        })
        .collect();
    let Some(name) = filled.first() else { return Done::No("no program is given".into()) };
    let environment = call.environment();
    let program = Program {
        words: &filled.iter().map(String::as_str).collect::<Vec<_>>(),
        directory: None,
        env: environment.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        secret_env: &BTreeMap::new(),
    };
    match program::run(&program, within).await {
        Ended::NotStarted(error) => Done::No(format!("{name} could not be started: {error}")),
        Ended::Exited(status, _) if status.success() => Done::Yes,
        Ended::Exited(status, printed) => {
            let last: String = printed.last_error.chars().filter(|c| !c.is_control()).take(TAIL).collect();
            let last = if last.is_empty() { "no error output" } else { &last };
            Done::No(format!("{name} ended with {status}: {last}"))
        }
        Ended::Lost(error) => Done::Lost(format!("{name} was started and its end was not seen: {error}")),
        Ended::TimedOut(_) => {
            Done::Lost(format!("{name} did not end within {:.1} s and was killed", within.as_secs_f64()))
        }
    }
}

/// Calls a fencing agent (POST).
pub(super) async fn post(agent: &HttpCall, call: &Call, asking: &Asking<'_>, within: Duration) -> Done {
    request(Method::POST, &agent.url, agent.bearer.as_ref(), Some(call), asking, within).await
}

/// Asks a URL whether it is so (GET).
pub(super) async fn get(url: &str, bearer: Option<&SecretRef>, asking: &Asking<'_>, within: Duration) -> Done {
    request(Method::GET, url, bearer, None, asking, within).await
}

/// What asking an agent takes.
pub(super) struct Asking<'a> {
    pub(super) http: &'a Http,
    pub(super) secrets: &'a dyn Secrets,
}

async fn request(
    method: Method,
    url: &str,
    bearer: Option<&SecretRef>,
    call: Option<&Call>,
    asking: &Asking<'_>,
    within: Duration,
) -> Done {
    let url = match Url::parse(url) {
        Ok(url) => url,
        Err(error) => return Done::No(format!("the agent's URL is none: {error}")),
    };
    let client = match asking.http.client(&url) {
        Ok(client) => client,
        Err(error) => return Done::No(told(&error)),
    };
    let mut request = client.request(method, url);
    if let Some(reference) = bearer {
        match asking.secrets.resolve(reference) {
            Ok(secret) => request = request.bearer_auth(secret.expose_secret()),
            Err(error) => return Done::No(told(&error)),
        }
    }
    if let Some(call) = call {
        request = request.header("Idempotency-Key", call.idempotency_key()).json(&serde_json::json!({
            "run": call.run, "step": call.step, "target": call.target, "source": call.source, "destination": call.destination,
        }));
    }
    let request = match request.build() {
        Ok(request) => request,
        Err(error) => return Done::No(format!("the request is not well formed: {}", told(&error.without_url()))),
    };
    // Its body says nothing that counts.
    match asking.http.send(request, within, 0).await {
        Outcome::Answered(answer) if answer.is_success() => Done::Yes,
        Outcome::Answered(answer) => Done::No(format!("the agent answered {}", answer.status)),
        Outcome::Refused { why } | Outcome::Unreached { why } => {
            Done::No(format!("the agent could not be reached: {why}"))
        }
        Outcome::Silent { why } => Done::Lost(format!("the agent's answer was lost: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        model::Verb,
        port::{Clock as _, SystemClock},
    };

    fn call() -> Call {
        Call {
            step: "reverse".parse().unwrap(),
            target: Some("orders-db".parse().unwrap()),
            ..Call::sample(Verb::DatabaseReverse)
        }
    }

    async fn shell(text: &str, within: Duration) -> Done {
        let words = ["/bin/sh", "-c", text, "sh", "{{ source }}", "{{destination}}"].map(str::to_owned);
        run(&words, &call(), within).await
    }

    /// The process whose number is in a file; none when it is gone, or waits to be collected.
    fn running(file: &Path) -> Option<String> {
        let pid = fs::read_to_string(file).unwrap().trim().to_owned();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!stat.rsplit(") ").next()?.starts_with('Z')).then_some(pid)
    }

    #[tokio::test]
    async fn a_program_is_told_the_regions_and_the_target() {
        let words = r#"echo "$1/$2 $LIFEBOAT_SOURCE/$LIFEBOAT_DESTINATION $LIFEBOAT_TARGET $LIFEBOAT_IDEMPOTENCY_KEY" >&2; false"#;
        let told = "/bin/sh ended with exit status: 1: fra/dub fra/dub orders-db lifeboat/orders-1/reverse";
        assert_eq!(shell(words, Duration::from_secs(10)).await, Done::No(told.into()));
        let said =
            shell("echo nothing; printf 'first\\n\\033[1mlast\\n\\n' >&2; exit 3", Duration::from_secs(10)).await;
        assert_eq!(said, Done::No("/bin/sh ended with exit status: 3: [1mlast".into()));
    }

    #[tokio::test]
    async fn a_server_that_a_program_started_is_left_alone_and_waited_for_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server");
        let clock = SystemClock::start();
        let text = format!("sleep 600 & echo $! > {}", file.display());
        assert_eq!(shell(&text, Duration::from_mins(1)).await, Done::Yes);
        assert!(
            clock.monotonic() < Duration::from_secs(10),
            "it waited for the server, which holds its standard error"
        );
        let server = running(&file).expect("the server was ended");
        std::process::Command::new("kill").arg(server).status().unwrap();
    }

    #[tokio::test]
    async fn what_a_program_runs_ends_with_it_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let text = format!("sleep 600 & echo $! > {}; wait", file.display());
        let done = shell(&text, Duration::from_millis(500)).await;
        assert_eq!(done, Done::Lost("/bin/sh did not end within 0.5 s and was killed".into()));
        let clock = SystemClock::start();
        while let Some(child) = running(&file) {
            assert!(clock.monotonic() < Duration::from_secs(10), "{child} goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
