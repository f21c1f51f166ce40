//! Logs lines about connections: at most 20 a second, and then a count of the others. `-v` shows
//! the others too. The text of a line is left to its caller.

use parking_lot::Mutex;
use std::fmt::Arguments;
use std::time::{Duration, Instant};

/// Maximum number of lines in one period.
const LINES: u64 = 20;
const PERIOD: Duration = Duration::from_secs(1);

/// Logs lines about connections.
#[derive(Debug, Default)]
pub struct ConnectionLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    period_begin: Option<Instant>,
    n_lines: u64,
}

impl ConnectionLog {
    /// Logs `line`, or only counts it if there were too many lately.
    pub fn info(&self, line: Arguments<'_>) {
        // The lock is free again before anything is logged.
        let (n_left_out, fits) = self.state.lock().count(Instant::now());
        log_left_out(n_left_out);
        if fits {
            log::info!("{line}");
        } else {
            log::debug!("{line}");
        }
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        log_left_out(self.state.get_mut().n_left_out());
    }
}

impl State {
    /// Counts one more line. Returns how many lines the last period left out, if it has just ended,
    /// and whether this line fits.
    fn count(&mut self, now: Instant) -> (u64, bool) {
        let mut n_left_out = 0;
        if self.period_begin.is_none_or(|begin| now - begin >= PERIOD) {
            n_left_out = self.n_left_out();
            self.period_begin = Some(now);
            self.n_lines = 0;
        }
        self.n_lines += 1;
        (n_left_out, self.n_lines <= LINES)
    }

    fn n_left_out(&self) -> u64 {
        self.n_lines.saturating_sub(LINES)
    }
}

fn log_left_out(n_left_out: u64) {
    if n_left_out > 0 {
        log::info!("{n_left_out} more lines about connections were left out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_lines_a_second_fit_and_the_others_are_counted() {
        let start = Instant::now();
        let mut state = State::default();
        for number in 0..50 {
            assert_eq!(state.count(start), (0, number < LINES));
        }
        assert_eq!(state.count(start + PERIOD / 2), (0, false));
        assert_eq!(state.count(start + PERIOD), (31, true));
        assert_eq!(state.count(start + PERIOD * 2), (0, true));
    }
}
