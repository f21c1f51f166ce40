//! The connection of a session: in the room, or on the way back to it.

use crate::faults::panic_if_told;
use crate::join::desk::Desk;
use crate::join::door::{self, ARE_YOU_THERE, Entered, Refusal};
use crate::join::hearing::Hearing;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::{self, Scope};
use std::time::Instant;

/// Maximum number of lines that were read from the socket and not taken.
const QUEUE: usize = 256;

/// Where a session is.
pub enum Connection {
    /// In the room.
    In {
        stream: Arc<TcpStream>,
        /// Lines, and in the end why there are no more.
        incoming: Receiver<io::Result<String>>,
    },
    /// Outside.
    Away {
        /// When to try again.
        next: Instant,
        /// Has the outcome of a try, if one has begun.
        entering: Option<Receiver<Result<Entered, Refusal>>>,
    },
}

impl Connection {
    /// Returns a connection that is tried at `next`.
    pub fn away(next: Instant) -> Self {
        Self::Away {
            next,
            entering: None,
        }
    }

    /// Returns a connection of one who is in, and starts to read from it.
    pub fn within<'scope>(scope: &'scope Scope<'scope, '_>, hearing: Hearing) -> Self {
        let stream = Arc::clone(hearing.stream());
        let (lines, incoming) = bounded(QUEUE);
        let reader = thread::Builder::new().name("reader".to_owned());
        if let Err(error) = reader.spawn_scoped(scope, {
            let lines = lines.clone();
            move || read(hearing, &lines)
        }) {
            // The queue is empty, so this fits.
            let _ = lines.try_send(Err(error));
        }
        Self::In { stream, incoming }
    }

    /// Whether this is in the room.
    pub fn is_in(&self) -> bool {
        matches!(self, Self::In { .. })
    }

    /// Returns what comes from the room.
    pub fn incoming(&self) -> Option<&Receiver<io::Result<String>>> {
        match self {
            Self::In { incoming, .. } => Some(incoming),
            Self::Away { .. } => None,
        }
    }

    /// Returns what has the outcome of a try to come back.
    pub fn entering(&self) -> Option<&Receiver<Result<Entered, Refusal>>> {
        match self {
            Self::Away { entering, .. } => entering.as_ref(),
            Self::In { .. } => None,
        }
    }

    /// Returns when the next try is due, or was.
    pub fn next_try(&self) -> Option<Instant> {
        match self {
            Self::Away { next, .. } => Some(*next),
            Self::In { .. } => None,
        }
    }

    /// Begins a try to come back as before, if one is due. It may take long, so it has a thread,
    /// and nobody waits for that at the end.
    pub fn try_again(&mut self, now: Instant, address: &str, desk: &Desk) {
        let Self::Away { next, entering } = self else {
            return;
        };
        if entering.is_some() || now < *next {
            return;
        }
        let (outcome, receiver) = bounded(1);
        let (address, name) = (address.to_owned(), desk.name());
        let password = desk.password.lock().clone();
        let started = thread::Builder::new().name("door".to_owned()).spawn({
            let outcome = outcome.clone();
            move || {
                // If this fails, the session has ended.
                let _ = outcome.send(door::enter(&address, &name, password.as_ref()));
            }
        });
        if let Err(error) = started {
            let _ = outcome.try_send(Err(Refusal::Failed(error.to_string())));
        }
        *entering = Some(receiver);
    }

    /// Sends `bytes`.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::In { stream, .. } => (&**stream).write_all(bytes),
            Self::Away { .. } => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Asks the server for the name, which it answers after everything sent before.
    pub fn ask(&self) -> io::Result<()> {
        self.send(ARE_YOU_THERE)
    }

    /// Tells the server that nothing more will come.
    pub fn end_writing(&self) {
        if let Self::In { stream, .. } = self {
            // If this fails, it has ended already.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Ends the connection, and its reader.
    pub fn close(&mut self) {
        if let Self::In { stream, .. } = self {
            door::close(stream);
        }
        // A reader that waits for space in the queue ends too, since nobody takes from it now.
        *self = Self::away(Instant::now());
    }
}

/// Reads lines until the end, and passes that on too.
fn read(mut hearing: Hearing, lines: &Sender<io::Result<String>>) {
    loop {
        let line = match hearing.next() {
            Ok(Some(line)) => {
                panic_if_told(line.as_bytes());
                Ok(line)
            }
            Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        };
        let ended = line.is_err();
        if lines.send(line).is_err() || ended {
            return;
        }
    }
}
