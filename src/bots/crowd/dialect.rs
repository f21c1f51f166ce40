//! How different chat servers want to be spoken to, so that they can be measured by one instrument.

/// Stands before every stamp; no server adds one of its own.
pub const MARK: u8 = b'^';

/// Length of a stamp, in bytes: hexadecimal microseconds.
pub const STAMP: usize = 12;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Trio Chat's: the first line is a name, and everyone gets every line.
    Line,
    /// No name, and nobody gets their own lines: `ncat --chat`.
    Raw,
    /// IRC, one channel; nobody gets their own lines.
    Irc,
}

impl Dialect {
    /// What client `number` says to be let in. The names of the last crowd may not be free yet.
    pub fn hello(self, number: usize) -> Vec<u8> {
        // IRC's names have nine characters at most.
        let name = format!("c{number:05}{:03}", std::process::id() % 1000);
        match self {
            Self::Line => format!("{name}\n"),
            Self::Raw => String::new(),
            Self::Irc => {
                format!("NICK {name}\r\nUSER {name} 0 * :crowd\r\nJOIN #crowd\r\n")
            }
        }
        .into_bytes()
    }

    /// A message with `size` bytes of text, if the stamp fits.
    pub fn message(self, stamp: u64, size: usize) -> Vec<u8> {
        let mut message = match self {
            Self::Line | Self::Raw => String::new(),
            Self::Irc => "PRIVMSG #crowd :".to_owned(),
        }
        .into_bytes();
        let text = message.len();
        message.push(MARK);
        message.extend(format!("{stamp:0STAMP$x}").into_bytes());
        message.resize((text + size).max(message.len()), b'x');
        message.extend(if self == Self::Irc {
            &b"\r\n"[..]
        } else {
            b"\n"
        });
        message
    }

    /// A client gets its own messages too.
    pub fn echoes(self) -> bool {
        self == Self::Line
    }
}

/// The stamp behind a mark, if it is one.
pub fn stamp(bytes: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(bytes).ok()?, 16).ok()
}

/// What some bytes of the server have to be answered with: IRC's ping.
pub fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = bytes.strip_prefix(b"PING ")?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    Some([b"PONG ", &line[..=end]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_size_and_its_stamp() {
        for (dialect, n_around) in [(Dialect::Line, 1), (Dialect::Raw, 1), (Dialect::Irc, 18)] {
            let message = dialect.message(0xabc, 64);
            assert_eq!(message.len(), 64 + n_around);
            let mark = message.iter().position(|byte| *byte == MARK).unwrap();
            assert_eq!(stamp(&message[mark + 1..][..STAMP]), Some(0xabc));
            assert!(dialect.message(0, 1).len() > STAMP);
        }
    }

    #[test]
    fn a_ping_is_answered() {
        assert_eq!(answer(b"PING :a\r\nmore"), Some(b"PONG :a\r\n".to_vec()));
        assert_eq!(answer(b"hello\n"), None);
    }
}
