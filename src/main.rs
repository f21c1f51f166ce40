//! The program: options, log, run, exit code. Errors are printed here, once, and nowhere else.

use crossbeam_channel::bounded;
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, thread};
use trio_chat::bots::{crowd, slow, spam};
use trio_chat::logging;
use trio_chat::options::{self, BotOptions, Command, HELP, ServeOptions};
use trio_chat::server::{Config, Server};

/// The exit code for a command line that makes no sense.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = match options::parse(env::args_os().skip(1).collect()) {
        Ok(command) => command,
        Err(message) => {
            complain(&format!("{message} (see trio-chat --help)"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print(HELP),
        Command::Version => print(concat!("trio-chat ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Serve(options) => serve(&options),
        Command::Spam(options) => run_bot(&options, spam::run),
        Command::Slow(options) => run_bot(&options, slow::run),
        Command::Crowd(options) => crowd::run(&options),
    }
}

fn serve(options: &ServeOptions) -> Result<(), String> {
    let _log = logging::to_stderr(options.log_level)
        .map_err(|error| format!("Cannot start the log: {error}."))?;
    let (stop, stopped) = bounded(1);
    let no_signals = |error| format!("Cannot catch signals: {error}.");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(no_signals)?;
    // A second signal ends the process even if the first one's orderly end is stuck. The order
    // matters: a first one has to be caught above whenever it comes, and the flag has to be looked
    // at before the next line's action sets it.
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 0, Arc::clone(&stopping))
            .and_then(|_| flag::register(signal, Arc::clone(&stopping)))
            .map_err(no_signals)?;
    }
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().try_for_each(|_| stop.send(())))
        .map_err(|error| format!("Cannot start a thread: {error}."))?;

    let config = Config {
        line_interval: options.line_interval,
        queue: options.queue,
        max_clients: options.max_clients,
        name_timeout: options.name_timeout,
    };
    let server =
        Server::bind(&look_up(&options.addresses)?, &config).map_err(|(address, error)| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "is another server running there? Try another port",
                io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; try 1234",
                io::ErrorKind::AddrNotAvailable => "that address is not one of this host's",
                _ => "try another address",
            };
            format!("Cannot listen on {address} ({error}): {hint}.")
        })?;
    server
        .run(&stopped)
        .map_err(|error| format!("The server has failed: {error}."))
}

/// All addresses that the names stand for, each once. Of a name with several, those that this host
/// has: `localhost` is often two, and IPv6 is often off.
fn look_up(names: &[String]) -> Result<Vec<SocketAddr>, String> {
    let mut found = Vec::new();
    for name in names {
        let resolved: Vec<_> = name
            .to_socket_addrs()
            .map_err(|error| format!("Cannot find {name}: {error}."))?
            .collect();
        let is_ours = |address: &SocketAddr| TcpListener::bind((address.ip(), 0)).is_ok();
        let ours: Vec<_> = resolved.iter().copied().filter(is_ours).collect();
        for address in if ours.is_empty() { resolved } else { ours } {
            if address.port() == 0 || !found.contains(&address) {
                found.push(address);
            }
        }
    }
    Ok(found)
}

fn run_bot(
    options: &BotOptions,
    bot: impl FnOnce(&BotOptions) -> Result<(), String>,
) -> Result<(), String> {
    logging::to_stdout().map_err(|error| format!("Cannot start the log: {error}."))?;
    // A bot has nothing to finish: told to stop, or left without a reader, it ends at once.
    for signal in [SIGINT, SIGTERM, SIGPIPE] {
        flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))
            .map_err(|error| format!("Cannot catch signals: {error}."))?;
    }
    if let Some(duration) = options.duration {
        thread::Builder::new()
            .name("timer".to_owned())
            .spawn(move || {
                thread::sleep(duration);
                process::exit(0);
            })
            .map_err(|error| format!("Cannot start a thread: {error}."))?;
    }
    bot(options)
}

fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("Cannot print: {error}."))
        }
        _ => Ok(()),
    }
}

fn complain(message: &str) {
    // If even this can't be written, the exit code still says it.
    let _ = writeln!(io::stderr(), "trio-chat: {message}");
}
