//! The server as a whole: binds, admits clients, and stops in order. What happens to an admitted
//! client is in [`session`].

mod broadcaster;
mod host;
mod lines;
mod names;
mod outbox;
mod pacer;
mod reader;
mod room;
mod seats;
mod session;
mod text;
mod threads;
mod writer;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use room::{ClientId, Event};
use rustix::io::Errno;
use seats::Seats;
use session::{Settings, Shared};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// Connections that may wait to be accepted. With the usual 128 a burst of joins has to wait a
/// whole second for its packets to be sent again.
const BACKLOG: i32 = 4096;

/// Small, so that a flood is felt at once, and little is left to say for a client that has gone.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// Small, so that the outbox, not the kernel, decides what a slow client gets.
const SEND_BUFFER: usize = 32 * 1024;

/// A peer that has vanished is found after this, and three probes.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long a stop waits for those who don't read.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long accepting pauses when the system has run out of something: doubled each time.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What can be chosen about a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The shortest time between two lines of one client; zero is no limit.
    pub line_interval: Duration,
    /// How many frames wait for a slow client; at least 1.
    pub queue: usize,
    /// Most clients at a time; the host's own limit if none, and never more than that.
    pub max_clients: Option<usize>,
    /// How long a client may take to give a name, all tries together.
    pub name_timeout: Duration,
}

/// A server that is bound, but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Shared,
    seats: Seats,
    n_connections: AtomicU64,
}

impl Server {
    /// Listens on every one of `addresses`, and says so in the log.
    ///
    /// # Errors
    /// The first address that can't be listened on, and why.
    pub fn bind(
        addresses: &[SocketAddr],
        config: &Config,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let listeners = addresses
            .iter()
            .map(|address| listen(*address, addresses).map_err(|error| (*address, error)))
            .collect::<Result<Vec<_>, _>>()?;
        for listener in &listeners {
            if let Ok(address) = listener.local_addr() {
                log::info!("Trio chat server listening on {address}");
                if !address.ip().to_canonical().is_loopback() {
                    log::warn!("Anyone who can reach {address} can join and read along");
                }
            }
        }
        let host = host::capacity();
        let n_seats = config.max_clients.unwrap_or(usize::MAX).min(host.n_clients);
        log::info!(
            "Room for {n_seats} clients (the host's {} would do for {})",
            host.limited_by,
            host.n_clients
        );
        Ok(Self {
            listeners,
            shared: Shared {
                settings: Settings {
                    line_interval: config.line_interval,
                    queue: config.queue,
                    name_timeout: config.name_timeout,
                },
                names: names::Names::default(),
                stopping: AtomicBool::new(false),
            },
            seats: Seats::new(n_seats),
            n_connections: AtomicU64::new(0),
        })
    }

    /// Serves until something comes from `stop`, then says goodbye to everyone and ends every
    /// thread it has started.
    ///
    /// # Errors
    /// When the system has no threads to begin with, or when the room itself has failed.
    pub fn run(&self, stop: &Receiver<()>) -> io::Result<()> {
        thread::scope(|scope| {
            let (events, inbox) = bounded(broadcaster::INBOX);
            let outcome = self.start(scope, &events, inbox).and_then(|room_ended| {
                select! {
                    recv(stop) -> _ => {
                        log::info!("Stopping");
                        Ok(())
                    }
                    recv(room_ended) -> _ => Err(io::Error::other("the room has failed")),
                }
            });
            self.stop(&events);
            outcome
        })
    }

    /// Starts the threads that are always there. What it returns is disconnected when the
    /// broadcaster ends.
    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        events: &Sender<Event>,
        inbox: Receiver<Event>,
    ) -> io::Result<Receiver<()>> {
        let (room_end, room_ended) = bounded(0);
        threads::spawn(scope, "broadcaster".to_owned(), move || {
            let _room_end: Sender<()> = room_end;
            broadcaster::run(&inbox);
        })?;
        for (number, listener) in self.listeners.iter().enumerate() {
            let events = events.clone();
            threads::spawn(scope, format!("accept-{number}"), move || {
                self.accept(scope, listener, &events);
            })?;
        }
        Ok(room_ended)
    }

    /// The order matters: nobody new comes in; the room says goodbye after the last line; then
    /// the readers end, and the writers when they have written all of it; and who is stuck is cut.
    fn stop(&self, events: &Sender<Event>) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for listener in &self.listeners {
            wake(listener);
        }
        // The room can only be gone if it has failed; then there is nobody to say goodbye.
        let _ = events.send(Event::Close);
        self.seats.close();
        if !self.seats.wait_until_free(Instant::now() + GOODBYE) {
            self.seats.cut();
        }
    }

    /// Admits clients until the server stops.
    fn accept<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        listener: &TcpListener,
        events: &Sender<Event>,
    ) {
        let mut pause = MIN_PAUSE;
        loop {
            let accepted = listener.accept();
            if self.shared.stopping.load(Ordering::Relaxed) {
                return;
            }
            match accepted {
                Ok((stream, peer)) => {
                    pause = MIN_PAUSE;
                    self.admit(scope, stream, peer.ip().to_canonical(), events);
                }
                Err(error) if is_the_peers(&error) => {
                    log::debug!("A connection ended before it was accepted: {error}");
                }
                Err(error) => {
                    if pause == MIN_PAUSE {
                        log::warn!("Nobody can join for now: {error}");
                    }
                    thread::sleep(pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Starts a session, or turns the client away.
    fn admit<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        stream: TcpStream,
        address: IpAddr,
        events: &Sender<Event>,
    ) {
        let id: ClientId = self.n_connections.fetch_add(1, Ordering::Relaxed);
        log::info!("Connection #{id} from {address}");
        if let Err(error) = set_up(&stream) {
            log::info!("Connection #{id}: lost ({error})");
            return;
        }
        let stream = Arc::new(stream);
        let Some(seat) = self.seats.take(id, &stream) else {
            log::info!("Connection #{id}: turned away, the room is full");
            turn_away(&stream);
            return;
        };
        let events = events.clone();
        let session_stream = Arc::clone(&stream);
        let started = threads::spawn(scope, format!("reader-{id}"), move || {
            // Declared first and so dropped last: until then the seat is not free.
            let _seat = seat;
            let (stream, events) = (session_stream, events);
            let end = session::run(id, &stream, &events, &self.shared);
            log::info!("Connection #{id}: {end}");
        });
        if let Err(error) = started {
            log::warn!("Connection #{id}: turned away, no thread for it ({error})");
            turn_away(&stream);
        }
    }
}

/// A listening socket. A wildcard IPv6 address takes IPv4 clients too, unless IPv4 has a listener
/// of its own on that port.
fn listen(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        let taken = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
        socket.set_only_v6(all.iter().any(taken))?;
    }
    socket.set_reuse_address(true)?;
    // Set here, because accepted sockets inherit it before their first packet.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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

/// Ends a wait in `accept`.
fn wake(listener: &TcpListener) {
    // Needs no descriptor, but not every system lets a listener be shut down: where it can't be, a
    // connection to itself does.
    let shut_down = SockRef::from(listener).shutdown(Shutdown::Both);
    if let (Err(_), Ok(address)) = (shut_down, listener.local_addr()) {
        let _ = TcpStream::connect_timeout(&address, MAX_PAUSE);
    }
}

/// The line is sent, and then the end of the stream, before the close that may reset it.
fn turn_away(mut stream: &TcpStream) {
    let _ = stream.write_all(b"* The room is full. Try again later.\n");
    let _ = stream.shutdown(Shutdown::Write);
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
