//! The crowd: many clients that talk and listen at once, in one process, to measure a server with.
//!
//! It is a measuring instrument and not a server, so it has to be cheap: one thread, sockets that
//! never block, and one poll. What it has heard is counted in `tally` and printed by `report`; how
//! servers want to be spoken to is in `dialect`.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "counts and times of one measurement are far from where these lose anything"
)]

pub mod dialect;
pub mod options;
mod process;
mod progress;
mod report;
mod tally;

use crate::client::{connect, lost};
use crate::net::limits::raise_descriptors;
use dialect::{MARK, Notices};
use hdrhistogram::Histogram;
use memchr::memchr_iter;
use options::Options;
use progress::{PROGRESS_INTERVAL, Progress};
use report::Report;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tally::Tally;

/// One read takes at most so much, in bytes: about what a busy room sends at a time.
const READ: usize = 256 * 1024;

/// While we wait for all to be in, somebody speaks when nothing has come for so long: more would
/// slow down the joining that is to be measured.
const QUIET: Duration = Duration::from_millis(20);

/// Somebody speaks this often at least, for where it is never quiet.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What has not come after so long without anything coming is lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// Nor is it waited longer for what has been said already: a server that paces its clients may take
/// hours for what they have flooded it with.
const MAX_TAIL: Duration = Duration::from_secs(10);

/// Most bytes that one client may keep for a socket that does not take them.
const MAX_UNSENT: usize = 1024 * 1024;

/// Most messages that are said before looking whether something has come.
const MAX_DUE: usize = 1024;

/// A server that does not let all in takes too long.
const JOIN_TIMEOUT: Duration = Duration::from_mins(1);

/// Without a pace so many messages are said at a time.
const BURST: u64 = 64;

/// Runs the crowd, and prints what it has measured on standard output.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &Options) -> Result<(), String> {
    let report = Crowd::join(options)
        .and_then(|crowd| crowd.talk(options))
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
    tally: Tally,
}

struct Client {
    stream: TcpStream,
    has_heard: bool,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
    notices: Notices,
}

/// What was said so far.
struct Talk {
    begin: Instant,
    n_sent: u64,
    lateness: Histogram<u64>,
}

