//! Answers who looks in: where each byte waits, and what has happened. It takes copies of numbers,
//! so the room waits for nothing. One request at a time is answered, each within two seconds.

mod answers;
mod removal;

use super::admission::seats::Seats;
use super::handle::RoomHandle;
use super::link::Lookout;
use super::shared::Shared;
use crate::net::status_socket::StatusSocket;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time to send a request, and then again to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Maximum length of a request, in bytes.
const MAX_REQUEST: usize = 1024;

/// Pause after the system has failed to accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What the status thread may look at.
pub struct Status<'a> {
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

    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let request = request(&mut stream)?;
        let answer = match request.split([' ', '\t']).next().unwrap_or_default() {
            "clients" => self.clients(),
            "room" => self.room(),
            "kick" => self.kick(&request),
            "GET" if request.split(' ').nth(1) == Some("/metrics") => self.metrics(),
            _ => answers::HELP.to_owned(),
        };
        write(&mut stream, answer.as_bytes())?;
        stream.shutdown(Shutdown::Write)
    }
}

/// Returns the first line that comes from `stream`.
fn request(stream: &mut UnixStream) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut bytes = [0; MAX_REQUEST];
    let mut n_bytes = 0;
    while n_bytes < bytes.len() && !bytes[..n_bytes].contains(&b'\n') {
        stream.set_read_timeout(Some(time_left(deadline)?))?;
        match stream.read(&mut bytes[n_bytes..])? {
            0 => break,
            n_read => n_bytes += n_read,
        }
    }
    let text = String::from_utf8_lossy(&bytes[..n_bytes]);
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned())
}

fn write(stream: &mut UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(time_left(deadline)?))?;
        let n_written = stream.write(bytes)?;
        bytes = &bytes[n_written..];
    }
    Ok(())
}

fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.checked_duration_since(Instant::now());
    let left = left.filter(|left| !left.is_zero());
    left.ok_or_else(|| ErrorKind::TimedOut.into())
}
