//! Parses the command line of `trio-chat watch`.

use crate::arguments::{one_address, own_addresses, seconds, value};
use pico_args::Arguments;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Help of `trio-chat watch`.
pub const HELP: &str = "\
Usage:
  trio-chat watch [ADDR] [OPTION]...   see where every byte waits

Shows for each client of a server of yours on this host where its bytes wait:
at its own end, in our receive queue, at the reader's pace, in its outbox, in
our send queue, at its other end; and what it has missed. Who waits most comes
first. What this host cannot see is shown as -. ADDR is the server's address
[127.0.0.1:1234]; its port says which one. Ctrl-C leaves. Without a terminal it
prints one table and ends.

Options:
  --socket PATH           status socket of the server, instead of ADDR
  --seconds N             stop after N seconds
";

/// Options of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The server's address.
    pub address: String,
    /// All meanings of that.
    pub server: Vec<SocketAddr>,
    /// Its status socket, if it is not where it is by default.
    pub socket: Option<PathBuf>,
    /// Time after which to stop.
    pub duration: Option<Duration>,
}

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let socket = value(&mut arguments, "--socket", |text| Ok(PathBuf::from(text)))?;
        let duration = value(&mut arguments, "--seconds", seconds)?;
        let address = one_address(arguments)?;
        Ok(Self {
            server: own_addresses(&address)?,
            address,
            socket,
            duration,
        })
    }

    /// Returns what the server is called here.
    pub fn title(&self) -> String {
        match &self.socket {
            Some(path) => path.display().to_string(),
            None => self.address.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;

    #[test]
    fn the_port_says_which_server_unless_there_is_a_socket() {
        let options = Options::parse(arguments("[::1]:4321 --seconds 2")).unwrap();
        assert_eq!(
            (options.server[0].port(), options.title().as_str()),
            (4321, "[::1]:4321")
        );
        assert_eq!(options.duration, Some(Duration::from_secs(2)));
        let options = Options::parse(arguments("--socket /x/y")).unwrap();
        assert_eq!(
            (options.server[0].port(), options.title().as_str()),
            (1234, "/x/y")
        );
        assert!(Options::parse(arguments("1 2")).is_err());
    }
}
