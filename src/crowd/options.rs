//! Parses the command line of `trio-chat crowd`: its options, their defaults and their help.
//! Nothing is looked up or connected here.

use super::dialect::{Dialect, MIN_SIZE};
use crate::arguments::{addresses, interval, seconds, value, whole};
use crate::protocol::MAX_LINE;
use pico_args::Arguments;
use std::time::Duration;

/// Maximum number of clients, including those that leave: their names have five digits.
const MAX_CLIENTS: usize = 99_999;

/// Help of `trio-chat crowd`.
pub const HELP: &str = "\
Usage:
  trio-chat crowd [ADDR]... [OPTION]...   many clients, to measure a server

ADDR is the server's address [127.0.0.1:1234]. With several, the clients are
dealt round: the servers share one room.

Options of the crowd:
  --clients N             clients that join [100]
  --churn N               others that join and leave before each of them [none]
  --talkers N             clients that talk [all]
  --ask LINE              line that all others send as often [none]
  --rate N                messages per second per talker, 0 for no limit [5]
  --size N                bytes per message [64]
  --seconds N             time that they talk [5]
  --pid PID               process of the server, to show what it needs; once for
                          each of several servers, which are added up
  --protocol NAME         protocol of the server: line, raw or irc [line]
  --json                  print one line for scripts
";

/// Options of the crowd.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the servers are, as HOST:PORT; at least one.
    pub addresses: Vec<String>,
    /// Clients that join and stay; at least 1.
    pub n_clients: usize,
    /// Others that join and leave before each one that stays.
    pub n_churn: usize,
    /// Clients that talk; at least 1.
    pub n_talkers: usize,
    /// Line that all other clients send as often as the talkers talk.
    pub ask: Option<String>,
    /// Messages per second per talker, or `None` for as many as the sockets take.
    pub rate: Option<f64>,
    /// Bytes per message, enough for a stamp.
    pub size: usize,
    /// Time that the talkers talk, in seconds.
    pub seconds: f64,
    /// Processes of the servers, if they are known.
    pub pids: Vec<u32>,
    /// Protocol of the server.
    pub dialect: Dialect,
    /// Whether to print one line for scripts.
    pub json: bool,
}

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let n_clients = value(&mut arguments, "--clients", |text| whole(text, MAX_CLIENTS))?;
        let n_clients = n_clients.unwrap_or(100);
        let n_talkers = value(&mut arguments, "--talkers", |text| whole(text, usize::MAX))?;
        let ask = value(&mut arguments, "--ask", |text| Ok(text.to_owned()))?;
        let n_churn = value(&mut arguments, "--churn", |text| whole(text, MAX_CLIENTS))?;
        let n_churn = n_churn.unwrap_or(0);
        if n_clients * (n_churn + 1) > MAX_CLIENTS {
            return Err(format!(
                "--churn {n_churn}: that makes more than {MAX_CLIENTS} clients in all"
            ));
        }
        let line_interval = value(&mut arguments, "--rate", interval)?;
        let size = value(&mut arguments, "--size", |text| whole(text, MAX_LINE))?;
        let duration = value(&mut arguments, "--seconds", seconds)?;
        let mut pids = Vec::new();
        while let Some(pid) = value(&mut arguments, "--pid", |text| {
            whole(text, u32::MAX as usize)
        })? {
            pids.push(pid as u32);
        }
        let dialect = value(&mut arguments, "--protocol", |text| match text {
            "line" => Ok(Dialect::Line),
            "raw" => Ok(Dialect::Raw),
            "irc" => Ok(Dialect::Irc),
            _ => Err("that is not one of line, raw and irc".to_owned()),
        })?;
        let dialect = dialect.unwrap_or(Dialect::Line);
        if n_clients == 1 && !dialect.echoes() {
            return Err("--clients 1: with this protocol, no client would hear it".to_owned());
        }
        let json = arguments.contains("--json");
        let line_interval = line_interval.unwrap_or(Duration::from_millis(200));
        Ok(Self {
            addresses: addresses(arguments)?,
            n_clients,
            n_talkers: n_talkers.unwrap_or(n_clients).min(n_clients),
            n_churn,
            ask,
            rate: (!line_interval.is_zero()).then(|| 1.0 / line_interval.as_secs_f64()),
            size: size.unwrap_or(64).max(MIN_SIZE),
            seconds: duration.map_or(5.0, |duration| duration.as_secs_f64()),
            pids,
            dialect,
            json,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;

    #[test]
    fn a_crowd_takes_an_address_and_its_options() {
        let line = "4321 --clients 20 --talkers 50 --ask /who --churn 3 --rate 0 --size 1 --json";
        let options = Options {
            addresses: vec!["127.0.0.1:4321".to_owned()],
            n_clients: 20,
            n_talkers: 20,
            n_churn: 3,
            ask: Some("/who".to_owned()),
            rate: None,
            size: MIN_SIZE,
            seconds: 5.0,
            pids: vec![],
            dialect: Dialect::Line,
            json: true,
        };
        assert_eq!(Options::parse(arguments(line)), Ok(options));
    }

    #[test]
    fn a_crowd_takes_several_servers() {
        let options = Options::parse(arguments("1 --pid 7 2 --pid=8")).unwrap();
        assert_eq!(options.addresses, ["127.0.0.1:1", "127.0.0.1:2"]);
        assert_eq!(options.pids, [7, 8]);
    }

    #[test]
    fn a_crowd_that_makes_no_sense_is_refused_in_one_sentence() {
        for (line, part) in [
            (
                "--clients 1 --protocol irc",
                "--clients 1: with this protocol",
            ),
            (
                "--clients 10000 --churn 9",
                "--churn 9: that makes more than 99999",
            ),
            ("--protocol http", "--protocol http: that is not one of"),
        ] {
            let message = Options::parse(arguments(line)).unwrap_err();
            assert!(message.starts_with(part), "{message}");
        }
    }
}
