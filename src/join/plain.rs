//! The client without a terminal, or with one whose cursor must not move: lines of standard input go
//! to the room, the room's lines to standard output, and our own sentences to standard error.

use super::desk::Desk;
use super::door::{self, Entered, Refusal};
use super::hidden;
use super::session::{self, Command, Ends, Piece};
use super::settings::Settings;
use super::unheard::meaning;
use crate::password::Password;
use crate::signals;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::panic;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Maximum length of a line of input, in bytes.
const MAX_INPUT: u64 = 1 << 20;

/// Joins under `name`, or asks for one on a terminal, and stays until the input has ended and all of
/// it has come back.
///
/// # Errors
/// One sentence that says what did not come back, or why it could not go on.
pub fn run(settings: &Settings, name: Option<String>) -> Result<(), String> {
    let desk = Arc::new(Desk::default());
    let input_ended = Arc::new(AtomicBool::new(false));
    end_when_told(&desk, &input_ended)?;
    let Some(entered) = enter(settings, &desk, name)? else {
        return Ok(());
    };
    desk.set_name(&entered.name);
    // No line waits between the input and the session, where it would not be counted.
    let (commands, for_session) = bounded(0);
    let (pieces, for_printer) = bounded(1);
    let (ends, done) = Ends::new(&desk, for_session);
    let (failed, failure) = bounded(1);
    // It may wait for input for ever, and nobody waits for it.
    let reader = thread::Builder::new().name("input".to_owned());
    reader
        .spawn(move || {
            match read(&commands) {
                Ok(()) => input_ended.store(true, Ordering::SeqCst),
                // There is room for one.
                Err(error) => drop(failed.try_send(error)),
            }
            // Now the channel is dropped, which ends the session in order.
            drop(commands);
        })
        .map_err(|error| cannot_start(&error))?;
    thread::scope(|scope| {
        let writer = thread::Builder::new().name("printer".to_owned());
        let writer = writer
            .spawn_scoped(scope, move || print(&for_printer, &done))
            .map_err(|error| cannot_start(&error))?;
        let end = session::run(scope, settings, ends, pieces, entered);
        match writer.join().unwrap_or_else(|it| panic::resume_unwind(it)) {
            Ok(()) => end,
            // Whoever read this has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(format!("Cannot write to standard output: {error}.")),
        }
    })?;
    match failure.try_recv() {
        Ok(error) => Err(format!("Cannot read from standard input: {error}.")),
        Err(_) => Ok(()),
    }
}

/// Ends the process at the first signal that asks for it, and says what did not come back.
fn end_when_told(desk: &Arc<Desk>, input_ended: &Arc<AtomicBool>) -> Result<(), String> {
    let stopped = signals::stop().map_err(|error| format!("Cannot catch signals: {error}."))?;
    let (desk, input_ended) = (Arc::clone(desk), Arc::clone(input_ended));
    let waiter = thread::Builder::new().name("stop".to_owned());
    let waiting = waiter.spawn(move || {
        if stopped.recv().is_ok() {
            let n_lines = desk.n_waiting() + desk.n_unheard.load(Ordering::Relaxed);
            let loss = session::loss(n_lines, input_ended.load(Ordering::SeqCst));
            loss.as_deref().map(say);
            hidden::restore();
            process::exit(0);
        }
    });
    waiting.map(drop).map_err(|error| cannot_start(&error))
}

/// Returns a place in the room, or `None` if the person would rather not.
fn enter(
    settings: &Settings,
    desk: &Desk,
    name: Option<String>,
) -> Result<Option<Entered>, String> {
    let mut password = settings.password.clone();
    let is_given = name.is_some();
    let mut given = name;
    loop {
        let name = match given.take() {
            Some(name) => name,
            None => match ask() {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        match door::enter_watched(&settings.address, name.trim(), password.as_ref()) {
            Ok(entered) => {
                *desk.password.lock() = password;
                return Ok(Some(entered));
            }
            Err(Refusal::Password { was_given }) => {
                password = ask_password(was_given)?;
                given = Some(name);
            }
            Err(Refusal::Name { reason, .. }) if is_given => {
                return Err(format!("The name \"{name}\" can't be had: {reason}"));
            }
            Err(Refusal::Name { reason, .. }) => say(&reason),
            Err(Refusal::Failed(reason)) => return Err(reason),
        }
    }
}

/// Asks for the password of the room, if there is somebody to ask.
fn ask_password(was_given: bool) -> Result<Option<Password>, String> {
    let reason = if was_given {
        "That is not the password of the room."
    } else {
        "The room has a password."
    };
    if !io::stdin().is_terminal() {
        return Err(format!(
            "{reason} Give it with --password-file FILE, or as TRIO_CHAT_PASSWORD."
        ));
    }
    let line = hidden::read(|| say(&format!("{reason} Enter it; it is not shown:")));
    line.map(|line| Password::of_line(&line))
        .map_err(|error| format!("Cannot read the password: {error}."))
}

/// Asks for a name, and returns it, or `None` at the end of input.
fn ask() -> Option<String> {
    let user = std::env::var("USER").unwrap_or_default();
    if user.is_empty() {
        say("Your name?");
    } else {
        say(&format!("Your name? Press Enter for \"{user}\"."));
    }
    let mut name = String::new();
    let n_read = io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_line(&mut name)
        .ok()?;
    match name.trim() {
        _ if n_read == 0 => None,
        "" => Some(user),
        name => Some(name.to_owned()),
    }
}

/// Passes on lines until the input has ended, or nobody takes them.
fn read(commands: &Sender<Command>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_INPUT).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == MAX_INPUT && !line.ends_with(b"\n") {
            say("A line of the input has more than 1 MiB, and is sent in pieces.");
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if !meaning(text).is_empty() && commands.send(Command::Say(text.to_owned())).is_err() {
            return Ok(());
        }
    }
}

/// Prints pieces until there are no more.
fn print(pieces: &Receiver<Piece>, done: &Sender<()>) -> io::Result<()> {
    for piece in pieces {
        let mut out = io::stdout().lock();
        out.write_all(piece.text.as_bytes())?;
        out.flush()?;
        piece.ours.lines().for_each(say);
        // If this fails, the session has ended.
        let _ = done.try_send(());
    }
    Ok(())
}

fn say(sentence: &str) {
    // If this fails, nobody reads it.
    let _ = writeln!(io::stderr(), "trio-chat: {sentence}");
}

fn cannot_start(error: &io::Error) -> String {
    format!("Cannot start a thread: {error}.")
}
