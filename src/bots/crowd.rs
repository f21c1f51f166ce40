//! The crowd: many clients that talk and listen at once, in one process, to measure a server with.
//!
//! It is a measuring instrument and not a server, so it has to be cheap: one thread, sockets that
//! never block, and one poll. What it prints is in `report`, how servers want to be spoken to in
//! `dialect`.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "counts and times of one measurement are far from where these lose anything"
)]

mod dialect;
mod report;

use super::lost;
use crate::options::CrowdOptions;
pub use dialect::Dialect;
use dialect::{MARK, STAMP};
use hdrhistogram::Histogram;
use memchr::{memchr_iter, memrchr};
use report::{Process, Report};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// One read takes at most so much, in bytes: about what a busy room sends at a time.
const READ: usize = 256 * 1024;

/// Of what is received every message is counted, and the one at every so many bytes is looked at
/// closer: wherever a read begins, since those at its beginning have waited longest for the rest.
const SAMPLE: usize = 1021;

/// While we wait for all to be in, somebody speaks when nothing has come for so long: more would
/// slow down the joining that is to be measured.
const QUIET: Duration = Duration::from_millis(20);

/// Somebody speaks this often at least, for where it is never quiet.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What has not come after so long without anything coming is lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that does not let all in takes too long.
const JOIN_TIMEOUT: Duration = Duration::from_mins(1);

const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Longest latency that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Runs the crowd, and prints what it has measured on standard output.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &CrowdOptions) -> Result<(), String> {
    let report = Crowd::join(options)
        .and_then(|mut crowd| crowd.talk(options))
        .map_err(|error| lost(&error))?;
    let text = if options.json {
        report.json()
    } else {
        report.text(options)
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("Cannot print ({error})."))
}

struct Crowd {
    poll: OwnedFd,
    clients: Vec<Client>,
    start: Instant,
    joined_in: Duration,
    buffer: Vec<u8>,
    last_read: Instant,
    /// Where to look closer, in bytes from the beginning of the next read.
    next_sample: usize,
    latencies: Histogram<u64>,
    n_delivered: u64,
    last_delivery: Instant,
    /// Stamps from this one on are of the measurement; earlier ones are of the joining.
    first_stamp: u64,
}

struct Client {
    stream: TcpStream,
    has_heard: bool,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

impl Crowd {
    /// Connects everyone, and waits until everyone has heard somebody.
    fn join(options: &CrowdOptions) -> io::Result<Self> {
        let start = Instant::now();
        let address = options.address.to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other("The address is of no host."))?;
        let latencies = Histogram::new_with_bounds(1, LONGEST, 3).map_err(io::Error::other)?;
        let mut crowd = Self {
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            clients: Vec::with_capacity(options.n_clients),
            start,
            joined_in: Duration::ZERO,
            buffer: vec![0; READ],
            last_read: start,
            next_sample: 0,
            latencies,
            n_delivered: 0,
            last_delivery: start,
            first_stamp: u64::MAX,
        };
        for number in 0..options.n_clients {
            let stream = TcpStream::connect(address).map_err(|error| {
                io::Error::other(format!(
                    "Cannot connect client {number} to {address} ({error}): is the server running?"
                ))
            })?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(
                &crowd.poll,
                &stream,
                EventData::new_u64(number as u64),
                EventFlags::IN,
            )?;
            let mut client = Client {
                stream,
                has_heard: false,
                unsent: Vec::new(),
            };
            client.send(&options.dialect.hello(number))?;
            crowd.clients.push(client);
        }
        let mut prober = (0..options.n_clients).cycle();
        let mut last_probe = Instant::now();
        while !crowd.clients.iter().all(|client| client.has_heard) {
            let now = Instant::now();
            if now - start > JOIN_TIMEOUT {
                return Err(io::Error::other(
                    "Not everyone was let in within a minute: has the server room for so many?",
                ));
            }
            let quiet = crowd.last_read.max(last_probe) + QUIET;
            let next_probe = quiet.min(last_probe + PROBE_INTERVAL);
            if now >= next_probe {
                let prober = prober.next().unwrap_or_default();
                let probe = options.dialect.message(0, options.size);
                crowd.clients[prober].send(&probe)?;
                last_probe = now;
            }
            crowd.listen(next_probe)?;
        }
        crowd.joined_in = start.elapsed();
        Ok(crowd)
    }

