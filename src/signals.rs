//! What a signal does: the first one stops the server in order, a second one ends it at once; a bot
//! ends at the first, since it has nothing to finish. What a stop is, is the server's business.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
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
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    // The order matters: a first signal has to be caught above whenever it comes, and the flag has
    // to be looked at before the next line's action sets it.
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
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
    for signal in [SIGINT, SIGTERM, SIGPIPE] {
        flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}
