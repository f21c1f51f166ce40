//! Counts the lines that did not come back, and says what is known of the rest.

use super::{Command, Session};
use crossbeam_channel::RecvTimeoutError;
use std::time::{Duration, Instant};

/// Maximum time to count the rest of the input.
const COUNTING: Duration = Duration::from_millis(100);

impl Session<'_> {
    /// Returns a sentence about the lines that did not come back, if there are any. Call this at the
    /// end: the rest of a pipe's input is counted too, if it is there already.
    pub(super) fn loss(&mut self) -> Option<String> {
        let mut n_lines = self.waiting.len() + self.unheard.n_lines();
        let mut is_all = self.finishing || !self.settings.speaks_apart;
        let deadline = Instant::now() + COUNTING;
        while !is_all && Instant::now() < deadline {
            match self.ends.commands.recv_deadline(deadline) {
                Ok(Command::Say(_)) => n_lines += 1,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => is_all = true,
            }
        }
        sentence(n_lines, is_all)
    }
}

/// Returns a sentence about `n_lines` that did not come back, which are all there were or not.
pub fn sentence(n_lines: usize, is_all: bool) -> Option<String> {
    match (n_lines, is_all) {
        (0, _) => None,
        (1, true) => Some("1 line did not come back.".to_owned()),
        (_, true) => Some(format!("{n_lines} lines did not come back.")),
        (1, false) => {
            Some("1 line that was read did not come back, and the rest was not read.".to_owned())
        }
        (_, false) => Some(format!(
            "{n_lines} lines that were read did not come back, and the rest was not read."
        )),
    }
}
