//! Admits clients: accepts connections on one address, and gives each a seat and a session, or
//! refuses it politely. It survives whatever `accept` returns. Everything after that is left to the
//! session.

pub mod host;
mod origins;
pub mod barred;
pub mod refusal;
pub mod seats;

use super::handle::RoomHandle;
use super::session;
use super::shared::Shared;
use super::threads;
use super::throttle::Throttle;
use crate::net::connection::{Connection, Peer};
use crate::net::listener::Listener;
use refusal::Refusal;
use rustix::io::Errno;
use seats::{Seat, Seats};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// Minimum and maximum pause in accepting when the system has run out of something. It doubles each
/// time.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Maximum number of refused connections that are kept open briefly. A connection that is closed
/// with unread bytes is reset, and a reset can overtake the line that says why.
const MAX_ON_DOORSTEP: usize = 16;

/// Accepts connections on one address.
pub struct Acceptor<'scope> {
    /// The socket that accepts.
    pub listener: &'scope Listener,
    /// The seats of all acceptors.
    pub seats: &'scope Seats,
    /// Everything that all sessions share.
    pub shared: &'scope Shared,
    /// Number of connections of all acceptors so far.
    pub n_connections: &'scope AtomicU64,
    /// The way into the room.
    pub room: RoomHandle,
}

impl<'scope> Acceptor<'scope> {
    /// Admits clients until the server stops.
    pub fn run(&self, scope: &'scope Scope<'scope, '_>) {
        let mut pause = MIN_PAUSE;
        let mut failures = Throttle::new(1);
        let mut refusals = Throttle::new(1);
        let mut doorstep = VecDeque::new();
        loop {
            let accepted = self.listener.accept();
            if self.shared.stop.has_begun() {
                return;
            }
            match accepted {
                Ok((connection, peer)) => {
                    pause = MIN_PAUSE;
                    let Err(refused) = self.admit(scope, connection, peer) else {
                        doorstep.clear();
                        continue;
                    };
                    if let Some(n_refused) = refusals.count(Instant::now()) {
                        log::warn!("Refused {n_refused}: {}", refused.reason);
                    }
                    doorstep.push_back(refused.connection);
                    if doorstep.len() > MAX_ON_DOORSTEP {
                        doorstep.pop_front();
                    }
                }
                Err(error) if concerns_one_connection(&error) => {
                    log::debug!("A connection ended before it was accepted: {error}");
                }
                Err(error) => {
                    if let Some(n_failures) = failures.count(Instant::now()) {
                        log::warn!("Nobody can join for now ({n_failures} times): {error}");
                    }
                    // Refused connections give up their descriptors first.
                    doorstep.clear();
                    thread::sleep(pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Gives the connection a seat and a session, or refuses it.
    fn admit(
        &self,
        scope: &'scope Scope<'scope, '_>,
        connection: Connection,
        peer: Peer,
    ) -> Result<(), Refused> {
        let id = self.n_connections.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(connection);
        let seat = match self.seats.take(id, &connection, peer) {
            Ok(seat) => seat,
            Err(refusal) => return Err(self.refuse(connection, refusal, refusal.to_string())),
        };
        let shared = self.shared;
        let log = &shared.log;
        log.info(format_args!("Connection #{id} from {peer}"));
        if let Err(error) = connection.set_up() {
            log.info(format_args!("Connection #{id}: lost ({error})"));
            return Ok(());
        }
        let admitted = Admitted {
            connection: Arc::clone(&connection),
            room: self.room.clone(),
            seat,
        };
        let session = move || {
            let Admitted {
                connection,
                room,
                seat,
            } = &admitted;
            let end = session::run(id, connection, seat, room, shared);
            log.info(format_args!("Connection #{id}: {end}"));
        };
        threads::spawn(scope, format!("reader-{id}"), session)
            .map(drop)
            .map_err(|error| {
                let reason = format!("there is no thread ({error})");
                self.refuse(connection, Refusal::Full, reason)
            })
    }

    /// Counts the refusal and tells the client why.
    fn refuse(&self, connection: Arc<Connection>, refusal: Refusal, reason: String) -> Refused {
        self.shared.totals.turned_away(refusal.number());
        refuse(connection, refusal, reason)
    }
}

/// Everything that a session holds. Fields are dropped in order, so the seat is free only after all
/// else.
struct Admitted<'a> {
    connection: Arc<Connection>,
    room: RoomHandle,
    seat: Seat<'a>,
}

/// A connection that was refused, and the reason for the log.
struct Refused {
    connection: Arc<Connection>,
    reason: String,
}

/// Tells the client why it is refused, and ends the stream before the close that may reset it.
fn refuse(connection: Arc<Connection>, refusal: Refusal, reason: String) -> Refused {
    // Ignore errors: the client has already left.
    let _ = (&*connection).write_all(refusal.notice().line().as_bytes());
    connection.end_writing();
    Refused { connection, reason }
}

/// Whether the error concerns only this connection, so that accepting can go on at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::PERM
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_is_not_taken_for_a_peers_trouble() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(!concerns_one_connection(&errno.into()));
        }
        assert!(concerns_one_connection(&Errno::CONNABORTED.into()));
    }
}
