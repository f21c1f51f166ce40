//! What the threads of the terminal client need of the screen: its width, and a way to write to it.

use super::rows::Ruler;
use rustix::termios::tcgetwinsize;
use rustyline::GraphemeClusterMode;
use std::env;
use std::io;

/// Goes up one row, and erases it.
pub const ERASE_ABOVE: &str = "\x1b[A\x1b[2K";

/// Assumed width of a terminal that does not tell, in columns.
const COLUMNS: usize = 80;

/// Returns the number of columns of the terminal.
pub fn n_columns() -> usize {
    let size = tcgetwinsize(io::stdout());
    let n_columns = size.map_or(0, |size| size.ws_col.into());
    if n_columns == 0 { COLUMNS } else { n_columns }
}

/// Whether the terminal wraps its rows anew when it is resized, as nearly all do. Those that don't
/// cut them off.
pub fn rewraps() -> bool {
    let is_set = |name| env::var_os(name).is_some();
    let is_screen = is_set("STY") && !is_set("TMUX");
    !is_set("XTERM_VERSION") && !is_screen && env::var_os("TERM").is_some_and(|it| it != "linux")
}

/// Returns how this terminal measures text. rustyline does not know that tmux draws joined
/// characters as one.
pub fn ruler() -> Ruler {
    let is_tmux = env::var_os("TMUX").is_some();
    let clusters = GraphemeClusterMode::from_env();
    Ruler(if is_tmux {
        GraphemeClusterMode::Unicode
    } else {
        clusters
    })
}

/// Writes to the terminal.
pub fn write(text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        match rustix::io::write(io::stdout(), bytes) {
            Ok(n_written) => bytes = &bytes[n_written..],
            Err(rustix::io::Errno::INTR) => {}
            // The terminal is gone, which the next read tells.
            Err(_) => return,
        }
    }
}
