//! Decides which characters may reach a terminal: text as people write it, in any script.
//! Characters that move cursors, change colours, reverse lines or hide are removed.
//!
//! Unicode's general categories decide; the few exceptions are named here with their reasons.

use std::borrow::Cow;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::skeleton;
use unicode_width::UnicodeWidthChar;

/// Maximum number of combining marks in a row: more than any language stacks, and too few to spoil
/// the next line.
const MAX_MARKS: usize = 8;

/// Maximum number of blanks in a row. With more, a line that wraps could show a forged line at the
/// left edge of the terminal.
const MAX_BLANKS: usize = 8;
const TOO_MANY_SPACES: &str = "         ";

/// Returns `text` as it may reach a terminal. A tab or a line separator becomes a space, other
/// harmful characters are removed, and long runs of blanks or marks are shortened. Cleaning it
/// twice changes nothing more.
pub fn clean(text: &str) -> Cow<'_, str> {
    // Nearly all lines are plain ASCII, which nothing below would change.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain && !text.contains(TOO_MANY_SPACES) {
        return Cow::Borrowed(text);
    }
    let (mut n_marks, mut n_blanks) = (0, 0);
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        let character = match fate(character) {
            Fate::Keep if is_blank(character) => {
                (n_marks, n_blanks) = (0, n_blanks + 1);
                character
            }
            Fate::Keep => {
                (n_marks, n_blanks) = (0, 0);
                character
            }
            // It ends neither a run of marks nor one of blanks.
            Fate::KeepInvisible => character,
            Fate::Mark => {
                n_marks += 1;
                character
            }
            Fate::Space => {
                (n_marks, n_blanks) = (0, n_blanks + 1);
                ' '
            }
            Fate::Remove => continue,
        };
        if n_marks <= MAX_MARKS && n_blanks <= MAX_BLANKS {
            cleaned.push(character);
        }
    }
    Cow::Owned(cleaned)
}

/// Whether `character` is white space or draws nothing.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || draws_nothing(character)
}

/// Whether `text` draws anything on a terminal.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(draws)
}

/// Whether `character` is visible by itself. False for blanks, combining marks and characters that
/// draw nothing.
pub fn draws(character: char) -> bool {
    let has_width = character.width().is_some_and(|width| width > 0);
    has_width && !character.is_whitespace() && !draws_nothing(character)
}

/// Whether `character` is invisible, though it is not white space. Many terminals draw nothing for a
/// character that Unicode has not assigned yet.
pub fn draws_nothing(character: char) -> bool {
    let is_empty = matches!(
        character,
        // The blank Braille pattern, the null notehead, the Khitan filler.
        '\u{2800}' | '\u{1d159}' | '\u{16fe4}'
        // The controls that arrange hieroglyphs.
        | '\u{13430}'..='\u{1343f}'
    ) || character.general_category() == GeneralCategory::Unassigned;
    // TS 39 drops the characters that Unicode says to ignore: joiners, selectors, Hangul fillers.
    let mut bytes = [0; 4];
    is_empty || skeleton(character.encode_utf8(&mut bytes)).count() == 0
}

enum Fate {
    Keep,
    KeepInvisible,
    Mark,
    Space,
    Remove,
}

fn fate(character: char) -> Fate {
    match character.general_category() {
        GeneralCategory::Control if character == '\t' => Fate::Space,
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => Fate::Space,
        GeneralCategory::Format if is_needed_in_writing(character) => Fate::KeepInvisible,
        GeneralCategory::Control | GeneralCategory::Format => Fate::Remove,
        GeneralCategory::Unassigned if is_never_text(character) => Fate::Remove,
        GeneralCategory::NonspacingMark
        | GeneralCategory::SpacingMark
        | GeneralCategory::EnclosingMark => Fate::Mark,
        _ => Fate::Keep,
    }
}

/// Whether some script cannot be written without this format character.
fn is_needed_in_writing(character: char) -> bool {
    matches!(
        character,
        // The joiner of emoji and Indic letters, and the non-joiner of Persian.
        '\u{200c}' | '\u{200d}'
        // Direction marks, which act like invisible letters and override nothing.
        | '\u{200e}' | '\u{200f}' | '\u{61c}'
        // Number and abbreviation signs, which are visible though they count as format.
        | '\u{600}'
            ..='\u{605}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'
                | '\u{891}'
                | '\u{8e2}'
                | '\u{110bd}'
                | '\u{110cd}'
        // Mongolian's vowel separator, and the controls that arrange hieroglyphs.
        | '\u{180e}' | '\u{13430}'..='\u{1343f}'
    )
}

