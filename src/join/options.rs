//! Parses the command line of `trio-chat join`. What the environment says about colours is left to
//! `looks`, and whether there is a terminal to `join`.

use crate::arguments::{one_address, value};
use pico_args::Arguments;
use std::path::PathBuf;

/// Help of `trio-chat join`.
pub const HELP: &str = "\
Usage:
  trio-chat join [ADDR] [OPTION]...   join the room from a terminal

ADDR is the server's address [127.0.0.1:1234]. What you type stays whole while
messages appear above it. Without a terminal it is a pipe: lines of standard
input go to the room, and the room's go to standard output.

Options:
  --name NAME             join under this name, without asking
  --password-file FILE    the room's password; else TRIO_CHAT_PASSWORD has it,
                          or you are asked
  --time                  show when each line came
  --bell                  ring when somebody names you or writes to you alone
  --color WHEN            auto, always or never [auto]
  --plain                 move no cursor, for screen readers
  --no-reconnect          end when the connection is lost

Keys: Enter sends, Tab completes names and commands, Up and Down go through
what you sent, and so does Ctrl-R: type a part of it first. Ctrl-C takes back
a paste that still waits, then clears the line, then leaves; so does Ctrl-D on
an empty line.
";

/// When lines are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that can show colours, unless `NO_COLOR` is set.
    Auto,
    /// Always, even in a pipe.
    Always,
    /// Never.
    Never,
}

/// Options of the terminal client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Options {
    /// Where the server is, as HOST:PORT.
    pub address: String,
    /// The name to join under; it is asked for if none is given.
    pub name: Option<String>,
    /// The file with the password of the room.
    pub password: Option<PathBuf>,
    /// Whether the time stands in front of each line.
    pub shows_time: bool,
    /// Whether the bell rings when somebody names the person.
    pub rings: bool,
    /// When lines are coloured.
    pub color: Color,
    /// Whether the cursor must not be moved.
    pub plain: bool,
    /// Whether a lost connection is tried again.
    pub reconnects: bool,
}

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let name = value(&mut arguments, "--name", |text| Ok(text.to_owned()))?;
        let password = value(&mut arguments, "--password-file", |text| Ok(text.into()))?;
        let color = value(&mut arguments, "--color", color)?;
        Ok(Self {
            name,
            password,
            color: color.unwrap_or(Color::Auto),
            shows_time: arguments.contains("--time"),
            rings: arguments.contains("--bell"),
            plain: arguments.contains("--plain"),
            reconnects: !arguments.contains("--no-reconnect"),
            address: one_address(arguments)?,
        })
    }
}

fn color(when: &str) -> Result<Color, String> {
    match when {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err("write auto, always or never".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;

    #[test]
    fn join_takes_an_address_and_its_options() {
        let line =
            "4321 --name Ada --password-file it --time --bell --color never --plain --no-reconnect";
        let options = Options {
            address: "127.0.0.1:4321".to_owned(),
            name: Some("Ada".to_owned()),
            password: Some("it".into()),
            shows_time: true,
            rings: true,
            color: Color::Never,
            plain: true,
            reconnects: false,
        };
        assert_eq!(Options::parse(arguments(line)), Ok(options));
        let options = Options::parse(arguments("")).unwrap();
        assert_eq!((options.color, options.reconnects), (Color::Auto, true));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, part) in [
            ("--color red", "--color red: write auto, always or never"),
            ("--rate 3", "there is no option --rate"),
            ("1 2", "takes one address"),
        ] {
            let message = Options::parse(arguments(line)).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
