//! Who comes in: accepts connections on one address, gives each a seat and a session, or turns it
//! away politely; and lives through whatever `accept` returns.

use super::room::Event;
use super::seats::{Refusal, Seats};
use super::session::{self, Shared};
use super::threads;
use super::writer::{GOODBYE, SEND_BUFFER};
use crossbeam_channel::Sender;
use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// A peer that has vanished is found after this, and three probes, while there is nothing to send
/// to it; else when the kernel gives up sending, after about a quarter of an hour. A shorter limit
/// for that would also end clients that are alive and just do not read.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long accepting pauses when the system has run out of something: doubled each time.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// So many who were turned away stay connected a little longer: a connection that is closed with
/// unread bytes is reset, and a reset can overtake the line that says why.
const MAX_ON_DOORSTEP: usize = 16;

/// How often the same trouble is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Accepts on one address.
pub struct Acceptor<'scope> {
    /// Where.
    pub listener: &'scope TcpListener,
    /// The seats of all acceptors.
    pub seats: &'scope Seats,
    /// What all sessions share.
    pub shared: &'scope Shared,
    /// Counts the connections of all acceptors.
    pub n_connections: &'scope AtomicU64,
    /// Towards the room.
    pub events: Sender<Event>,
}

impl<'scope> Acceptor<'scope> {
    /// Admits clients until the server stops.
    pub fn run(&self, scope: &'scope Scope<'scope, '_>) {
        let mut pause = MIN_PAUSE;
        let mut failures = Throttle::default();
        let mut refusals = Throttle::default();
        let mut doorstep = VecDeque::new();
        loop {
            let accepted = self.listener.accept();
            if self.shared.stopping.load(Ordering::Relaxed) {
                return;
            }
            match accepted {
                Ok((stream, peer)) => {
                    pause = MIN_PAUSE;
                    let Err(refused) = self.admit(scope, stream, peer.ip().to_canonical()) else {
                        doorstep.clear();
                        continue;
                    };
                    if let Some(n_refused) = refusals.count(Instant::now()) {
                        log::warn!("Turned away {n_refused}: {}", refused.reason);
                    }
                    doorstep.push_back(refused.stream);
                    if doorstep.len() > MAX_ON_DOORSTEP {
                        doorstep.pop_front();
                    }
                }
                Err(error) if is_the_peers(&error) => {
                    log::debug!("A connection ended before it was accepted: {error}");
                }
                Err(error) => {
                    if let Some(n_failures) = failures.count(Instant::now()) {
                        log::warn!("Nobody can join for now ({n_failures} times): {error}");
                    }
                    // Whoever waits outside has to make room first.
                    doorstep.clear();
                    thread::sleep(pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Starts a session.
    fn admit(
        &self,
        scope: &'scope Scope<'scope, '_>,
        stream: TcpStream,
        address: IpAddr,
    ) -> Result<(), Refused> {
        let id = self.n_connections.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        let seat = match self.seats.take(id, &stream, address) {
            Ok(seat) => seat,
            Err(refusal) => return Err(turn_away(stream, refusal, refusal.to_string())),
        };
        log::info!("Connection #{id} from {address}");
        if let Err(error) = set_up(&stream) {
            log::info!("Connection #{id}: lost ({error})");
            return Ok(());
        }
        let events = self.events.clone();
        let shared = self.shared;
        let session_stream = Arc::clone(&stream);
        threads::spawn(scope, format!("reader-{id}"), move || {
            // Declared first and so dropped last: until then the seat is not free.
            let seat = seat;
            let (stream, events) = (session_stream, events);
            let end = session::run(id, &stream, &seat, &events, shared);
            log::info!("Connection #{id}: {end}");
        })
        .map_err(|error| {
            turn_away(
                stream,
                Refusal::Full,
                format!("there is no thread ({error})"),
            )
        })
    }
}

/// Somebody who was turned away, and why, as the log says it.
struct Refused {
    stream: Arc<TcpStream>,
    reason: String,
}

/// The line is sent, and then the end of the stream, before the close that may reset it.
fn turn_away(stream: Arc<TcpStream>, refusal: Refusal, reason: String) -> Refused {
    let line: &[u8] = match refusal {
        Refusal::Full => b"* The room is full. Try again later.\n",
        Refusal::Closed => GOODBYE,
        Refusal::TooManyFromAddress => b"* Too many come from your address. Try again later.\n",
    };
    // Who does not wait for the answer needs none.
    let _ = (&*stream).write_all(line);
    let _ = stream.shutdown(Shutdown::Write);
    Refused { stream, reason }
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_PROBE)
        .with_retries(KEEPALIVE_PROBES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    stream.set_nodelay(true)
}

/// The trouble is that of one connection, and the next may be fine.
fn is_the_peers(error: &io::Error) -> bool {
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

/// Counts what happens, and lets it be logged at most once a second.
#[derive(Debug, Default)]
struct Throttle {
    n_since: u64,
    logged: Option<Instant>,
}

impl Throttle {
    /// How many there were since the last time, if it is time to say so.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.n_since += 1;
        if self
            .logged
            .is_some_and(|logged| now - logged < LOG_INTERVAL)
        {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.n_since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_logged_once_a_second_with_its_count() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.count(start), Some(1));
        for _ in 0..10 {
            assert_eq!(throttle.count(start + LOG_INTERVAL / 2), None);
        }
        assert_eq!(throttle.count(start + LOG_INTERVAL), Some(11));
    }

    #[test]
    fn an_accepted_socket_is_set_up_as_the_design_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        set_up(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_PROBE);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
        // The kernel doubles what it is asked for.
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
    }

    #[test]
    fn running_out_is_not_taken_for_a_peers_trouble() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(!is_the_peers(&errno.into()));
        }
        assert!(is_the_peers(&Errno::CONNABORTED.into()));
    }
}
