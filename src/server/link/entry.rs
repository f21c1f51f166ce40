//! Parses the entries of the stream, and checks and cleans the lines in them: whoever can reach
//! Redis can write anything into it. What follows from an entry is left to the ledger.

use super::changes;
use crate::protocol::{MAX_LINE, message, names, text};
use crate::room::arrivals::Change;
use std::fmt;

/// Maximum size of all lines of an entry, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// Maximum number of lines in an entry.
pub const MAX_LINES: usize = 1024;

/// Length of a server's or an epoch's ID, in hexadecimal digits.
const ID_DIGITS: usize = 16;

/// Length of the largest number, in decimal digits.
const NUMBER_DIGITS: usize = 20;

/// A position in the stream, written `41-0`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The number of messages ever said in the room, those of the entry included.
    pub total: u64,
    /// Tells entries without messages apart. It is 0 for an entry that has any.
    pub serial: u64,
}

impl Id {
    /// Parses what Redis calls an entry ID.
    pub fn parse(id: &[u8]) -> Option<Self> {
        let dash = id.iter().position(|byte| *byte == b'-')?;
        let total = number(&id[..dash])?;
        let serial = number(id.get(dash + 1..)?)?;
        Some(Self { total, serial })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}-{}", self.total, self.serial)
    }
}

/// An entry of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A server said lines.
    Said {
        /// The server's ID.
        server: String,
        /// The number of the first line among all that this server said.
        first: u64,
        /// The lines, each with its newline. A line that must not reach a terminal is `None`.
        lines: Vec<Option<String>>,
    },
    /// A new epoch began: Redis is another process, whose memory may have gone back.
    Began {
        /// The epoch that ended.
        after: String,
    },
    /// Messages that were said in an earlier epoch exist no more.
    Lost {
        /// The epoch in which they were said.
        epoch: String,
        /// The position after which they were said there.
        after: u64,
        /// Their number.
        n: u64,
    },
    /// A server was in an epoch that Redis no longer knows. Messages said there may be lost.
    Forgotten {
        /// That epoch.
        epoch: String,
    },
    /// People came, left or changed their names.
    Changed(Vec<Change>),
    /// Something that no server of ours writes.
    Foreign,
}

impl Entry {
    /// Parses the fields of an entry. Further fields at the end are ignored.
    pub fn parse(fields: &[(Vec<u8>, Vec<u8>)]) -> Self {
        parse(fields).unwrap_or(Self::Foreign)
    }

    /// Returns the number of messages that the entry's ID counts for it.
    pub fn n_messages(&self) -> u64 {
        match self {
            Self::Said { lines, .. } => lines.len() as u64,
            Self::Lost { n, .. } => *n,
            Self::Began { .. } | Self::Forgotten { .. } | Self::Changed(_) | Self::Foreign => 0,
        }
    }
}

fn parse(fields: &[(Vec<u8>, Vec<u8>)]) -> Option<Entry> {
    // No entry of ours has more than these.
    let mut names = [b"".as_slice(); 5];
    let mut values = [b"".as_slice(); 5];
    for (at, (name, value)) in fields.iter().take(names.len()).enumerate() {
        names[at] = name;
        values[at] = value;
    }
    match (names, values) {
        ([b"p", b"f", b"n", b"t", b"x"], [server, first, n, time, text]) => {
            number(time)?;
            Some(Entry::Said {
                server: id(server)?,
                first: number(first)?,
                lines: lines(text, number(n)?)?,
            })
        }
        // The first server of all ends no epoch.
        ([b"k", b"w", ..], [b"epoch", b"", ..]) => Some(Entry::Began {
            after: String::new(),
        }),
        ([b"k", b"w", ..], [b"epoch", epoch, ..]) => Some(Entry::Began { after: id(epoch)? }),
        ([b"k", b"w", b"a", b"n", ..], [b"lost", epoch, after, n, ..]) => Some(Entry::Lost {
            epoch: id(epoch)?,
            after: number(after)?,
            n: number(n)?,
        }),
        ([b"k", b"x", ..], [b"change", text, ..]) => Some(Entry::Changed(changes::parse(text)?)),
        ([b"k", b"w", ..], [b"forgotten", epoch, ..]) => {
            Some(Entry::Forgotten { epoch: id(epoch)? })
        }
        _ => None,
    }
}

