//! Runs all clients of the crowd in one event loop over their sockets, which never block. Counting
//! is left to `tally`, the meaning of bytes to `dialect`, and when a client talks to `schedule`.

use super::dialect::{self, MARK, Notices};
use super::tally::Tally;
use crate::client::asks_for_password;
use memchr::memchr_iter;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Maximum size of one read, in bytes: about what a busy room sends at a time.
const READ: usize = 256 * 1024;

/// Maximum number of events taken from epoll at a time.
const MAX_EVENTS: usize = 256;

/// Maximum time until the server closes a connection that a client has left.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// All clients, and what they have heard.
pub struct Clients {
    /// The clients, by their numbers.
    pub list: Vec<Client>,
    /// When something last arrived.
    pub last_read: Instant,
    /// The count of what has arrived.
    pub tally: Tally,
    poll: OwnedFd,
    buffer: Vec<u8>,
    start: Instant,
}

/// One client.
pub struct Client {
    stream: TcpStream,
    /// Whether it has heard a message, which shows that it is in the room.
    has_heard: bool,
    /// Bytes that the socket has not taken yet.
    unsent: Vec<u8>,
    notices: Notices,
}

impl Clients {
    /// Returns a crowd without clients, whose clock starts now.
    pub fn new() -> io::Result<Self> {
        let start = Instant::now();
        Ok(Self {
            list: Vec::new(),
            last_read: start,
            tally: Tally::new(0)?,
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            buffer: vec![0; READ],
            start,
        })
    }

    /// Adds a client, and sends its `hello`.
    pub fn add(&mut self, stream: TcpStream, hello: &[u8]) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let data = EventData::new_u64(self.list.len() as u64);
        epoll::add(&self.poll, &stream, data, EventFlags::IN)?;
        let mut client = Client {
            stream,
            has_heard: false,
            unsent: Vec::new(),
            notices: Notices::default(),
        };
        client.send(hello)?;
        self.list.push(client);
        Ok(())
    }

    /// Whether every client has heard a message, so that all are in the room.
    pub fn all_have_heard(&self) -> bool {
        self.list.iter().all(|client| client.has_heard)
    }

    /// Starts a new count, which times only messages that are stamped from now on.
    pub fn restart_tally(&mut self) -> io::Result<()> {
        self.tally = Tally::new(self.stamp(Instant::now()) + 1)?;
        Ok(())
    }

    /// Sets whether these clients also wake the loop when their sockets take more bytes.
    pub fn watch_writing(&self, clients: Range<usize>, wanted: bool) -> io::Result<()> {
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, wanted);
        for number in clients {
            let data = EventData::new_u64(number as u64);
            epoll::modify(&self.poll, &self.list[number].stream, data, flags)?;
        }
        Ok(())
    }

    /// Returns the microseconds from the start to `at`.
    pub fn stamp(&self, at: Instant) -> u64 {
        (at - self.start).as_micros() as u64
    }

    /// Reads what has arrived, or waits for it until `deadline`.
    pub fn listen(&mut self, deadline: Instant) -> io::Result<()> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let wait = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        // Epoll itself waits in whole milliseconds, which is too coarse.
        let ready = &mut [PollFd::new(&self.poll, PollFlags::IN)];
        match poll(ready, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            result => result?,
        };
        let mut events = Vec::with_capacity(MAX_EVENTS);
        let space = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&self.poll, space, Some(&Timespec::default()))?;
        for event in events {
            let number = event.data.u64() as usize;
            self.list[number].send_rest()?;
            self.read(number)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        let client = &mut self.list[number];
        let bytes = client.read(&mut self.buffer)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if !client.has_heard {
            asks_for_password(bytes)?;
        }
        self.last_read = Instant::now();
        let n_messages = memchr_iter(MARK, bytes).count() as u64;
        client.has_heard |= n_messages > 0;
        if let Some(answer) = dialect::answer(bytes) {
            client.send(&answer)?;
        }
        self.tally.n_missed += client.notices.n_missed(bytes);
        let now = (self.last_read - self.start).as_micros() as u64;
        self.tally.add(bytes, n_messages, now);
        Ok(())
    }
}

impl Client {
    /// Sends `bytes`, and keeps those that the socket does not take. So a server that is not ready
    /// slows down this one client, not the crowd.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.send_rest()
    }

    /// Returns how many bytes the socket has not taken yet.
    pub fn n_unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Sends the bytes that the socket did not take before.
    fn send_rest(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n_written) => drop(self.unsent.drain(..n_written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has arrived into `buffer`, and returns it.
    fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        match self.stream.read(buffer) {
            Ok(0) if !self.has_heard => Err(io::Error::other(
                "The server closed a connection before it let the client in: is the server full?",
            )),
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n_read) => Ok(&buffer[..n_read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(&[]),
            Err(error) => Err(error),
        }
    }
}

/// Sends `hello` and leaves. Returns when the server has closed the connection too.
pub fn join_and_leave(mut stream: TcpStream, hello: &[u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(LEAVE_TIMEOUT))?;
    stream.write_all(hello)?;
    stream.shutdown(Shutdown::Write)?;
    match io::copy(&mut stream, &mut io::sink()) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(io::Error::other(
            "The server does not close a connection that a client has left.",
        )),
        result => result.map(drop),
    }
}
