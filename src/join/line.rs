//! Decides what a line of the room is: something said, something for this person alone, or a notice.
//! How each looks is left to `looks`.

use crate::protocol::notice::Notice;

/// What a line from the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Somebody has said this to everyone.
    Said {
        /// Who has.
        name: &'a str,
        /// What.
        text: &'a str,
    },
    /// Somebody has said this to this person alone.
    ToYou {
        /// Who has.
        name: &'a str,
        /// What.
        text: &'a str,
    },
    /// This person has missed messages, or is answered by the server about something that failed.
    Missed,
    /// The server says whatever else it has to say.
    Notice,
}

/// Returns what `line` is.
pub fn kind(line: &str) -> Kind<'_> {
    let Some(notice) = line.strip_prefix("* ") else {
        return match line.split_once("> ") {
            Some((name, text)) if !name.is_empty() => Kind::Said { name, text },
            _ => Kind::Notice,
        };
    };
    if let Some((name, text)) = notice.split_once(" (to you): ") {
        return Kind::ToYou { name, text };
    }
    match line.parse() {
        Ok(Notice::Missed(_)) => Kind::Missed,
        _ => Kind::Notice,
    }
}

/// Whether `line` may be the answer to a command. Announcements, messages of others and counts of
/// missed messages come by themselves.
pub fn may_answer(line: &str) -> bool {
    let is_announced = [" joined.", " left."].iter().any(|end| line.ends_with(end))
        || line.ends_with('.') && line.contains(" is now ");
    let is_about_the_room = matches!(
        line.parse(),
        Ok(Notice::CutOff
            | Notice::Back
            | Notice::EngineFull
            | Notice::MayHaveMissed
            | Notice::NotSaid(_))
    );
    kind(line) == Kind::Notice && !is_announced && !is_about_the_room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_private_or_a_notice() {
        for (line, expected) in [
            (
                "Ada> a > b",
                Kind::Said {
                    name: "Ada",
                    text: "a > b",
                },
            ),
            (
                "* Ada (to you): hi",
                Kind::ToYou {
                    name: "Ada",
                    text: "hi",
                },
            ),
            ("* You missed 3 messages.", Kind::Missed),
            ("* Ada joined.", Kind::Notice),
            ("* To Ada: hi", Kind::Notice),
            ("> hi", Kind::Notice),
            ("", Kind::Notice),
        ] {
            assert_eq!(kind(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_comes_by_itself_answers_nothing() {
        for line in ["* Nobody else is here.", "* To Ada: hi", "* - Ada, Bob"] {
            assert!(may_answer(line), "{line}");
        }
        for line in [
            "* Ada left.",
            "* Ada is now Grace.",
            "* The room is back.",
            "* Ada (to you): hi",
            "* You missed 1 message.",
            "Ada> hi",
        ] {
            assert!(!may_answer(line), "{line}");
        }
    }
}
