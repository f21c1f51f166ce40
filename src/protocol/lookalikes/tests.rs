//! Tests names that must exclude each other, and names that must not. They are asked for as clients
//! do, so a name that is refused by itself is free for nobody.

use super::{draws_nothing, look_alike, prototype};
use crate::protocol::names;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::UnicodeScript;

/// Whether the second name is free while the first, which is allowed, is taken.
fn beside(first: &str, second: &str) -> bool {
    let first = names::check(first).unwrap_or_else(|_| panic!("{first:?} is refused"));
    names::check(second).is_ok_and(|second| !look_alike(&second, &first))
}

/// Rows of names whose first one excludes all the others.
const ALIKE: [&[&str]; 60] = [
    // Case, width and normalisation.
    &["Rick", "rick", "RICK", "Ｒick", "𝐑𝐢𝐜𝐤", "Ⓡick", "ʀick"],
    &["Straße", "STRASSE", "strasse", "STRAẞE", "Straẞe"],
    &["Σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ", "Σι\u{301}συφος"],
    &["ﬁnn", "finn", "FINN"],
    &["ⅷ", "viii", "VIII"],
    &["Вадим", "вадим", "ВАДИМ", "Bадим", "Вaдим", "Вадuм"],
    &["한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"],
    &["リカ", "ﾘｶ", "リ力"],
    // Letters with marks.
    &[
        "Zoë",
        "zoë",
        "Zoe\u{308}",
        "ZOË",
        "Zoё",
        "Zое\u{308}",
        "Zо\u{eb}",
        "Zο\u{eb}",
    ],
    &[
        "André",
        "ANDRE\u{301}",
        "Andrе\u{301}",
        "Аndré",
        "Andr\u{435}\u{341}",
    ],
    &[
        "Mária",
        "Mάria",
        "Ma\u{301}ria",
        "M\u{251}\u{301}ria",
        "Mа\u{301}ria",
        "Máriа",
    ],
    &["Žofie", "Z\u{306}ofie", "Z\u{30c}ofie", "žofіe"],
    &["Çelik", "C\u{326}elik", "C\u{321}elik", "Ҫelik"],
    &["Łukasz", "L\u{338}ukasz", "L\u{337}ukasz", "łukasz"],
    &["Søren", "So\u{338}ren", "So\u{337}ren", "SØREN"],
    &["Đave", "Ðave", "Ɖave", "đave", "ðave", "D\u{335}ave"],
    &["Ełk", "El\u{338}k", "El\u{337}k"],
    &["Nguyễn", "Nguye\u{302}\u{303}n", "Nguyê\u{342}n"],
    &["Thảo", "Tha\u{309}o", "Tha\u{350}o", "Tha\u{357}o"],
    // Soft dots.
    &[
        "Rick",
        "Ri\u{307}ck",
        "Rı\u{307}ck",
        "Rıck",
        "RİCK",
        "R\u{269}ck",
        "Ri\u{307}\u{307}ck",
        "Rİck",
    ],
    &["Jan", "j\u{307}an", "ȷ\u{307}an", "ȷan", "J\u{307}an"],
    &["Thị", "Thị\u{307}", "Thi\u{307}\u{323}", "THỊ"],
    &["İlker", "ilker", "i\u{307}lker", "İLKER"],
    &["Іван", "і\u{307}ван", "ІВАН"],
    // Punctuation.
    &[
        "Jean-Luc",
        "Jean\u{2010}Luc",
        "Jean\u{2011}Luc",
        "Jean\u{2012}Luc",
        "Jean\u{2013}Luc",
        "Jean\u{2212}Luc",
        "Jean\u{2043}Luc",
        "Jean－Luc",
        "Jean﹘Luc",
        "Jean➖Luc",
    ],
    &[
        "O'Neil",
        "O\u{2019}Neil",
        "O\u{2018}Neil",
        "O\u{2bc}Neil",
        "O\u{2bb}Neil",
        "O´Neil",
        "O＇Neil",
        "O′Neil",
        "Oꞌneil",
        "O\u{5f3}Neil",
    ],
    &["Gal·la", "Gal・la", "Gal•la", "Gal‧la"],
    &["a|b", "aǀb", "a∣b", "a│b"],
    &["v.1", "v․1"],
    &["ann_lee", "ann＿lee"],
    // Blanks, and characters that draw nothing.
    &[
        "Rick",
        "Ri\u{200d}ck",
        "R\u{ad}ick",
        "Ri\u{3164}ck",
        "Ric\u{fe0f}k",
        "Rick\u{2800}",
        "Rick \u{200d}",
        "Rick\u{200e}",
        "Rick\u{13430}",
        "Rick\u{1d159}",
        "Rick\u{34f}",
        "Ri\u{17b4}ck",
    ],
    &[
        "Rick 2",
        "Rick  2",
        "Rick \u{200d} 2",
        "Rick\u{3164}2",
        "Rick\u{2800}2",
        "Rick\u{a0}2",
        "Rick\u{3000}2",
        "Rick\u{200d}2",
        "Rick\u{1d159} 2",
    ],
    &["می\u{200c}خواهم", "میخواهم", "می خواهم"],
    &["❤", "❤\u{fe0f}"],
    // Mixed scripts.
    &["Rick", "Rіck", "Ꭱick", "riсk", "Riϲk", "Ri\u{ab81}k"],
    &["Олег", "Oлег", "Олeг", "олeг"],
    &[
        "Henry", "Ηenry", "НENRY", "hеnry", "henrу", "հenry", "heոry",
    ],
    &["Ian", "Ιan", "Іan", "ӏan", "iаn"],
    &["Al", "Aӏ", "Aا", "Aן"],
    &["Grace", "Grаce", "ｇｒａｃｅ", "ɡrace", "grɑce", "gr𝛂ce"],
    &["Bob", "bοb", "ВOB", "Bסb", "Bօb", "B๐b", "Bοb", "B০b"],
    &["Ilya", "Ӏӏya", "ӏlya"],
    &["user1", "userӏ", "user\u{661}", "userǀ"],
    &["Laura", "Lаura", "𝖫aura", "Laսra"],
    &["Αλέξης", "Aλέξης", "Αλέξηs"],
    &["שלום", "שלlם"],
    &["דו", "ד1", "ד|", "דl"],
    &["Kim", "\u{212a}im", "Кіm"],
    &["ジョー", "ジョ一"],
    // Whole names from another script.
    &["coco", "сосо", "СОСО", "ᴄᴏᴄᴏ"],
    &["вова", "BOBA"],
    &["Peter", "þeter"],
    &["Ivo", "Ӏѵо", "іѵо"],
    &["Læl", "Lael"],
    // One script has the same sign twice.
    &["Іван", "Ӏван"],
    &["马云", "⻢云"],
    &["黄明", "⻩明"],
    &["user \u{6f1}", "user \u{661}"],
    &["O'Neil", "O`Neil"],
    // Not assigned yet.
    &["Rick", "Rick\u{378}", "Ri\u{2fe0}ck", "Rick\u{3ffff}"],
];

