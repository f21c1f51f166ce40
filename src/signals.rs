//! What a signal does: the first one stops the server in order, a second one ends it at once; a bot
//! ends at the first, since it has nothing to finish. What a stop is, is the server's business.
//!
//! SIGHUP, which comes when a terminal is closed, is one of them, unless `nohup` has it ignored.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
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
/// When the system has no signals or no thread to give.
pub fn stop() -> io::Result<Receiver<()>> {
    let (stop, stopped) = bounded(1);
    let to_stop = to_stop();
    let mut signals = Signals::new(&to_stop)?;
    // The order matters: a first signal has to be caught above whenever it comes, and the flag has
    // to be looked at before the next line's action sets it.
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

/// Lets every signal to stop, and a standard output that nobody reads, end the process with exit
/// code 0.
///
/// # Errors
/// When the system does not let a signal be caught.
pub fn end_at_once() -> io::Result<()> {
    for signal in to_stop().into_iter().chain([SIGPIPE]) {
        flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// The signals that ask a process to stop.
fn to_stop() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether whoever started this process had `signal` ignored. Where Linux does not tell, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
