//! Answers who looks in: where each byte waits, and what has happened. It takes copies of numbers,
//! so the room waits for nothing. One request at a time is answered, each within two seconds.

mod answers;
mod removal;

use super::admission::seats::Seats;
use super::handle::RoomHandle;
use super::link::Lookout;
use super::shared::Shared;
use crate::net::status_socket::StatusSocket;
use crate::net::status_socket::request::Hurried;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time to send a request, and then again to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Maximum length of a request, in bytes.
const MAX_REQUEST: u64 = 1024;

/// Maximum time to read what comes after a request, and its maximum length, in bytes.
const LINGER: Duration = Duration::from_millis(20);
const MAX_REST: u64 = 64 * 1024;

/// Pause after the system has failed to accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What the status thread may look at.
pub struct Status<'a> {
    /// Where the server listens.
    pub addresses: Vec<String>,
    /// Who is here.
    pub seats: &'a Seats,
    /// What all sessions share.
    pub shared: &'a Shared,
    /// Number of connections so far.
    pub n_connections: &'a AtomicU64,
    /// The way into the room.
    pub room: RoomHandle,
    /// The link to other servers, if there is one.
    pub link: Option<Lookout>,
    /// When the server was started.
    pub start: Instant,
}

impl Status<'_> {
    /// Answers until the server stops.
    pub fn run(&self, socket: &StatusSocket) {
        loop {
            let accepted = socket.accept();
            if self.shared.stop.has_begun() {
                return;
            }
            let answered = accepted.map(|stream| {
                // One who does not ask, or does not listen, gets no answer.
                let _ = self.answer(stream);
            });
            if answered.is_err() {
                thread::sleep(PAUSE);
            }
        }
    }

    fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let mut request = Vec::new();
        let input = Hurried::new(stream.try_clone()?, PATIENCE).take(MAX_REQUEST);
        BufReader::new(input).read_until(b'\n', &mut request)?;
        let request = String::from_utf8_lossy(&request);
        let request = request.lines().next().unwrap_or_default();
        let answer = match request.split([' ', '\t']).next().unwrap_or_default() {
            "clients" => self.clients(),
            "room" => self.room(),
            "kick" => self.kick(request),
            "forgive" => self.forgive(request),
            "GET" => match request.split([' ', '?']).nth(1) {
                Some("/metrics") => self.metrics(),
                _ => answers::NOT_FOUND.to_owned(),
            },
            _ => answers::HELP.to_owned(),
        };
        Hurried::new(stream.try_clone()?, PATIENCE).write_all(answer.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        // If it was closed with unread bytes, such as a long HTTP request, the answer could be lost.
        let rest = Hurried::new(stream, LINGER).take(MAX_REST);
        io::copy(&mut { rest }, &mut io::sink()).map(drop)
    }
}
