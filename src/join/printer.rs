//! Prints above the row that is being edited, through rustyline's printer. This is the only thread
//! that prints while a line is being read, and it prints only then.

use super::desk::Desk;
use super::screen::{ERASE_ABOVE, n_columns, ruler};
use super::session::Piece;
use crate::faults::panic_if_told;
use crossbeam_channel::{Receiver, Sender, select};
use rustix::process::{Signal, getpid, kill_process};
use rustyline::ExternalPrinter;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Ends in a newline without moving the cursor: rustyline adds a newline to what does not end in
/// one.
const STAY: &str = "\x1b[A\n";

/// Time until rustyline is interrupted again, if it was not reading yet.
const PATIENCE: Duration = Duration::from_millis(200);

/// Prints pieces until there are no more, and then ends the read. Each printed piece is answered
/// with a message to `done`. Makes rustyline read again at each message of `restarts`.
pub fn run(
    mut printer: impl ExternalPrinter,
    pieces: &Receiver<Piece>,
    restarts: &Receiver<()>,
    done: &Sender<()>,
    dim: impl Fn(&str) -> String,
    desk: &Desk,
) {
    let ruler = ruler();
    let mut shown: Option<String> = None;
    loop {
        let piece = select! {
            recv(pieces) -> piece => piece,
            recv(restarts) -> _ => {
                if !restart(desk) {
                    return;
                }
                continue;
            }
        };
        let Ok(piece) = piece else { break };
        panic_if_told(piece.text.as_bytes());
        let n_columns = n_columns();
        let n_rows = shown.map_or(0, |status| ruler.count(&status, n_columns));
        shown = piece
            .status
            .map(|status| ruler.cut(&status, n_columns).to_owned());
        let status = shown.as_deref().map(&dim);
        let text = composed(&piece.text, status.as_deref(), n_rows);
        if !text.is_empty() && (!desk.gate.wait() || printer.print(text).is_err()) {
            return;
        }
        if piece.renamed && !restart(desk) {
            return;
        }
        // If this fails, the session has ended.
        let _ = done.try_send(());
    }
    // rustyline takes this only when it has shown what came before.
    if desk.gate.wait() && printer.print(STAY.to_owned()).is_ok() {
        desk.gate.close();
        desk.over.store(true, Ordering::SeqCst);
        while !desk.gate.wait_for(PATIENCE) {
            interrupt();
        }
    }
}

/// Returns what to print for a piece. The status is a row of its own above the prompt, which the
/// next piece removes. The last one takes `n_rows` now.
fn composed(text: &str, status: Option<&str>, n_rows: usize) -> String {
    let mut composed = ERASE_ABOVE.repeat(n_rows);
    composed += text;
    if let Some(status) = status {
        composed.extend([status, "\n"]);
    }
    if !composed.is_empty() && !composed.ends_with('\n') {
        composed += STAY;
    }
    composed
}

/// Makes rustyline read again, with another prompt. Returns false if it will not.
fn restart(desk: &Desk) -> bool {
    if !desk.gate.wait() {
        return false;
    }
    desk.gate.close();
    desk.restart.store(true, Ordering::SeqCst);
    interrupt();
    while !desk.gate.wait_for(PATIENCE) {
        if desk.restart.load(Ordering::SeqCst) {
            interrupt();
        }
    }
    desk.gate.wait()
}

/// Interrupts rustyline's read. It has no other way to be told from outside.
fn interrupt() {
    // A process may always signal itself.
    let _ = kill_process(getpid(), Signal::INT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_removed_by_the_next_piece() {
        assert_eq!(composed("a\n", None, 0), "a\n");
        assert_eq!(composed("a\n", Some("s"), 0), "a\ns\n");
        assert_eq!(composed("a\n", Some("s"), 1), "\x1b[A\x1b[2Ka\ns\n");
        assert_eq!(composed("", None, 1), "\x1b[A\x1b[2K\x1b[A\n");
        assert_eq!(composed("", None, 0), "");
    }
}
