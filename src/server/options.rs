//! Parses the command line of `trio-chat serve`: its options, their defaults and their help.
//! Nothing is opened, looked up or started here.

use super::link::address::{self, Address, Place};
use super::shared::Config;
use crate::arguments::{addresses, interval, seconds, value, whole};
use crate::net::status_socket;
use crate::room::Rules;
use log::LevelFilter;
use pico_args::Arguments;
use std::env;
use std::path::PathBuf;

/// Maximum number of places in an outbox. They are allocated for every client, and more would never
/// be filled.
const MAX_QUEUE: usize = 4096;

/// The environment variable for the address of Redis.
const REDIS: &str = "TRIO_CHAT_REDIS";

/// Help of `trio-chat serve`.
pub const HELP: &str = "\
Usage:
  trio-chat [serve] [ADDR]... [OPTION]...   run the room

ADDR is HOST:PORT, or just a port of 127.0.0.1 [127.0.0.1:1234].
0.0.0.0:PORT lets others join.

Options of the server:
  --rate N                lines per second per client, 0 for no limit [5]
  --queue N               frames kept for a slow client [32]
  --max-clients N         maximum number of clients [what the host can carry]
  --name-timeout SECONDS  time to give a name [60]
  --announce              tell everyone who comes and goes
  --history N             earlier messages that a newcomer gets [none]
  --password-file FILE    ask for the password in its first line
  --motd FILE             text that a newcomer gets, at most 32 lines
  --transcript FILE       file to which everything that is said is appended
  --status PATH           socket for who looks in, or none [in a private folder]
  --redis URL             share the room with other servers: redis://HOST:PORT
  --room NAME             which room there [main]
  -v, -q                  log more; log warnings and errors only
";

/// Options of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where to listen, as HOST:PORT; at least one.
    pub addresses: Vec<String>,
    /// The server's configuration.
    pub config: Config,
    /// The file with the password.
    pub password: Option<PathBuf>,
    /// The file with the message of the day.
    pub motd: Option<PathBuf>,
    /// The file that what is said is appended to.
    pub transcript: Option<PathBuf>,
    /// Where the status socket is to be.
    pub status: status_socket::Place,
    /// Whether the command line has a password, which everyone on this host can read.
    pub shows_password: bool,
    /// The least important level that is logged.
    pub log_level: LevelFilter,
}

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let default = Config::default();
        let line_interval = value(&mut arguments, "--rate", interval)?;
        let queue_frames = value(&mut arguments, "--queue", |text| whole(text, MAX_QUEUE))?;
        let max_clients = value(&mut arguments, "--max-clients", |text| {
            whole(text, usize::MAX)
        })?;
        let name_timeout = value(&mut arguments, "--name-timeout", seconds)?;
        let announces = arguments.contains("--announce");
        let n_history = value(&mut arguments, "--history", |text| whole(text, usize::MAX))?;
        let file = |text: &str| match text {
            "" => Err("give the name of a file".to_owned()),
            _ => Ok(PathBuf::from(text)),
        };
        let password = value(&mut arguments, "--password-file", file)?;
        let motd = value(&mut arguments, "--motd", file)?;
        let transcript = value(&mut arguments, "--transcript", file)?;
        let status = value(&mut arguments, "--status", |text| {
            Ok(match text {
                "none" => status_socket::Place::Nowhere,
                _ => status_socket::Place::At(PathBuf::from(text)),
            })
        })?;
        let given = value(&mut arguments, "--redis", Address::parse)?;
        let shows_password = given.as_ref().is_some_and(Address::has_password);
        let redis = given.map_or_else(address_of_environment, |given| Ok(Some(given)))?;
        let room = value(&mut arguments, "--room", address::room)?;
        let log_level = match (arguments.contains("-v"), arguments.contains("-q")) {
            (true, true) => {
                return Err("-v and -q contradict each other; give one of them".to_owned());
            }
            (true, false) => LevelFilter::Debug,
            (false, true) => LevelFilter::Warn,
            (false, false) => LevelFilter::Info,
        };
        Ok(Self {
            addresses: addresses(arguments)?,
            config: Config {
                line_interval: line_interval.unwrap_or(default.line_interval),
                queue_frames: queue_frames.unwrap_or(default.queue_frames),
                max_clients,
                name_timeout: name_timeout.unwrap_or(default.name_timeout),
                room: Rules {
                    n_history: n_history.unwrap_or(0),
                    announces,
                    ..Rules::default()
                },
                place: place(redis, room)?,
                ..default
            },
            password,
            motd,
            transcript,
            status: status.unwrap_or(status_socket::Place::Private),
            shows_password,
            log_level,
        })
    }
}

