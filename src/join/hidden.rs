//! Reads a line from a terminal that does not show what is typed, where rustyline is not used.

use parking_lot::Mutex;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead};

/// How the terminal was, while it shows nothing.
static AS_IT_WAS: Mutex<Option<Termios>> = Mutex::new(None);

/// Calls `ask`, and returns the line that is typed then.
///
/// # Errors
/// When the terminal fails, or the input has ended.
pub fn read(ask: impl FnOnce()) -> io::Result<String> {
    let as_it_was = tcgetattr(io::stdin())?;
    let mut hiding = as_it_was.clone();
    hiding.local_modes.remove(LocalModes::ECHO);
    hiding.local_modes.insert(LocalModes::ECHONL);
    *AS_IT_WAS.lock() = Some(as_it_was);
    let mut line = String::new();
    let read = tcsetattr(io::stdin(), OptionalActions::Now, &hiding)
        .map_err(io::Error::from)
        .and_then(|()| {
            ask();
            io::stdin().lock().read_line(&mut line)
        });
    restore();
    match read? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// Lets the terminal show again what is typed.
pub fn restore() {
    if let Some(as_it_was) = AS_IT_WAS.lock().take() {
        // If this fails, the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &as_it_was);
    }
}
