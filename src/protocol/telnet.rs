//! Removes what telnet clients send besides text (RFC 854). Negotiations get no answer, so the
//! client stays in its line mode. Its Ctrl-C means that it wants to leave.
//!
//! Commands begin with a byte that UTF-8 never has. Byte sequences that only look like commands
//! stay in place and become U+FFFD in `lines`.

const IAC: u8 = 255;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;
/// Interrupt process, abort, and end of file: the user pressed Ctrl-C or the like.
const LEAVE: [u8; 3] = [244, 238, 236];
/// A program asks whether it is in.
const ARE_YOU_THERE: u8 = 246;
/// Highest option number in a negotiation. CR and LF always end lines: the options with their
/// numbers are not in use.
const LAST_OPTION: u8 = 49;

/// Maximum length of a subnegotiation, in bytes. The bytes after that are text.
const MAX_SUBNEGOTIATION: usize = 256;

/// Maximum number of bytes that are held back because they may begin a command.
pub const MAX_HELD: usize = 2;

/// Removes commands from a stream of bytes.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
    asked_whether_in: bool,
}

/// The state after the last byte.
#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    Iac,
    /// IAC and one of WILL, WON'T, DO and DON'T.
    Negotiation(u8),
    /// A subnegotiation: its number of bytes so far, and whether the last one was IAC.
    Subnegotiation(usize, bool),
}

impl Telnet {
    /// Takes the next byte, and passes on the bytes that are now known to be text: this one, and at
    /// most [`MAX_HELD`] earlier ones. Returns whether the client wants to leave.
    pub fn take(&mut self, byte: u8, mut text: impl FnMut(u8)) -> bool {
        self.state = match (self.state, byte) {
            (State::Text, IAC) => State::Iac,
            (State::Text, _) => {
                text(byte);
                State::Text
            }
            (State::Iac, 251..=254) => State::Negotiation(byte),
            (State::Iac, command) if LEAVE.contains(&command) => {
                self.state = State::Text;
                return true;
            }
            (State::Iac, ARE_YOU_THERE) => {
                self.asked_whether_in = true;
                State::Text
            }
            (State::Iac, SUBNEGOTIATION) => State::Subnegotiation(0, false),
            (State::Iac, 237..=249) | (State::Subnegotiation(_, true), SUBNEGOTIATION_END) => {
                State::Text
            }
            (State::Iac, _) => {
                text(IAC);
                // A doubled IAC stands for the byte itself.
                if byte != IAC {
                    text(byte);
                }
                State::Text
            }
            (State::Negotiation(_), 0..=LAST_OPTION) if !matches!(byte, b'\r' | b'\n') => {
                State::Text
            }
            (State::Negotiation(_), _) => {
                self.end(&mut text);
                return self.take(byte, text);
            }
            (State::Subnegotiation(n_bytes, _), _) if n_bytes + 1 < MAX_SUBNEGOTIATION => {
                State::Subnegotiation(n_bytes + 1, byte == IAC)
            }
            (State::Subnegotiation(..), _) => State::Text,
        };
        false
    }

    /// Returns whether the client has asked since the last call whether it is in.
    pub fn take_are_you_there(&mut self) -> bool {
        std::mem::take(&mut self.asked_whether_in)
    }

    /// Passes on the bytes that were held back, since they can't become a command any more.
    pub fn end(&mut self, mut text: impl FnMut(u8)) {
        match std::mem::take(&mut self.state) {
            State::Iac => text(IAC),
            State::Negotiation(command) => {
                text(IAC);
                text(command);
            }
            State::Text | State::Subnegotiation(..) => {}
        }
    }

    /// Whether `bytes` would be passed on unchanged.
    pub fn is_plain(&self, bytes: &[u8]) -> bool {
        matches!(self.state, State::Text) && !bytes.contains(&IAC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text of `bytes`, and whether the client left.
    fn strip(bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut telnet = Telnet::default();
        let mut text = Vec::new();
        let left = bytes
            .iter()
            .any(|byte| telnet.take(*byte, |byte| text.push(byte)));
        telnet.end(|byte| text.push(byte));
        (text, left)
    }

    #[test]
    fn negotiation_is_taken_out_and_text_is_not() {
        for (bytes, text) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"\xff\xfb\x18ada\xff\xfd\x03", b"ada"),
            (b"a\xff\xfa\x18\x00xterm\r\n\xff\xf0b", b"ab"),
            (b"a\xff\xfa\x18\xff\xff\xff\xf0b", b"ab"),
            (b"a\xff\xf1b\xff\xf6c", b"abc"),
            (b"doubled \xff\xff\xf4", b"doubled \xff\xf4"),
            (b"utf-16 \xff\xfeh\0i\0", b"utf-16 \xff\xfeh\0i\0"),
            (b"\xff\xfe\nnext", b"\xff\xfe\nnext"),
            (b"\xff\xfe\xff\xfb\x18x", b"\xff\xfex"),
            (b"broken \xff", b"broken \xff"),
            (b"broken \xff\xfb", b"broken \xff\xfb"),
            (b"\xff\x41", b"\xff\x41"),
        ] {
            let (stripped, left) = strip(bytes);
            assert_eq!((stripped.as_slice(), left), (text, false), "{bytes:?}");
        }
    }

    #[test]
    fn ctrl_c_leaves_after_what_was_said_before_it() {
        let bytes = b"said\nunsaid\xff\xf4\xff\xfd\x06never";
        assert_eq!(strip(bytes), (b"said\nunsaid".to_vec(), true));
    }

    #[test]
    fn are_you_there_is_a_question_and_not_text() {
        let mut telnet = Telnet::default();
        for (byte, asked) in [
            (b'a', false),
            (IAC, false),
            (ARE_YOU_THERE, true),
            (b'a', false),
        ] {
            assert!(!telnet.take(byte, |byte| assert_eq!(byte, b'a')));
            assert_eq!(telnet.take_are_you_there(), asked);
        }
    }

    #[test]
    fn a_subnegotiation_without_end_swallows_no_more_than_its_share() {
        let mut bytes = b"\xff\xfa".to_vec();
        bytes.extend([b'x'; 1000]);
        let (text, _) = strip(&bytes);
        assert_eq!(text.len(), 1000 - MAX_SUBNEGOTIATION);
    }

    #[test]
    fn no_byte_passes_on_more_than_is_held() {
        for first in 236..=255 {
            for second in 0..=255 {
                let mut telnet = Telnet::default();
                for byte in [IAC, first, second] {
                    let mut n_bytes = 0;
                    telnet.take(byte, |_| n_bytes += 1);
                    assert!(n_bytes <= MAX_HELD + 1);
                }
            }
        }
    }
}
