//! Finds members by their names, as people write them. Which names are allowed, and that no two
//! members have the same one, is left to the roster.

use super::event::ClientId;
use crate::protocol::MAX_NAME;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Maximum length of a name as somebody may write it, in bytes.
const MAX_BYTES: usize = 2 * 4 * MAX_NAME;

/// Who has which name.
#[derive(Debug, Default)]
pub struct Directory {
    ids: HashMap<String, ClientId>,
}

impl Directory {
    /// Adds a member.
    pub fn add(&mut self, name: &str, id: ClientId) {
        self.ids.insert(folded(name), id);
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) {
        self.ids.remove(&folded(name));
    }

    /// Splits "Rick hello" or "\"Rick\" hello" into the member that is meant and the text for it.
    /// Names may contain spaces and quotes, so the longest name of a member counts.
    pub fn addressee<'a>(&self, words: &'a str) -> Option<(ClientId, &'a str)> {
        let quoted = words.strip_prefix('"').and_then(|quoted| {
            let quotes = quoted.match_indices('"').map(|(at, _)| at);
            self.longest(quoted, quotes, 1)
        });
        let spaces = words.match_indices(char::is_whitespace).map(|(at, _)| at);
        quoted.or_else(|| self.longest(words, spaces.chain([words.len()]), 0))
    }

    /// Returns the member whose name ends at the last of these `ends` that makes a name, and the text
    /// that begins `n_between` bytes later.
    fn longest<'a>(
        &self,
        words: &'a str,
        ends: impl Iterator<Item = usize>,
        n_between: usize,
    ) -> Option<(ClientId, &'a str)> {
        let ends: Vec<_> = ends.take_while(|end| *end <= MAX_BYTES).collect();
        ends.into_iter().rev().find_map(|end| {
            let id = self.ids.get(&folded(&words[..end]))?;
            Some((*id, words[end + n_between..].trim_start()))
        })
    }
}

/// Returns `name` without the differences that nobody types on purpose. Two members' names are never
/// the same then: the roster compares less exactly.
fn folded(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    words.join(" ").nfkd().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_and_quotes_may_help() {
        let mut directory = Directory::default();
        for (name, id) in [("Guard", 1), ("Guard #1", 2), ("Zoë", 3), ("Q \"x\" y", 4)] {
            directory.add(name, id);
        }
        for (words, found) in [
            ("Guard hi", Some((1, "hi"))),
            ("Guard #1 hi", Some((2, "hi"))),
            ("guard  #1  hi there", Some((2, "hi there"))),
            ("\"Guard\" #1 hi", Some((1, "#1 hi"))),
            ("\"Guard #1\" hi", Some((2, "hi"))),
            ("\"Guard #1\"hi", Some((2, "hi"))),
            ("ZOE\u{308} hi \"you\"", Some((3, "hi \"you\""))),
            ("Q \"x\" y hi", Some((4, "hi"))),
            ("\"Q \"x\" y\" hi", Some((4, "hi"))),
            ("Guard", Some((1, ""))),
            ("Guar hi", None),
            ("\"Guard hi", None),
            ("", None),
            ("\"\" hi", None),
        ] {
            assert_eq!(directory.addressee(words), found, "{words:?}");
        }
        directory.remove("GUARD #1");
        assert_eq!(directory.addressee("Guard #1 hi"), Some((1, "#1 hi")));
    }

    #[test]
    fn a_line_full_of_quotes_or_spaces_is_looked_at_only_in_front() {
        let directory = Directory::default();
        for words in ["\"".repeat(4096), "a ".repeat(2048), "ä\"".repeat(1000)] {
            assert_eq!(directory.addressee(&words), None);
        }
    }
}