/// Rows of names that do not exclude each other.
const DIFFERENT: [&[&str]; 32] = [
    &["emily", "ernily", "Emil", "Emilie"],
    &["R0b", "Rob", "Robb"],
    &["Al", "AI", "A1", "A|"],
    &["Ali", "All", "Ail"],
    &["user1", "userl", "user2", "user 1"],
    &["Zoe", "Zoë", "Zoé"],
    &["小明", "小朋", "小民"],
    &["小明1", "小明l", "小明 Al", "小明 AI"],
    &["Вадим", "Валим", "Vadim"],
    &["Олег", "Oleg", "Олед"],
    &["แดง", "แตง", "แคง"],
    &["คำ", "ดำ"],
    &["רון", "רוו"],
    &["علي", "على"],
    &["Τάσος", "Τάοος"],
    &["Þór", "Pór"],
    &["Ída", "Ĺda"],
    &["ച", "വ"],
    &["Žil", "ŽiI", "Ži1", "Zil"],
    &["Çem", "Çern", "Cem"],
    &["Łukasz", "Lukasz"],
    &["Søren", "Soren", "Sören"],
    &["Müller", "Muller", "Mueller"],
    &["İpek 1", "İpek l", "İpek I"],
    &["1", "l", "I", "0", "O", "#1", "."],
    &["🦀", "🦞", "🦀 1", "🦀 l"],
    &["ひかり", "ヒカリ", "光"],
    &["리", "이"],
    &["Jean-Luc", "Jean Luc", "JeanLuc", "Jean.Luc"],
    &["O'Neil", "ONeil", "O Neil"],
    &["Tom ทอม", "Tom"],
    &["µTorrent", "uTorrent"],
];

