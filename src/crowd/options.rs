//! The command line of `trio-chat crowd`.

use super::dialect::{Dialect, MIN_SIZE};
use crate::arguments::{interval, one_address, seconds, value, whole};
use crate::protocol::MAX_LINE;
use pico_args::Arguments;
use std::time::Duration;

/// Maximum number of clients in a crowd: their names have five digits.
const MAX_CLIENTS: usize = 99_999;

/// What `trio-chat crowd --help` prints.
pub const HELP: &str = "\
Usage:
  trio-chat crowd [ADDR] [OPTION]...   many clients at once, to measure a server

ADDR is the server's address [127.0.0.1:1234].

Options of the crowd:
  --clients N             how many join [100]
  --talkers N             how many of them talk [all]
  --rate N                messages per second and talker, 0 for all it takes [5]
  --size N                bytes of a message [64]
  --seconds N             how long they talk [5]
  --pid PID               the server's process: tell what it needs
  --protocol NAME         what the server speaks: line, raw or irc [line]
  --json                  print one line for scripts
";

/// Options of the crowd.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the server is, as HOST:PORT.
    pub address: String,
    /// How many join; at least 1.
    pub n_clients: usize,
    /// How many of them talk; at least 1.
    pub n_talkers: usize,
    /// Messages per second and talker; without it as many as the sockets take.
    pub rate: Option<f64>,
    /// Bytes of a message; a stamp has to fit.
    pub size: usize,
    /// How long they talk.
    pub seconds: f64,
    /// The server's process, if it is on this host.
    pub pid: Option<u32>,
    /// What the server speaks.
    pub dialect: Dialect,
    /// Print one line for scripts.
    pub json: bool,
}

impl Options {
    /// Reads what follows the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let n_clients = value(&mut arguments, "--clients", |text| whole(text, MAX_CLIENTS))?;
        let n_clients = n_clients.unwrap_or(100);
        let n_talkers = value(&mut arguments, "--talkers", |text| whole(text, usize::MAX))?;
        let line_interval = value(&mut arguments, "--rate", interval)?;
        let size = value(&mut arguments, "--size", |text| whole(text, MAX_LINE))?;
        let duration = value(&mut arguments, "--seconds", seconds)?;
        let pid = value(&mut arguments, "--pid", |text| {
            whole(text, u32::MAX as usize)
        })?;
        let dialect = value(&mut arguments, "--protocol", |text| match text {
            "line" => Ok(Dialect::Line),
            "raw" => Ok(Dialect::Raw),
            "irc" => Ok(Dialect::Irc),
            _ => Err("that is none of line, raw and irc".to_owned()),
        })?;
        let dialect = dialect.unwrap_or(Dialect::Line);
        if n_clients == 1 && !dialect.echoes() {
            return Err("--clients 1: nobody would hear it, with this protocol".to_owned());
        }
        let json = arguments.contains("--json");
        let line_interval = line_interval.unwrap_or(Duration::from_millis(200));
        Ok(Self {
            address: one_address(arguments)?,
            n_clients,
            n_talkers: n_talkers.unwrap_or(n_clients).min(n_clients),
            rate: (!line_interval.is_zero()).then(|| 1.0 / line_interval.as_secs_f64()),
            size: size.unwrap_or(64).max(MIN_SIZE),
            seconds: duration.map_or(5.0, |duration| duration.as_secs_f64()),
            pid: pid.and_then(|pid| u32::try_from(pid).ok()),
            dialect,
            json,
        })
    }
}
