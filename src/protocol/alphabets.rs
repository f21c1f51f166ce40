//! Keeps each name to one alphabet, as Unicode TS 39 defines "moderately restrictive". Latin goes
//! with one other script in common use, except Cyrillic and Greek. Han goes with kana, Bopomofo or
//! Hangul.
//!
//! Digits, punctuation, emoji and marks that several scripts share fit every alphabet. Whether
//! names of different alphabets look the same is left to `lookalikes`.

use unicode_script::{Script, ScriptExtension, UnicodeScript};
use unicode_security::mixed_script::AugmentedScriptSet;

/// Returns two scripts of `name` that must not be mixed, if there are any. Latin comes first.
pub fn mixed(name: &str) -> Option<(Script, Script)> {
    let shared = [Script::Common, Script::Inherited, Script::Unknown];
    let scripts = name.chars().map(|character| character.script());
    let mut scripts: Vec<Script> = scripts.filter(|it| !shared.contains(it)).collect();
    scripts.sort_by_key(|script| *script != Script::Latin);
    scripts.dedup();
    scripts.iter().enumerate().find_map(|(number, first)| {
        let mut others = scripts[number + 1..].iter();
        let second = others.find(|second| !go_together(*first, **second))?;
        Some((*first, *second))
    })
}

/// Whether a name may have letters of both scripts. If one of them is Latin, it must be `first`.
fn go_together(first: Script, second: Script) -> bool {
    if first == Script::Latin && !matches!(second, Script::Cyrillic | Script::Greek) {
        return second.is_recommended();
    }
    let mut both = AugmentedScriptSet::from(ScriptExtension::from(first));
    both.intersect_with(ScriptExtension::from(second).into());
    !both.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_alphabet_or_of_scripts_that_go_together_is_fine() {
        for name in [
            "",
            "#1.5 🦀",
            "Zoe\u{308}",
            "Алекса\u{301}ндр 2",
            "Ελένη",
            "ᏣᎳᎩ",
            "ᐳᐊᑕ",
            "小明 Ming",
            "リカ ひかり 明 Rika",
            "ㄅㄆ明",
            "김金Kim",
            "Tom ทอม",
            "Dana דנה",
            "user\u{661}",
            "Rick\u{f8ff}",
        ] {
            assert_eq!(mixed(name), None, "{name}");
        }
    }

    #[test]
    fn letters_of_scripts_that_do_not_go_together_are_found() {
        for (name, first, second) in [
            ("Rіck", Script::Latin, Script::Cyrillic),
            ("Олeг", Script::Latin, Script::Cyrillic),
            ("Mάria", Script::Latin, Script::Greek),
            ("Ꭱick", Script::Latin, Script::Cherokee),
            ("Оλ", Script::Cyrillic, Script::Greek),
            ("リカ김", Script::Katakana, Script::Hangul),
            ("Al ทอม דנה", Script::Thai, Script::Hebrew),
            ("明 Ян Al", Script::Latin, Script::Cyrillic),
        ] {
            assert_eq!(mixed(name), Some((first, second)), "{name}");
        }
    }
}
