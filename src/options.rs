//! The command line becomes plain structs, or one sentence that says what is wrong with it; and
//! the help text. Nothing is opened, looked up or started here.

use crate::bots::crowd::{Dialect, MIN_SIZE};
use pico_args::Arguments;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// The port that is meant where none is given.
const DEFAULT_PORT: u16 = 1234;

/// More slots than this would be allocated for every client and never be filled.
const MAX_QUEUE: usize = 4096;

/// One an hour to a million a second, and a year: beyond these a number is a slip of the hand.
const SLOWEST_RATE: f64 = 1.0 / 3600.0;
const FASTEST_RATE: f64 = 1e6;
const LONGEST_TIME: f64 = 31_536_000.0;

/// What `--help` prints.
pub const HELP: &str = "\
Trio Chat: one chat room over plain TCP, for netcat.

Usage:
  trio-chat [serve] [ADDR]...   run the room (default 127.0.0.1:1234)
  trio-chat spam [ADDR]         a bot that talks as fast as it can
  trio-chat slow [ADDR]         a bot that reads too slowly
  trio-chat crowd [ADDR]        many clients at once, to measure a server with

ADDR is HOST:PORT, or just a port of 127.0.0.1. Port 0 picks a free one.
To let other machines join: trio-chat 0.0.0.0:1234

Options of the server:
  --rate N                messages per second and client, 0 for no limit [5]
  --queue N               frames kept for a slow client [32]
  --max-clients N         most clients at a time [what the host can carry]
  --name-timeout SECONDS  time to give a name [60]
  -v                      log more
  -q                      log warnings and errors only

Options of the bots:
  --name NAME             another name
  --count N               stop after N messages sent, or N reads
  --seconds N             stop after N seconds

Options of the crowd:
  --clients N             how many join [100]
  --talkers N             how many of them talk [all]
  --rate N                messages per second and talker, 0 for all it takes [5]
  --size N                bytes of a message [64]
  --seconds N             how long they talk [5]
  --pid PID               the server's process: tell what it needs
  --protocol NAME         what the server speaks: line, raw or irc [line]
  --json                  print one line for scripts

  -h, --help              print this
  -V, --version           print the version

Join with: nc 127.0.0.1 1234
";

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
    /// Run the server.
    Serve(ServeOptions),
    /// Run the spam bot.
    Spam(BotOptions),
    /// Run the slow bot.
    Slow(BotOptions),
    /// Run the crowd.
    Crowd(CrowdOptions),
}

/// Options of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeOptions {
    /// Where to listen, as HOST:PORT; at least one.
    pub addresses: Vec<String>,
    /// The shortest time between two lines of one client; zero is no limit.
    pub line_interval: Duration,
    /// Frames kept for a slow client, 1 to 4,096.
    pub queue: usize,
    /// Most clients at a time; as many as the host carries if none.
    pub max_clients: Option<usize>,
    /// How long a client may take to give a name.
    pub name_timeout: Duration,
    /// What is logged.
    pub log_level: log::LevelFilter,
}

/// Options of a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotOptions {
    /// Where the server is, as HOST:PORT.
    pub address: String,
    /// Another name than the bot's own.
    pub name: Option<String>,
    /// Stop after so many messages or reads.
    pub count: Option<u64>,
    /// Stop after this time.
    pub duration: Option<Duration>,
}

/// Options of the crowd.
#[derive(Debug, Clone, PartialEq)]
pub struct CrowdOptions {
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

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, String> {
    let mut arguments = Arguments::from_vec(arguments);
    if arguments.contains(["-h", "--help"]) {
        return Ok(Command::Help);
    }
    if arguments.contains(["-V", "--version"]) {
        return Ok(Command::Version);
    }
    // The first word is a command or already an address, and options may stand before it.
    let command = match arguments.clone().subcommand() {
        Ok(Some(word)) if matches!(word.as_str(), "serve" | "spam" | "slow" | "crowd") => {
            arguments.subcommand().map_err(|error| error.to_string())?
        }
        _ => None,
    };
    match command.as_deref() {
        Some("spam") => bot(arguments).map(Command::Spam),
        Some("slow") => bot(arguments).map(Command::Slow),
        Some("crowd") => crowd(arguments).map(Command::Crowd),
        _ => serve(arguments).map(Command::Serve),
    }
}

fn serve(mut arguments: Arguments) -> Result<ServeOptions, String> {
    let line_interval = value(&mut arguments, "--rate", line_interval)?;
    let queue = value(&mut arguments, "--queue", |text| whole(text, MAX_QUEUE))?;
    let max_clients = value(&mut arguments, "--max-clients", |text| {
        whole(text, usize::MAX)
    })?;
    let name_timeout = value(&mut arguments, "--name-timeout", seconds)?;
    let log_level = match (arguments.contains("-v"), arguments.contains("-q")) {
        (true, true) => return Err("-v and -q contradict each other; give one of them".to_owned()),
        (true, false) => log::LevelFilter::Debug,
        (false, true) => log::LevelFilter::Warn,
        (false, false) => log::LevelFilter::Info,
    };
    let mut addresses = rest(arguments)?
        .iter()
        .map(|word| address(word))
        .collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        addresses.push(address(&DEFAULT_PORT.to_string())?);
    }
    Ok(ServeOptions {
        addresses,
        line_interval: line_interval.unwrap_or(Duration::from_millis(200)),
        queue: queue.unwrap_or(32),
        max_clients,
        name_timeout: name_timeout.unwrap_or(Duration::from_mins(1)),
        log_level,
    })
}

