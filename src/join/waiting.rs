//! Holds the lines that wait to be sent, and decides when the next may go. It is told the time;
//! sending is left to the session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time between two lines: the server's own pace, so that what has not gone can be taken back.
const PACE: Duration = Duration::from_millis(200);

/// Maximum number of lines that were sent and not yet heard. A server with a slower pace holds back
/// the rest.
const MAX_UNHEARD: usize = 8;

/// Maximum size of all lines that wait, in bytes. More is not taken.
const MAX_BYTES: usize = 4 << 20;

/// Number of lines, and their size in bytes, at which no more is read from a pipe. One more line of
/// the longest input still fits, even if none of its bytes is UTF-8, which makes it three times as
/// long.
const FULL_PIPE: usize = 16;
const FULL_PIPE_BYTES: usize = 1 << 20;

/// Lines that wait to be sent.
#[derive(Debug, Default)]
pub struct Waiting {
    lines: VecDeque<String>,
    n_bytes: usize,
    next: Option<Instant>,
}

impl Waiting {
    /// Adds a line, and returns whether there was space for it.
    pub fn push(&mut self, line: String) -> bool {
        let fits = self.n_bytes + line.len() <= MAX_BYTES;
        if fits {
            self.n_bytes += line.len();
            self.lines.push_back(line);
        }
        fits
    }

    /// Whether a pipe should wait with its next line.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= FULL_PIPE || self.n_bytes >= FULL_PIPE_BYTES
    }

    /// Returns the line that may go now, if one may.
    pub fn pop(&mut self, now: Instant, n_unheard: usize) -> Option<String> {
        if n_unheard >= MAX_UNHEARD || self.next.is_some_and(|next| now < next) {
            return None;
        }
        let line = self.lines.pop_front()?;
        self.n_bytes -= line.len();
        // A line that goes a little late does not delay the next, or a paste would take longer
        // than the server's pace.
        let due = self.next.unwrap_or(now);
        let base = if now - due <= PACE / 2 { due } else { now };
        self.next = Some(base + PACE);
        Some(line)
    }

    /// Returns when the next line may go, if one waits.
    pub fn due(&self) -> Option<Instant> {
        if self.lines.is_empty() {
            None
        } else {
            self.next
        }
    }

    /// Removes all lines, and returns how many there were.
    pub fn take_back(&mut self) -> usize {
        self.n_bytes = 0;
        self.lines.drain(..).count()
    }

    /// Removes the first line that `is_wanted`, and returns whether there was one.
    pub fn remove(&mut self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let place = self.lines.iter().position(|line| is_wanted(line));
        let removed = place.and_then(|place| self.lines.remove(place));
        self.n_bytes -= removed.as_ref().map_or(0, String::len);
        removed.is_some()
    }

    /// Returns how many lines wait.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns about how long it takes until all lines have gone.
    pub fn time_left(&self) -> Duration {
        PACE * u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_goes_at_once_and_each_other_in_its_turn() {
        let start = Instant::now();
        let mut waiting = Waiting::default();
        for number in 0..100 {
            assert!(waiting.push(number.to_string()));
        }
        assert_eq!(waiting.time_left(), Duration::from_secs(20));
        assert_eq!(waiting.pop(start, 0).as_deref(), Some("0"));
        let mut now = start;
        for number in 1..100 {
            assert_eq!(waiting.pop(now, 0), None);
            // Each is a little late.
            now = waiting.due().unwrap() + Duration::from_millis(3);
            assert_eq!(waiting.pop(now, 0), Some(number.to_string()));
        }
        assert!(now - start < PACE * 100);
        assert_eq!(waiting.due(), None);
    }

    #[test]
    fn a_slow_server_holds_lines_back_and_they_can_be_taken_back() {
        let mut waiting = Waiting::default();
        waiting.push("a".to_owned());
        waiting.push("b".to_owned());
        assert_eq!(waiting.pop(Instant::now(), MAX_UNHEARD), None);
        assert_eq!((waiting.take_back(), waiting.len()), (2, 0));
    }

    #[test]
    fn a_pipe_waits_before_a_line_would_not_be_taken() {
        let mut waiting = Waiting::default();
        let longest = "\u{fffd}".repeat(FULL_PIPE_BYTES);
        for line in ["x", &longest, "x", &longest] {
            if !waiting.is_full() {
                assert!(waiting.push(line.to_owned()));
            }
        }
        waiting.take_back();
        for _ in 0..FULL_PIPE {
            assert!(!waiting.is_full() && waiting.push(String::new()));
        }
        assert!(waiting.is_full());
    }

    #[test]
    fn more_than_fits_is_not_taken() {
        let mut waiting = Waiting::default();
        assert!(waiting.push("x".repeat(MAX_BYTES)));
        assert!(!waiting.push("x".to_owned()));
        waiting.take_back();
        assert!(waiting.push("x".to_owned()));
    }
}
