//! Leaves the terminal as it was found, on every way out: at the end, at a signal, and at a panic in
//! any thread. What is shown on it is left to `join` and `watch`.

use crate::signals;
use crossbeam_channel::bounded;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Maximum time to restore the screen of a terminal that takes nothing.
const RESTORING: Duration = Duration::from_millis(300);

/// How the terminal was at the start, and what undoes what is written to it.
static AS_IT_WAS: OnceLock<(Termios, &'static [u8])> = OnceLock::new();

/// Whether the terminal may have been changed.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// Remembers how the terminal is, and makes sure that it will be so again. `undo` is written to it
/// then. A signal to stop ends the process if `ends` says so.
///
/// # Errors
/// When there is no terminal, or signals cannot be caught.
pub fn prepare(undo: &'static [u8], ends: fn(i32) -> bool) -> io::Result<()> {
    // Set once only: a process has one terminal.
    let _ = AS_IT_WAS.set((with_terminal(|terminal| tcgetattr(terminal))?, undo));
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        restore();
        report(panic);
        // Whichever thread it is, the others can't do without it.
        process::exit(1);
    }));
    signals::at_each(move |signal| {
        if ends(signal) {
            restore();
            process::exit(0);
        }
    })
}

/// Changes the settings of the terminal, as [`prepare`] found them.
///
/// # Errors
/// When they cannot be changed.
pub fn change(change: impl FnOnce(&mut Termios)) -> io::Result<()> {
    let Some((settings, _)) = AS_IT_WAS.get() else {
        return Ok(());
    };
    let mut settings = settings.clone();
    change(&mut settings);
    set_changed(true);
    Ok(with_terminal(|terminal| {
        tcsetattr(terminal, OptionalActions::Now, &settings)
    })?)
}

/// Notes whether the terminal may have been changed.
pub fn set_changed(is_changed: bool) {
    IS_CHANGED.store(is_changed, Ordering::SeqCst);
}

/// Whether the terminal may have been changed.
pub fn is_changed() -> bool {
    IS_CHANGED.load(Ordering::SeqCst)
}

/// Sets the terminal as it was, if it may have been changed.
pub fn restore() {
    let Some((settings, undo)) = AS_IT_WAS.get().filter(|_| is_changed()) else {
        return;
    };
    // Keys that nobody has read were not meant for the shell. If these fail, the terminal is gone.
    let _ = with_terminal(|terminal| tcsetattr(terminal, OptionalActions::Flush, settings));
    let (done, wait) = bounded::<()>(0);
    let writer = thread::Builder::new().spawn(move || {
        let _ = rustix::io::write(io::stdout(), undo);
        drop(done);
    });
    if writer.is_ok() {
        let _ = wait.recv_timeout(RESTORING);
    }
}

fn with_terminal<T>(
    act: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    if io::stdin().is_terminal() {
        act(io::stdin().as_fd())
    } else {
        act(io::stdout().as_fd())
    }
}