    /// Lets them talk, and waits until everything has come that will.
    fn talk(&mut self, options: &CrowdOptions) -> io::Result<Report> {
        // What was said while they joined is through after this.
        let settled = Instant::now() + Duration::from_secs(1);
        while Instant::now() < settled {
            self.listen(settled)?;
        }
        self.first_stamp = self.stamp(Instant::now()) + 1;
        self.n_delivered = 0;
        let memory = options.pid.map(Process::memory).transpose()?;
        let cpu_before = options.pid.map(Process::cpu).transpose()?;
        let own_cpu_before = Process::cpu(std::process::id())?;

        let n_messages = (options.n_talkers as f64 * options.rate * options.seconds) as u64;
        let step = Duration::from_secs_f64(1.0 / (options.n_talkers as f64 * options.rate));
        let hearers = options.n_clients - usize::from(!options.dialect.echoes());
        let n_expected = n_messages * hearers as u64;
        let begin = Instant::now();
        self.last_delivery = begin;
        let mut lateness = Histogram::<u64>::new(3).map_err(io::Error::other)?;
        let mut n_sent = 0;
        let mut progress = Progress::new(options.json);
        loop {
            let now = Instant::now();
            // All messages are spread evenly over the time, and the talkers take turns.
            while n_sent < n_messages {
                let due = begin + step.mul_f64(n_sent as f64);
                if due > now {
                    break;
                }
                let talker = n_sent as usize % options.n_talkers;
                let message = options.dialect.message(self.stamp(due), options.size);
                self.clients[talker].send(&message)?;
                lateness.saturating_record(due.elapsed().as_micros() as u64);
                n_sent += 1;
            }
            let all_sent = n_sent == n_messages;
            if all_sent
                && (self.n_delivered >= n_expected || self.last_delivery.elapsed() > PATIENCE)
            {
                break;
            }
            let next_due = begin + step.mul_f64(n_sent as f64);
            self.listen(if all_sent {
                now + PROGRESS_INTERVAL
            } else {
                next_due
            })?;
            progress.show(n_sent, self.n_delivered);
        }
        progress.clear();
        let took = self.last_delivery - begin;
        let own_cpu = Process::cpu(std::process::id())? - own_cpu_before;
        let cpu = options.pid.map(Process::cpu).transpose()?;
        Ok(Report {
            joined_in: self.joined_in,
            n_clients: options.n_clients as u64,
            n_sent,
            n_expected,
            n_delivered: self.n_delivered,
            took,
            latencies: std::mem::replace(
                &mut self.latencies,
                Histogram::new(3).map_err(io::Error::other)?,
            ),
            lateness,
            own_cpu,
            elapsed: begin.elapsed(),
            server_cpu: cpu.zip(cpu_before).map(|(after, before)| after - before),
            server_memory: memory,
        })
    }

    /// Microseconds since the start.
    fn stamp(&self, at: Instant) -> u64 {
        (at - self.start).as_micros() as u64
    }

    /// Reads what has come, or waits for it until `deadline`.
    fn listen(&mut self, deadline: Instant) -> io::Result<()> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let wait = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut events = Vec::with_capacity(256);
        // The wait of epoll itself is only to the millisecond.
        let ready = &mut [PollFd::new(&self.poll, PollFlags::IN)];
        match poll(ready, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            result => result?,
        };
        let space = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&self.poll, space, Some(&Timespec::default()))?;
        for event in events {
            let number = event.data.u64() as usize;
            self.clients[number].push()?;
            self.read(number)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        let client = &mut self.clients[number];
        let n_read = match client.stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n_read) => n_read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.last_read = Instant::now();
        let bytes = &self.buffer[..n_read];
        let n_marks = memchr_iter(MARK, bytes).count();
        client.has_heard |= n_marks > 0;
        if let Some(answer) = dialect::answer(bytes) {
            client.send(&answer)?;
        }
        if n_marks == 0 || self.first_stamp == u64::MAX {
            return Ok(());
        }
        self.n_delivered += n_marks as u64;
        self.last_delivery = self.last_read;
        let now = self.stamp(self.last_read);
        let bytes = &self.buffer[..n_read];
        while self.next_sample < n_read {
            let stamp = memrchr(MARK, &bytes[..=self.next_sample])
                .and_then(|mark| bytes.get(mark + 1..mark + 1 + STAMP))
                .and_then(dialect::stamp);
            if let Some(stamp) = stamp.filter(|stamp| *stamp >= self.first_stamp) {
                self.latencies
                    .saturating_record(now.saturating_sub(stamp).max(1));
            }
            self.next_sample += SAMPLE;
        }
        self.next_sample -= n_read;
        Ok(())
    }
}

impl Client {
    /// Sends, or keeps what the socket does not take: a server that is not ready for it slows this
    /// one client, not the crowd.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.push()
    }

    fn push(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n_written) => drop(self.unsent.drain(..n_written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A line that is written over and over, for a person at a terminal.
struct Progress {
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    fn new(json: bool) -> Self {
        Self {
            shown: None,
            wanted: !json && io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, n_sent: u64, n_delivered: u64) {
        if self.wanted
            && self
                .shown
                .is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL)
        {
            self.shown = Some(Instant::now());
            // It is for the eye only.
            let _ = write!(io::stderr(), "\r{n_sent} sent, {n_delivered} delivered ");
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
