//! Runs the server as a whole: starts its threads, and stops them in order. Admitting clients is
//! left to `admission`, and everything after that to `session`.

pub mod gauges;
pub mod shared;
mod threads;
mod throttle;
pub mod connection_log;
mod drops;
pub mod broadcaster;
pub mod elsewhere;
pub mod handle;
pub mod link;
pub mod session;
pub mod admission;
mod status;
mod motd;
pub mod transcript;
pub mod options;

use crate::net::listener::{self, Listener};
use crate::net::service_manager;
use crate::net::status_socket::StatusSocket;
use crate::password::Password;
use crate::protocol::notice::Notice;
use crate::room::Room;
use crate::room::event::TRANSCRIPT;
use crate::room::history::History;
use admission::seats::Seats;
use admission::{Acceptor, host};
use broadcaster::DiscardRest;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use handle::{Presence, RoomHandle};
use link::{Link, Running};
use options::Options;
use shared::{Config, Shared};
use status::Status;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use transcript::Transcript;

/// Maximum time from the beginning of a stop until clients that don't read are cut.
const GOODBYE: Duration = Duration::from_secs(2);

/// Listens, sizes the room for this host, and serves until something comes from `stop`. The
/// transcript is opened again whenever `reopen` becomes true.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &Options, stop: &Receiver<()>, reopen: Arc<AtomicBool>) -> Result<(), String> {
    let mut config = options.config.clone();
    if let Some(path) = &options.motd {
        config.message_of_the_day = motd::load(path)?;
    }
    let password = options.password.as_deref();
    config.password = password.map(Password::load).transpose()?;
    let listeners = listener::listen(&options.addresses)?;
    if options.shows_password {
        log::warn!(
            "Everyone on this host can read the password of Redis; set TRIO_CHAT_REDIS instead"
        );
    }
    let n_history = config.room.n_history;
    let link = config
        .place
        .as_ref()
        .map(|place| Link::connect(place, n_history));
    let link = link.transpose()?;
    // Only now: a server that cannot start must not touch the transcript of one that runs.
    let transcript = options.transcript.as_ref();
    let transcript = transcript.map(|path| Transcript::open(path, reopen));
    let transcript = transcript.transpose()?;
    let port = listeners.first().map_or(0, |it| it.address().port());
    // A room without one is still a room.
    let status = StatusSocket::make(&options.status, port).unwrap_or_else(|reason| {
        log::warn!("Nobody can look in with \"watch\": {reason}");
        None
    });
    for address in listeners.iter().map(Listener::address) {
        log::info!("Trio chat server listening on {address}");
        if !address.ip().to_canonical().is_loopback() {
            match config.password {
                None => log::warn!("Anyone who can reach {address} can join and read along"),
                Some(_) => {
                    log::warn!("The password for {address} is not encrypted, nor is what is said");
                }
            }
        }
    }
    let n_seats = size(&mut config);
    Server::new(listeners, config, n_seats)
        .run(transcript, link, status.as_ref(), stop)
        .map_err(|error| format!("The server has failed: {error}."))
}

/// Sizes the room for this host: sets its memory for frames, and returns its number of seats.
fn size(config: &mut Config) -> usize {
    let capacity = host::capacity(config);
    let wanted = config.max_clients.unwrap_or(usize::MAX);
    let n_seats = wanted.min(capacity.n_clients);
    log::info!(
        "Room for {n_seats} clients (the host's {} allow {})",
        capacity.limited_by,
        capacity.n_clients
    );
    config.room.frame_memory = host::frame_memory();
    log::info!(
        "{} MiB of memory for messages that slow clients have not read",
        config.room.frame_memory >> 20
    );
    n_seats
}

/// A server that listens, but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    shared: Shared,
    seats: Seats,
    n_connections: AtomicU64,
}

impl Server {
    /// Returns a server for at most `n_seats` clients at a time.
    pub fn new(listeners: Vec<Listener>, config: Config, n_seats: usize) -> Self {
        Self {
            listeners,
            shared: Shared {
                config,
                ..Shared::default()
            },
            seats: Seats::new(n_seats),
            n_connections: AtomicU64::new(0),
        }
    }

