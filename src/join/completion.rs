//! Completes names that were seen, and commands. Which key does that is left to `keys`.

use super::presence::{Presence, begins_list, listed, presence};
use crate::protocol::command::HELP;
use std::collections::VecDeque;

/// Maximum number of names to remember.
const MAX_NAMES: usize = 500;

/// Maximum number of choices to show.
const MAX_CHOICES: usize = 20;

/// The names that were seen, the latest first.
#[derive(Debug, Default)]
pub struct Names {
    names: VecDeque<String>,
    /// Whether the next line may be one of a list of names.
    is_list: bool,
}

/// What a line can be completed to.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion {
    /// This line, with the cursor at this byte.
    Line(String, usize),
    /// One of these words.
    Choices(Vec<String>),
}

impl Names {
    /// Learns names from a line of the room, and forgets those that nobody has any more. `me` is
    /// nobody else.
    pub fn hear(&mut self, line: &str, me: &str) {
        let Presence { here, gone } = presence(line);
        self.names.retain(|name| !gone.contains(&name.as_str()));
        let others = here.into_iter().filter(|name| *name != me);
        others.for_each(|name| self.saw(name));
        let list = listed(line).filter(|_| self.is_list);
        self.is_list = list.is_some() || begins_list(line);
        for name in list.into_iter().flatten().filter(|name| *name != me) {
            if self.names.len() < MAX_NAMES && self.names.iter().all(|other| other != name) {
                self.names.push_back(name.to_owned());
            }
        }
    }

    /// Notes that `name` was seen just now.
    fn saw(&mut self, name: &str) {
        if self.names.front().is_some_and(|first| first == name) {
            return;
        }
        self.names.retain(|other| other != name);
        self.names.push_front(name.to_owned());
        self.names.truncate(MAX_NAMES);
    }

    /// Returns what `line` can be completed to at byte `cursor`, for the person called `me`.
    pub fn complete(&self, line: &str, cursor: usize, me: &str) -> Option<Completion> {
        let before = line.get(..cursor)?;
        if before.starts_with('/') && !before.contains(' ') {
            let commands: Vec<_> = commands().collect();
            return completed(line, 0..cursor, &commands, |word| format!("{word} "));
        }
        let names: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|it| *it != me)
            .collect();
        let starts = [0]
            .into_iter()
            .chain(before.match_indices(' ').map(|(at, _)| at + 1));
        for word in starts {
            let at: bool = before[word..].starts_with(['@', '"']);
            let start: usize = word + usize::from(at);
            let matching: Vec<_> = names
                .iter()
                .copied()
                .filter(|name| begins(name, &before[start..]))
                .collect();
            if matching.is_empty() {
                continue;
            }
            let is_addressee = before[..word].trim_end().eq_ignore_ascii_case("/msg");
            let finished = |name: &str| match word {
                0 if !at => format!("{name}: "),
                _ if is_addressee && name.contains(' ') => {
                    let quote = if at { "" } else { "\"" };
                    format!("{quote}{name}\" ")
                }
                _ => format!("{name} "),
            };
            return completed(line, start..cursor, &matching, finished);
        }
        None
    }
}

/// Returns `line` with the only choice in `place`, or with what all choices have in common, or the
/// choices.
fn completed(
    line: &str,
    place: std::ops::Range<usize>,
    choices: &[&str],
    finished: impl Fn(&str) -> String,
) -> Option<Completion> {
    let (before, typed, after) = (
        &line[..place.start],
        &line[place.clone()],
        &line[place.end..],
    );
    let choices: Vec<_> = choices
        .iter()
        .copied()
        .filter(|it| begins(it, typed))
        .collect();
    let word = match choices.as_slice() {
        [] => return None,
        [only] => finished(only),
        [first, rest @ ..] => {
            let common = rest
                .iter()
                .fold(*first, |common, other| in_common(common, other));
            if common.chars().count() <= typed.chars().count() {
                let choices = choices.into_iter().take(MAX_CHOICES);
                return Some(Completion::Choices(choices.map(str::to_owned).collect()));
            }
            common.to_owned()
        }
    };
    let cursor = before.len() + word.len();
    let after = if word.ends_with(' ') {
        after.trim_start_matches(' ')
    } else {
        after
    };
    Some(Completion::Line([before, &word, after].concat(), cursor))
}

