//! Shows a person at a terminal how far the crowd has got. The results are left to `report`.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is rewritten.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A line that is rewritten again and again.
pub struct Progress {
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    /// Returns a line that stays hidden beside JSON and without a terminal.
    pub fn new(json: bool) -> Self {
        Self {
            shown: None,
            wanted: !json && io::stderr().is_terminal(),
        }
    }

    /// Rewrites the line, unless it was just rewritten.
    pub fn show(&mut self, n_sent: u64, n_delivered: u64) {
        if self.wanted
            && self
                .shown
                .is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL)
        {
            self.shown = Some(Instant::now());
            // Nothing depends on this line, so errors do not matter.
            let _ = write!(io::stderr(), "\r{n_sent} sent, {n_delivered} delivered ");
        }
    }

    /// Empties the line.
    pub fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
