//! Cuts bytes into bounded lines of text. It decides where a line ends, where a long one is cut,
//! and what replaces bytes that are not UTF-8. Telnet's commands are removed first. Memory is one
//! bounded buffer, whatever arrives, and the lines do not depend on how the bytes were split on
//! their way.
//!
//! The characters that a line may contain are left to `text`, and the time when it may be said to
//! the server's pacer.

use super::MAX_LINE;
use super::telnet::{MAX_HELD, Telnet};
use std::io::{self, Read};
use std::ops::Range;

/// Extra bytes needed so that a character starting within [`MAX_LINE`] is complete: a UTF-8
/// character has at most 4 bytes.
const LOOKAHEAD: usize = 3;

/// Initial and maximum size of the buffer for an unfinished line and the next read, in bytes. The
/// initial size suffices for what people type.
const MIN_BUFFER: usize = 512;
const MAX_BUFFER: usize = 2 * MAX_LINE;

/// A line, or one piece of a line that is longer than [`MAX_LINE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text without the line end, at most [`MAX_LINE`] bytes. Bytes that were not UTF-8 are
    /// U+FFFD here.
    pub text: String,
    /// Whether this piece starts its line.
    pub first: bool,
    /// Whether this piece ends its line.
    pub last: bool,
}

/// Reads from a source and cuts its bytes into lines.
#[derive(Default)]
pub struct Lines {
    /// Empty before the first read.
    buffer: Vec<u8>,
    /// Where the text begins that is in the buffer and not yet part of a returned line.
    start: usize,
    /// Where that text ends.
    end: usize,
    telnet: Telnet,
    after_carriage_return: bool,
    within_line: bool,
    at_end: bool,
}

