//! Which names can be had, and who holds which. A name is held by a guard and is free again when
//! that is dropped, on every path out of a session.

use super::lookalikes::{self, Keys};
use super::text;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest name, in characters and in terminal columns.
pub const MAX_NAME: usize = 32;

/// So many numbers are looked at one by one for a suggestion, and then there is a leap, so that a
/// thousand clients of one name cost no million look-ups.
const DENSE_SUGGESTIONS: u64 = 100;

/// The names in use.
#[derive(Debug, Default)]
pub struct Names {
    /// The keys that all of them hold, and how many hold each.
    taken: Mutex<HashMap<String, usize>>,
}

/// A name, held until this is dropped.
#[derive(Debug)]
pub struct Name<'a> {
    names: &'a Names,
    shown: String,
    keys: Keys,
}

/// Why a name can't be had, as the client is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing of it can be seen.
    Invisible,
    /// More than [`MAX_NAME`] characters or columns.
    TooLong,
    /// It looks like what the server says.
    Reserved,
    /// Somebody else has it.
    Taken {
        /// The name asked for.
        wanted: String,
        /// One that is free.
        free: String,
    },
}

impl Names {
    /// Takes the name that a client gave, cleaned and trimmed.
    ///
    /// # Errors
    /// Why it can't be had.
    pub fn claim(&self, given: &str) -> Result<Name<'_>, Refusal> {
        let shown = normal_form(given);
        if !text::can_be_seen(&shown) {
            return Err(Refusal::Invisible);
        }
        if is_too_long(&shown) {
            return Err(Refusal::TooLong);
        }
        if lookalikes::seems_to_be_the_servers(&shown) {
            return Err(Refusal::Reserved);
        }
        let keys = Keys::of(&shown);
        if self.take(&keys) {
            return Ok(Name {
                names: self,
                shown,
                keys,
            });
        }
        let free = self.suggest(&shown);
        Err(Refusal::Taken {
            wanted: shown,
            free,
        })
    }

    /// Takes the keys of a name, or none of them if they clash with those of another.
    fn take(&self, keys: &Keys) -> bool {
        let mut taken = self.taken.lock();
        let free = !keys.clashing.iter().any(|key| taken.contains_key(key));
        if free {
            for key in &keys.held {
                *taken.entry(key.clone()).or_insert(0) += 1;
            }
        }
        free
    }

    fn is_free(&self, name: &str) -> bool {
        let keys = Keys::of(name);
        let taken = self.taken.lock();
        !keys.clashing.iter().any(|key| taken.contains_key(key))
    }

    /// A free name like `taken`: the same with the next free number behind it. Where very many have
    /// that name, it is the first number above how many there are, which is mostly free.
    fn suggest(&self, taken: &str) -> String {
        let (stem, number) = split_number(taken);
        let n_taken = self.taken.lock().len() as u64;
        let first = number.map_or(2, |number| number + 1);
        let dense = first..first + DENSE_SUGGESTIONS;
        let sparse = dense.end.max(n_taken)..;
        dense
            .chain(sparse)
            .map(|number| numbered(stem, number))
            .find(|name| self.is_free(name))
            .unwrap_or_default()
    }
}

impl Name<'_> {
    /// The name as everyone sees it.
    pub fn as_str(&self) -> &str {
        &self.shown
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        let mut taken = self.names.taken.lock();
        for key in &self.keys.held {
            if let Some(n_holders) = taken.get_mut(key) {
                *n_holders -= 1;
                if *n_holders == 0 {
                    taken.remove(key);
                }
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invisible => out.write_str("A name needs a character that can be seen."),
            Self::TooLong => write!(out, "A name has at most {MAX_NAME} characters."),
            Self::Reserved => out.write_str("A name has no \">\", and no \"*\" in front."),
            Self::Taken { wanted, free } => {
                write!(out, "\"{wanted}\" is taken. Try \"{free}\".")
            }
        }
    }
}

/// Cleaned, trimmed, with single spaces within, so that nobody can be told apart from another by
/// counting spaces, and without marks in front, which would stand on what is before the name.
fn normal_form(given: &str) -> String {
    let cleaned = text::clean(given);
    let spaced = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_stray = |character: char| character.width() == Some(0) || character == ' ';
    spaced
        .trim_matches(' ')
        .trim_start_matches(is_stray)
        .to_owned()
}

fn is_too_long(shown: &str) -> bool {
    shown.chars().count() > MAX_NAME || shown.width() > MAX_NAME
}

