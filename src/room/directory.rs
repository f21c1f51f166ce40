//! Finds members by their names. Which names are allowed, and that no two members have the same one,
//! is left to the roster.

use super::event::ClientId;
use crate::protocol::addressee::{Letter, folded};
use std::collections::HashMap;

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

    /// Removes the member `id`, unless somebody else has the name by now.
    pub fn remove(&mut self, name: &str, id: ClientId) {
        let name = folded(name);
        if self.ids.get(&name) == Some(&id) {
            self.ids.remove(&name);
        }
    }

    /// Returns the member of this name.
    pub fn id(&self, name: &str) -> Option<ClientId> {
        self.ids.get(&folded(name)).copied()
    }

    /// Returns the member that the `letter` is for, and the text: the first reading counts that
    /// begins with the name of a member.
    pub fn addressee<'a>(&self, letter: &'a Letter) -> Option<(ClientId, &'a str)> {
        let mut readings = letter.readings();
        readings.find_map(|(name, text)| Some((*self.ids.get(name)?, text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_and_quotes_may_help() {
        let mut directory = Directory::default();
        let names = ["Guard", "Guard #1", "Zoë", "Q \"x\" y", "Guard\" #1 \"hi"];
        for (name, id) in names.into_iter().zip(1..) {
            directory.add(name, id);
        }
        for (words, found) in [
            ("Guard hi", Some((1, "hi"))),
            ("Guard #1 hi", Some((2, "hi"))),
            ("guard  #1  hi there", Some((2, "hi there"))),
            ("\"Guard\" #1 \"hi\" you", Some((1, "#1 \"hi\" you"))),
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
            let letter = Letter::new(words.to_owned());
            assert_eq!(directory.addressee(&letter), found, "{words:?}");
        }
        directory.remove("Guard #1", 9);
        directory.remove("GUARD #1", 2);
        let letter = Letter::new("Guard #1 hi".to_owned());
        assert_eq!(directory.addressee(&letter), Some((1, "#1 hi")));
    }
}