/// Returns the engine's address as the environment has it, where others can't read its password.
fn address_of_environment() -> Result<Option<Address>, String> {
    let url = env::var(REDIS).ok().filter(|url| !url.is_empty());
    let address = url.map(|url| Address::parse(&url));
    let address = address.transpose();
    address.map_err(|message| format!("{REDIS}: {message}"))
}

/// Returns the place of the room that other servers share, if they do.
fn place(redis: Option<Address>, room: Option<String>) -> Result<Option<Place>, String> {
    match (redis, room) {
        (None, Some(_)) => Err("--room is for servers that share one, with --redis".to_owned()),
        (None, None) => Ok(None),
        (Some(address), room) => Ok(Some(Place {
            address,
            room: room.unwrap_or_else(|| "main".to_owned()),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;
    use std::time::Duration;

    fn parsed(line: &str) -> Options {
        Options::parse(arguments(line)).unwrap()
    }

    #[test]
    fn no_arguments_are_the_defaults() {
        let options = parsed("");
        assert_eq!(options.addresses, ["127.0.0.1:1234"]);
        assert_eq!(options.config, Config::default());
        assert_eq!(options.config.line_interval, Duration::from_millis(200));
        assert_eq!(options.config.name_timeout, Duration::from_mins(1));
        assert_eq!(options.log_level, LevelFilter::Info);
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = parsed("-v --rate 0.5 4321 --queue=8 --max-clients 7 --name-timeout 2.5");
        assert_eq!(options.addresses, ["127.0.0.1:4321"]);
        assert_eq!(options.log_level, LevelFilter::Debug);
        let config = Config {
            line_interval: Duration::from_secs(2),
            queue_frames: 8,
            max_clients: Some(7),
            name_timeout: Duration::from_millis(2500),
            ..Config::default()
        };
        assert_eq!(options.config, config);
        assert_eq!(parsed("-q").log_level, LevelFilter::Warn);
    }

    #[test]
    fn what_the_room_does_besides_is_off_until_asked_for() {
        let options = parsed(
            "--announce --history 12 --motd day.txt --password-file secret --transcript=said.txt",
        );
        assert!(options.config.room.announces);
        assert_eq!(options.config.room.n_history, 12);
        assert_eq!(options.password, Some("secret".into()));
        assert_eq!(options.motd, Some("day.txt".into()));
        assert_eq!(options.transcript, Some("said.txt".into()));
        let Options {
            password,
            motd,
            transcript,
            ..
        } = parsed("");
        assert_eq!((password, motd, transcript), (None, None, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_option_named() {
        for (line, part) in [
            ("--rate nan", "--rate nan"),
            ("--queue 0", "--queue 0"),
            ("--queue 5000", "1 to 4096"),
            ("--max-clients 0", "--max-clients 0"),
            ("--name-timeout 0", "--name-timeout 0"),
            ("--frobnicate", "--frobnicate"),
            ("-v -q", "-v and -q"),
            ("--history 0", "--history 0"),
            ("--password-file", "--password-file needs a value"),
            ("--motd", "--motd needs a value"),
            ("--transcript=", "--transcript"),
        ] {
            let message = Options::parse(arguments(line)).unwrap_err();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
