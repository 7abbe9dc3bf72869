//! Recordings of what the judges of this process hear and answer, kept in a file of lines.
//!
//! A judge never waits for it: lines go through a queue to a task of their own, and a disk that is full, slow or gone costs lines of
//! the recording and nothing else. That it did is a warning. Each process that begins says so in the file, so one file may hold many lives.

use std::{path::Path, time::Duration};

use tokio::{fs::OpenOptions, io::AsyncWriteExt as _, sync::mpsc};

use super::{AppError, supervise::Crew};
use crate::{
    controller::{Line, Look, Recorder, Said},
    model::{Group, Judged},
};

/// Lines that may wait for the disk: what a dozen groups say in a minute.
const QUEUE: usize = 4_096;

/// The file.
pub(super) struct Recording {
    lines: mpsc::Sender<Line>,
}

/// What is kept of one judge.
pub(super) struct Recorded {
    recorder: Recorder,
    lines: mpsc::Sender<Line>,
    /// Of the look that is judged.
    now: Duration,
    behind: bool,
}

impl Recording {
    /// Opens the file, to append to it, and boards the task that writes it.
    pub(super) async fn open(crew: &mut Crew, path: &Path) -> Result<Self, AppError> {
        let intent = format!("open {} for the recording", path.display());
        let opened = OpenOptions::new().append(true).create(true).open(path).await;
        let mut file = opened.map_err(|source| AppError::Machine { intent, source })?;
        let (lines, mut queue) = mpsc::channel::<Line>(QUEUE);
        let path = path.to_owned();
        crew.board("recording".into(), async move {
            while let Some(line) = queue.recv().await {
                // A line is made of what was read from JSON, and numbers.
                let Ok(mut text) = serde_json::to_vec(&line) else { continue };
                text.push(b'\n');
                let written = async {
                    file.write_all(&text).await?;
                    file.flush().await
                };
                if let Err(error) = written.await {
                    tracing::warn!(%error, path = %path.display(), "the recording ends here: it could not be written");
                    break;
                }
            }
            // The watch goes on without it.
            std::future::pending::<()>().await;
        });
        Ok(Self { lines })
    }

    /// For the judge of this group.
    pub(super) fn of(&self, group: &Group) -> Recorded {
        let (recorder, lines) = (Recorder::new(group), self.lines.clone());
        Recorded { recorder, lines, now: Duration::ZERO, behind: false }
    }
}

impl Recorded {
    pub(super) fn said(&mut self, said: &Said<'_>) {
        match said {
            Said::Looked(look) => self.looked(look),
            Said::Judged(judged) => self.judged(judged),
            // The run that comes of it is seen in the next look.
            Said::Starting(_) | Said::Started(_) => {}
        }
    }

    fn looked(&mut self, look: &Look) {
        self.now = look.now;
        for line in self.recorder.looked(look) {
            self.keep(line);
        }
    }

    fn judged(&mut self, judged: &Judged) {
        self.keep(self.recorder.judged(judged, self.now));
    }

    fn keep(&mut self, line: Line) {
        let lost = self.lines.try_send(line).is_err();
        if lost && !self.behind {
            tracing::warn!("the recording misses lines: its disk is slow, or it could not be written");
        }
        self.behind = lost;
    }
}