/// Returns the beginning of `first` that `other` has too, in upper or lower case.
fn in_common<'a>(first: &'a str, other: &str) -> &'a str {
    let mut both = first.char_indices().zip(other.chars());
    let differs = both.find(|((_, one), two)| !one.to_lowercase().eq(two.to_lowercase()));
    let end = differs.map_or(first.len().min(other.len()), |((at, _), _)| at);
    &first[..first.floor_char_boundary(end)]
}

fn begins(word: &str, beginning: &str) -> bool {
    word.to_lowercase().starts_with(&beginning.to_lowercase())
}

/// Returns the commands, as the help has them.
fn commands() -> impl Iterator<Item = &'static str> {
    let lines = HELP.lines().filter_map(|line| line.strip_prefix("* "));
    lines
        .filter_map(|line| line.split(' ').next())
        .filter(|word| !word.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn complete(line: &str) -> Option<Completion> {
        let mut names = Names::default();
        for name in ["Ada", "Grace Hopper", "Grete", "Guard #1", "žofie"] {
            names.saw(name);
        }
        names.complete(line, line.len(), "Ada")
    }

    fn line(text: &str) -> Completion {
        Completion::Line(text.to_owned(), text.len())
    }

    #[test]
    fn names_are_completed() {
        for (typed, expected) in [
            ("gra", "Grace Hopper: "),
            ("Grace H", "Grace Hopper: "),
            ("hello gra", "hello Grace Hopper "),
            ("@gra", "@Grace Hopper "),
            ("/msg gra", "/msg \"Grace Hopper\" "),
            ("/msg \"gra", "/msg \"Grace Hopper\" "),
            ("/msg gret", "/msg Grete "),
            ("gr", "gr"),
            ("Ž", "žofie: "),
        ] {
            if typed == expected {
                let choices = ["Grete", "Grace Hopper"].map(str::to_owned).to_vec();
                assert_eq!(complete(typed), Some(Completion::Choices(choices)));
            } else {
                assert_eq!(complete(typed), Some(line(expected)), "{typed}");
            }
        }
        assert_eq!(
            complete("g"),
            Some(Completion::Choices(
                ["Guard #1", "Grete", "Grace Hopper"]
                    .map(str::to_owned)
                    .to_vec()
            ))
        );
        assert_eq!(complete("Ada"), None);
        assert_eq!(complete("nobody"), None);
    }

    #[test]
    fn commands_are_completed() {
        assert_eq!(complete("/w"), Some(line("/who ")));
        assert_eq!(
            complete("/m"),
            Some(Completion::Choices(
                ["/me", "/msg"].map(str::to_owned).to_vec()
            ))
        );
        assert_eq!(complete("/zzz"), None);
    }

    #[test]
    fn what_follows_the_cursor_stays() {
        let mut names = Names::default();
        names.saw("Grace");
        let expected = Completion::Line("hello Grace you".to_owned(), 12);
        assert_eq!(names.complete("hello gr you", 8, "Ada"), Some(expected));
    }

    #[test]
    fn names_are_learnt_from_the_room_and_forgotten() {
        let mut names = Names::default();
        for line in [
            "* - be kind, please",
            "Bob> hi",
            "* 4 people are here, oldest first:",
            "* - Ada, Zoe,",
            "* - Bob, Eve",
            "Eve> hi",
            "* - not, names",
            "* Mallory joined.",
            "* Zoe left.",
            "* Mallory is now Trent.",
        ] {
            names.hear(line, "Ada");
        }
        assert_eq!(names.names, ["Trent", "Eve", "Bob"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".{0,20}", cursor in 0..80_usize, name in ".{1,5}") {
            let mut names = Names::default();
            names.saw(&name);
            if let Some(Completion::Line(line, cursor)) = names.complete(&line, cursor, "Ada") {
                prop_assert!(line.is_char_boundary(cursor));
            }
        }
    }
}
