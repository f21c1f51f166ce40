//! A client's next line, or the reason why there is none. What a line means is decided by handshake
//! and reader.

use super::end::End;
use crate::net::connection::Connection;
use crate::protocol::lines::{Line, Lines};
use crate::server::shared::Stop;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// A read that gives fewer bytes than this, and no line end, is followed by this pause.
const TRICKLE: usize = 256;
const TRICKLE_PAUSE: Duration = Duration::from_millis(1);

/// What a client sends, line by line.
pub struct Input<'a> {
    connection: &'a Connection,
    stop: &'a Stop,
    lines: Lines,
    deadline: Option<Instant>,
}

impl<'a> Input<'a> {
    /// Starts at the beginning of a line.
    pub fn new(connection: &'a Connection, stop: &'a Stop) -> Self {
        Self {
            connection,
            stop,
            lines: Lines::default(),
            deadline: None,
        }
    }

    /// Lets reads fail after `deadline`, or never.
    ///
    /// # Errors
    /// When the connection has failed.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.deadline = deadline;
        self.connection.set_read_timeout(None)
    }

    /// Blocks until there is a line, and returns it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next_line(&mut self) -> Result<Line, End> {
        loop {
            if let Some(line) = self.buffered_line()? {
                return Ok(line);
            }
            self.read()?;
        }
    }

    /// Returns the next line, if it has been read already.
    ///
    /// # Errors
    /// When there will be none.
    pub fn buffered_line(&mut self) -> Result<Option<Line>, End> {
        let line = self.lines.next_line();
        if line.is_none() && self.lines.is_finished() {
            return Err(End::ClosedByPeer);
        }
        Ok(line)
    }

    /// Returns what has been read and is no part of a line yet.
    pub fn unread(&self) -> &[u8] {
        self.lines.unread()
    }

    /// Returns how many bytes wait in the socket.
    pub fn n_waiting(&self) -> usize {
        self.connection.unread()
    }

    /// Blocks until bytes come, and reads once. Call it when there is no buffered line. Reads a
    /// client that trickles bytes at most 1,000 times a second.
    ///
    /// # Errors
    /// When the connection has failed, the deadline has passed or the server is stopping.
    pub fn read(&mut self) -> Result<(), End> {
        let read = match self.deadline.map(time_left) {
            Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
            Some(left) => self.connection.set_read_timeout(Some(left)),
            None => Ok(()),
        }
        .and_then(|()| self.lines.fill(self.connection));
        if self.stop.has_begun() {
            return Err(End::Stopped);
        }
        if (1..TRICKLE).contains(&read?) && !self.lines.has_line_end() {
            thread::sleep(TRICKLE_PAUSE);
        }
        Ok(())
    }
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
