//! Gathers lines that wait to be said together. Saying them is left to `uplink`.

use super::entry::{MAX_LINES, MAX_TEXT};
use crate::protocol::{MAX_LINE, MAX_NAME};
use crate::room::event::ClientId;
use std::mem;

/// Maximum length of a line as it goes over the wire, in bytes: the longest name has four bytes a
/// character.
const LONGEST: usize = 4 * MAX_NAME + MAX_LINE + "> \n".len();

/// Lines that this server has numbered one after the other.
#[derive(Debug)]
pub struct Batch {
    /// Number of its first line.
    pub first: u64,
    lines: Vec<(ClientId, String)>,
    n_bytes: usize,
}

impl Batch {
    /// Returns an empty batch whose first line will have this number.
    pub fn new(first: u64) -> Self {
        Self {
            first,
            lines: Vec::new(),
            n_bytes: 0,
        }
    }

    /// Adds a line of a client's, newline included.
    pub fn push(&mut self, from: ClientId, line: String) {
        self.n_bytes += line.len();
        self.lines.push((from, line));
    }

    /// Returns the number of lines.
    pub fn n_lines(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Returns the number that the next line has.
    pub fn next(&self) -> u64 {
        self.first + self.n_lines()
    }

    /// Whether one more line may not fit.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= MAX_LINES || self.n_bytes + LONGEST > MAX_TEXT
    }

    /// Returns all lines as they go over the wire.
    pub fn text(&self) -> String {
        self.lines.iter().map(|(_, line)| line.as_str()).collect()
    }

    /// Changes the lines of a client.
    pub fn change(&mut self, from: ClientId, change: impl Fn(&mut String)) {
        for (_, line) in self.lines.iter_mut().filter(|(id, _)| *id == from) {
            change(line);
        }
        self.n_bytes = self.lines.iter().map(|(_, line)| line.len()).sum();
    }

    /// Returns this batch, and leaves an empty one behind that goes on after it.
    pub fn take(&mut self) -> Self {
        let next = Self::new(self.next());
        mem::replace(self, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_before_a_line_would_not_fit() {
        let longest = "x".repeat(LONGEST - 1) + "\n";
        for line in ["A> x\n", &longest] {
            let mut batch = Batch::new(1);
            while !batch.is_full() {
                batch.push(0, line.to_owned());
            }
            assert!(batch.text().len() <= MAX_TEXT && batch.lines.len() <= MAX_LINES);
        }
    }

    #[test]
    fn numbers_go_on_from_batch_to_batch() {
        let mut batch = Batch::new(1);
        batch.push(0, "A> x\n".to_owned());
        batch.push(1, "A> y\n".to_owned());
        let taken = batch.take();
        assert_eq!(
            (taken.first, taken.n_lines(), taken.text().as_str()),
            (1, 2, "A> x\nA> y\n")
        );
        assert_eq!((batch.first, batch.n_lines()), (3, 0));
    }
}