/// Most clients of a crowd: their names have five digits.
const MAX_CLIENTS: usize = 99_999;

fn crowd(mut arguments: Arguments) -> Result<CrowdOptions, String> {
    let n_clients =
        value(&mut arguments, "--clients", |text| whole(text, MAX_CLIENTS))?.unwrap_or(100);
    let n_talkers = value(&mut arguments, "--talkers", |text| whole(text, usize::MAX))?;
    let line_interval = value(&mut arguments, "--rate", line_interval)?;
    let size = value(&mut arguments, "--size", |text| whole(text, 4096))?;
    let seconds = value(&mut arguments, "--seconds", seconds)?;
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
    Ok(CrowdOptions {
        address: one_address(arguments)?,
        n_clients,
        n_talkers: n_talkers.unwrap_or(n_clients).min(n_clients),
        rate: (!line_interval.is_zero()).then(|| 1.0 / line_interval.as_secs_f64()),
        size: size.unwrap_or(64).max(MIN_SIZE),
        seconds: seconds.map_or(5.0, |duration| duration.as_secs_f64()),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        dialect,
        json,
    })
}

fn bot(mut arguments: Arguments) -> Result<BotOptions, String> {
    let name = value(&mut arguments, "--name", |text| Ok(text.to_owned()))?;
    let count = value(&mut arguments, "--count", |text| whole(text, usize::MAX))?;
    let duration = value(&mut arguments, "--seconds", seconds)?;
    Ok(BotOptions {
        address: one_address(arguments)?,
        name,
        count: count.map(|count| count as u64),
        duration,
    })
}

/// The one address that is left when all options are taken, or the usual one.
fn one_address(arguments: Arguments) -> Result<String, String> {
    match rest(arguments)?.as_slice() {
        [] => address(&DEFAULT_PORT.to_string()),
        [word] => address(word),
        [_, second, ..] => Err(format!("a bot joins one server, so what is \"{second}\"?")),
    }
}

/// The value of an option, if it is given.
fn value<T>(
    arguments: &mut Arguments,
    option: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    arguments
        .opt_value_from_fn(option, parse)
        .map_err(|error| match error {
            pico_args::Error::Utf8ArgumentParsingFailed { value, cause } => {
                format!("{option} {value}: {cause}")
            }
            pico_args::Error::OptionWithoutAValue(_) => format!("{option} needs a value"),
            error => error.to_string(),
        })
}

/// What is left when all options are taken: words, and nothing that looks like an option.
fn rest(arguments: Arguments) -> Result<Vec<String>, String> {
    arguments
        .finish()
        .into_iter()
        .map(|word| match word.into_string() {
            Ok(word) if word.starts_with('-') => Err(format!(
                "there is no option {word} here, or it is given twice"
            )),
            Ok(word) => Ok(word),
            Err(word) => Err(format!("{} is not an address", word.display())),
        })
        .collect()
}

/// HOST:PORT from what people write for it.
fn address(word: &str) -> Result<String, String> {
    let wrong = || format!("\"{word}\" is not an address; write HOST:PORT or a port");
    let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port(word)?)).to_string());
    }
    if let Ok(ip) = IpAddr::from_str(word) {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT).to_string());
    }
    match word.rsplit_once(':').ok_or_else(wrong)? {
        ("", number) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port(number)?)).to_string()),
        (host, number) if host.starts_with('[') => {
            let ip = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let ip: Ipv6Addr = ip.and_then(|ip| ip.parse().ok()).ok_or_else(wrong)?;
            Ok(SocketAddr::from((ip, port(number)?)).to_string())
        }
        (host, _) if host.contains(':') => Err(wrong()),
        (host, number) => Ok(format!("{host}:{}", port(number)?)),
    }
}

