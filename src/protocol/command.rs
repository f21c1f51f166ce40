//! Parses commands: lines that begin with `/`. Who is meant, and what a command does, is left to the
//! session and the room.

use super::addressee::Letter;

/// What `/help` answers.
pub const HELP: &str = "\
* /help - show this
* /who - show who is here
* /me TEXT - say what you do: *TEXT*
* /nick NAME - take another name
* /msg NAME TEXT - say something to one person
* /r TEXT - answer the last one who did that to you
* /quit - leave
* //TEXT - say something that begins with a slash
";

/// A line that is for the server, and not for everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks which commands there are.
    Help,
    /// Asks who is here.
    Who,
    /// Says what the client does.
    Me(String),
    /// Takes another name.
    Nick(String),
    /// Says something to one other client.
    Message(Letter),
    /// Says something to the client that has last written to this one.
    Reply(String),
    /// Leaves.
    Quit,
    /// A command that does not exist.
    Unknown,
    /// A command that lacks its text.
    Incomplete,
    /// A command that is longer than a line may be. Nothing more is known of it.
    Long,
}

impl Command {
    /// Parses what follows the slash. Upper and lower case are the same. Words after a command that
    /// needs none are ignored.
    pub fn parse(text: &str) -> Self {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let with_text = |command: fn(String) -> Self| match rest.trim() {
            "" => Self::Incomplete,
            text => command(text.to_owned()),
        };
        match name.to_ascii_lowercase().as_str() {
            "help" => Self::Help,
            "who" => Self::Who,
            "me" => with_text(Self::Me),
            "nick" => with_text(Self::Nick),
            "msg" => with_text(|words| Self::Message(Letter::new(words))),
            "r" => with_text(Self::Reply),
            "quit" | "exit" => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::text;

    #[test]
    fn a_command_is_a_word_and_its_text() {
        for (text, command) in [
            ("who", Command::Who),
            ("WHO is here?", Command::Who),
            ("me  waves ", Command::Me("waves".to_owned())),
            ("nick Ada 2", Command::Nick("Ada 2".to_owned())),
            (
                "msg Ada hi",
                Command::Message(Letter::new("Ada hi".to_owned())),
            ),
            ("r\thi", Command::Reply("hi".to_owned())),
            ("exit", Command::Quit),
            ("quit", Command::Quit),
            ("help", Command::Help),
            ("me", Command::Incomplete),
            ("msg ", Command::Incomplete),
            ("mgs ada secret", Command::Unknown),
            ("whois", Command::Unknown),
            ("", Command::Unknown),
            (" who", Command::Unknown),
        ] {
            assert_eq!(Command::parse(text), command, "{text:?}");
        }
    }

    #[test]
    fn the_help_fits_a_small_terminal_and_names_every_command() {
        assert!(HELP.lines().count() <= 10);
        assert!(
            HELP.lines()
                .all(|line| line.starts_with("* /") && line.len() <= 72)
        );
        // Clients clean what they show.
        assert!(HELP.lines().all(|line| text::clean(line) == line));
        for name in ["help", "who", "me x", "nick x", "msg x", "r x", "quit"] {
            assert_ne!(Command::parse(name), Command::Unknown);
            assert!(HELP.contains(&format!("* /{}", name.trim_end_matches(" x"))));
        }
    }
}
