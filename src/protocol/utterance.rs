//! Turns the pieces of a line into text to say, cleaned and trimmed. When it may be said is left to
//! the pacer.

use super::lines::Line;
use super::text;

/// Turns the pieces of lines into texts to say.
#[derive(Debug, Default)]
pub struct Utterance {
    /// Whether part of this line has already been said. If so, the start of the next piece is not
    /// trimmed.
    within_line: bool,
}

impl Utterance {
    /// Returns the text to say for `piece`, or `None` if it draws nothing on a terminal.
    pub fn text(&mut self, piece: &Line) -> Option<String> {
        let text = text::clean(&piece.text);
        self.within_line &= !piece.first;
        let text = if self.within_line {
            &text
        } else {
            text.trim_start()
        };
        let text = if piece.last { text.trim_end() } else { text };
        if !text::is_visible(text) {
            return None;
        }
        self.within_line = true;
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[(&str, bool, bool)]) -> Vec<String> {
        let mut utterance = Utterance::default();
        let line = |&(text, first, last): &(&str, bool, bool)| Line {
            text: text.to_owned(),
            first,
            last,
        };
        pieces
            .iter()
            .filter_map(|piece| utterance.text(&line(piece)))
            .collect()
    }

    #[test]
    fn a_line_is_trimmed_and_an_empty_one_says_nothing() {
        let whole = [
            ("  a b\t", true, true),
            (" \t", true, true),
            ("", true, true),
        ];
        assert_eq!(said(&whole), ["a b"]);
    }

    #[test]
    fn a_long_line_is_trimmed_at_its_ends_alone() {
        let pieces = [
            (" a ", true, false),
            (" b ", false, false),
            (" c ", false, true),
            (" d", true, true),
        ];
        assert_eq!(said(&pieces), ["a ", " b ", " c", "d"]);
    }

    #[test]
    fn blank_pieces_in_front_do_not_begin_the_line() {
        let pieces = [("  ", true, false), ("  a", false, true)];
        assert_eq!(said(&pieces), ["a"]);
    }
}
