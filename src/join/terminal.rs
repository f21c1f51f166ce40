//! The client on a terminal: one thread reads keys, one prints, one runs the session. Leaving the
//! terminal as it was is left to `crate::terminal`.

use super::desk::Desk;
use super::door::{self, Entered, Refusal};
use super::keyboard::Keyboard;
use super::keys::Keys;
use super::printer;
use super::row::Row;
use super::screen::{n_columns, ruler, write};
use super::session::{self, Ends};
use super::settings::Settings;
use crate::password::Password;
use crate::signals;
use crate::terminal;
use crossbeam_channel::bounded;
use rustyline::config::{ColorMode, Config};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Cmd, Editor, Event, EventHandler, KeyCode, KeyEvent, Modifiers};
use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time after an escape key within which the rest of a key's sequence comes, in milliseconds. After
/// that it was the key itself.
const ESCAPE: u16 = 100;

/// Number of commands that may wait for the session, which takes them at once.
const COMMANDS: usize = 64;

/// Time after a restart of the read in which an interrupt may still be one of ours.
const RESTART: Duration = Duration::from_secs(1);

/// No bracketed paste, no held back update, a new row, and nothing below it.
const UNDO: &[u8] = b"\x1b[?2004l\x1b[?2026l\r\n\x1b[J";

/// Joins under `name`, or asks for one, and stays until the person leaves.
///
/// # Errors
/// One sentence that says why it could not go on.
pub fn run(settings: &Settings, name: Option<String>) -> Result<(), String> {
    terminal::prepare(UNDO, ends)
        .map_err(|error| format!("Cannot prepare the terminal: {error}."))?;
    let desk = Arc::new(Desk::default());
    let (commands, for_session) = bounded(COMMANDS);
    let (restart, restarts) = bounded(1);
    // Whoever stopped us, the shell has set the terminal as it likes.
    signals::at_each_resume(restart.clone())
        .map_err(|error| format!("Cannot prepare the terminal: {error}."))?;
    let keyboard = Arc::new(Keyboard::new(
        Arc::clone(&desk),
        settings.looks,
        commands.clone(),
        restart,
    ));
    let mut editor = editor(&keyboard).map_err(|error| cannot_read(&error))?;
    let output = editor
        .create_external_printer()
        .map_err(|error| cannot_read(&error))?;
    let (pieces, for_printer) = bounded(1);
    let (ends, done) = Ends::new(&desk, for_session);
    let looks = settings.looks;
    let desk = &*desk;
    // Whatever this owns is dropped before it waits for its threads.
    thread::scope(move |scope| {
        let printing = thread::Builder::new()
            .name("printer".to_owned())
            .spawn_scoped(scope, move || {
                let dim = |text: &str| looks.dim(text);
                printer::run(output, &for_printer, &restarts, &done, dim, desk);
            });
        let entered = enter(&mut editor, &keyboard, desk, settings, name);
        let Ok(Some(entered)) = entered else {
            desk.gate.abandon();
            return entered.map(drop);
        };
        desk.set_name(&entered.name);
        let session = thread::Builder::new()
            .name("session".to_owned())
            .spawn_scoped(scope, move || {
                session::run(scope, settings, ends, pieces, entered)
            });
        let (Ok(session), Ok(_)) = (session, printing) else {
            process::exit(1);
        };
        let keys = Keys(Arc::clone(&keyboard));
        editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        read(&mut editor, &keyboard, desk);
        // If this fails, the session has ended.
        let _ = commands.send(session::Command::Leave);
        // The printer may be waiting for the gate, or for rustyline.
        desk.gate.abandon();
        drop(editor);
        session.join().unwrap_or_else(|_| process::exit(1))
    })
}

/// Whether a signal ends the client. While rustyline reads, interrupts are its own.
fn ends(signal: i32) -> bool {
    signal != signal_hook::consts::SIGINT || !terminal::is_changed()
}

/// Returns a place in the room, or `None` if the person would rather not.
fn enter(
    editor: &mut Editor<Row, MemHistory>,
    keyboard: &Keyboard,
    desk: &Desk,
    settings: &Settings,
    name: Option<String>,
) -> Result<Option<Entered>, String> {
    let mut suggestion = std::env::var("USER").unwrap_or_default();
    let mut password = settings.password.clone();
    let mut given = name;
    loop {
        let name = match given.take() {
            Some(name) => name,
            None => match ask(editor, keyboard, desk, "Your name: ", &suggestion) {
                Ok(name) => name,
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(None),
                Err(error) => return Err(cannot_read(&error)),
            },
        };
        match door::enter_watched(&settings.address, name.trim(), password.as_ref()) {
            Ok(entered) => {
                *desk.password.lock() = password;
                return Ok(Some(entered));
            }
            Err(Refusal::Password { was_given }) => {
                if was_given {
                    write("That is not the password of the room.\n");
                }
                password = match ask_password(editor, keyboard, desk) {
                    Ok(password) => password,
                    Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(None),
                    Err(error) => return Err(cannot_read(&error)),
                };
                given = Some(name);
            }
            Err(Refusal::Failed(reason)) => return Err(reason),
            Err(Refusal::Name { reason, free }) => {
                suggestion = free.unwrap_or(name);
                write(&format!("{reason}\n"));
            }
        }
    }
}

