//! What is shown: the story, and each command as a person would type it, with what it answers.

use std::{
    io::{self, BufRead as _, BufReader, IsTerminal as _, PipeReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// The story, on standard output.
pub(crate) struct Terminal {
    begin: Instant,
    colour: bool,
    out: io::Stdout,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            out: io::stdout(),
        }
    }
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    /// A new chapter, with the seconds since the beginning.
    pub(crate) fn chapter(&self, text: &str) {
        let title = self.paint("1", text);
        let seconds = self.paint("2", &format!("{:.0} s", self.begin.elapsed().as_secs_f64()));
        self.say(&format!("\n── {title}  {seconds}\n"));
    }
    /// A sentence.
    pub(crate) fn say(&self, text: &str) {
        // A reader who has gone away misses the rest; the story goes on to its end.
        let _gone = writeln!(&self.out, "{text}");
    }
    /// What a person would type.
    pub(crate) fn typed(&self, text: &str) {
        self.say(&self.paint("1;36", &format!("$ {text}")));
    }
    pub(crate) fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("1;31", text)
    }
    pub(crate) fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }
}

/// Ctrl-C and its like: the first asks to stop, and everything is put away; the second ends this process at once, and the
/// leashes put away what they hold.
#[derive(Clone)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let flag = Arc::clone(&asked);
        let (mut int, mut term, mut hup) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
        };
        thread::spawn(move || {
            runtime.block_on(async {
                for _ in 0..2 {
                    tokio::select! { _ = int.recv() => {}, _ = term.recv() => {}, _ = hup.recv() => {} }
                    if flag.swap(true, Ordering::Relaxed) {
                        break;
                    }
                }
            });
            quit();
        });
        Ok(Self { asked })
    }

    /// Fails once somebody has asked to stop.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.asked.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
    }

    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Looks every few milliseconds until it is so.
    pub(crate) fn until(
        &self,
        what: &str,
        limit: Duration,
        mut so: impl FnMut() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let begin = Instant::now();
        while !so()? {
            self.check()?;
            if begin.elapsed() > limit {
                return Err(format!("{what}: not within {} s", limit.as_secs()).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub(crate) fn pause(&self, length: Duration) -> Result<(), Failure> {
        let begin = Instant::now();
        self.until("a pause", length * 2, || Ok(begin.elapsed() >= length))
    }
}

#[expect(clippy::exit, reason = "asked to stop twice: whatever is still going on is not worth waiting for")]
fn quit() {
    std::process::exit(130);
}

/// The program `lifeboat`, with its settings in the environment.
pub(crate) struct Lifeboat {
    program: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Lifeboat {
    /// The one that was built beside this program.
    pub(crate) fn beside(data: &Path, documents: &Path) -> Result<Self, Failure> {
        let own = std::env::current_exe()?;
        let program = own.ancestors().nth(2).map(|folder| folder.join("lifeboat")).filter(|program| program.exists());
        let program = program.ok_or("the program lifeboat is not built: cargo build --bins --examples")?;
        let env =
            vec![("LIFEBOAT_DATA", data.display().to_string()), ("LIFEBOAT_FILES", documents.display().to_string())];
        Ok(Self { program, env })
    }

    /// What a person types once before all other commands.
    pub(crate) fn exports(&self) -> Vec<String> {
        let exports = self.env.iter().map(|(name, value)| format!("export {name}={value}"));
        exports.chain([format!("alias lifeboat={}", self.program.display())]).collect()
    }

    /// The words of a command that is to run on a leash.
    pub(crate) fn words(&self, words: &[&str]) -> (Vec<String>, Vec<(&str, &str)>) {
        let all = [self.program.display().to_string()].into_iter().chain(words.iter().map(|&word| word.to_owned()));
        (all.collect(), self.env.iter().map(|(name, value)| (*name, value.as_str())).collect())
    }

    /// Starts a command; its lines are shown as they come. It cannot outlive this process.
    pub(crate) fn start(&self, terminal: &Terminal, words: &[&str]) -> Result<Running, Failure> {
        let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
        terminal.typed(&format!("lifeboat {}", words.iter().map(quoted).collect::<Vec<_>>().join(" ")));
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program).args(words);
        command.envs(self.env.iter().map(|(name, value)| (*name, value)));
        if terminal.colour {
            command.env("CLICOLOR_FORCE", "1");
        }
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        drop(command); // Its ends of the pipe would keep the reader waiting.
        let lines = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&lines);
        let reader = Some(thread::spawn(move || show(reader, &kept)));
        Ok(Running { child, reader, lines })
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, terminal: &Terminal, stop: &Interrupt, words: &[&str]) -> Result<ExitStatus, Failure> {
        self.start(terminal, words)?.wait(stop, Duration::from_mins(1))
    }
}

fn show(reader: PipeReader, kept: &Mutex<String>) {
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        let _gone = writeln!(io::stdout(), "  {line}");
        if let Ok(mut kept) = kept.lock() {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
}

/// A command that runs. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Arc<Mutex<String>>,
}

impl Running {
    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        self.lines.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has ended and all that it said is shown.
    pub(crate) fn wait(mut self, stop: &Interrupt, limit: Duration) -> Result<ExitStatus, Failure> {
        let child = &mut self.child;
        stop.until("the end of the command", limit, || Ok(child.try_wait()?.is_some()))?;
        if let Some(reader) = self.reader.take() {
            let _shown = reader.join();
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}