    /// Serves until something comes from `stop`, then says goodbye to everyone and ends every
    /// thread it has started. A `transcript` gets everything that is said. A `link` shares the room
    /// with other servers; it comes with the last messages there. Who asks at `status` is told how
    /// things are.
    ///
    /// # Errors
    /// When the first threads cannot be started, or when the room itself has failed.
    pub fn run(
        &self,
        transcript: Option<Transcript>,
        link: Option<(Link, History)>,
        status: Option<&StatusSocket>,
        stop: &Receiver<()>,
    ) -> io::Result<()> {
        let mut room = Room::new(&self.shared.config.room);
        let earlier = transcript.as_ref().map(Transcript::last_messages);
        let earlier = earlier.unwrap_or_default().into_iter();
        earlier.for_each(|line| room.remember(line));
        thread::scope(|scope| {
            let (events, inbox) = bounded(broadcaster::INBOX);
            let (handle, link) = match link {
                Some((link, history)) => {
                    room.recall(history);
                    let roster = &self.shared.roster;
                    let (handle, running) = link.start(scope, &mut room, events, roster)?;
                    (handle, Some(running))
                }
                None => (RoomHandle::new(events), None),
            };
            let transcript = transcript.map(|transcript| listen(transcript, &handle));
            let (listening, written) = transcript.transpose()?.unzip();
            let (room_end, room_ended) = bounded(0);
            let shared = &self.shared;
            let broadcaster = move || {
                // The order matters: `main` learns of the end first, and stops the sessions.
                let _rest = DiscardRest(&inbox);
                let _room_end: Sender<()> = room_end;
                broadcaster::run(room, &inbox, &shared.stop, &shared.totals);
            };
            let running = link.as_ref();
            let outcome = threads::spawn(scope, "broadcaster".to_owned(), broadcaster)
                .and_then(|_| self.start_acceptors(scope, &handle))
                .and_then(|()| {
                    self.start_status(scope, &handle, running, status);
                    // Whoever waits for the service to start may connect now.
                    if let Err(error) = service_manager::tell_ready() {
                        log::warn!("Cannot tell systemd that the room is open: {error}");
                    }
                    select! {
                        recv(stop) -> _ => {
                            log::info!("Stopping");
                            Ok(())
                        }
                        recv(room_ended) -> _ => Err(io::Error::other("the room has failed")),
                    }
                });
            self.stop(&handle, link, written, status);
            // Until now, so that the transcript has the last lines too.
            drop(listening);
            outcome
        })
    }

    fn start_status<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        room: &RoomHandle,
        link: Option<&Running>,
        socket: Option<&'scope StatusSocket>,
    ) {
        let Some(socket) = socket else { return };
        let addresses = self.listeners.iter().map(Listener::address);
        let status = Status {
            addresses: addresses.map(|it| it.to_string()).collect(),
            seats: &self.seats,
            shared: &self.shared,
            n_connections: &self.n_connections,
            room: room.clone(),
            link: link.map(Running::lookout),
            start: Instant::now(),
        };
        let run = move || status.run(socket);
        if let Err(error) = threads::spawn(scope, "status".to_owned(), run) {
            log::warn!("There is no thread for the status socket ({error}), so nobody can look in");
        }
    }

    fn start_acceptors<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        room: &RoomHandle,
    ) -> io::Result<()> {
        for (number, listener) in self.listeners.iter().enumerate() {
            let acceptor = Acceptor {
                listener,
                seats: &self.seats,
                shared: &self.shared,
                n_connections: &self.n_connections,
                room: room.clone(),
            };
            threads::spawn(scope, format!("accept-{number}"), move || {
                acceptor.run(scope);
            })?;
        }
        Ok(())
    }

    /// Stops in this order, which matters. Nobody looks in any more. Acceptors end, so no newcomer gets
    /// in. A link says what waits, and hears it. The room sends its last lines and drops every outbox.
    /// Readers end, and writers say goodbye and end when they have written everything. Clients that are still stuck are cut, and a transcript that is
    /// stuck is left alone. All of this has one deadline, so nothing before the wait may block.
    fn stop(
        &self,
        room: &RoomHandle,
        link: Option<Running>,
        transcript: Option<Receiver<Infallible>>,
        status: Option<&StatusSocket>,
    ) {
        let deadline = Instant::now() + GOODBYE;
        self.shared.stop.begin();
        if let Some(status) = status {
            status.wake();
        }
        for listener in &self.listeners {
            listener.wake();
        }
        let n_unsaid = link.map_or(0, |link| link.finish());
        if n_unsaid > 0 {
            log::warn!("{n_unsaid} messages of this server were not said");
            room.notify(Notice::NotSaid(n_unsaid));
        }
        self.shared.stop.close_room();
        room.close();
        self.seats.close();
        if !self.seats.wait_until_free(deadline) {
            self.seats.cut();
        }
        let written = transcript.map(|written| written.recv_deadline(deadline));
        if written == Some(Err(RecvTimeoutError::Timeout)) {
            log::error!("Transcript: is stuck, and lacks what was said last");
        }
    }
}

/// Lets the transcript listen to the room. Returns its presence, and a channel that is disconnected
/// when everything is written.
fn listen(
    transcript: Transcript,
    room: &RoomHandle,
) -> io::Result<(Presence<'_>, Receiver<Infallible>)> {
    let (outbox, written) = transcript.start()?;
    let presence = room.join(TRANSCRIPT, None, outbox);
    let presence = presence.map_err(|_| io::Error::other("the room is closed"))?;
    Ok((presence, written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn a_server_runs_until_it_is_told_to_stop_and_says_goodbye() {
        let listeners = listener::listen(&["127.0.0.1:0".to_owned()]).unwrap();
        let address = listeners[0].address();
        let server = Server::new(listeners, Config::default(), 2);
        let (stop, stopped) = bounded(1);
        thread::scope(|scope| {
            let running = scope.spawn(|| server.run(None, None, None, &stopped));
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"Ada\nhello\n").unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"Ada> hello\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                heard.extend(byte);
            }
            stop.send(()).unwrap();
            let mut last = String::new();
            client.read_to_string(&mut last).unwrap();
            assert_eq!(last, "* The server is stopping. Goodbye!\n");
            assert!(running.join().unwrap().is_ok());
        });
    }
}
