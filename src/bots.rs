//! Runs clients that misbehave on purpose, to show backpressure from both ends. This file has what
//! they share: their options and their timer. Joining is left to `client`.

pub mod spam;
pub mod slow;

use crate::arguments::{one_address, seconds, value, whole};
use pico_args::Arguments;
use std::io;
use std::process;
use std::thread;
use std::time::Duration;

/// Help of `trio-chat spam` and `trio-chat slow`.
pub const HELP: &str = "\
Usage:
  trio-chat spam [ADDR] [OPTION]...   a bot that talks as fast as it can
  trio-chat slow [ADDR] [OPTION]...   a bot that reads too slowly

ADDR is the server's address [127.0.0.1:1234].

Options of the bots:
  --name NAME             another name
  --count N               stop after N messages sent, or N reads
  --seconds N             stop after N seconds
";

/// Options of a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the server is, as HOST:PORT.
    pub address: String,
    /// A name to use instead of the bot's own.
    pub name: Option<String>,
    /// Number of messages or reads after which to stop.
    pub count: Option<u64>,
    /// Time after which to stop.
    pub duration: Option<Duration>,
}

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let name = value(&mut arguments, "--name", |text| Ok(text.to_owned()))?;
        let count = value(&mut arguments, "--count", |text| whole(text, usize::MAX))?;
        let duration = value(&mut arguments, "--seconds", seconds)?;
        Ok(Self {
            address: one_address(arguments)?,
            name,
            count: count.map(|count| count as u64),
            duration,
        })
    }
}

/// Ends the process with exit code 0 after `duration`.
///
/// # Errors
/// When a thread cannot be started.
pub fn end_after(duration: Duration) -> io::Result<()> {
    thread::Builder::new()
        .name("timer".to_owned())
        .spawn(move || {
            thread::sleep(duration);
            process::exit(0);
        })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;

    #[test]
    fn a_bot_takes_an_address_and_its_options() {
        let line = arguments("4321 --name Eve --count 3 --seconds 1.5");
        let options = Options {
            address: "127.0.0.1:4321".to_owned(),
            name: Some("Eve".to_owned()),
            count: Some(3),
            duration: Some(Duration::from_millis(1500)),
        };
        assert_eq!(Options::parse(line), Ok(options));
    }

    #[test]
    fn the_servers_options_are_not_a_bots() {
        let message = Options::parse(arguments("--rate 3")).unwrap_err();
        assert!(message.contains("--rate"), "{message}");
    }
}
