//! Does what the person wants, or the pipe.

use super::Session;
use crate::join::unheard::quits;
use std::time::{Duration, Instant};

/// Maximum time that leaving takes.
const LEAVING: Duration = Duration::from_secs(1);

/// What the person, or the pipe, wants.
#[derive(Debug)]
pub enum Command {
    /// Send this line.
    Say(String),
    /// Show this line here.
    Show(String),
    /// Forget the lines that wait.
    TakeBack,
    /// End as soon as everything was sent and has come back.
    Finish,
    /// End now.
    Leave,
}

impl Session<'_> {
    /// Does what `command` says.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            // This takes no connection.
            Command::Say(line) if !self.connection.is_in() && quits(&line) => self.quitting = true,
            Command::Say(line) => {
                if !self.waiting.push(line) {
                    self.batch
                        .tell("Too many lines wait already; this one was not taken.");
                }
            }
            Command::Show(line) => self.batch.tell(&line),
            Command::TakeBack => match self.waiting.take_back() {
                0 => {}
                1 => self.batch.tell("1 line was taken back."),
                n_lines => self
                    .batch
                    .tell(&format!("{n_lines} lines were taken back.")),
            },
            Command::Finish => {
                self.finishing = true;
                self.last_progress = Instant::now();
            }
            Command::Leave => {
                self.finishing = true;
                self.leaving = Some(Instant::now() + LEAVING);
                self.connection.end_writing();
            }
        }
    }
}
