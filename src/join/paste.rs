//! Collects what is pasted, so that the row need not be drawn for each character of it. Which keys
//! belong to a paste is left to the keyboard.

use crate::protocol::MAX_LINE;
use crate::protocol::utterance::with_slash_said;
use std::mem;

/// Something that is being pasted.
#[derive(Debug, Default)]
pub struct Paste {
    /// What came since the beginning, or since the last line end.
    line: String,
    /// Whether something of it did not fit into the row.
    pub is_cut: bool,
}

impl Paste {
    /// Adds a character, unless the line is too long anyway.
    pub fn add(&mut self, character: char) {
        if self.line.len() <= MAX_LINE {
            self.line.push(character);
        }
    }

    /// Removes a whole line, and returns what says it: nobody has typed its slash as a command.
    pub fn take_line(&mut self) -> String {
        if let Some(said) = with_slash_said(&self.line) {
            self.line = said;
        }
        self.take(MAX_LINE)
    }

    /// Removes what was collected, and returns as much of it as `room` bytes hold.
    pub fn take(&mut self, room: usize) -> String {
        let mut line = mem::take(&mut self.line);
        if line.len() > room {
            line.truncate(line.floor_char_boundary(room));
            self.is_cut = true;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_line_is_text_and_fits_with_its_slash() {
        let mut paste = Paste::default();
        "/quit".chars().for_each(|it| paste.add(it));
        assert_eq!(paste.take_line(), "//quit");
        assert_eq!(paste.take_line(), "");
        assert!(!paste.is_cut);
        let long = "/".repeat(MAX_LINE);
        long.chars().for_each(|it| paste.add(it));
        assert_eq!(paste.take_line(), long);
        assert!(paste.is_cut);
    }
}
