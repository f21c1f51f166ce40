//! The program: picks the command, runs it, and returns the exit code. Errors are printed here,
//! once, and nowhere else.

use pico_args::Arguments;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use trio_chat::bots::{self, slow, spam};
use trio_chat::server::options::{self, Options};
use trio_chat::{join, kick, logging, server, signals, watch};

/// Exit code for a command line that makes no sense.
const WRONG_USAGE: u8 = 2;

const COMMANDS: [&str; 8] = [
    "serve", "join", "watch", "kick", "spam", "slow", "crowd", "help",
];

const HELP: &str = "\
Trio Chat: one chat room over plain TCP

Usage:
  trio-chat [serve] [ADDR]...   run the room (default 127.0.0.1:1234)
  trio-chat join [ADDR]         join it from a terminal; netcat can too
  trio-chat watch [ADDR]        see where every byte waits
  trio-chat kick NAME|#NUMBER   ask somebody to leave
  trio-chat spam|slow [ADDR]    bots that talk too fast and read too slowly
  trio-chat crowd [ADDR]...     many clients at once, to measure a server with

ADDR is HOST:PORT, or just a port of 127.0.0.1. 0.0.0.0:PORT lets others join.

Options:
  -h, --help      print this; the options of a command: trio-chat serve --help
  -V, --version   print the version
";

enum Failure {
    WrongUsage(String),
    Failed(String),
}

fn main() -> ExitCode {
    let (message, code) = match run(Arguments::from_env()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::WrongUsage(message)) => (message, ExitCode::from(WRONG_USAGE)),
        Err(Failure::Failed(message)) => (message, ExitCode::FAILURE),
    };
    // The journal knows who says it, and takes the number for a priority. If it can't be written,
    // the exit code still reports the failure.
    let who = if logging::is_read_by_journal() {
        "<3>"
    } else {
        "trio-chat: "
    };
    let _ = writeln!(io::stderr(), "{who}{message}");
    code
}

fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let command = command(&mut arguments)?;
    let usage = Usage(command.as_deref());
    let done = if arguments.contains(["-h", "--help"]) {
        print(help(command.as_deref()))
    } else if arguments.contains(["-V", "--version"]) {
        print(concat!("trio-chat ", env!("CARGO_PKG_VERSION"), "\n"))
    } else {
        match command.as_deref().unwrap_or("serve") {
            "join" => {
                let options = usage.of(join::options::Options::parse(arguments))?;
                usage.of(join::check(&options))?;
                join::run(options)
            }
            "watch" => watch::run(&usage.of(watch::options::Options::parse(arguments))?),
            "kick" => {
                let said = kick::run(&usage.of(kick::Options::parse(arguments))?);
                said.and_then(|sentence| print(&sentence))
            }
            "spam" => run_bot(&usage.of(bots::Options::parse(arguments))?, spam::run),
            "slow" => run_bot(&usage.of(bots::Options::parse(arguments))?, slow::run),
            "crowd" => crowd::run(&usage.of(crowd::Options::parse(arguments))?),
            "help" => print(help(self::command(&mut arguments)?.as_deref())),
            _ => serve(&usage.of(Options::parse(arguments))?),
        }
    };
    done.map_err(Failure::Failed)
}

/// The command whose help says what its words mean, if one is given.
struct Usage<'a>(Option<&'a str>);

impl Usage<'_> {
    fn of<T>(&self, options: Result<T, String>) -> Result<T, Failure> {
        options.map_err(|message| {
            let command = self.0.map_or_else(String::new, |name| format!(" {name}"));
            Failure::WrongUsage(format!("{message} (see trio-chat{command} --help)"))
        })
    }
}

/// Removes and returns the command, if the first word is one. Otherwise the words are options and
/// addresses of `serve`.
fn command(arguments: &mut Arguments) -> Result<Option<String>, Failure> {
    let mut behind = arguments.clone();
    let Some(word) = behind.subcommand().ok().flatten() else {
        return Ok(None);
    };
    if COMMANDS.contains(&word.as_str()) {
        *arguments = behind;
        return Ok(Some(word));
    }
    // An address has a digit or a colon in it.
    if word.chars().all(char::is_alphabetic) {
        return Usage(None).of(Err(format!("there is no command \"{word}\"")));
    }
    Ok(None)
}

fn help(command: Option<&str>) -> &'static str {
    match command {
        Some("serve") => options::HELP,
        Some("join") => join::options::HELP,
        Some("watch") => watch::options::HELP,
        Some("kick") => kick::HELP,
        Some("spam" | "slow") => bots::HELP,
        Some("crowd") => crowd::HELP,
        _ => HELP,
    }
}

fn serve(options: &Options) -> Result<(), String> {
    let _log = logging::to_stderr(options.log_level).map_err(cannot("start the log"))?;
    let stop = signals::stop().map_err(cannot("catch signals"))?;
    let reopen = signals::reopen().map_err(cannot("catch signals"))?;
    server::run(options, &stop, reopen)
}

fn run_bot(
    options: &bots::Options,
    bot: impl FnOnce(&bots::Options) -> Result<(), String>,
) -> Result<(), String> {
    logging::to_stdout().map_err(cannot("start the log"))?;
    signals::end_at_once().map_err(cannot("catch signals"))?;
    if let Some(duration) = options.duration {
        bots::end_after(duration).map_err(cannot("start a thread"))?;
    }
    bot(options)
}

fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(cannot("print")),
    }
}

fn cannot(what: &str) -> impl FnOnce(io::Error) -> String {
    move |error| format!("Cannot {what}: {error}.")
}

#[cfg(target_os = "linux")]
mod crowd {
    pub use trio_chat::crowd::options::{HELP, Options};
    pub use trio_chat::crowd::run;
}

/// Says in one sentence why other systems have no crowd.
#[cfg(not(target_os = "linux"))]
mod crowd {
    pub const HELP: &str = "The crowd runs on Linux only: it needs epoll.\n";

    pub struct Options;

    impl Options {
        pub fn parse(_: super::Arguments) -> Result<Self, String> {
            Ok(Self)
        }
    }

    pub fn run(_: &Options) -> Result<(), String> {
        Err(HELP.trim_end().to_owned())
    }
}