/// Splits `text` into `n` lines, unless it has another number of them.
fn lines(text: &[u8], n: u64) -> Option<Vec<Option<String>>> {
    let text = text.strip_suffix(b"\n")?;
    if text.len() >= MAX_TEXT {
        return None;
    }
    let n_lines = memchr::memchr_iter(b'\n', text).count() + 1;
    if n_lines > MAX_LINES || n_lines as u64 != n {
        return None;
    }
    Some(text.split(|byte| *byte == b'\n').map(line).collect())
}

/// Returns a line as it may reach terminals, newline included, if somebody with a good name says
/// it. No name contains a `>`, so the first one ends it.
fn line(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (name, said) = line.split_once("> ")?;
    // The name is no part of what is cleaned: blanks after it are the text's own.
    let said = text::clean(said);
    (names::is_normal(name) && said.len() <= MAX_LINE).then(|| message(name, &said))
}

/// Returns a server's or an epoch's ID.
fn id(digits: &[u8]) -> Option<String> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = digits.len() == ID_DIGITS && digits.iter().all(is_digit);
    is_id.then(|| String::from_utf8_lossy(digits).into_owned())
}

/// Parses a number of decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.len() > NUMBER_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: &str = "9b1de3c0a2f41b66";

    fn parse(fields: &[(&str, &[u8])]) -> Entry {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
            .collect();
        Entry::parse(&fields)
    }

    fn said(first: &str, n: &str, text: &[u8]) -> Entry {
        parse(&[
            ("p", SERVER.as_bytes()),
            ("f", first.as_bytes()),
            ("n", n.as_bytes()),
            ("t", b"1764000000"),
            ("x", text),
        ])
    }

    /// The only line of an entry.
    fn heard(line: &[u8]) -> Option<String> {
        match said("1", "1", &[line, b"\n"].concat()) {
            Entry::Said { mut lines, .. } => lines.pop().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_position_reads_as_redis_writes_it() {
        let id = Id {
            total: 41,
            serial: 3,
        };
        assert_eq!(id.to_string(), "41-3");
        assert_eq!(Id::parse(b"41-3"), Some(id));
        for wrong in ["", "-", "41", "41-", "-3", "+41-3", "41-3-1", "41-x"] {
            assert_eq!(Id::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Id::parse(b"99999999999999999999-0"), None);
        assert_eq!(Id::parse(&[b'0'; 1000]), None);
    }

    #[test]
    fn an_entry_of_each_kind_is_understood() {
        assert_eq!(
            said("17", "2", b"Ada> hi\nGrace Hopper>  yo\n"),
            Entry::Said {
                server: SERVER.to_owned(),
                first: 17,
                lines: vec![
                    Some("Ada> hi\n".to_owned()),
                    Some("Grace Hopper>  yo\n".to_owned())
                ],
            }
        );
        let epoch = SERVER.to_owned();
        let w = ("w", SERVER.as_bytes());
        assert_eq!(
            parse(&[("k", b"epoch"), w]),
            Entry::Began {
                after: epoch.clone()
            }
        );
        assert_eq!(
            parse(&[("k", b"epoch"), ("w", b"")]),
            Entry::Began {
                after: String::new()
            }
        );
        assert_eq!(
            parse(&[("k", b"lost"), w, ("a", b"41"), ("n", b"3"), ("z", b"?")]),
            Entry::Lost {
                epoch: epoch.clone(),
                after: 41,
                n: 3
            }
        );
        assert_eq!(parse(&[("k", b"forgotten"), w]), Entry::Forgotten { epoch });
    }

    #[test]
    fn anything_else_is_foreign() {
        let many = b"A> a\n".repeat(MAX_LINES + 1);
        let large = [b"A> ".to_vec(), vec![b'x'; MAX_TEXT - 3], b"\n".to_vec()].concat();
        for entry in [
            parse(&[]),
            parse(&[("k", b"epoch")]),
            parse(&[("k", b"epoch"), ("w", b"9B1DE3C0A2F41B66")]),
            parse(&[("k", b"new"), ("w", SERVER.as_bytes())]),
            parse(&[("k", b"lost"), ("w", SERVER.as_bytes()), ("a", b"41")]),
            said("17", "1", b"A> a\nA> b\n"),
            said("17", "0", b""),
            said("17", "1", b"A> a"),
            said("-1", "1", b"A> a\n"),
            said("17", "+1", b"A> a\n"),
            said("17", "1025", &many),
            said("17", "1", &large),
        ] {
            assert_eq!(entry, Entry::Foreign);
        }
        assert_ne!(said("17", "1024", &many[5..]), Entry::Foreign);
        assert_ne!(said("17", "1", &large[1..]), Entry::Foreign);
    }

    #[test]
    fn a_line_reaches_terminals_clean_or_not_at_all() {
        for (line, expected) in [
            ("Ada> hi", Some("Ada> hi\n")),
            ("Ada> a> b", Some("Ada> a> b\n")),
            ("Zoë 2> \u{1b}[2Jhi\r", Some("Zoë 2> [2Jhi\n")),
            ("* The server is stopping. Goodbye!", None),
            ("* You> hi", None),
            ("Ada: hi", None),
            ("> hi", None),
            (" Ada> hi", None),
            ("A  da> hi", None),
            ("\u{1b}[2JAda> hi", None),
            ("Ada (to you): hi> yo", None),
        ] {
            assert_eq!(heard(line.as_bytes()).as_deref(), expected, "{line}");
        }
        assert_eq!(heard(b"Ada> \xff").as_deref(), Some("Ada> \u{fffd}\n"));
        let longest = format!("Ada> {}", "x".repeat(MAX_LINE));
        assert_eq!(heard(longest.as_bytes()), Some(longest.clone() + "\n"));
        assert_eq!(heard((longest + "x").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn arbitrary_fields_give_clean_lines(
            fields: Vec<(Vec<u8>, Vec<u8>)>,
            first: Vec<u8>,
            n in 0..4_u8,
            text in "([a-b ]{0,3}>? ?.{0,3}\n){0,3}",
            bytes: Vec<u8>,
        ) {
            Entry::parse(&fields);
            Id::parse(&first);
            let texts = [text.as_bytes(), &[text.as_bytes(), &bytes, b"\n"].concat()].map(Vec::from);
            for text in texts {
                let Entry::Said { lines, .. } = said("1", &n.to_string(), &text) else {
                    continue;
                };
                prop_assert_eq!(lines.len(), usize::from(n));
                for line in lines.into_iter().flatten() {
                    let (name, said) = line.strip_suffix('\n').unwrap().split_once("> ").unwrap();
                    prop_assert!(names::check(name).as_deref() == Ok(name));
                    prop_assert_eq!(text::clean(said), said);
                }
            }
        }

        #[test]
        fn what_a_server_says_comes_back(
            said_by in prop::collection::vec((any::<String>(), any::<String>()), 1..20),
            words in "[a-zA-Z0-9 ]{1,33}",
        ) {
            let mut expected = Vec::new();
            for (name, said) in &said_by {
                for name in [name, &words] {
                    if let Ok(name) = names::check(name) {
                        expected.push(message(&name, &text::clean(said)));
                    }
                }
            }
            let n = expected.len().to_string();
            if let Entry::Said { lines, .. } = said("1", &n, expected.concat().as_bytes()) {
                prop_assert_eq!(lines.into_iter().flatten().collect::<Vec<_>>(), expected);
            } else {
                prop_assert!(expected.is_empty());
            }
        }
    }
}