/// Whether no text will ever use this unassigned code point: a noncharacter, or a gap between the
/// invisible tag characters.
fn is_never_text(character: char) -> bool {
    let code = u32::from(character);
    code & 0xfffe == 0xfffe || matches!(code, 0xfdd0..=0xfdef | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writing_of_every_kind_comes_out_as_it_went_in() {
        for text in [
            "plain text, with 'quotes' & <tags>",
            "žluťoučký kůň",
            "e\u{301}te\u{301}",
            "Привет, мир",
            "שלום עולם",
            "السلام عليكم",
            "می\u{200c}خواهم",
            "क्\u{200d}ष नमस्ते",
            "สวัสดีชาวโลก",
            "你好，世界",
            "こんにちは",
            "안녕하세요",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈 👍🏽 🇨🇭",
            "葛\u{e0100}",
            "a\u{a0}b\u{3000}c",
            "ᠭ\u{180e}ᠠ",
            "\u{fffd}",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn known_attacks_on_terminals_arrive_harmless() {
        for (attack, harmless) in [
            ("\u{1b}[2J\u{1b}[Hgone", "[2J[Hgone"),
            ("\u{1b}]0;title\u{7}", "]0;title"),
            ("\u{9b}31mred", "31mred"),
            ("back\u{8}\u{8}\u{8}\u{8}space", "backspace"),
            ("a\tb", "a b"),
            ("a\u{b}b\u{c}c\u{85}d", "abcd"),
            ("del\u{7f}", "del"),
            ("\u{202e}desrever\u{202c}", "desrever"),
            ("\u{2066}isolate\u{2069}", "isolate"),
            ("two\u{2028}lines\u{2029}here", "two lines here"),
            ("tag\u{e0001}\u{e0041}\u{e007f}\u{e0002}", "tag"),
            ("zero\u{200b}width\u{feff}\u{2060}\u{ad}", "zerowidth"),
            ("\u{fff9}note\u{fffa}above\u{fffb}", "noteabove"),
            ("non\u{ffff}\u{1fffe}\u{fdd0}", "non"),
            ("nul\0", "nul"),
        ] {
            assert_eq!(clean(attack), harmless);
        }
    }

    #[test]
    fn marks_stack_no_higher_than_eight() {
        let stack = format!("a{}b\u{301}", "\u{301}".repeat(100));
        assert_eq!(clean(&stack), format!("a{}b\u{301}", "\u{301}".repeat(8)));
        let hidden = format!("a{}", "\u{301}\u{200b}".repeat(100));
        assert_eq!(clean(&hidden), format!("a{}", "\u{301}".repeat(8)));
        let joined = format!("a{}", "\u{301}\u{200d}".repeat(100));
        assert_eq!(clean(&joined).matches('\u{301}').count(), 8);
    }

    #[test]
    fn blanks_of_any_kind_push_nothing_to_the_left_edge() {
        for blank in [
            " ",
            "\t",
            "\u{a0}",
            "\u{3000}",
            "\u{2800}",
            "\u{3164}",
            "\u{2003}\u{200d}",
        ] {
            let cleaned = clean(&format!("a{}b", blank.repeat(100))).into_owned();
            let n_blanks = cleaned
                .chars()
                .filter(|it| is_blank(*it) && *it != '\u{200d}')
                .count();
            assert_eq!(n_blanks, 8, "{blank:?}: {cleaned:?}");
            assert!(cleaned.starts_with('a') && cleaned.ends_with('b'));
        }
        let hidden = format!("a{}", " \u{200e}\u{301}".repeat(100));
        assert_eq!(clean(&hidden).matches(' ').count(), 8);
        assert_eq!(
            clean(&format!("a{}b", " ".repeat(8))),
            format!("a{}b", " ".repeat(8))
        );
    }

    #[test]
    fn what_draws_nothing_cannot_be_seen() {
        for text in [
            "",
            " ",
            "\u{200d}",
            "\u{3164}",
            "\u{2800}",
            "\u{301}",
            "\u{1161}",
            "\u{d7b0}",
            "\u{1d159}",
            "\u{13430}",
        ] {
            assert!(!is_visible(text), "{text:?}");
        }
        for text in [
            "a",
            "-",
            "é",
            "한",
            "\u{1112}\u{1161}",
            "🦀",
            "\u{e000}",
            "नि",
        ] {
            assert!(is_visible(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_string_brings_a_dangerous_character_through(text in any::<String>()) {
            let cleaned = clean(&text);
            let dangerous = |character: char| {
                character.is_control()
                    || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                    || matches!(character, '\u{2028}' | '\u{2029}')
                    || matches!(character, '\u{e0000}'..='\u{e007f}')
            };
            prop_assert_eq!(cleaned.chars().find(|character| dangerous(*character)), None);
            prop_assert_eq!(&clean(&cleaned), &cleaned);
        }

        #[test]
        fn no_bytes_bring_a_control_character_through(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
