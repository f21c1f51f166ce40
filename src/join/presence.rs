//! Reads from the room's lines who is here and who is not any more. What that is good for is left to
//! `completion`.

use super::line::{Kind, kind};

/// What a line shows about names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Presence<'a> {
    /// Those who are here, and have just done something.
    pub here: Vec<&'a str>,
    /// Those whom nobody has any more.
    pub gone: Vec<&'a str>,
}

/// Returns what `line` shows.
pub fn presence(line: &str) -> Presence<'_> {
    match kind(line) {
        Kind::Said { name, .. } | Kind::ToYou { name, .. } => Presence {
            here: vec![name],
            ..Presence::default()
        },
        Kind::Notice => announced(line).unwrap_or_default(),
        Kind::Missed => Presence::default(),
    }
}

fn announced(line: &str) -> Option<Presence<'_>> {
    let notice = line.strip_prefix("* ")?.strip_suffix('.')?;
    let mut presence = Presence::default();
    if notice.starts_with("To ") && notice.contains(": ") {
        // This person's own words.
    } else if let Some(names) = notice.strip_suffix(" joined") {
        presence.here = several(names);
    } else if let Some(names) = [" left", " took another name"]
        .iter()
        .find_map(|end| notice.strip_suffix(end))
    {
        presence.gone = several(names);
    } else if let Some((from, to)) = notice.split_once(" is now ")
        && !to.contains(" is now ")
    {
        presence.here = vec![to];
        presence.gone = vec![from];
    }
    Some(presence)
}

/// Returns the names in "Ada", "Ada, Bob and 1 other" or "Ada, Bob and 3 others". "Ada and Bob" may be
/// one name or two, so it counts as one.
fn several(names: &str) -> Vec<&str> {
    let others = [" other", " others"];
    let is_count = |last: &str| others.iter().any(|it| last.ends_with(it));
    match names.rsplit_once(" and ") {
        Some((first, last)) if is_count(last) => first.split(", ").collect(),
        _ => vec![names],
    }
}

/// Whether a list of those who are here follows `line`.
pub fn begins_list(line: &str) -> bool {
    line.starts_with("* ") && line.ends_with(" people are here, oldest first:")
}

/// Returns the names in a line of that list, or `None` if it is none.
pub fn listed(line: &str) -> Option<impl Iterator<Item = &str>> {
    let names = line.strip_prefix("* - ")?.split(',').map(str::trim);
    let is_count = |name: &str| name.starts_with("and ") && name.ends_with(" others");
    Some(names.filter(move |name| !name.is_empty() && !is_count(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_who_is_here_and_who_is_gone() {
        for (line, here, gone) in [
            ("Ada> hi", &["Ada"][..], &[][..]),
            ("* Ada (to you): hi", &["Ada"], &[]),
            ("* Ada Lovelace joined.", &["Ada Lovelace"], &[]),
            ("* Ada, Bob and 3 others joined.", &["Ada", "Bob"], &[]),
            ("* Ada and Bob joined.", &["Ada and Bob"], &[]),
            ("* Ada left.", &[], &["Ada"]),
            ("* Ada, Bob and 1 other left.", &[], &["Ada", "Bob"]),
            ("* Ada took another name.", &[], &["Ada"]),
            ("* Ada is now Countess.", &["Countess"], &["Ada"]),
            ("* A is now B is now C.", &[], &[]),
            ("* To Bob: Ada has left.", &[], &[]),
            ("* You missed 3 messages.", &[], &[]),
            ("* - Ada, Bob", &[], &[]),
            ("", &[], &[]),
        ] {
            let (here, gone) = (here.to_vec(), gone.to_vec());
            assert_eq!(presence(line), Presence { here, gone }, "{line}");
        }
    }

    #[test]
    fn a_list_has_names() {
        assert!(begins_list("* 3 people are here, oldest first:"));
        assert!(!begins_list("Ada> 3 people are here, oldest first:"));
        let names = |line| listed(line).map(Iterator::collect::<Vec<_>>);
        let expected = vec!["Ada", "Guard #1"];
        assert_eq!(names("* - Ada, Guard #1,"), Some(expected));
        assert_eq!(names("* - and 800 others"), Some(vec![]));
        assert_eq!(names("* Ada joined."), None);
    }
}
