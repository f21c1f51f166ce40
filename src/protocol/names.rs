//! Checks that a name is visible, of bounded width, of one alphabet, and unlike the server's own
//! lines. Recording the names in use is left to the roster.

use super::notice::Notice;
use super::{MAX_NAME, alphabets, lookalikes, text};
use unicode_normalization::UnicodeNormalization;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns the name that a client gave as everyone will see it: cleaned, trimmed, and with single
/// spaces.
///
/// # Errors
/// The refusal to send to the client.
pub fn check(given: &str) -> Result<String, Notice> {
    let shown = normal_form(given);
    if !text::is_visible(&shown) {
        Err(Notice::InvisibleName)
    } else if is_too_long(&shown) {
        Err(Notice::LongName)
    } else if lookalikes::seems_to_be_the_servers(&shown) {
        Err(Notice::ReservedName)
    } else if lookalikes::seems_to_be_private(&shown) {
        Err(Notice::PrivateName)
    } else if let Some((first, second)) = alphabets::mixed(&shown) {
        Err(Notice::MixedAlphabets(first, second))
    } else {
        Ok(shown)
    }
}

/// Whether [`check`] would let this name pass unchanged.
pub fn is_normal(name: &str) -> bool {
    is_plain(name) || check(name).as_deref() == Ok(name)
}

/// Whether `name` consists of single words of letters and digits, as most names do. Nothing else
/// about it has to be checked.
fn is_plain(name: &str) -> bool {
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_alphanumeric);
    name.len() <= MAX_NAME && name.as_bytes().split(|byte| *byte == b' ').all(is_word)
}

/// Maximum number of parts per character of the longest name, when Unicode takes it apart.
const MAX_PARTS: usize = 4;

/// Numbers that are suggested one after the other.
const DENSE_NUMBERS: u64 = 20;

/// Returns an endless series of names like `taken`: the same with the next numbers after it. After a
/// few, these go on where all `n_names` in use would end if each had one: otherwise 1,000 clients
/// with one name would need a million look-ups.
pub fn similar(taken: &str, n_names: u64) -> impl Iterator<Item = String> {
    let (stem, number) = split_number(taken);
    let first = number.map_or(2, |number| number + 1);
    let dense = first..first + DENSE_NUMBERS;
    let rest = first + n_names.max(DENSE_NUMBERS)..;
    dense.chain(rest).map(move |number| numbered(stem, number))
}

/// Returns a name like `taken` with a number far from it, which hardly anybody has.
pub fn far(taken: &str, random: u64) -> String {
    let (stem, _) = split_number(taken);
    numbered(stem, 1000 + random % 9000)
}

/// Cleans `given`, and turns runs of spaces into one, so that no two names differ only in their
/// number of spaces. Removes leading marks, which would combine with the text before the name.
fn normal_form(given: &str) -> String {
    let cleaned = text::clean(given);
    let spaced = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_stray = |character: char| character.width() == Some(0) || character == ' ';
    spaced
        .trim_matches(' ')
        .trim_start_matches(is_stray)
        .to_owned()
}

/// Whether the name has too many characters or columns. Characters count too that Unicode takes apart
/// into many, since comparing those takes long.
fn is_too_long(shown: &str) -> bool {
    shown.chars().count() > MAX_NAME
        || shown.width() > MAX_NAME
        || shown.nfkd().count() > MAX_PARTS * MAX_NAME
}

/// Splits "Rick 2" into "Rick" and 2.
fn split_number(shown: &str) -> (&str, Option<u64>) {
    match shown.rsplit_once(' ') {
        Some((stem, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            match number.parse::<u32>() {
                Ok(number) => (stem, Some(u64::from(number))),
                // A longer number is part of the name.
                Err(_) => (shown, None),
            }
        }
        _ => (shown, None),
    }
}

/// Returns `stem` and a number after it, with the stem shortened so that the name fits.
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
            ("ᐳᐊᑕ", "ᐳᐊᑕ"),
            ("🦀", "🦀"),
            ("a*", "a*"),
            ("\u{1b}[31mred", "[31mred"),
        ] {
            assert_eq!(check(given).as_deref(), Ok(shown));
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
            "\u{378}",
        ] {
            assert_eq!(check(given), Err(Notice::InvisibleName), "{given:?}");
        }
    }

    #[test]
    fn a_name_fits_a_terminal() {
        for fitting in ["x".repeat(32), "明".repeat(16)] {
            assert_eq!(check(&fitting), Ok(fitting));
        }
        let long_winded = "\u{fdfa}".repeat(27);
        for long in [
            "x".repeat(33),
            "明".repeat(17),
            "e\u{301}".repeat(17),
            long_winded,
        ] {
            assert_eq!(check(&long), Err(Notice::LongName));
        }
    }

    #[test]
    fn a_name_does_not_look_like_the_server_or_like_a_line() {
        for given in [
            "\u{115f}* #1",
            "\u{115f}* Bob left.",
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
            "5ᐳ 6",
            "\u{1d159}* hi",
        ] {
            assert_eq!(check(given), Err(Notice::ReservedName), "{given:?}");
        }
        for given in ["Rick (to you): hi", "a (TO  YOU)", "（to you）", "a(to you"] {
            assert_eq!(check(given), Err(Notice::PrivateName), "{given:?}");
        }
    }

    #[test]
    fn a_name_keeps_to_one_alphabet() {
        for (given, refusal) in [
            (
                "Rіck",
                "* Letters of Latin and Cyrillic look alike. Use one alphabet.",
            ),
            (
                "αда",
                "* Letters of Greek and Cyrillic look alike. Use one alphabet.",
            ),
            (
                "Ada 𐌀",
                "* Letters of Latin and Old Italic look alike. Use one alphabet.",
            ),
        ] {
            let refused = check(given).map_err(|notice| notice.to_string());
            assert_eq!(refused, Err(refusal.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn similar_names_are_numbered_and_short_enough() {
        for (taken, expected) in [
            ("Rick", ["Rick 2", "Rick 3"]),
            ("SpamBot 5000", ["SpamBot 5001", "SpamBot 5002"]),
            ("R2 99999999999", ["R2 99999999999 2", "R2 99999999999 3"]),
        ] {
            let found: Vec<_> = similar(taken, 0).take(2).collect();
            assert_eq!(found, expected);
        }
        let rest: Vec<_> = similar("Rick", 500).skip(20).take(2).collect();
        assert_eq!(rest, ["Rick 502", "Rick 503"]);
        assert_eq!(similar("Rick", 0).nth(20).as_deref(), Some("Rick 22"));
        let long = "x".repeat(32);
        assert_eq!(
            similar(&long, 0).next(),
            Some(format!("{} 2", "x".repeat(30)))
        );
        let wide = "明".repeat(16);
        assert_eq!(
            similar(&wide, 0).next(),
            Some(format!("{} 2", "明".repeat(15)))
        );
    }

    proptest! {
        #[test]
        fn plain_names_are_good(name in "[a-z0-9 ]{0,34}|[A-Z ]{0,5}") {
            if is_plain(&name) {
                prop_assert_eq!(check(&name), Ok(name));
            }
        }

        #[test]
        fn every_string_is_a_good_name_or_refused(given in any::<String>()) {
            if let Ok(shown) = check(&given) {
                prop_assert!(text::is_visible(&shown) && !is_too_long(&shown));
                prop_assert!(!shown.starts_with('*') && !shown.contains('>'));
                prop_assert_eq!(check(&shown), Ok(shown));
            }
        }
    }
}
