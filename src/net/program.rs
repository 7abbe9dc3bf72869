//! Runs one program.
//!
//! Promises: when the time is up, or when the future is dropped, the program and every process of its group are killed
//! before anything else happens; its output is read to the end, however long, and at most [`CAP`] bytes of each stream are
//! kept; secrets are cut out before anything is cut off.

use std::{
    collections::BTreeMap,
    fmt, io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

/// How much of each stream is kept, in bytes.
pub const CAP: usize = 64 * 1024;

/// How long the output of an ended program may still be held open by a process that it left behind.
const DRAIN: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone)]
pub struct Program<'a> {
    /// The program and its arguments.
    pub words: &'a [&'a str],
    /// Where; `None`: where this process is.
    pub directory: Option<&'a str>,
    /// Beside this process's own environment.
    pub env: Vec<(&'a str, &'a str)>,
    /// The same, with values that are cut out of what it prints.
    pub secret_env: &'a BTreeMap<&'a str, String>,
}

impl fmt::Debug for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("words", &self.words).finish_non_exhaustive()
    }
}

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// It could not be started.
    NotStarted(io::Error),
    /// It was started, and its end was not seen: the time was up and it was killed.
    TimedOut(Printed),
    /// It was started, and could not be waited for.
    Lost(io::Error),
    /// It ended on its own, or by somebody else's signal.
    Exited(ExitStatus, Printed),
}

/// What it printed, secrets cut out, not necessarily UTF-8 before: lossy.
#[derive(Debug, Default)]
pub struct Printed {
    /// The beginning of its standard output, without the trailing line break.
    pub stdout: String,
    /// The last line of its standard error that is not empty.
    pub last_error: String,
}

/// Kills a process group, unless it was disarmed. The leader is not reaped before, so its number is still its own.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails only when every process of the group is gone.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs the program for at most `limit`.
pub async fn run(program: &Program<'_>, limit: Duration) -> Ended {
    let mut child = match spawn(program) {
        Ok(child) => child,
        Err(error) => return Ended::NotStarted(error),
    };
    // Declared after the child, so dropped before it: the group is killed while its leader still holds the number.
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let longest = program.secret_env.values().map(String::len).max().unwrap_or(0);
    let mut out = Kept::new(Keep::Head, longest);
    let mut err = Kept::new(Keep::Tail, longest);
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());

    let ended = {
        let read = async { tokio::join!(out.fill(&mut stdout), err.fill(&mut stderr)) };
        tokio::pin!(read);
        let whole = async {
            tokio::select! {
                // Both streams ended: the program is about to, or closed them on purpose.
                _ = &mut read => child.wait().await,
                status = child.wait() => {
                    // What it left behind may hold the pipes open for ever.
                    let _open = timeout(DRAIN, &mut read).await;
                    status
                }
            }
        };
        let ended = timeout(limit, whole).await;
        if ended.is_ok() {
            group.0 = None;
        }
        ended
    };
    drop(group);
    let printed = Printed {
        stdout: out.text(program.secret_env).trim_end_matches(['\r', '\n']).to_owned(),
        last_error: last_line(&err.text(program.secret_env)),
    };
    match ended {
        Ok(Ok(status)) => Ended::Exited(status, printed),
        Ok(Err(error)) => Ended::Lost(error),
        Err(_) => Ended::TimedOut(printed),
    }
}

fn spawn(program: &Program<'_>) -> io::Result<Child> {
    let (name, arguments) = program.words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .envs(program.env.iter().copied())
        .envs(program.secret_env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = program.directory {
        command.current_dir(directory);
    }
    command.spawn()
}

enum Keep {
    Head,
    Tail,
}

/// A part of a stream: [`CAP`] bytes and room for a whole secret that stands across the cut.
struct Kept {
    bytes: Vec<u8>,
    keep: Keep,
    longest: usize,
    over: bool,
}

impl Kept {
    fn new(keep: Keep, longest: usize) -> Self {
        Self { bytes: Vec::new(), keep, longest, over: false }
    }

    async fn fill<R: AsyncRead + Unpin>(&mut self, stream: &mut Option<R>) {
        let Some(stream) = stream else { return };
        let mut chunk = vec![0; 8192];
        // An error ends the stream as its end does: the exit status says how the program fared.
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            self.take(chunk.get(..count).unwrap_or_default());
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        let room = CAP + self.longest;
        match self.keep {
            Keep::Head => {
                let free = room.saturating_sub(self.bytes.len());
                self.bytes.extend(chunk.iter().take(free));
                self.over |= chunk.len() > free;
            }
            Keep::Tail => {
                self.bytes.extend_from_slice(chunk);
                let excess = self.bytes.len().saturating_sub(room);
                self.bytes.drain(..excess);
                self.over |= excess > 0;
            }
        }
    }

    /// The kept part, cut to [`CAP`], without secrets.
    fn text(&self, secrets: &BTreeMap<&str, String>) -> String {
        let (start, end) = match self.keep {
            Keep::Head => (0, self.bytes.len().min(CAP)),
            Keep::Tail if self.over => (self.bytes.len().saturating_sub(CAP), self.bytes.len()),
            Keep::Tail => (0, self.bytes.len()),
        };
        if secrets.is_empty() {
            return String::from_utf8_lossy(self.bytes.get(start..end).unwrap_or_default()).into_owned();
        }
        let mut clean = Vec::with_capacity(end - start);
        let mut at = 0;
        while at < end {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let secret = secrets
                .values()
                .filter(|secret| !secret.is_empty() && rest.starts_with(secret.as_bytes()))
                .map(String::len)
                .max();
            if let Some(length) = secret {
                at += length;
                if at > start {
                    clean.extend_from_slice(b"[REDACTED]");
                }
            } else {
                if at >= start {
                    clean.extend(rest.first());
                }
                at += 1;
            }
        }
        String::from_utf8_lossy(&clean).into_owned()
    }
}

fn last_line(text: &str) -> String {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keep: Keep, input: &[u8], secret: &str) -> String {
        let secrets = BTreeMap::from([("S", secret.to_owned())]);
        let mut kept = Kept::new(keep, secret.len());
        for chunk in input.chunks(1000) {
            kept.take(chunk);
        }
        kept.text(&secrets)
    }

    #[test]
    fn a_secret_across_the_cut_leaves_no_piece_behind() {
        let secret = "hunter2-hunter2";
        for offset in 0..=secret.len() + 1 {
            let mut head = vec![b'.'; CAP - offset];
            head.extend_from_slice(secret.as_bytes());
            head.extend_from_slice(&[b'.'; 100]);
            let text = kept(Keep::Head, &head, secret);
            assert!(!text.contains('h'), "head, {offset}: …{}", &text[text.len() - 20..]);
            let mut tail = vec![b'.'; 100];
            tail.extend_from_slice(secret.as_bytes());
            tail.extend(vec![b'.'; CAP - offset]);
            let text = kept(Keep::Tail, &tail, secret);
            assert!(!text.contains('h') && !text.contains("r2"), "tail, {offset}: {}…", &text[..20]);
        }
    }

    #[test]
    fn the_head_of_stdout_and_the_tail_of_stderr_are_kept() {
        let mut input = b"first\n".to_vec();
        input.extend(vec![b'x'; 3 * CAP]);
        input.extend_from_slice(b"\nlast \xff\n\n");
        assert!(kept(Keep::Head, &input, "@@").starts_with("first\n"));
        assert_eq!(kept(Keep::Head, &input, "@@").len(), CAP);
        assert_eq!(last_line(&kept(Keep::Tail, &input, "@@")), "last \u{fffd}");
    }
}
