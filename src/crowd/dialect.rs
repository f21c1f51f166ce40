//! Speaks the protocols of different chat servers, so that one instrument can measure them all. It
//! turns messages into bytes and back, and leaves sending to the clients.

use crate::protocol::notice::Notice;
use memchr::{memchr, memchr_iter};

/// Precedes every stamp. No server adds a mark of its own.
pub const MARK: u8 = b'^';

/// Length of a stamp, in bytes: hexadecimal microseconds.
pub const STAMP: usize = 12;

/// Shortest message, in bytes: a mark and a stamp.
pub const MIN_SIZE: usize = 1 + STAMP;

/// Maximum length of the notices that matter here, in bytes.
const NOTICE: usize = 64;

/// The protocol that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Trio Chat's: the first line is a name, and every client gets every line.
    Line,
    /// That of `ncat --chat`: no names, and no client gets its own lines.
    Raw,
    /// IRC with one channel: no client gets its own lines.
    Irc,
}

impl Dialect {
    /// Returns the bytes with which client `number` joins. Its name differs from those of the
    /// previous crowd, which may not be free yet.
    pub fn hello(self, number: usize) -> Vec<u8> {
        // IRC names have at most nine characters.
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

    /// Returns a message with `size` bytes of text, or more if the stamp does not fit.
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

    /// Whether a client gets its own messages too.
    pub fn echoes(self) -> bool {
        self == Self::Line
    }
}

/// Parses the stamp after a mark.
pub fn stamp(bytes: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(bytes).ok()?, 16).ok()
}

/// Finds the notices about messages that one client missed, however they are split over reads.
#[derive(Debug, Default)]
pub struct Notices(Vec<u8>);

impl Notices {
    /// Returns how many messages were missed, according to the notices that end in `bytes`.
    pub fn n_missed(&mut self, bytes: &[u8]) -> u64 {
        let joined;
        let bytes = if self.0.is_empty() {
            bytes
        } else {
            joined = [&std::mem::take(&mut self.0), bytes].concat();
            &joined
        };
        let mut n_missed = 0;
        let at_line_begin = |at: &usize| *at == 0 || bytes[at - 1] == b'\n';
        for at in memchr_iter(b'*', bytes).filter(at_line_begin) {
            match memchr(b'\n', &bytes[at..]) {
                Some(n_bytes) => n_missed += missed(&bytes[at..at + n_bytes]),
                None => self.0 = bytes[at..].iter().copied().take(NOTICE).collect(),
            }
        }
        n_missed
    }
}

fn missed(line: &[u8]) -> u64 {
    let line = std::str::from_utf8(line).unwrap_or_default();
    match line.parse() {
        Ok(Notice::Missed(n_messages)) => n_messages,
        _ => 0,
    }
}

/// Returns the answer to a ping, which IRC servers demand.
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
    fn missed_messages_are_added_up_however_they_are_split() {
        let bytes = b"a> x\n* You missed 1 message.\nb> y\n* You missed 4321 messages.\n* Bye!\n";
        for at in 0..bytes.len() {
            let mut notices = Notices::default();
            let (one, other) = bytes.split_at(at);
            assert_eq!(
                notices.n_missed(one) + notices.n_missed(other),
                4322,
                "{at}"
            );
        }
        let mut notices = Notices::default();
        let n_missed: u64 = bytes.chunks(1).map(|byte| notices.n_missed(byte)).sum();
        assert_eq!(n_missed, 4322);
    }

    #[test]
    fn a_ping_is_answered() {
        assert_eq!(answer(b"PING :a\r\nmore"), Some(b"PONG :a\r\n".to_vec()));
        assert_eq!(answer(b"hello\n"), None);
    }
}
