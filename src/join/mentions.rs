//! Finds a person's name in what others say. How it is shown is left to `looks`.

use std::ops::Range;

/// Returns where `name` stands in `text` as a whole word or after an `@`, in upper or lower case.
/// The `@` belongs to the place.
pub fn places(text: &str, name: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some((start, character)) = text[from..].char_indices().next() {
        let start = from + start;
        from = start + character.len_utf8();
        if text[..start].ends_with(is_word) {
            continue;
        }
        let at = usize::from(character == '@');
        if let Some(end) = end_of(&text[start + at..], name) {
            let end = start + at + end;
            if !text[end..].starts_with(is_word) {
                places.push(start..end);
                from = end;
            }
        }
    }
    places
}

/// Returns where `name` ends in `text`, if `text` begins with it.
fn end_of(text: &str, name: &str) -> Option<usize> {
    let mut rest = text.char_indices();
    for wanted in name.chars() {
        let (_, found) = rest.next()?;
        if !found.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    (!name.is_empty()).then_some(rest.offset())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        places(text, name).into_iter().map(|it| &text[it]).collect()
    }

    #[test]
    fn a_name_is_found_as_a_whole_word() {
        for (text, expected) in [
            ("Ada: look", &["Ada"][..]),
            ("thanks, ada", &["ada"]),
            ("@Ada and Ada!", &["@Ada", "Ada"]),
            ("Adam, Canada, ada_2", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(text, "Ada"), expected, "{text}");
        }
        assert_eq!(
            found("hello Grace Hopper", "Grace Hopper"),
            ["Grace Hopper"]
        );
        assert_eq!(found("žofie ŽOFIE", "Žofie"), ["žofie", "ŽOFIE"]);
        assert!(found("anything", "").is_empty());
    }

    proptest! {
        #[test]
        fn places_are_whole_characters(text in ".{0,40}", name in ".{0,4}") {
            for place in places(&text, &name) {
                prop_assert!(text.get(place).is_some());
            }
        }
    }
}
