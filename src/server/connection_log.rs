//! Logs lines about connections: at most 20 a second, and then a count of the others. `-v` shows
//! the others too. The text of a line is left to its caller.

use super::throttle::Throttle;
use parking_lot::Mutex;
use std::fmt::Arguments;
use std::time::Instant;

/// Maximum number of lines a second.
const LINES: u64 = 20;

/// Logs lines about connections.
#[derive(Debug)]
pub struct ConnectionLog {
    throttle: Mutex<Throttle>,
}

impl ConnectionLog {
    /// Logs `line`, or only counts it if there were too many lately.
    pub fn info(&self, line: Arguments<'_>) {
        // The lock is free again before anything is logged.
        let n_lines = self.throttle.lock().count(Instant::now());
        match n_lines {
            Some(n_lines) => {
                log_left_out(n_lines - 1);
                log::info!("{line}");
            }
            None => log::debug!("{line}"),
        }
    }
}

impl Default for ConnectionLog {
    fn default() -> Self {
        Self {
            throttle: Mutex::new(Throttle::new(LINES)),
        }
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        log_left_out(self.throttle.get_mut().n_left_out());
    }
}

fn log_left_out(n_lines: u64) {
    if n_lines > 0 {
        log::info!("{n_lines} more lines about connections were left out");
    }
}
