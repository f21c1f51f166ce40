//! The program: word, command, exit code. Errors are printed here, once, and nowhere else.

use pico_args::Arguments;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use trio_chat::bots::{self, slow, spam};
use trio_chat::server::{self, options};
use trio_chat::{logging, signals};

/// The exit code for a command line that makes no sense.
const WRONG_USAGE: u8 = 2;

const HELP: &str = "\
Trio Chat: one chat room over plain TCP, for netcat.

Usage:
  trio-chat [serve] [ADDR]...   run the room (default 127.0.0.1:1234)
  trio-chat spam [ADDR]         a bot that talks as fast as it can
  trio-chat slow [ADDR]         a bot that reads too slowly
  trio-chat crowd [ADDR]        many clients at once, to measure a server with

ADDR is HOST:PORT, or just a port of 127.0.0.1. Port 0 picks a free one.
To let other machines join: trio-chat 0.0.0.0:1234

";

const HELP_END: &str = "
  -h, --help              print this; behind a command, its own options
  -V, --version           print the version

Join with: nc 127.0.0.1 1234
";

#[derive(Clone, Copy)]
enum Command {
    Serve,
    Spam,
    Slow,
    Crowd,
}

enum Failure {
    WrongUsage(String),
    Failed(String),
}

fn main() -> ExitCode {
    let (message, code) = match run(Arguments::from_env()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::WrongUsage(message)) => (
            format!("{message} (see trio-chat --help)"),
            ExitCode::from(WRONG_USAGE),
        ),
        Err(Failure::Failed(message)) => (message, ExitCode::FAILURE),
    };
    // If even this can't be written, the exit code still says it.
    let _ = writeln!(io::stderr(), "trio-chat: {message}");
    code
}

fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let command = command(&mut arguments).map_err(Failure::WrongUsage)?;
    if arguments.contains(["-h", "--help"]) {
        return print(&help(command)).map_err(Failure::Failed);
    }
    if arguments.contains(["-V", "--version"]) {
        let version = concat!("trio-chat ", env!("CARGO_PKG_VERSION"), "\n");
        return print(version).map_err(Failure::Failed);
    }
    let bot = |arguments| bots::Options::parse(arguments).map_err(Failure::WrongUsage);
    match command {
        Command::Serve => {
            let options = options::Options::parse(arguments).map_err(Failure::WrongUsage)?;
            serve(&options)
        }
        Command::Spam => run_bot(&bot(arguments)?, spam::run),
        Command::Slow => run_bot(&bot(arguments)?, slow::run),
        Command::Crowd => return crowd(arguments),
    }
    .map_err(Failure::Failed)
}

/// Takes the first word, if it is a command. It may be an address, and options may stand before it.
fn command(arguments: &mut Arguments) -> Result<Command, String> {
    let command = match arguments.clone().subcommand() {
        Ok(Some(word)) => match word.as_str() {
            "serve" => Command::Serve,
            "spam" => Command::Spam,
            "slow" => Command::Slow,
            "crowd" => Command::Crowd,
            _ => return Ok(Command::Serve),
        },
        _ => return Ok(Command::Serve),
    };
    arguments.subcommand().map_err(|error| error.to_string())?;
    Ok(command)
}

fn help(command: Command) -> String {
    match command {
        Command::Serve => [HELP, options::HELP, HELP_END].concat(),
        Command::Spam | Command::Slow => bots::HELP.to_owned(),
        Command::Crowd => CROWD_HELP.to_owned(),
    }
}

fn serve(options: &options::Options) -> Result<(), String> {
    let _log = logging::to_stderr(options.log_level).map_err(no_log)?;
    let stop = signals::stop().map_err(no_signals)?;
    server::run(options, &stop)
}

fn run_bot(
    options: &bots::Options,
    bot: impl FnOnce(&bots::Options) -> Result<(), String>,
) -> Result<(), String> {
    logging::to_stdout().map_err(no_log)?;
    signals::end_at_once().map_err(no_signals)?;
    if let Some(duration) = options.duration {
        bots::end_after(duration).map_err(|error| format!("Cannot start a thread: {error}."))?;
    }
    bot(options)
}

#[cfg(target_os = "linux")]
use trio_chat::crowd::options::HELP as CROWD_HELP;

#[cfg(target_os = "linux")]
fn crowd(arguments: Arguments) -> Result<(), Failure> {
    use trio_chat::crowd::{self, options::Options};
    let options = Options::parse(arguments).map_err(Failure::WrongUsage)?;
    crowd::run(&options).map_err(Failure::Failed)
}

#[cfg(not(target_os = "linux"))]
const CROWD_HELP: &str = "The crowd runs on Linux only: it needs epoll.\n";

#[cfg(not(target_os = "linux"))]
fn crowd(_: Arguments) -> Result<(), Failure> {
    Err(Failure::Failed(CROWD_HELP.trim_end().to_owned()))
}

#[allow(clippy::needless_pass_by_value, reason = "its place is behind map_err")]
fn no_log(error: io::Error) -> String {
    format!("Cannot start the log: {error}.")
}

#[allow(clippy::needless_pass_by_value, reason = "its place is behind map_err")]
fn no_signals(error: io::Error) -> String {
    format!("Cannot catch signals: {error}.")
}

fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("Cannot print: {error}."))
        }
        _ => Ok(()),
    }
}
