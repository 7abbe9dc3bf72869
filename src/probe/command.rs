//! A program says whether it serves: exit code 0 is healthy, 1 unhealthy, anything else silent.
//!
//! Promises: no shell reads the words; the program runs in a process group of its own, and whatever is left of that group is
//! killed when the program ended, when the time is up, and when nobody waits any more; the last line it printed is the reason,
//! without the values of `secretEnv`. It must change nothing: that is the promise of whoever wrote it.

use std::{process::Stdio, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    time::timeout,
};

use super::{Asks, Found, Ill};
use crate::{net::postgres::told, port::Secrets, spec::CommandProbe};

/// How much of the end of each stream is kept, in bytes: a reason is a line.
const KEPT: usize = 4 * 1024;

/// How long a reason may be, in characters.
const REASON: usize = 300;

pub(super) struct Own {
    spec: CommandProbe,
    secrets: Arc<dyn Secrets>,
    timeout: Duration,
    shown: String,
}

/// Kills what is left of a process group.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // It fails only when every process of the group is gone. The number is not given to another group meanwhile:
            // a system gives all others away first.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Own {
    pub(super) fn new(spec: &CommandProbe, secrets: Arc<dyn Secrets>, timeout: Duration) -> Result<Self, Ill> {
        let shown = spec.run.first().filter(|name| !name.is_empty());
        let shown =
            shown.ok_or_else(|| Ill::Silent("no program is named; write `run: [PROGRAM, ARGUMENT, …]`".into()))?;
        Ok(Self { shown: shown.clone(), spec: spec.clone(), secrets, timeout })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let mut hidden: Vec<SecretString> = Vec::new();
        let mut command = Command::new(&self.shown);
        command.args(self.spec.run.iter().skip(1)).envs(&self.spec.env);
        for (name, secret) in &self.spec.secret_env {
            let value = self
                .secrets
                .resolve(secret)
                .map_err(|error| Ill::Silent(format!("{} could not be started: {}", self.shown, told(&error))))?;
            command.env(name, value.expose_secret());
            hidden.push(value);
        }
        if let Some(directory) = &self.spec.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| Ill::Silent(format!("{} could not be started: {error}", self.shown)))?;
        // Declared after the child, so dropped before it.
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ended = timeout(self.timeout, run(&mut child, &mut out, &mut err, group)).await;
        let said = [err, out].iter().map(|bytes| last_line(bytes, &hidden)).find(|line| !line.is_empty());
        self.judge(ended.ok().map(|ended| ended.map(|status| status.code())), said.as_deref())
    }

    /// `None`: it did not end in time.
    fn judge(&self, ended: Option<std::io::Result<Option<i32>>>, said: Option<&str>) -> Result<Found, Ill> {
        let (shown, said) = (&self.shown, said.unwrap_or("it printed no reason"));
        match ended {
            Some(Ok(Some(0))) => Ok(Found::Well),
            Some(Ok(Some(1))) => Err(Ill::Unhealthy(format!("{shown} says: {said}"))),
            Some(Ok(Some(code))) => {
                Err(Ill::Silent(format!("{shown}: expected exit code 0 or 1, found {code}: {said}")))
            }
            Some(Ok(None)) => Err(Ill::Silent(format!("{shown} was ended by a signal: {said}"))),
            Some(Err(error)) => Err(Ill::Silent(format!("the end of {shown} was not seen: {error}"))),
            None => {
                let limit = self.timeout.as_millis();
                Err(Ill::Silent(format!("{shown} did not end within {limit} ms and was killed: {said}")))
            }
        }
    }
}

impl Asks for Own {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    // What it printed until then is worth telling.
    fn keeps_time(&self) -> bool {
        true
    }
}

/// Waits for the end of the program, ends its group, and reads what was printed.
async fn run(
    child: &mut Child,
    out: &mut Vec<u8>,
    err: &mut Vec<u8>,
    group: Group,
) -> std::io::Result<std::process::ExitStatus> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let status = child.wait().await;
        // What it left behind would hold the streams open.
        drop(group);
        status
    };
    let (status, (), ()) = tokio::join!(ended, keep(&mut stdout, out), keep(&mut stderr, err));
    status
}

/// Reads a stream to its end, and keeps the last of it.
async fn keep<R: AsyncRead + Unpin>(stream: &mut Option<R>, kept: &mut Vec<u8>) {
    let Some(stream) = stream else { return };
    let mut chunk = vec![0; KEPT];
    // An error ends the stream as its end does: the exit code says how the program fared.
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let excess = kept.len().saturating_sub(KEPT);
        kept.drain(..excess);
    }
}

/// The last line that says something. One that may begin with a part of a secret, because its beginning was cut off, says nothing.
fn last_line(bytes: &[u8], hidden: &[SecretString]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let whole = if bytes.len() >= KEPT { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    let line = whole.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    // A secret of several lines is hidden line by line, the longest first: one may be the beginning of another.
    let secrets = hidden.iter().flat_map(|secret| secret.expose_secret().lines());
    let mut parts: Vec<&str> = secrets.map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let line = parts.into_iter().fold(line.to_owned(), |line, part| line.replace(part, "[REDACTED]"));
    line.chars().take(REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_line_without_secrets() {
        let hidden = [SecretString::from("hush\nhush2".to_owned())];
        assert_eq!(last_line(b"one\n two hush2 \n\n", &hidden), "two [REDACTED]");
        assert_eq!(last_line(b"", &hidden), "");
        let long = [vec![b'x'; KEPT], b"\nlast\n".to_vec()].concat();
        assert_eq!(last_line(&long, &[]), "last");
        assert_eq!(last_line(&vec![b'h'; KEPT], &[]), "", "its beginning is lost, and may be a secret's");
        assert_eq!(last_line(&vec![b'y'; KEPT - 1], &[]).len(), REASON);
    }
}
