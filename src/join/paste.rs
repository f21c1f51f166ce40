//! Collects what is pasted, so that the row need not be drawn for each character of it. Which keys
//! belong to a paste is left to the keyboard.

use crate::protocol::MAX_LINE;
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
