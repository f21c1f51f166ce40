//! Turns signals into a stop. The first one stops the server in order, and a second one ends it at
//! once. A bot ends at the first, since it has nothing to finish. How to stop is left to the
//! server.
//!
//! SIGHUP, which is sent when a terminal closes, counts too, unless it was ignored at start, as
//! under `nohup`.

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

/// Returns a channel that gets a message at the first signal to stop. A second signal ends the
/// process, even if the orderly end is stuck.
///
/// # Errors
/// When a signal cannot be caught or a thread cannot be started.
pub fn stop() -> io::Result<Receiver<()>> {
    let (stop, stopped) = bounded(1);
    let to_stop = to_stop();
    let mut signals = Signals::new(&to_stop)?;
    // The order matters. `Signals` above must already catch a signal that comes now. Below, the
    // first action must look at the flag before the second sets it.
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in to_stop {
        flag::register_conditional_shutdown(signal, 0, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().try_for_each(|_| stop.send(())))?;
    Ok(stopped)
}

/// Returns a flag that becomes true at each SIGUSR1, which asks for files to be opened again.
///
/// # Errors
/// When the signal cannot be caught.
pub fn reopen() -> io::Result<Arc<AtomicBool>> {
    let reopen = Arc::new(AtomicBool::new(false));
    flag::register(SIGUSR1, Arc::clone(&reopen))?;
    Ok(reopen)
}

/// Makes every stop signal end the process with exit code 0, and SIGPIPE too, which is sent when
/// nobody reads standard output.
///
/// # Errors
/// When a signal cannot be caught.
pub fn end_at_once() -> io::Result<()> {
    for signal in to_stop().into_iter().chain([SIGPIPE]) {
        flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Runs `action` at each signal that asks this process to stop or to quit, in a thread of its own.
///
/// # Errors
/// When a signal cannot be caught or a thread cannot be started.
pub fn at_each(mut action: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new(to_stop().into_iter().chain([SIGQUIT]))?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(&mut action))
        .map(drop)
}

/// Sends a message to `resumed`, if that has room, whenever this process goes on after it was
/// stopped.
///
/// # Errors
/// When the signal cannot be caught or a thread cannot be started.
pub fn at_each_resume(resumed: Sender<()>) -> io::Result<()> {
    let mut signals = Signals::new([SIGCONT])?;
    thread::Builder::new()
        .name("resumes".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                // Without room, there is a message that nobody has taken yet.
                let _ = resumed.try_send(());
            }
        })
        .map(drop)
}

/// Returns the signals that ask this process to stop.
fn to_stop() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether this process was started with `signal` ignored. Only Linux can tell; elsewhere the
/// answer is no.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
