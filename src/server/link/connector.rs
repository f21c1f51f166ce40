//! Connects to the engine in a thread of its own: to look up a name, or to reach a Unix socket, may take
//! for ever, and neither a stop nor a notice must wait for that.

use super::address::Place;
use super::answers::Failure;
use super::engine::Engine;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::thread;
use std::time::Duration;

/// Maximum time to wait for a connection at a time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connects one direction of a link, again and again.
#[derive(Default)]
pub struct Connector {
    /// Has the outcome of the last try, if that has not come yet.
    pending: Option<Receiver<Result<Engine, Failure>>>,
}

impl Connector {
    /// Connects to the engine of `place`, for the server `me`.
    ///
    /// # Errors
    /// Why that was not possible yet.
    pub fn connect(&mut self, place: &Place, me: &str) -> Result<Engine, Failure> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => begin(place.clone(), me.to_owned())?,
        };
        match pending.recv_timeout(PATIENCE) {
            Ok(connected) => connected,
            Err(RecvTimeoutError::Timeout) => {
                self.pending = Some(pending);
                Err(Failure::Away("no answer".to_owned()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::misunderstood()),
        }
    }
}

/// Nobody waits for this thread at the end.
fn begin(place: Place, me: String) -> Result<Receiver<Result<Engine, Failure>>, Failure> {
    let (outcome, pending) = bounded(1);
    let started = thread::Builder::new()
        .name("connect".to_owned())
        .spawn(move || {
            // If this fails, the link is over.
            let _ = outcome.send(Engine::connect(&place, &me));
        });
    let no_thread = |error| Failure::Away(format!("there is no thread: {error}"));
    started.map_err(no_thread).map(|_| pending)
}