#[test]
fn names_that_look_the_same_cannot_be_had_beside_each_other() {
    let pairs = || {
        let rows = ALIKE.iter();
        rows.flat_map(|row| row[1..].iter().map(|other| (row[0], *other)))
    };
    assert!(pairs().count() >= 120);
    let beside: Vec<_> = pairs().filter(|(one, other)| beside(one, other)).collect();
    assert!(beside.is_empty(), "{beside:?}");
}

#[test]
fn names_of_different_people_can_be_had_beside_each_other() {
    for row in DIFFERENT {
        for first in row {
            for second in row.iter().filter(|second| *second != first) {
                assert!(beside(first, second), "{first} and {second}");
            }
        }
    }
}

/// Returns all characters that TS 39 draws as an ASCII letter, or as `-` or `'`, grouped by that.
/// ASCII itself is not among them, nor are characters that are ASCII once normalised. Those can be
/// told apart, though TS 39 treats `l`, `I`, `1` and `|` as one, and `0` and `O`, `'` and `` ` ``.
fn doubles() -> BTreeMap<String, Vec<char>> {
    let originals = ('a'..='z').chain('A'..='Z').chain(['-', '\'']);
    let mut doubles: BTreeMap<_, _> = originals.map(|it| (prototype(it), Vec::new())).collect();
    for double in '\u{80}'..=char::MAX {
        let is_ascii = || double.nfd().all(|normal| normal.is_ascii());
        match doubles.get_mut(&prototype(double)) {
            Some(found) if !is_ascii() => found.push(double),
            _ => {}
        }
    }
    doubles
}

#[test]
fn no_double_of_an_ascii_letter_makes_a_second_name() {
    let doubles = doubles();
    let mut n_names = 0;
    for original in ('a'..='z').chain('A'..='Z').chain(['-', '\'']) {
        for double in &doubles[&prototype(original)] {
            for (before, after) in [("", ""), ("R", "ck"), ("", "nna"), ("Jo ", " 2")] {
                let plain = format!("{before}{original}{after}");
                let second = format!("{before}{double}{after}");
                // A character that cleaning removes makes no double of the name.
                if names::check(&second).is_ok_and(|shown| !shown.contains(*double)) {
                    continue;
                }
                assert!(
                    !beside(&plain, &second),
                    "{plain} and {second} {:04x}",
                    u32::from(*double)
                );
                n_names += 1;
            }
        }
    }
    assert!(n_names > 6000, "{n_names}");
}

#[test]
fn no_letter_of_another_script_makes_a_second_name() {
    let doubles = doubles();
    let mut n_names = 0;
    for name in [
        "Олег",
        "Борис",
        "Іѵо",
        "Νίκος",
        "Αθηνά",
        "Արամ",
        "Սոնա",
        "ოთარ",
        "שלום",
        "דוד",
        "سلام",
        "دانا",
        "สมศรี",
        "राम",
        "রবি",
        "ราโอ",
        "ロビ",
        "ᎣᎳ",
        "ᒥᐱ",
        "မောင်",
        "കാവ്യ",
        "తార",
    ] {
        for (at, letter) in name.char_indices() {
            let drawn = prototype(letter);
            let ascii = (' '..='~').filter(|it| prototype(*it) == drawn);
            let others = doubles.get(&drawn).into_iter().flatten().copied();
            for other in ascii
                .chain(others)
                .filter(|other| other.script() != letter.script())
            {
                let mut second = name.to_owned();
                second.replace_range(at..at + letter.len_utf8(), &other.to_string());
                assert!(!beside(name, &second), "{name} and {second}");
                n_names += 1;
            }
        }
    }
    assert!(n_names > 500, "{n_names}");
}

#[test]
fn no_character_that_draws_nothing_makes_a_second_name() {
    // The unassigned ones are alike, and there are 800,000.
    let assigned = |it: char| it.general_category() != GeneralCategory::Unassigned;
    let tried = ('\0'..=char::MAX).filter(|it| *it < '\u{3000}' || assigned(*it));
    for blank in tried.filter(|it| draws_nothing(*it)) {
        for (plain, second) in [
            ("Rick", format!("Ri{blank}ck")),
            ("Rick", format!("Rick{blank}")),
            ("Rick 2", format!("Rick{blank}2")),
        ] {
            let is_taken_away = names::check(&second).is_ok_and(|shown| !shown.contains(blank));
            assert!(is_taken_away || !beside(plain, &second), "{second:?}");
        }
    }
}
