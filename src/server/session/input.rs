//! Reads what a client sends next, or returns the reason why nothing comes. Acting on it is left to
//! handshake and reader.

use super::end::End;
use crate::net::connection::Connection;
use crate::protocol::lines::{Line, Lines};
use crate::server::gauges::Gauge;
use crate::server::shared::Stop;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Size below which a read without a line end is a trickle, in bytes, and the pause that it costs.
const TRICKLE: usize = 256;
const TRICKLE_PAUSE: Duration = Duration::from_millis(1);

/// Pause for each byte that was read and is not text, such as telnet's commands. At five lines a
/// second, a byte of the longest line costs the same.
const DISCARDED_BYTE_PAUSE: Duration = Duration::from_micros(50);

/// Maximum sleep at a time. A long pause is slept in pieces, so that a stop or an eviction need not
/// wait for its end.
const MAX_NAP: Duration = Duration::from_millis(50);

/// What a client has sent.
#[derive(Debug)]
pub enum Sent {
    /// A line, or a piece of one.
    Line(Line),
    /// Telnet's "are you there". Several that came together count as one.
    AreYouThere,
}

/// A client's input, line by line.
pub struct Input<'a> {
    connection: &'a Connection,
    stop: &'a Stop,
    gauge: &'a Gauge,
    lines: Lines,
    deadline: Option<Instant>,
    /// Pause that is due before the next read, for the cost of the last ones.
    debt: Duration,
}

impl<'a> Input<'a> {
    /// Returns the input of `connection`, at the beginning of a line.
    pub fn new(connection: &'a Connection, stop: &'a Stop, gauge: &'a Gauge) -> Self {
        Self {
            connection,
            stop,
            gauge,
            lines: Lines::default(),
            deadline: None,
            debt: Duration::ZERO,
        }
    }

    /// Makes reads fail after `deadline`; `None` means never.
    ///
    /// # Errors
    /// When the connection has failed.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.deadline = deadline;
        self.connection.set_read_timeout(None)
    }

    /// Blocks until the client has sent something, and returns it.
    ///
    /// # Errors
    /// The reason why nothing comes.
    pub fn next(&mut self) -> Result<Sent, End> {
        loop {
            if let Some(line) = self.lines.next_line() {
                return Ok(Sent::Line(line));
            }
            // After all lines that came with it, so that it can be used as a barrier.
            if self.lines.take_are_you_there() {
                return Ok(Sent::AreYouThere);
            }
            if self.lines.is_finished() {
                return Err(End::ClosedByPeer);
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

    /// Returns the text that has been read from the socket and is not yet part of a returned line.
    pub fn unread(&self) -> &[u8] {
        self.lines.unread()
    }

    /// Returns how many bytes have arrived in the socket and have not been read.
    pub fn n_waiting(&self) -> usize {
        self.connection.unread()
    }

    /// Turns the next reads into pauses, of `pause` in all.
    pub fn pause(&mut self, pause: Duration) {
        self.debt += pause;
    }

    /// Turns the next reads into pauses, of `pause` in all, which do not count against the deadline.
    pub fn postpone(&mut self, pause: Duration) {
        self.deadline = self.deadline.map(|deadline| deadline + pause);
        self.pause(pause);
    }

    /// Whether the client has left, and nothing that it sent waits.
    pub fn has_ended(&self) -> bool {
        self.lines.unread().is_empty() && self.connection.has_ended()
    }

    /// Whether the next read is a pause.
    pub fn is_paused(&self) -> bool {
        !self.debt.is_zero()
    }

    /// Blocks until bytes come, and reads once. Call it when there is no buffered line. Reads a
    /// client that trickles bytes at most 1,000 times a second, and one that sends no text at 20
    /// KB/s at most. For such a client it may return after a pause without a read.
    ///
    /// # Errors
    /// When the connection has failed, the deadline has passed or the server is stopping.
    pub fn read(&mut self) -> Result<(), End> {
        if self.is_paused() {
            let nap = self.debt.min(MAX_NAP);
            thread::sleep(nap);
            self.debt -= nap;
            return self.may_go_on();
        }
        if let Some(deadline) = self.deadline {
            self.connection
                .set_read_timeout(Some(time_left(deadline)))?;
        }
        let n_text = self.lines.unread().len();
        let read = self.lines.fill(self.connection);
        self.may_go_on()?;
        let n_read = read?;
        let n_discarded = (n_text + n_read).saturating_sub(self.lines.unread().len());
        self.debt += DISCARDED_BYTE_PAUSE * u32::try_from(n_discarded).unwrap_or(u32::MAX);
        if (1..TRICKLE).contains(&n_read) && !self.lines.has_line_end() {
            self.debt += TRICKLE_PAUSE;
        }
        Ok(())
    }

    fn may_go_on(&self) -> Result<(), End> {
        if self.stop.has_begun() {
            return Err(End::Stopped);
        }
        if self.gauge.is_asked_to_leave() {
            return Err(End::AskedToLeave);
        }
        match self.deadline.map(time_left) {
            Some(Duration::ZERO) => Err(End::TooSlow),
            _ => Ok(()),
        }
    }
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