impl Crowd {
    /// Connects everyone, and waits until everyone has heard somebody.
    fn join(options: &Options) -> io::Result<Self> {
        let start = Instant::now();
        raise_descriptors();
        options.pid.map(process::memory).transpose()?;
        // Looked up once.
        let mut address = options.address.clone();
        let mut crowd = Self {
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
            start,
            joined_in: Duration::ZERO,
            buffer: vec![0; READ],
            last_read: start,
            tally: Tally::new(0).map_err(io::Error::other)?,
        };
        for number in 0..options.n_clients {
            let stream = connect(&address, |_| Ok(()))?;
            address = stream.peer_addr()?.to_string();
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
                notices: Notices::default(),
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
    fn talk(mut self, options: &Options) -> io::Result<Report> {
        // What was said while they joined is through after this.
        let settled = Instant::now() + Duration::from_secs(1);
        while Instant::now() < settled {
            self.listen(settled)?;
        }
        let start = self.stamp(Instant::now()) + 1;
        self.tally = Tally::new(start).map_err(io::Error::other)?;
        let memory = options.pid.map(process::memory).transpose()?;
        let cpu_before = options.pid.map(process::cpu).transpose()?;
        let own_cpu_before = process::cpu(std::process::id())?;

        let hearers = options.n_clients - usize::from(!options.dialect.echoes());
        let mut talk = Talk {
            begin: Instant::now(),
            n_sent: 0,
            lateness: tally::histogram().map_err(io::Error::other)?,
        };
        self.last_read = talk.begin;
        self.watch_talkers(options, EventFlags::IN | EventFlags::OUT)?;
        let mut progress = Progress::new(options.json);
        while let Some(next_due) = self.say_what_is_due(options, &mut talk)? {
            self.listen(next_due)?;
            progress.show(talk.n_sent, self.tally.n_delivered);
        }
        let said = Instant::now();
        let is_waiting =
            |crowd: &Self| crowd.last_read.elapsed() <= PATIENCE && said.elapsed() <= MAX_TAIL;
        while self.clients.iter().any(|client| !client.unsent.is_empty()) && is_waiting(&self) {
            self.listen(Instant::now() + PROGRESS_INTERVAL)?;
        }
        self.watch_talkers(options, EventFlags::IN)?;
        let n_expected = talk.n_sent * hearers as u64;
        while self.tally.n_delivered + self.tally.n_missed < n_expected && is_waiting(&self) {
            self.listen(Instant::now() + PROGRESS_INTERVAL)?;
            progress.show(talk.n_sent, self.tally.n_delivered);
        }
        progress.clear();
        let took = self.last_read - talk.begin;
        let own_cpu = process::cpu(std::process::id())? - own_cpu_before;
        let cpu = options.pid.map(process::cpu).transpose()?;
        Ok(Report {
            joined_in: self.joined_in,
            n_clients: options.n_clients as u64,
            n_sent: talk.n_sent,
            n_expected,
            tally: self.tally,
            took,
            lateness: talk.lateness,
            own_cpu,
            elapsed: talk.begin.elapsed(),
            server_cpu: cpu.zip(cpu_before).map(|(after, before)| after - before),
            server_memory: memory,
        })
    }

    /// Says what is due by now, and tells when more will be; nothing when all has been said.
    fn say_what_is_due(
        &mut self,
        options: &Options,
        talk: &mut Talk,
    ) -> io::Result<Option<Instant>> {
        let now = Instant::now();
        let Some(rate) = options.rate else {
            return self.say_what_fits(options, talk, now);
        };
        let rate = rate * options.n_talkers as f64;
        let n_messages = (rate * options.seconds).round() as u64;
        // All messages are spread evenly over the time, and the talkers take turns.
        for _ in 0..MAX_DUE {
            if talk.n_sent == n_messages {
                return Ok(None);
            }
            let due = talk.begin + Duration::from_secs_f64(talk.n_sent as f64 / rate);
            if due > now {
                return Ok(Some(due));
            }
            let talker = talk.n_sent as usize % options.n_talkers;
            let message = options.dialect.message(self.stamp(due), options.size);
            self.clients[talker].send(&message)?;
            if self.clients[talker].unsent.len() > MAX_UNSENT {
                return Err(io::Error::other(
                    "The server does not take so many messages: try a lower --rate, or --rate 0 \
                     for as many as it takes.",
                ));
            }
            let lateness = due.elapsed().as_micros() as u64;
            talk.lateness.saturating_record(lateness);
            talk.n_sent += 1;
        }
        Ok(Some(now))
    }

    /// Says as much as the sockets of the talkers take, until the time is over.
    fn say_what_fits(
        &mut self,
        options: &Options,
        talk: &mut Talk,
        now: Instant,
    ) -> io::Result<Option<Instant>> {
        let end = talk.begin + Duration::from_secs_f64(options.seconds);
        if now >= end {
            return Ok(None);
        }
        let message = options.dialect.message(self.stamp(now), options.size);
        let burst = message.repeat(BURST as usize);
        for talker in &mut self.clients[..options.n_talkers] {
            if talker.unsent.is_empty() {
                talker.send(&burst)?;
                talk.n_sent += BURST;
            }
        }
        Ok(Some(end))
    }

    /// Talkers without a pace have to be told when their sockets take more.
    fn watch_talkers(&self, options: &Options, flags: EventFlags) -> io::Result<()> {
        if options.rate.is_none() {
            for (number, talker) in self.clients[..options.n_talkers].iter().enumerate() {
                let data = EventData::new_u64(number as u64);
                epoll::modify(&self.poll, &talker.stream, data, flags)?;
            }
        }
        Ok(())
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
            Ok(0) if !client.has_heard => {
                return Err(io::Error::other(
                    "The server has closed a connection that was not in yet: has it room for so many?",
                ));
            }
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n_read) => n_read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.last_read = Instant::now();
        let bytes = &self.buffer[..n_read];
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