fn line_interval(text: &str) -> Result<Duration, String> {
    let rate = f64::from_str(text).map_err(|_| "that is not a number".to_owned())?;
    if rate == 0.0 {
        Ok(Duration::ZERO)
    } else if (SLOWEST_RATE..=FASTEST_RATE).contains(&rate) {
        Ok(Duration::from_secs_f64(1.0 / rate))
    } else {
        Err("the rate goes from 1 an hour to 1,000,000 a second, or is 0 for no limit".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = f64::from_str(text).map_err(|_| "that is not a number".to_owned())?;
    if seconds > 0.0 && seconds <= LONGEST_TIME {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("a time is more than 0 seconds and at most a year".to_owned())
    }
}

fn whole(text: &str, most: usize) -> Result<usize, String> {
    match usize::from_str(text) {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ if most == usize::MAX => Err("that is not a whole number from 1 up".to_owned()),
        _ => Err(format!("that is not a whole number from 1 to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn served(line: &str) -> ServeOptions {
        match parsed(line) {
            Ok(Command::Serve(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn no_arguments_are_the_defaults() {
        let options = served("");
        assert_eq!(options.addresses, ["127.0.0.1:1234"]);
        assert_eq!(options.line_interval, Duration::from_millis(200));
        assert_eq!((options.queue, options.max_clients), (32, None));
        assert_eq!(options.name_timeout, Duration::from_mins(1));
        assert_eq!(options.log_level, log::LevelFilter::Info);
        assert_eq!(served("serve"), options);
    }

    #[test]
    fn addresses_can_be_written_as_people_write_them() {
        for (word, meant) in [
            ("4321", "127.0.0.1:4321"),
            (":4321", "127.0.0.1:4321"),
            ("0", "127.0.0.1:0"),
            ("0.0.0.0:4321", "0.0.0.0:4321"),
            ("0.0.0.0", "0.0.0.0:1234"),
            ("[::]:4321", "[::]:4321"),
            ("::1", "[::1]:1234"),
            ("localhost:4321", "localhost:4321"),
        ] {
            assert_eq!(served(word).addresses, [meant]);
        }
        assert_eq!(
            served("serve 1 2").addresses,
            ["127.0.0.1:1", "127.0.0.1:2"]
        );
    }

    #[test]
    fn what_is_no_address_is_refused_in_one_sentence() {
        for word in [
            "spma",
            "70000",
            "localhost:",
            "localhost:x",
            "[::1",
            "[x]:1",
            "a:b:1",
            "::x",
        ] {
            let message = parsed(word).unwrap_err();
            assert!(
                message.starts_with(&format!("\"{word}\" is not an address")),
                "{message}"
            );
        }
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = served("-v --rate 0.5 4321 --queue=8 --max-clients 7 --name-timeout 2.5");
        assert_eq!(options.addresses, ["127.0.0.1:4321"]);
        assert_eq!(options.line_interval, Duration::from_secs(2));
        assert_eq!((options.queue, options.max_clients), (8, Some(7)));
        assert_eq!(options.name_timeout, Duration::from_millis(2500));
        assert_eq!(options.log_level, log::LevelFilter::Debug);
        assert_eq!(served("--rate 0").line_interval, Duration::ZERO);
        assert_eq!(served("-q").log_level, log::LevelFilter::Warn);
    }

    #[test]
    fn bots_have_options_of_their_own() {
        let parsed = parsed("spam 4321 --name Eve --count 3 --seconds 1.5").unwrap();
        let Command::Spam(options) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(options.address, "127.0.0.1:4321");
        assert_eq!(options.name.as_deref(), Some("Eve"));
        assert_eq!(options.count, Some(3));
        assert_eq!(options.duration, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_option_named() {
        for (line, part) in [
            ("--rate -1", "--rate -1"),
            ("--rate fast", "--rate fast"),
            ("--rate nan", "--rate nan"),
            ("--rate inf", "--rate inf"),
            ("--rate 1e-300", "--rate 1e-300"),
            ("--rate", "--rate needs a value"),
            ("--queue 0", "--queue 0"),
            ("--queue 5000", "1 to 4096"),
            ("--max-clients 0", "--max-clients 0"),
            ("--name-timeout 0", "--name-timeout 0"),
            ("--name-timeout 1e300", "--name-timeout 1e300"),
            ("--frobnicate", "--frobnicate"),
            ("-v -q", "-v and -q"),
            ("slow --rate 3", "--rate"),
            ("spam 1 2", "\"2\""),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(part), "{line}: {message}");
        }
    }

    #[test]
    fn help_and_version_win_over_everything_else() {
        assert_eq!(parsed("spam --help --rate x"), Ok(Command::Help));
        assert_eq!(parsed("-V"), Ok(Command::Version));
    }
}
