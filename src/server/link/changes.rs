//! Writes who came, left or changed the name as a text for an entry, a line each, and reads it back.
//! Whether that is announced is left to the room.

use crate::protocol::names::is_normal;
use crate::room::arrivals::Change;

/// Maximum size of a text, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Returns the line for a change, newline included. No name holds a control character.
pub fn text_of(change: &Change) -> String {
    match change {
        Change::Joined(name) => format!("+{name}\n"),
        Change::Left(name) => format!("-{name}\n"),
        Change::Renamed(from, to) => format!("~{from}\t{to}\n"),
    }
}

/// Returns where the first part of `text` ends that fits an entry.
pub fn end_of_part(text: &str) -> usize {
    if text.len() <= MAX_TEXT {
        return text.len();
    }
    let fits = &text.as_bytes()[..MAX_TEXT];
    memchr::memrchr(b'\n', fits).map_or(text.len(), |at| at + 1)
}

/// Reads changes. What no server of ours writes is left out.
pub fn parse(text: &[u8]) -> Option<Vec<Change>> {
    let text = str::from_utf8(text)
        .ok()
        .filter(|text| text.len() <= MAX_TEXT)?;
    Some(text.lines().filter_map(change).collect())
}

fn change(line: &str) -> Option<Change> {
    let name = |name: &str| is_normal(name).then(|| name.into());
    Some(match line.split_at_checked(1)? {
        ("+", joined) => Change::Joined(name(joined)?),
        ("-", left) => Change::Left(name(left)?),
        ("~", names) => {
            let (from, to) = names.split_once('\t')?;
            Change::Renamed(name(from)?, name(to)?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn changes_are_read_as_they_were_written() {
        let changes = [
            Change::Joined("Ada".into()),
            Change::Renamed("Ada".into(), "Grace Hopper".into()),
            Change::Left("小明".into()),
        ];
        let text: String = changes.iter().map(text_of).collect();
        assert_eq!(parse(text.as_bytes()), Some(changes.to_vec()));
    }

    #[test]
    fn a_long_text_is_cut_between_lines() {
        let text = "+Ada\n".repeat(MAX_TEXT);
        let end = end_of_part(&text);
        assert!(end <= MAX_TEXT && text[..end].ends_with('\n'));
        assert_eq!(end_of_part("+Ada\n"), 5);
    }

    proptest! {
        #[test]
        fn c10_no_text_makes_a_name_that_nobody_could_have(text in "([+~-]?[a* \t>\u{1b}]{0,4}\n?){0,9}") {
            for change in parse(text.as_bytes()).unwrap() {
                let (Change::Joined(name) | Change::Left(name) | Change::Renamed(name, _)) = change;
                prop_assert!(is_normal(&name));
            }
        }
    }
}
