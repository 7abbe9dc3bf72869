//! Everything that is printed goes through here: answers to standard output, remarks to standard error.
//!
//! A reader that goes away (`lifeboat status | head -1`) ends the printing and nothing else: a failover goes on
//! although nobody reads along. Colour is written always and stripped where it does not belong.

use std::{
    fmt::Display,
    io::{self, BufRead as _, IsTerminal as _, Write},
    sync::{Mutex, PoisonError},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output.
    Json,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a word means, by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It is well.
    Good,
    /// Somebody should look.
    Warn,
    /// It is not well.
    Bad,
    /// It matters less.
    Dim,
    /// It matters.
    Bold,
}

/// A text in a tone.
pub(super) fn tint(tone: Tone, text: impl Display) -> String {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Warn => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Bold => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}

/// The two streams.
pub(super) struct Screen {
    /// How answers are written.
    pub(super) format: Format,
    /// Remarks and progress are left out.
    pub(super) quiet: bool,
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    colour: bool,
    terminal: bool,
}

impl Screen {
    /// The process's own streams.
    pub(super) fn new(format: Format, colour: Colour, quiet: bool) -> Self {
        let choice = match colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::AlwaysAnsi,
            Colour::Never => ColorChoice::Never,
        };
        let out = AutoStream::new(io::stdout(), choice);
        let colour = out.current_choice() != ColorChoice::Never;
        let terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        let err = AutoStream::new(io::stderr(), choice);
        Self { format, quiet, out: Mutex::new(Box::new(out)), err: Mutex::new(Box::new(err)), colour, terminal }
    }

    /// Both streams are terminals: something may move on them.
    pub(super) fn is_live(&self) -> bool {
        self.terminal && !self.quiet && self.format == Format::Text
    }

    /// How findings are drawn here.
    pub(super) fn look(&self) -> crate::manifest::Look {
        crate::manifest::Look { colour: self.colour, width: 100 }
    }

    /// Colour is used.
    pub(super) fn is_coloured(&self) -> bool {
        self.colour
    }

    /// A line of the answer.
    pub(super) fn line(&self, text: impl Display) {
        print(&self.out, format_args!("{text}\n"));
    }

    /// A text of the answer, as it is.
    pub(super) fn text(&self, text: &str) {
        print(&self.out, format_args!("{text}"));
    }

    /// A file of the answer, byte for byte. Unlike a text it is not stripped of anything; a reader that goes away has no file, so
    /// that is an error.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through a screen")]
    pub(super) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// What is written to standard output is shown on a terminal.
    #[expect(clippy::unused_self, reason = "whoever asks has a screen")]
    pub(super) fn is_shown(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// A remark.
    pub(super) fn remark(&self, text: impl Display) {
        if !self.quiet {
            print(&self.err, format_args!("{text}\n"));
        }
    }

    /// Something that must be seen, `--quiet` or not.
    pub(super) fn warn(&self, text: impl Display) {
        print(&self.err, format_args!("{text}\n"));
    }

    /// A line of the progress: a part of the answer for people, a remark beside it for machines.
    pub(super) fn progress(&self, text: impl Display) {
        match self.format {
            Format::Text if self.quiet => {}
            Format::Text => self.line(text),
            Format::Json => self.remark(text),
        }
    }

    /// The whole answer, for machines.
    pub(super) fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => self.warn(format_args!("the answer could not be written as JSON: {error}")),
        }
    }

    /// The answer as what the format asks for.
    pub(super) fn answer<T: Serialize>(&self, value: &T, people: impl FnOnce(&Self, &T)) {
        match self.format {
            Format::Text => people(self, value),
            Format::Json => self.json(value),
        }
    }

    /// Whether a person sits at a terminal and can be asked.
    #[expect(clippy::unused_self, reason = "whoever asks has a screen")]
    pub(super) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks the person at the terminal; `None` when there is none.
    pub(super) fn ask(&self, question: &str) -> Option<String> {
        if !self.can_ask() {
            return None;
        }
        print(&self.err, format_args!("{question}"));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }
}

/// A stream that is gone takes nothing more; the work goes on.
fn print(stream: &Mutex<Box<dyn Write + Send>>, text: std::fmt::Arguments<'_>) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let written = stream.write_all(text.to_string().as_bytes()).and_then(|()| stream.flush());
    if written.is_err() {
        *stream = Box::new(io::sink());
    }
}

/// Columns that line up, without a trailing blank.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let width = |text: &str| anstream::adapter::strip_str(text).to_string().chars().count();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, wide) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(wide.saturating_sub(width(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_although_some_are_coloured() {
        let rows = [vec!["a".into(), "b".into()], vec![tint(Tone::Bad, "long"), "c".into(), String::new()]];
        let plain = anstream::adapter::strip_str(&columns(&rows)).to_string();
        assert_eq!(plain, "a     b\nlong  c\n");
    }
}
