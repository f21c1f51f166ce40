//! What telnet clients send besides text (RFC 854): negotiations are taken out unanswered, so the
//! client stays in its line mode, and its Ctrl-C means that it wants to leave.
//!
//! The commands begin with a byte that UTF-8 never has. What looks like one but is none is left
//! where it is, for `lines` to make U+FFFD of.

const IAC: u8 = 255;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;
/// Interrupt process, abort, and end of file: the user pressed Ctrl-C or the like.
const LEAVE: [u8; 3] = [244, 238, 236];
/// Options that a client may bring up; CR and LF have numbers of options that nobody uses.
const LAST_OPTION: u8 = 49;

/// A subnegotiation that takes longer, in bytes, is none.
const MAX_SUBNEGOTIATION: usize = 256;

/// Takes commands out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Telnet {
    /// Bytes of the subnegotiation that we are in the middle of, if any.
    subnegotiation: Option<usize>,
}

/// What [`Telnet::strip`] has made of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Stripped {
    /// So many bytes at the front are text.
    pub n_text: usize,
    /// So many bytes behind them are the beginning of a command: to be given again, with more.
    pub n_unfinished: usize,
    /// The client wants to leave after that text.
    pub leave: bool,
}

enum Command {
    /// One byte of text, for which so many have come.
    Text(usize),
    /// So many bytes that are no text.
    Skip(usize),
    Unfinished,
    Leave,
}

impl Telnet {
    /// Takes the commands out of `bytes`, and moves what remains to the front. At the end of the
    /// stream nothing is unfinished.
    pub fn strip(&mut self, bytes: &mut [u8], at_end: bool) -> Stripped {
        if self.subnegotiation.is_none() && !bytes.contains(&IAC) {
            return Stripped {
                n_text: bytes.len(),
                n_unfinished: 0,
                leave: false,
            };
        }
        let mut n_text = 0;
        let mut at = 0;
        while at < bytes.len() {
            let command = match self.command(&bytes[at..]) {
                Command::Unfinished if at_end => Command::Text(1),
                command => command,
            };
            match command {
                Command::Unfinished => break,
                Command::Leave => {
                    return Stripped {
                        n_text,
                        n_unfinished: 0,
                        leave: true,
                    };
                }
                Command::Skip(n_bytes) => at += n_bytes,
                Command::Text(n_bytes) => {
                    bytes[n_text] = bytes[at];
                    n_text += 1;
                    at += n_bytes;
                }
            }
        }
        bytes.copy_within(at.., n_text);
        Stripped {
            n_text,
            n_unfinished: bytes.len() - at,
            leave: false,
        }
    }

    /// What the bytes begin with; there is at least one.
    fn command(&mut self, bytes: &[u8]) -> Command {
        if let Some(n_bytes) = self.subnegotiation {
            return match bytes {
                [IAC] => Command::Unfinished,
                [IAC, SUBNEGOTIATION_END, ..] => {
                    self.subnegotiation = None;
                    Command::Skip(2)
                }
                _ => {
                    self.subnegotiation = Some(n_bytes + 1).filter(|n| *n < MAX_SUBNEGOTIATION);
                    Command::Skip(1)
                }
            };
        }
        match bytes {
            [IAC] | [IAC, 251..=254] => Command::Unfinished,
            [IAC, 251..=254, option, ..] => match option {
                b'\r' | b'\n' => Command::Text(1),
                0..=LAST_OPTION => Command::Skip(3),
                _ => Command::Text(1),
            },
            [IAC, command, ..] if LEAVE.contains(command) => Command::Leave,
            [IAC, SUBNEGOTIATION, ..] => {
                self.subnegotiation = Some(0);
                Command::Skip(2)
            }
            [IAC, 237..=249, ..] => Command::Skip(2),
            // Doubled, it is itself.
            [IAC, IAC, ..] => Command::Text(2),
            _ => Command::Text(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text and whether the client left, for bytes that arrive in these pieces.
    fn strip(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut telnet = Telnet::default();
        let mut text = Vec::new();
        let mut waiting = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            waiting.extend_from_slice(piece);
            let stripped = telnet.strip(&mut waiting, number + 1 == pieces.len());
            text.extend_from_slice(&waiting[..stripped.n_text]);
            if stripped.leave {
                return (text, true);
            }
            waiting = waiting[stripped.n_text..][..stripped.n_unfinished].to_vec();
        }
        (text, false)
    }

    #[test]
    fn negotiation_is_taken_out_and_text_is_not() {
        for (bytes, text) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"\xff\xfb\x18ada\xff\xfd\x03", b"ada"),
            (b"a\xff\xfa\x18\x00xterm\r\n\xff\xf0b", b"ab"),
            (b"a\xff\xf1b\xff\xf6c", b"abc"),
            (b"doubled \xff\xff\xf4", b"doubled \xff\xf4"),
            (b"utf-16 \xff\xfeh\0i\0", b"utf-16 \xff\xfeh\0i\0"),
            (b"\xff\xfe\nnext", b"\xff\xfe\nnext"),
            (b"broken \xff", b"broken \xff"),
            (b"broken \xff\xfb", b"broken \xff\xfb"),
            (b"\xff\x41", b"\xff\x41"),
        ] {
            let (stripped, left) = strip(&[bytes]);
            assert_eq!((stripped.as_slice(), left), (text, false), "{bytes:?}");
        }
    }

    #[test]
    fn ctrl_c_leaves_after_what_was_said_before_it() {
        let bytes = b"said\nunsaid\xff\xf4\xff\xfd\x06never";
        assert_eq!(strip(&[bytes]), (b"said\nunsaid".to_vec(), true));
    }

    #[test]
    fn a_subnegotiation_without_end_swallows_no_more_than_its_share() {
        let mut bytes = b"\xff\xfa".to_vec();
        bytes.extend([b'x'; 1000]);
        let (text, _) = strip(&[&bytes]);
        assert_eq!(text.len(), 1000 - MAX_SUBNEGOTIATION);
    }

    proptest! {
        #[test]
        fn text_does_not_depend_on_how_bytes_arrive(
            bytes in prop::collection::vec(
                prop_oneof![Just(255), 236_u8..=255, 0_u8..64, any::<u8>()], 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let cut = cut.index(bytes.len() + 1);
            let whole = strip(&[&bytes]);
            prop_assert_eq!(&strip(&[&bytes[..cut], &bytes[cut..]]), &whole);
            let mut single: Vec<&[u8]> = bytes.chunks(1).collect();
            single.push(b"");
            prop_assert_eq!(&strip(&single), &whole);
        }
    }
}
