//! How far the crowd has got, for somebody who waits for it. What it has measured is in `report`.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is written anew.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A line that is written over and over, for a person at a terminal.
pub struct Progress {
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    /// Shows nothing without a terminal, and nothing beside JSON.
    pub fn new(json: bool) -> Self {
        Self {
            shown: None,
            wanted: !json && io::stderr().is_terminal(),
        }
    }

    /// Shows it, if it was not shown just now.
    pub fn show(&mut self, n_sent: u64, n_delivered: u64) {
        if self.wanted
            && self
                .shown
                .is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL)
        {
            self.shown = Some(Instant::now());
            // It is for the eye only.
            let _ = write!(io::stderr(), "\r{n_sent} sent, {n_delivered} delivered ");
        }
    }

    /// Leaves an empty line.
    pub fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