impl Lines {
    /// Reads once from `source`, and returns how many bytes came; zero means the end. Call it when
    /// [`next_line`](Self::next_line) has no more lines.
    ///
    /// # Errors
    /// Those of `source`, except that an interrupted read is tried again.
    pub fn fill(&mut self, mut source: impl Read) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.resize(MIN_BUFFER, 0);
        }
        // Bytes that telnet has held back go into the gap, if they turn out to be text.
        let new = self.end + MAX_HELD;
        let n_read = loop {
            match source.read(&mut self.buffer[new..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        let leave = self.strip_telnet(new..new + n_read);
        self.at_end = n_read == 0 || leave;
        // There must always be space for the next read: a read into none would look like the end.
        if self.buffer.len() - new - n_read <= MAX_HELD {
            self.buffer.resize(MAX_BUFFER, 0);
        }
        Ok(n_read)
    }

    /// Removes telnet's commands from the new bytes, and appends the rest to the text that is
    /// there. Returns whether the client wants to leave.
    fn strip_telnet(&mut self, new: Range<usize>) -> bool {
        if self.telnet.is_plain(&self.buffer[new.clone()]) && !new.is_empty() {
            self.buffer.copy_within(new.clone(), self.end);
            self.end += new.len();
            return false;
        }
        let (buffer, end) = (&mut self.buffer, &mut self.end);
        for at in new.clone() {
            if self.telnet.take(buffer[at], |byte| put(buffer, end, byte)) {
                return true;
            }
        }
        if new.is_empty() {
            self.telnet.end(|byte| put(buffer, end, byte));
        }
        false
    }

    /// Whether the buffer contains a complete line.
    pub fn has_line_end(&self) -> bool {
        self.unread().iter().any(|byte| is_line_end(*byte))
    }

    /// Returns the text in the buffer that is not yet part of a returned line.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the next line, if the buffer holds a whole one, or the next piece of one that is too
    /// long. At the end of the source, the remaining text is a line too.
    pub fn next_line(&mut self) -> Option<Line> {
        if self.after_carriage_return && self.start < self.end {
            if matches!(self.buffer[self.start], b'\n' | b'\0') {
                self.start += 1;
            }
            self.after_carriage_return = false;
        }
        let waiting = &self.buffer[self.start..self.end];
        let line_end = waiting.iter().position(|byte| is_line_end(*byte));
        let line = match line_end {
            Some(n_bytes) => &waiting[..n_bytes],
            None if waiting.len() > MAX_LINE + LOOKAHEAD => waiting,
            None if self.at_end && !waiting.is_empty() => waiting,
            None => return None,
        };
        let (text, n_taken) = decode(line);
        let whole = n_taken == line.len();
        self.start += n_taken;
        let last = whole && (line_end.is_some() || self.at_end);
        if let Some(n_bytes) = line_end.filter(|_| whole) {
            self.after_carriage_return = waiting[n_bytes] == b'\r';
            self.start += 1;
        }
        let first = !self.within_line;
        self.within_line = !last;
        Some(Line { text, first, last })
    }

    /// Returns whether the client has asked since the last call, with telnet's "are you there",
    /// whether it is in.
    pub fn take_are_you_there(&mut self) -> bool {
        self.telnet.take_are_you_there()
    }

    /// Whether the source has ended and all its lines have been returned.
    pub fn is_finished(&self) -> bool {
        self.at_end && self.start == self.end
    }
}

fn put(buffer: &mut [u8], end: &mut usize, byte: u8) {
    buffer[*end] = byte;
    *end += 1;
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Returns the longest beginning of `line` whose text fits [`MAX_LINE`], and how many bytes of the
/// line it takes. Text is never shorter than the bytes it stands for.
fn decode(line: &[u8]) -> (String, usize) {
    let mut text = String::new();
    let mut n_taken = 0;
    for chunk in line.utf8_chunks() {
        let room = MAX_LINE - text.len();
        let valid = chunk.valid();
        let fitting = &valid[..valid.floor_char_boundary(room)];
        text.push_str(fitting);
        n_taken += fitting.len();
        let replacement = char::REPLACEMENT_CHARACTER;
        if fitting.len() < valid.len() || text.len() + replacement.len_utf8() > MAX_LINE {
            break;
        }
        if !chunk.invalid().is_empty() {
            text.push(replacement);
            n_taken += chunk.invalid().len();
        }
    }
    (text, n_taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns its pieces, one per read, then the end.
    struct Pieces<'a>(Vec<&'a [u8]>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else {
                return Ok(0);
            };
            let n_read = piece.read(buffer)?;
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(n_read)
        }
    }

    fn lines_of(pieces: Vec<&[u8]>) -> Vec<Line> {
        let mut source = Pieces(
            pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
        );
        let mut lines = Lines::default();
        let mut found = Vec::new();
        while !lines.is_finished() {
            match lines.next_line() {
                Some(line) => found.push(line),
                None => drop(lines.fill(&mut source).unwrap()),
            }
        }
        found
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines_of(vec![bytes])
            .into_iter()
            .map(|line| line.text)
            .collect()
    }

    #[test]
    fn every_usual_line_end_ends_one_line() {
        let expected = vec!["a", "b", "", "c"];
        assert_eq!(texts(b"a\nb\n\nc\n"), expected);
        assert_eq!(texts(b"a\r\nb\r\n\r\nc\r\n"), expected);
        assert_eq!(texts(b"a\r\0b\r\0\r\0c\r\0"), expected);
        assert_eq!(texts(b"a\rb\r\rc\r"), expected);
        assert_eq!(texts(b"a\nb\r\n\rc"), expected);
    }

    #[test]
    fn bad_utf8_costs_a_replacement_character_and_no_more() {
        for (bytes, text) in [
            (&b"caf\xc3\xa9"[..], "café"),
            (b"caf\xe9 au lait", "caf\u{fffd} au lait"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"a\xf0\x9f\x98b", "a\u{fffd}b"),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(texts(bytes), [text], "{bytes:?}");
        }
    }

    #[test]
    fn a_line_of_just_the_limit_is_one_piece() {
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.extend(b"\r\ny\n");
        let lines = lines_of(vec![&bytes]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].first && lines[0].last);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let text = format!("x{}", "😀".repeat(2000));
        let lines = lines_of(vec![text.as_bytes()]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].text.len(), 4093);
        assert_eq!((lines[0].first, lines[0].last), (true, false));
        assert_eq!((lines[1].first, lines[1].last), (false, true));
        assert_eq!(format!("{}{}", lines[0].text, lines[1].text), text);
    }

    /// Does what the module promises, without a buffer: splits at line ends, decodes, cuts.
    fn reference(bytes: &[u8]) -> Vec<String> {
        let text = bytes
            .iter()
            .enumerate()
            .filter(|&(at, byte)| {
                !(matches!(byte, b'\n' | b'\0') && at > 0 && bytes[at - 1] == b'\r')
            })
            .map(|(_, byte)| if *byte == b'\r' { b'\n' } else { *byte })
            .collect::<Vec<u8>>();
        let mut found = Vec::new();
        let mut rest = &text[..];
        while !rest.is_empty() {
            let length = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
            let mut piece = String::new();
            for character in String::from_utf8_lossy(&rest[..length]).chars() {
                if piece.len() + character.len_utf8() > MAX_LINE {
                    found.push(std::mem::take(&mut piece));
                }
                piece.push(character);
            }
            found.push(piece);
            rest = rest.get(length + 1..).unwrap_or_default();
        }
        found
    }

    /// Generates bytes in which line ends, long runs, multi-byte characters and broken ones are
    /// common.
    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..40),
            3 => prop::sample::select(vec!["\n", "\r", "\r\n", "\r\0", "\0", "😀", "é", "x"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => (prop::sample::select(vec!["a", "é", "€", "😀"]), 900_usize..4200)
                .prop_map(|(text, n_times)| text.repeat(n_times).into_bytes()),
            1 => (any::<u8>(), 1300_usize..5000).prop_map(|(byte, n_times)| vec![byte; n_times]),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_bytes_arrive(
            bytes in some_bytes(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> =
                cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let whole = lines_of(vec![&bytes]);
            prop_assert_eq!(&lines_of(pieces), &whole);
            let single = bytes.chunks(1).collect();
            prop_assert_eq!(&lines_of(single), &whole);
        }

        #[test]
        fn lines_are_what_the_module_promises(bytes in some_bytes()) {
            // Without the byte that begins telnet's commands: those have tests of their own.
            let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte.min(254)).collect();
            prop_assert_eq!(texts(&bytes), reference(&bytes));
        }

        #[test]
        fn no_line_is_longer_than_the_limit(bytes in some_bytes()) {
            for line in lines_of(vec![&bytes]) {
                prop_assert!(line.text.len() <= MAX_LINE);
            }
        }
    }
}
