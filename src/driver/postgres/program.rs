//! Programs and fencing agents outside the database.
//!
//! Promises: no shell reads the words; what is dropped, also at a deadline, is killed. A program that ended with another
//! code than 0, and an answer outside 2xx, are certain; no answer and a killed program are lost.

use std::{process::Stdio, time::Duration};

use reqwest::{Method, Url};
use secrecy::ExposeSecret;

use crate::{
    net::{
        http::{Http, Outcome},
        postgres::told,
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
    let mut filled = words.iter().map(|word| {
        values.iter().fold(word.clone(), |word, (name, value)| {
            word.replace(&format!("{{{{ {name} }}}}"), value).replace(&format!("{{{{{name}}}}}"), value)
        })
    });
    let Some(program) = filled.next() else { return Done::No("no program is given".into()) };
    let mut command = tokio::process::Command::new(&program);
    command.args(filled).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    for (name, value) in values {
        command.env(format!("LIFEBOAT_{}", name.to_uppercase()), value);
    }
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Done::No(format!("{program} could not be started: {error}")),
    };
    match tokio::time::timeout(within, child.wait_with_output()).await {
        Ok(Ok(output)) if output.status.success() => Done::Yes,
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no error output");
            let last: String = last.chars().filter(|c| !c.is_control()).take(TAIL).collect();
            Done::No(format!("{program} ended with {}: {last}", output.status))
        }
        Ok(Err(error)) => Done::Lost(format!("{program} was started and its end was not seen: {error}")),
        Err(_elapsed) => {
            Done::Lost(format!("{program} did not end within {:.1} s and was killed", within.as_secs_f64()))
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
