//! The server as a whole: binds, starts its threads, and stops in order. Who comes in is decided in
//! [`acceptor`], and what happens to them then is in [`session`].

mod acceptor;
mod bell;
mod broadcaster;
mod foreign;
pub(crate) mod host;
mod lines;
mod lookalikes;
mod names;
mod outbox;
mod pacer;
mod reader;
mod room;
mod seats;
mod session;
mod telnet;
pub(crate) mod text;
mod threads;
mod writer;

use acceptor::Acceptor;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use room::Event;
use seats::Seats;
use session::{Settings, Shared};
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// Connections that may wait to be accepted. With the usual 128 a burst of joins has to wait a
/// whole second for its packets to be sent again.
const BACKLOG: i32 = 4096;

/// Small, so that a flood is felt at once, and little is left to say for a client that has gone.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// How long a stop waits for those who don't read.
const GOODBYE: Duration = Duration::from_secs(2);

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
                bells: bell::Bells::default(),
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
            let acceptor = Acceptor {
                listener,
                seats: &self.seats,
                shared: &self.shared,
                n_connections: &self.n_connections,
                events: events.clone(),
            };
            threads::spawn(scope, format!("accept-{number}"), move || {
                acceptor.run(scope);
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

/// Ends a wait in `accept`.
fn wake(listener: &TcpListener) {
    // Needs no descriptor, but not every system lets a listener be shut down: where it can't be, a
    // connection to itself does.
    let shut_down = SockRef::from(listener).shutdown(Shutdown::Both);
    if let (Err(_), Ok(address)) = (shut_down, listener.local_addr()) {
        let _ = TcpStream::connect_timeout(&address, GOODBYE);
    }
}
