//! Reads "Rick hello" and "\"Rick\" hello" as a name and a text. Names may contain spaces and quotes,
//! so there can be several readings. Which name somebody has is left to the room.

use super::MAX_NAME;
use unicode_normalization::UnicodeNormalization;

/// Maximum length of a name as somebody may type it, in characters: with further spaces.
const MAX_TYPED: usize = 2 * MAX_NAME;

/// The words after `/msg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    words: String,
    /// The names that it may begin with, folded, and where the text after each begins.
    readings: Vec<(String, usize)>,
}

impl Letter {
    /// Parses "Rick hello".
    pub fn new(words: String) -> Self {
        let end = words.char_indices().nth(MAX_TYPED);
        let begin = &words[..end.map_or(words.len(), |(at, _)| at)];
        let mut readings = Vec::new();
        if let Some(quoted) = begin.strip_prefix('"') {
            let ends = quoted.match_indices('"').map(|(at, _)| at);
            readings.extend(ends.map(|at| (folded(&quoted[..at]), at + 2)));
        }
        let spaces = begin.match_indices(char::is_whitespace).map(|(at, _)| at);
        let ends = spaces.chain(end.is_none().then_some(words.len()));
        let ends: Vec<_> = ends.collect();
        readings.extend(ends.iter().rev().map(|at| (folded(&words[..*at]), *at)));
        Self { words, readings }
    }

    /// Returns all readings, each as a folded name and a text. The one that counts comes first: the
    /// shortest name in quotes, or else the longest one.
    pub fn readings(&self) -> impl Iterator<Item = (&str, &str)> {
        let readings = self.readings.iter();
        readings.map(|(name, text)| (name.as_str(), self.words[*text..].trim_start()))
    }
}

/// Returns `name` without the differences that nobody types on purpose. Two names in use are never
/// the same then: the roster compares less exactly.
pub fn folded(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    words.join(" ").nfkd().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &str) -> Vec<String> {
        let letter = Letter::new(words.to_owned());
        letter.readings().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn the_longest_name_comes_first_and_the_shortest_in_quotes() {
        assert_eq!(
            names("Guard  #1 hi"),
            ["guard #1 hi", "guard #1", "guard", "guard"]
        );
        assert_eq!(names("\"Guard #1\" hi")[0], "guard #1");
        let quoted = names("\"Q \"x\" y\" hi");
        assert_eq!(quoted[..3], ["q", "q \"x", "q \"x\" y"]);
        assert_eq!(names("ZOE\u{308}"), ["zoe\u{308}"]);
        assert!(names("").iter().all(String::is_empty));
        // A quote that is not in front, behind a character of several bytes.
        assert_eq!(names("ä\"b"), ["a\u{308}\"b"]);
    }

    #[test]
    fn the_text_is_what_follows_the_name() {
        for (words, number, text) in [
            ("Rick  hi there", 2, "hi there"),
            ("\"Rick\"hi \"you\"", 0, "hi \"you\""),
            ("Rick", 0, ""),
        ] {
            let letter = Letter::new(words.to_owned());
            assert_eq!(letter.readings().nth(number).unwrap().1, text);
        }
    }

    #[test]
    fn a_line_full_of_quotes_or_spaces_has_few_readings() {
        for words in [
            "\"".repeat(4096),
            "a ".repeat(2048),
            "\"\u{fdfa} ".repeat(1000),
        ] {
            assert!(names(&words).len() <= 2 * MAX_TYPED, "{words}");
        }
    }
}