/// "Rick 2" is "Rick" and 2.
fn split_number(shown: &str) -> (&str, Option<u64>) {
    match shown.rsplit_once(' ') {
        Some((stem, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            match number.parse::<u32>() {
                Ok(number) => (stem, Some(u64::from(number))),
                // So long a number is part of the name.
                Err(_) => (shown, None),
            }
        }
        _ => (shown, None),
    }
}

/// `stem` with a number behind it, shortened to what a name may have.
fn numbered(stem: &str, number: u64) -> String {
    let mut stem = stem.to_owned();
    loop {
        let name = format!("{} {number}", stem.trim_end());
        if !is_too_long(&name) || stem.pop().is_none() {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(given: &str) -> Refusal {
        Names::default().claim(given).unwrap_err()
    }

    #[test]
    fn names_of_any_script_are_fine_and_come_out_trimmed() {
        for (given, shown) in [
            ("Ada", "Ada"),
            ("  Grace Hopper\t", "Grace Hopper"),
            ("a   b", "a b"),
            ("SlowBot 0.0.1a", "SlowBot 0.0.1a"),
            ("#1", "#1"),
            ("Zoë", "Zoë"),
            ("Алиса", "Алиса"),
            ("小明", "小明"),
            ("🦀", "🦀"),
            ("a*", "a*"),
            ("\u{1b}[31mred", "[31mred"),
        ] {
            assert_eq!(Names::default().claim(given).unwrap().as_str(), shown);
        }
    }

    #[test]
    fn a_name_has_something_to_see() {
        for given in [
            "",
            " \t ",
            "\u{200d}",
            "\u{200b}",
            "\u{301}",
            "\u{a0}\u{3000}",
            "\0\u{7}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{2800} \u{ffa0}",
            "\u{1161}",
            "\u{d7b0}",
        ] {
            assert_eq!(refusal(given), Refusal::Invisible, "{given:?}");
        }
    }

    #[test]
    fn a_name_fits_a_terminal() {
        assert!(Names::default().claim(&"x".repeat(32)).is_ok());
        assert_eq!(refusal(&"x".repeat(33)), Refusal::TooLong);
        assert!(Names::default().claim(&"明".repeat(16)).is_ok());
        assert_eq!(refusal(&"明".repeat(17)), Refusal::TooLong);
        assert_eq!(refusal(&"e\u{301}".repeat(17)), Refusal::TooLong);
    }

    #[test]
    fn a_name_does_not_look_like_the_server_or_like_a_line() {
        for given in [
            "*",
            "* You missed 3 messages.",
            "Ada> hi",
            ">",
            "＊ hi",
            "∗ hi",
            "\u{1161}* hi",
            "\u{301}* hi",
            "\u{200d} * hi",
            "Ada＞ hi",
            "Ada› hi",
        ] {
            assert_eq!(refusal(given), Refusal::Reserved, "{given:?}");
        }
    }

    #[test]
    fn a_name_is_held_once_and_free_again_when_dropped() {
        let names = Names::default();
        let rick = names.claim("Rick").unwrap();
        let taken = names.claim("rICK ").unwrap_err();
        assert_eq!(taken.to_string(), "\"rICK\" is taken. Try \"rICK 2\".");
        drop(rick);
        assert!(names.claim("RICK").is_ok());
        assert!(names.taken.lock().is_empty());
    }

    #[test]
    fn the_suggested_name_is_the_next_free_one() {
        let names = Names::default();
        let mut held = vec![names.claim("Rick").unwrap(), names.claim("rick 3").unwrap()];
        for expected in ["Rick 2", "Rick 4", "Rick 5"] {
            let Refusal::Taken { free, .. } = names.claim("Rick").unwrap_err() else {
                panic!("not taken");
            };
            assert_eq!(free, expected);
            held.push(names.claim(&free).unwrap());
        }
        held.push(names.claim("SpamBot 5000").unwrap());
        let taken = names.claim("SpamBot 5000").unwrap_err();
        assert_eq!(
            taken.to_string(),
            "\"SpamBot 5000\" is taken. Try \"SpamBot 5001\"."
        );
    }

    #[test]
    fn a_suggestion_for_a_long_name_is_short_enough() {
        let names = Names::default();
        let wide = "明".repeat(16);
        let long = "x".repeat(32);
        let _held = [names.claim(&wide).unwrap(), names.claim(&long).unwrap()];
        for (taken, expected) in [
            (wide, format!("{} 2", "明".repeat(15))),
            (long, format!("{} 2", "x".repeat(30))),
        ] {
            assert!(matches!(
                names.claim(&taken).unwrap_err(),
                Refusal::Taken { free, .. } if free == expected
            ));
        }
    }

    #[test]
    fn two_thousand_of_one_name_are_all_served() {
        let names = Names::default();
        let mut held = vec![names.claim("Rick").unwrap()];
        for _ in 0..2000 {
            let Refusal::Taken { free, .. } = names.claim("Rick").unwrap_err() else {
                panic!("not taken");
            };
            held.push(names.claim(&free).unwrap());
        }
        assert_eq!(held.len(), 2001);
    }

    proptest! {
        #[test]
        fn every_string_is_a_good_name_or_a_refusal(given in any::<String>()) {
            if let Ok(name) = Names::default().claim(&given) {
                let shown = name.as_str();
                prop_assert!(text::can_be_seen(shown) && !is_too_long(shown));
                prop_assert!(!shown.starts_with('*') && !shown.contains('>'));
                prop_assert_eq!(normal_form(shown), shown);
            }
        }
    }
}
