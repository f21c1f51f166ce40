//! Turns the pieces of a line into text to say, cleaned and trimmed, or into a command. When it may
//! be said is left to the pacer.

use super::command::Command;
use super::lines::Line;
use super::text;

/// Signs that people take for a slash: the usual one, the wide one of Chinese and Japanese keyboards,
/// and those of division and of fractions.
const SLASHES: [char; 4] = ['/', '\u{ff0f}', '\u{2215}', '\u{2044}'];

/// What begins the codes of cursor and function keys, and the characters that may follow it.
const ESCAPE: char = '\u{1b}';
const KEYS: &str = "[OABCDFH~123456;";

/// What a client wants with a piece of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Utterance {
    /// Text for everyone.
    Said(String),
    /// A command.
    Asked(Command),
}

/// Turns the pieces of lines into utterances.
#[derive(Debug, Default)]
pub struct Speech {
    begun: Begun,
}

/// What the pieces so far have begun.
#[derive(Debug, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Nothing,
    /// Text, of which part has been said. The start of the next piece is not trimmed.
    Text,
    /// A command, to which all further pieces belong. Nothing of it may be said.
    Command,
}

impl Speech {
    /// Returns what `piece` means, or `None` if it draws nothing on a terminal or continues a
    /// command.
    pub fn utterance(&mut self, piece: &Line) -> Option<Utterance> {
        if piece.first {
            self.begun = Begun::Nothing;
        }
        let text = text::clean(&piece.text);
        let text = match self.begun {
            Begun::Nothing => text.trim_start(),
            Begun::Text => &text,
            Begun::Command => return None,
        };
        let text = if piece.last { text.trim_end() } else { text };
        if !text::is_visible(text) {
            return None;
        }
        let mut said = text;
        if self.begun == Begun::Nothing
            && let Some(rest) = after_slash(&piece.text, text)
        {
            if !rest.starts_with(SLASHES) {
                self.begun = Begun::Command;
                let whole = piece.last.then(|| Command::parse(rest));
                return Some(Utterance::Asked(whole.unwrap_or(Command::Long)));
            }
            said = rest;
        }
        self.begun = Begun::Text;
        Some(Utterance::Said(said.to_owned()))
    }
}

/// Returns the line that says `line`, slash and all, if it begins with a slash.
pub fn with_slash_said(line: &str) -> Option<String> {
    after_slash(line, text::clean(line).trim_start())?;
    let (before, after) = line.split_at(line.find(SLASHES)?);
    Some([before, "/", after].concat())
}

/// Returns what follows the slash, if `text` seems to begin with one. Neither a character that draws
/// nothing nor a key that was pressed before the slash must make a secret public. `typed` is the text
/// before it was cleaned.
fn after_slash<'a>(typed: &str, text: &'a str) -> Option<&'a str> {
    let is_key = typed.trim_start().starts_with(ESCAPE);
    let hides = |character: char| {
        character == char::REPLACEMENT_CHARACTER
            || is_key && KEYS.contains(character)
            || !character.is_ascii_graphic() && !text::draws(character)
    };
    text.trim_start_matches(hides).strip_prefix(SLASHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(pieces: &[(&str, bool, bool)]) -> Vec<Utterance> {
        let mut speech = Speech::default();
        let line = |&(text, first, last): &(&str, bool, bool)| Line {
            text: text.to_owned(),
            first,
            last,
        };
        pieces
            .iter()
            .filter_map(|piece| speech.utterance(&line(piece)))
            .collect()
    }

    fn said(texts: &[&str]) -> Vec<Utterance> {
        texts
            .iter()
            .map(|text| Utterance::Said((*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_line_is_trimmed_and_an_empty_one_says_nothing() {
        let whole = [
            ("  a b\t", true, true),
            (" \t", true, true),
            ("", true, true),
        ];
        assert_eq!(meant(&whole), said(&["a b"]));
    }

    #[test]
    fn a_long_line_is_trimmed_at_its_ends_alone() {
        let pieces = [
            (" a ", true, false),
            (" b ", false, false),
            (" c ", false, true),
            (" d", true, true),
        ];
        assert_eq!(meant(&pieces), said(&["a ", " b ", " c", "d"]));
    }

    #[test]
    fn blank_pieces_in_front_do_not_begin_the_line() {
        let pieces = [("  ", true, false), ("  a", false, true)];
        assert_eq!(meant(&pieces), said(&["a"]));
        let pieces = [("  ", true, false), ("  /who", false, true)];
        assert_eq!(meant(&pieces), [Utterance::Asked(Command::Who)]);
    }

    #[test]
    fn a_slash_makes_a_command_and_two_make_text() {
        let asked = Utterance::Asked;
        assert_eq!(meant(&[(" /who ", true, true)]), [asked(Command::Who)]);
        assert_eq!(meant(&[("/", true, true)]), [asked(Command::Unknown)]);
        for hidden in [
            "\u{200e}/who",
            "\u{feff}/who",
            "\u{301}/who",
            "\u{1b}/who",
            "\u{fffd}/who",
            "\u{ff0f}who",
            "\u{2215}who",
            "\u{1b}[A/who",
            "\u{1b}[D\u{1b}[3~/who",
        ] {
            assert_eq!(meant(&[(hidden, true, true)]), [asked(Command::Who)]);
            let said = with_slash_said(hidden).unwrap();
            let said = meant(&[(&said, true, true)]);
            assert!(matches!(&said[..], [Utterance::Said(text)] if text.ends_with("who")));
        }
        assert_eq!(meant(&[("//who", true, true)]), said(&["/who"]));
        assert_eq!(meant(&[("///", true, true)]), said(&["//"]));
        assert_eq!(meant(&[("a /who", true, true)]), said(&["a /who"]));
        assert_eq!(meant(&[("[A/who", true, true)]), said(&["[A/who"]));
        assert_eq!(meant(&[("\u{1b}[Ahi", true, true)]), said(&["[Ahi"]));
    }

    #[test]
    fn a_line_is_said_with_its_slash_when_that_is_doubled() {
        for (line, doubled) in [
            ("/who", Some("//who")),
            ("// a comment", Some("/// a comment")),
            ("  /", Some("  //")),
            ("a /who", None),
            ("", None),
        ] {
            assert_eq!(with_slash_said(line).as_deref(), doubled, "{line:?}");
        }
    }

    #[test]
    fn nothing_of_a_command_that_is_too_long_is_said() {
        let pieces = [
            ("/msg ada a", true, false),
            ("secret", false, false),
            ("/who", false, true),
            ("b", true, true),
        ];
        let meant = meant(&pieces);
        assert_eq!(meant[0], Utterance::Asked(Command::Long));
        assert_eq!(meant[1..], said(&["b"]));
    }

    #[test]
    fn a_slash_within_a_long_line_is_text() {
        let pieces = [
            ("a", true, false),
            ("/who", false, false),
            ("//", false, true),
        ];
        assert_eq!(meant(&pieces), said(&["a", "/who", "//"]));
    }
}
