//! Decides whether two names look the same to a person at a terminal. They do if they differ only
//! in case, width, normalisation and characters that draw nothing. They also do if Unicode TS 39
//! draws them alike from characters of different scripts.
//!
//! TS 39 also treats `0`/`O`, `l`/`I`, `rn`/`m` and some Thai or Hebrew pairs as confusable. We
//! don't: readers of a script can tell its letters apart, and people really are called Al and AI,
//! emily and ernily, แดง and แตง. Keeping a name to one alphabet is left to `alphabets`.

use super::text::{draws, draws_nothing};
use std::collections::HashMap;
use std::iter;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};
use unicode_security::skeleton;

/// One look of a name. While the name is in use, it keeps others from looking like it.
#[derive(Debug)]
pub struct Key {
    look: String,
    /// The look with the script of each character: names that share this too may share the look.
    /// `None` if no other name may look like this.
    in_script: Option<String>,
}

impl Key {
    /// Returns the keys of `name`. A character that draws nothing can be read as nothing or as a
    /// space, so both readings have keys.
    pub fn all_of(name: &str) -> Vec<Self> {
        let mut readings = vec![
            name.replace(draws_nothing, ""),
            name.replace(draws_nothing, " "),
        ];
        readings.dedup();
        let readings = readings.iter();
        readings.flat_map(|name| Self::of_reading(name)).collect()
    }

    /// Whether a new name may have this key. `n_held` says how often names in use hold each text.
    /// All of them that look like this must be in the same script.
    pub fn is_free(&self, n_held: &HashMap<String, usize>) -> bool {
        let in_script = self.in_script.as_ref().and_then(|text| n_held.get(text));
        n_held.get(&self.look) == in_script
    }

    /// Returns the texts that a name with this key holds while it is in use.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        iter::once(&self.look).chain(&self.in_script)
    }

    /// Returns the look, and the look in its script. That is empty if no other name may look so.
    pub fn into_texts(self) -> (String, String) {
        (self.look, self.in_script.unwrap_or_default())
    }

    fn of_reading(name: &str) -> [Self; 3] {
        let folded = settled(&in_capitals(&name.nfkd().collect::<String>()));
        [
            Self::drawn(name, settled(&in_capitals(&drawn(name)))),
            // Capital letters can have lookalikes where the small ones have none.
            Self::drawn(&folded, settled(&drawn(&folded))),
            Self {
                // The newline keeps this apart from drawn looks, in which `I` and `l` can be the
                // same.
                look: folded + "\n",
                in_script: None,
            },
        ]
    }

    fn drawn(name: &str, look: String) -> Self {
        let in_script = scripts(name).map(|scripts| format!("{look}\n{scripts}"));
        Self { look, in_script }
    }
}

/// Whether two names look so alike that not both can be in use.
pub fn look_alike(name: &str, other: &str) -> bool {
    let mut n_held = HashMap::new();
    for key in Key::all_of(other) {
        for text in key.texts() {
            *n_held.entry(text.clone()).or_insert(0) += 1;
        }
    }
    !Key::all_of(name).iter().all(|key| key.is_free(&n_held))
}

/// Whether `name` could be mistaken for a line of the server's, or for a name with a message.
pub fn seems_to_be_the_servers(name: &str) -> bool {
    // Some scripts have letters that look like these signs. Among other letters they are read as
    // letters.
    let is_letter = |it: char| it.is_alphabetic() && draws(it);
    let is_word = |it: char| is_letter(it) && !prototype(it).contains(['*', '>']);
    let has_words = name.contains(is_word);
    let signs = drawn(&name.replace(|it: char| has_words && is_letter(it), "x"));
    let signs = signs.trim_start_matches(|character| !draws(character));
    signs.starts_with('*') || signs.contains('>')
}

/// Whether `name` could make a private message seem to be somebody else's: "Rick (to you): hi".
pub fn seems_to_be_private(name: &str) -> bool {
    let visible = name.replace(|it: char| it.is_whitespace() || !draws(it), "");
    drawn(&visible).to_lowercase().contains(&drawn("(toyou"))
}

/// Returns the script of each character that `text` is drawn with. Returns `None` if it has digits,
/// punctuation, or letters of some scripts that are drawn like others: Unicode has too many of those
/// to tell apart.
fn scripts(text: &str) -> Option<String> {
    let mut scripts = String::new();
    for character in text.nfd() {
        let drawn = prototype(character);
        let script = match character.script() {
            _ if character.is_ascii() && character != '`' => Script::Latin,
            script if drawn.chars().eq([character]) => script,
            Script::Latin | Script::Common | Script::Cyrillic | Script::Han => return None,
            _ if character.is_numeric() => return None,
            script => script,
        };
        scripts.extend(drawn.chars().map(|_| script.short_name()));
    }
    Some(scripts)
}

/// Returns `text` as TS 39 draws it. Its tables lack some characters that differ only by width.
fn drawn(text: &str) -> String {
    let narrow: String = skeleton(text).nfkd().collect();
    skeleton(&narrow).collect()
}

fn prototype(character: char) -> String {
    skeleton(character.encode_utf8(&mut [0; 4])).collect()
}

/// Folds case: `ß` becomes `SS`, and both small sigmas become one letter.
fn in_capitals(text: &str) -> String {
    text.to_lowercase().to_uppercase()
}

/// Returns `text` with marks as they are drawn, without the dots of `I` and `J`, and with single
/// spaces. This must come last, since folding case and drawing undo normalisation.
fn settled(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    for character in text.nfkd() {
        match character.script() {
            Script::Inherited => marked += &prototype(character),
            _ => marked.push(character),
        }
    }
    let mut letter = ' ';
    let is_seen = |character: &char| {
        if !is_combining_mark(*character) {
            letter = *character;
        }
        *character != '\u{307}' || !matches!(letter, 'I' | 'J' | 'І' | 'Ј')
    };
    let dotless: String = marked.nfkd().filter(is_seen).collect();
    dotless.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