/// Asks for the password of the room, and leaves nothing of it on the screen.
fn ask_password(
    editor: &mut Editor<Row, MemHistory>,
    keyboard: &Keyboard,
    desk: &Desk,
) -> rustyline::Result<Option<Password>> {
    keyboard.hides_draft.store(true, Ordering::SeqCst);
    let line = ask(editor, keyboard, desk, "The password of the room: ", "");
    keyboard.hides_draft.store(false, Ordering::SeqCst);
    line.map(|line| Password::of_line(&line))
}

/// Asks what `prompt` says.
fn ask(
    editor: &mut Editor<Row, MemHistory>,
    keyboard: &Keyboard,
    desk: &Desk,
    prompt: &str,
    suggestion: &str,
) -> rustyline::Result<String> {
    // rustyline would take nothing else, not even Ctrl-C, until the paste ends.
    let paste = Event::from(KeyEvent(KeyCode::BracketedPasteStart, Modifiers::NONE));
    editor.bind_sequence(paste.clone(), Cmd::Noop);
    *keyboard.draft.lock() = (suggestion.to_owned(), suggestion.len());
    let answer = loop {
        let ended = read_once(editor, keyboard, prompt);
        let is_ours = desk.restart.swap(false, Ordering::SeqCst);
        if !is_ours || !matches!(ended, Err(ReadlineError::Interrupted)) {
            break ended;
        }
        erase(keyboard);
    };
    if keyboard.hides_draft.load(Ordering::SeqCst) {
        erase(keyboard);
    }
    terminal::set_changed(false);
    editor.unbind_sequence(paste);
    *keyboard.draft.lock() = Default::default();
    answer
}

/// Reads the row, from what was in it last, until rustyline is done with it.
fn read_once(
    editor: &mut Editor<Row, MemHistory>,
    keyboard: &Keyboard,
    prompt: &str,
) -> rustyline::Result<String> {
    keyboard.cut_draft();
    let (before, after) = keyboard.draft();
    terminal::set_changed(true);
    let ended = editor.readline_with_initial(prompt, (&before, &after));
    keyboard.desk.gate.close();
    ended
}

/// Erases the row that was read, below which the cursor is.
fn erase(keyboard: &Keyboard) {
    let (before, after) = keyboard.draft();
    let n_rows = ruler().count(&[keyboard.prompt(), before, after].concat(), n_columns());
    write(&format!("\x1b[{n_rows}A\r\x1b[J"));
}

/// Reads keys until the person leaves or the session has ended.
fn read(editor: &mut Editor<Row, MemHistory>, keyboard: &Keyboard, desk: &Desk) {
    let mut restarted: Option<Instant> = None;
    loop {
        let ended = read_once(editor, keyboard, &format!("{}> ", desk.name()));
        erase(keyboard);
        let is_set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        if is_set(&desk.leaving) || is_set(&desk.over) {
            break;
        }
        let is_ours = desk.restart.swap(false, Ordering::SeqCst);
        let is_late = restarted.is_some_and(|restarted| restarted.elapsed() < RESTART);
        match ended {
            Err(ReadlineError::Interrupted) if is_ours || is_late => {
                restarted = Some(Instant::now());
            }
            Ok(_) => {}
            // A key that is not UTF-8.
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(_) => break,
        }
    }
    terminal::set_changed(false);
}

fn editor(keyboard: &Arc<Keyboard>) -> rustyline::Result<Editor<Row, MemHistory>> {
    let mut editor = Editor::with_history(config(), MemHistory::new())?;
    editor.set_helper(Some(Row(Arc::clone(keyboard))));
    Ok(editor)
}

fn config() -> Config {
    Config::builder()
        .completion_type(rustyline::CompletionType::List)
        .keyseq_timeout(Some(ESCAPE))
        // It asks the row for its looks only if it may use colours. The row knows when there are
        // none.
        .color_mode(ColorMode::Forced)
        .grapheme_cluster_mode(ruler().0)
        .build()
}

fn cannot_read(error: &ReadlineError) -> String {
    format!("Cannot read from the terminal: {error}.")
}
