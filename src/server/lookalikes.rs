//! When do two names look the same to a person at a terminal? By their case, their width, their
//! normalisation, by characters that draw nothing, and by letters of other scripts that are drawn
//! alike (Unicode TS 39).
//!
//! Among ASCII characters only case is folded, though TS 39 has `0` and `O`, `1`, `I` and `l`, `rn`
//! and `m` for alike too: a terminal's font keeps them apart, and folding them would make one of
//! "Al" and "AI", of "Ali" and "All", of "emily" and "ernily", which people really are called.

use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// What TS 39 has for everything that is drawn as a plain stroke.
const STROKE: char = 'l';

/// Keys of `name`: two names look the same if they have one in common. A name in ASCII has one, any
/// other at most three.
pub fn keys(name: &str) -> BTreeSet<String> {
    let normal: String = name.nfkc().collect();
    [
        // For those that differ by case: capital and small letters can have different doubles.
        drawn(&fold_case(&normal), STROKE),
        // For capital letters that have doubles where the small ones have none.
        fold_case(&drawn(&normal, STROKE)),
        // A stroke of another script passes for an l, and for a capital I.
        fold_case(&drawn(&normal, 'I')),
    ]
    .into()
}

/// `name` as it is drawn: each character outside of ASCII is replaced by what it looks like, and
/// gone if it draws nothing. `stroke` stands for a foreign plain stroke.
pub fn drawn(name: &str, stroke: char) -> String {
    let mut drawn = String::with_capacity(name.len());
    for character in name.nfkc() {
        if character.is_ascii() {
            drawn.push(character);
        } else {
            let alike: String = skeleton(character.encode_utf8(&mut [0; 4])).collect();
            drawn += &alike.replace(STROKE, stroke.encode_utf8(&mut [0; 4]));
        }
    }
    drawn
}

/// `character` leaves no trace on a terminal, though it counts as a letter or a symbol: Hangul
/// fillers, the blank Braille pattern, the null notehead.
pub fn draws_nothing(character: char) -> bool {
    matches!(character, '\u{2800}' | '\u{1d159}')
        || skeleton(character.encode_utf8(&mut [0; 4]))
            .next()
            .is_none()
}

/// Full case folding: `ß` is `ss`, and every sigma is one.
fn fold_case(text: &str) -> String {
    text.to_uppercase().to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(first: &str, second: &str) -> bool {
        !keys(first).is_disjoint(&keys(second))
    }

    /// Each row is one name for people.
    const ALIKE: [&[&str]; 13] = [
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
    ];

    /// Each row is different people.
    const DIFFERENT: [&[&str]; 8] = [
        &["emily", "ernily", "Emil", "Emilie"],
        &["R0b", "Rob", "Robb"],
        &["Al", "AI", "A1"],
        &["Ali", "All", "Ail"],
        &["user1", "userl", "user2", "user 1"],
        &["Zoe", "Zoë", "Zoé"],
        &["小明", "小朋", "小民"],
        &["Вадим", "Валим", "Vadim"],
    ];

    #[test]
    fn names_that_look_the_same_have_a_key_in_common() {
        for row in ALIKE {
            for other in row {
                assert!(
                    alike(row[0], other),
                    "{} and {other}: {:?}",
                    row[0],
                    keys(other)
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

    #[test]
    fn letters_that_draw_nothing_are_known() {
        for character in [
            '\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{2800}', '\u{200d}',
        ] {
            assert!(draws_nothing(character), "{character:?}");
        }
        for character in ['a', 'é', '한', '🦀', '-', 'ӏ'] {
            assert!(!draws_nothing(character), "{character:?}");
        }
    }
}
