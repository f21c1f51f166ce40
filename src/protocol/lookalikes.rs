//! When do two names look the same to a person at a terminal? By their case, their width, their
//! normalisation, by characters that draw nothing, and by letters of other scripts that are drawn
//! alike (Unicode TS 39).
//!
//! Within one script letters stay apart, though TS 39 has `0` and `O`, `I` and `l`, `rn` and `m`,
//! and pairs of Thai or Hebrew letters for alike too: who reads a script tells its letters apart,
//! and folding them would make one of "Al" and "AI", of "emily" and "ernily", of "แดง" and "แตง",
//! which people really are called.

use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};
use unicode_security::{GeneralSecurityProfile, skeleton};
use unicode_width::UnicodeWidthChar;

/// What TS 39 has for everything that is drawn as a plain stroke.
const STROKE: char = 'l';

/// What a name holds against others that look the same.
#[derive(Debug)]
pub struct Keys {
    /// Taken by this name.
    pub held: Vec<String>,
    /// None of these may be taken by another.
    pub clashing: Vec<String>,
}

impl Keys {
    /// The keys of `name`.
    pub fn of(name: &str) -> Self {
        let normal: String = name.nfkc().collect();
        let mut held = vec![
            // For those that differ by case: capital and small letters can have different doubles.
            single_spaced(&drawn(&fold_case(&normal))),
            // For capital letters that have doubles where the small ones have none.
            single_spaced(&fold_case(&drawn(&normal))),
        ];
        held.dedup();
        let mut clashing = held.clone();
        // A stroke of another script passes for each of ours: for l, I, 1 and |. So a name with one
        // clashes with all that have strokes there, while those without are different people.
        let strokes = held
            .last()
            .map_or_else(String::new, |key| key.replace(['i', '1', '|'], "l"));
        let (plain, foreign) = (format!("plain {strokes}"), format!("foreign {strokes}"));
        clashing.push(foreign.clone());
        if normal.chars().any(is_foreign_stroke) {
            clashing.push(plain);
            held.push(foreign);
        } else {
            held.push(plain);
        }
        Self { held, clashing }
    }
}

/// `name` could be taken for what the server says, or for a name and a message.
pub fn seems_to_be_the_servers(name: &str) -> bool {
    let normal: String = name.nfkc().collect();
    let drawn = drawn(&normal);
    let stray = |character: char| character.is_whitespace() || character.width() == Some(0);
    drawn.trim_start_matches(stray).starts_with('*') || drawn.contains('>')
}

/// `normal` as it is drawn: characters are replaced by what they look like in another script. The
/// letters of a name that is plainly of its own script, since some of them look like no others,
/// stay what they are.
fn drawn(normal: &str) -> String {
    let is_letter = |character: &char| character.is_alphabetic() && !character.is_ascii();
    let mut scripts: Vec<Script> = normal
        .chars()
        .filter(|character| character.is_alphabetic() && !is_blank(*character))
        .map(|character| character.script())
        .collect();
    scripts.dedup();
    let plain = scripts.len() <= 1 && normal.chars().filter(is_letter).any(is_at_home);
    let mut drawn = String::with_capacity(normal.len());
    for character in normal.chars() {
        if is_at_home(character) || (plain && is_letter(&character) && !is_blank(character)) {
            drawn.push(character);
        } else {
            drawn.extend(skeleton(character.encode_utf8(&mut [0; 4])));
        }
    }
    drawn
}

/// `character` is itself, and not the double of a letter of another script: it is ASCII, or an
/// ordinary letter (and no phonetic sign, say) that only looks like others of its own script.
fn is_at_home(character: char) -> bool {
    let own = character.script();
    let foreign = |other: char| other.script() != Script::Inherited && other.script() != own;
    character.is_ascii()
        || (character.identifier_allowed()
            && !is_blank(character)
            && !skeleton(character.encode_utf8(&mut [0; 4])).any(foreign))
}

/// `character` draws nothing.
fn is_blank(character: char) -> bool {
    skeleton(character.encode_utf8(&mut [0; 4]))
        .next()
        .is_none()
}

fn is_foreign_stroke(character: char) -> bool {
    !character.is_ascii() && drawn(character.encode_utf8(&mut [0; 4])).contains(STROKE)
}

/// Blanks of every kind look the same, and so do one and several, and none at the ends.
fn single_spaced(text: &str) -> String {
    text.split(|character: char| character.is_whitespace() || character == '\u{2800}')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Full case folding: `ß` is `ss`, and every sigma is one.
fn fold_case(text: &str) -> String {
    text.to_uppercase().to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(first: &str, second: &str) -> bool {
        let (first, second) = (Keys::of(first), Keys::of(second));
        first.clashing.iter().any(|key| second.held.contains(key))
    }

    /// Each row is one name for people.
    const ALIKE: [&[&str]; 18] = [
        &[
            "Rick",
            "rick",
            "RICK",
            "Ｒick",
            "Rіck",
            "Ri\u{200d}ck",
            "R\u{ad}ick",
            "𝐑𝐢𝐜𝐤",
            "Ꭱick",
            "Ri\u{3164}ck",
            "riсk",
            "Ric\u{fe0f}k",
            "Ⓡick",
        ],
        &["Henry", "Ηenry", "HENRY", "НENRY", "hеnry", "henrу"],
        &["Вадим", "вадим", "ВАДИМ"],
        &["Ian", "ian", "IAN", "Ιan", "Іan", "ӏan"],
        &["Al", "al", "AL", "Aӏ"],
        &["Straße", "STRASSE", "strasse"],
        &["Zoë", "zoë", "Zoe\u{308}", "ZOË"],
        &["Σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"],
        &["한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"],
        &["ﬁnn", "finn", "FINN"],
        &["Grace", "Grаce", "ｇｒａｃｅ"],
        &["Bob", "bοb", "ВOB"],
        &["ⅷ", "viii", "VIII"],
        &["Ilya", "Ӏӏya", "ӏlya"],
        &["user1", "userӏ", "user\u{661}"],
        &["a|b", "aǀb", "a∣b"],
        &["Rick", "Rick\u{2800}", "Rick \u{200d}", "Rick\u{200e}"],
        &["Rick 2", "Rick  2", "Rick \u{200d} 2"],
    ];

    /// Each row is different people.
    const DIFFERENT: [&[&str]; 14] = [
        &["emily", "ernily", "Emil", "Emilie"],
        &["R0b", "Rob", "Robb"],
        &["Al", "AI", "A1"],
        &["Ali", "All", "Ail"],
        &["user1", "userl", "user2", "user 1"],
        &["Zoe", "Zoë", "Zoé"],
        &["小明", "小朋", "小民"],
        &["Вадим", "Валим", "Vadim"],
        &["แดง", "แตง", "แคง"],
        &["คำ", "ดำ"],
        &["רון", "רוו"],
        &["Þór", "Pór"],
        &["Ída", "Ĺda"],
        &["ച", "വ"],
    ];

    #[test]
    fn names_that_look_the_same_have_a_key_in_common() {
        for row in ALIKE {
            for other in row {
                assert!(
                    alike(row[0], other),
                    "{} and {other}: {:?}",
                    row[0],
                    Keys::of(other)
                );
            }
        }
    }

    #[test]
    fn names_of_different_people_have_no_key_in_common() {
        for row in DIFFERENT {
            for (number, first) in row.iter().enumerate() {
                for second in &row[number + 1..] {
                    assert!(!alike(first, second), "{first} and {second}");
                }
            }
        }
    }
}
