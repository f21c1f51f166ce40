//! Runs the crowd: many clients that talk and listen at once, in one process, to measure a server.
//!
//! A measuring instrument has to be cheap, so this is the one event loop of the project: one
//! thread, one epoll, sockets that never block. With two threads per client, like the server, it
//! would mostly measure itself. It runs on Linux only, because it needs epoll and `/proc`.
//!
//! This file leads the clients through a measurement. The event loop is left to `clients`, the
//! order of talkers to `schedule`, and the protocols of servers to `dialect`. `tally` counts what
//! was heard, and `report` prints it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "the counts and times of one measurement are far below the limits of these types"
)]

pub mod dialect;
pub mod options;
mod schedule;
// Clients count what they hear, and a report prints it.
mod tally;
mod clients;
mod process;
mod progress;
mod report;

use crate::client::{connect, lost};
use crate::net::limits::raise_descriptors;
use clients::Clients;
use hdrhistogram::Histogram;
use options::Options;
use progress::{PROGRESS_INTERVAL, Progress};
use report::Report;
use schedule::Schedule;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Silence after which a client sends a probe, while others still join. More probes would slow down
/// the joining that we measure.
const QUIET: Duration = Duration::from_millis(20);

/// Maximum time between two probes, for servers that are never quiet.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time for a server to let everyone in.
const JOIN_TIMEOUT: Duration = Duration::from_mins(1);

/// Time for the last probes to arrive before the measurement begins.
const SETTLE: Duration = Duration::from_secs(1);

/// Maximum number of bytes kept for a socket that does not take them.
const MAX_UNSENT: usize = 1024 * 1024;

/// Silence after which missing messages count as lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// Maximum wait for messages still in flight: a server that paces its clients may take hours to
/// deliver a flood.
const MAX_TAIL: Duration = Duration::from_secs(10);

/// Runs the crowd, and prints what it has measured on standard output.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &Options) -> Result<(), String> {
    let report = Crowd::join(options)
        .and_then(Crowd::measure)
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

struct Crowd<'a> {
    options: &'a Options,
    clients: Clients,
    joined_in: Duration,
}

/// State of the talking so far.
struct Talk {
    begin: Instant,
    schedule: Schedule,
    /// When those who do not talk ask something.
    asking: Option<Schedule>,
    lateness: Histogram<u64>,
    progress: Progress,
}

impl<'a> Crowd<'a> {
    /// Returns a crowd in which everyone is in the room.
    fn join(options: &'a Options) -> io::Result<Self> {
        raise_descriptors();
        // A wrong pid should fail now, and not when everyone is in.
        process::memory(&options.pids)?;
        let mut crowd = Self {
            options,
            clients: Clients::new()?,
            joined_in: Duration::ZERO,
        };
        let start = Instant::now();
        crowd.connect_everyone()?;
        crowd.wait_until_everyone_is_in(start + JOIN_TIMEOUT)?;
        crowd.joined_in = start.elapsed();
        Ok(crowd)
    }

    /// Connects the clients that stay, and before each of them those that join and leave. The servers
    /// take turns.
    fn connect_everyone(&mut self) -> io::Result<()> {
        let n_per_stay = self.options.n_churn + 1;
        let mut addresses = self.options.addresses.clone();
        for number in 0..self.options.n_clients * n_per_stay {
            let turn = number / n_per_stay % addresses.len();
            let stream = connect(&addresses[turn], |_| Ok(()))?;
            // A host name is looked up only once.
            addresses[turn] = stream.peer_addr()?.to_string();
            let hello = self.options.dialect.hello(number);
            if (number + 1).is_multiple_of(n_per_stay) {
                self.clients.add(stream, &hello)?;
            } else {
                clients::join_and_leave(stream, &hello)?;
            }
        }
        Ok(())
    }

    /// Waits until every client has heard a probe. The clients take turns to send one.
    fn wait_until_everyone_is_in(&mut self, deadline: Instant) -> io::Result<()> {
        let probe = self.options.dialect.message(0, self.options.size);
        let mut probers = (0..self.options.n_clients).cycle();
        let mut last_probe = Instant::now();
        while !self.clients.all_have_heard() {
            let now = Instant::now();
            if now > deadline {
                return Err(io::Error::other(
                    "Not everyone was let in within a minute: is the server full?",
                ));
            }
            let quiet = self.clients.last_read.max(last_probe) + QUIET;
            let next_probe = quiet.min(last_probe + PROBE_INTERVAL);
            if now >= next_probe {
                let prober = probers.next().unwrap_or_default();
                self.clients.list[prober].send(&probe)?;
                last_probe = now;
            }
            self.clients.listen(next_probe)?;
        }
        Ok(())
    }

    /// Lets the talkers talk, and measures until everything has arrived that will.
    fn measure(mut self) -> io::Result<Report> {
        let options = self.options;
        self.settle()?;
        self.clients.restart_tally()?;
        let own_cpu = || process::cpu(&[std::process::id()]);
        let server_cpu = || process::cpu(&options.pids);
        let server_memory = process::memory(&options.pids)?;
        let (own_cpu_before, server_cpu_before) = (own_cpu()?, server_cpu()?);
        let n_askers = options.n_clients - options.n_talkers;
        let mut talk = Talk {
            begin: Instant::now(),
            schedule: Schedule::new(options.n_talkers, options.rate, options.seconds),
            asking: (options.ask.is_some() && n_askers > 0)
                .then(|| Schedule::new(n_askers, options.rate, options.seconds)),
            lateness: tally::histogram()?,
            progress: Progress::new(options.json),
        };
        self.clients.last_read = talk.begin;
        self.talk(&mut talk)?;
        let n_hearers = options.n_clients - usize::from(!options.dialect.echoes());
        let n_expected = talk.schedule.n_sent() * n_hearers as u64;
        self.wait_for_the_rest(&mut talk, n_expected)?;
        let knows_server = !options.pids.is_empty();
        let server_cpu = server_cpu()? - server_cpu_before;
        Ok(Report {
            joined_in: self.joined_in,
            n_clients: options.n_clients as u64,
            n_sent: talk.schedule.n_sent(),
            n_expected,
            took: self.clients.last_read - talk.begin,
            own_cpu: own_cpu()? - own_cpu_before,
            elapsed: talk.begin.elapsed(),
            server_cpu: knows_server.then_some(server_cpu),
            server_memory: knows_server.then_some(server_memory),
            lateness: talk.lateness,
            tally: self.clients.tally,
        })
    }

    /// Reads what was said while clients joined.
    fn settle(&mut self) -> io::Result<()> {
        let settled = Instant::now() + SETTLE;
        while Instant::now() < settled {
            self.clients.listen(settled)?;
        }
        Ok(())
    }

    /// Sends what the schedule says, and reads in between, until all has been sent.
    fn talk(&mut self, talk: &mut Talk) -> io::Result<()> {
        self.watch_talkers(true)?;
        while let Some(next) = self.send_what_is_due(talk)? {
            self.clients.listen(next)?;
            self.show_progress(talk);
        }
        Ok(())
    }

    /// Sends the messages that are due. Returns when to send more, or `None` when all has been
    /// sent.
    fn send_what_is_due(&mut self, talk: &mut Talk) -> io::Result<Option<Instant>> {
        let can_send = |talker: usize| self.clients.list[talker].n_unsent() == 0;
        let Some(due) = talk.schedule.due(talk.begin.elapsed(), can_send) else {
            return Ok(None);
        };
        for turn in due.turns {
            let due = talk.begin + turn.due;
            let stamp = self.clients.stamp(due);
            let message = self.options.dialect.message(stamp, self.options.size);
            let talker = &mut self.clients.list[turn.talker];
            talker.send(&message.repeat(turn.n_messages))?;
            if talker.n_unsent() > MAX_UNSENT {
                return Err(io::Error::other(
                    "The server takes messages too slowly: try a lower --rate, or --rate 0 for as \
                     many as it takes.",
                ));
            }
            let lateness = due.elapsed().as_micros() as u64;
            talk.lateness.saturating_record(lateness);
        }
        let next = self.ask_what_is_due(talk)?;
        let next = next.map_or(due.next, |next| next.min(due.next));
        Ok(Some(talk.begin + next))
    }

    /// Sends what those who do not talk ask now. Returns when to ask more, if that is to be.
    fn ask_what_is_due(&mut self, talk: &mut Talk) -> io::Result<Option<Duration>> {
        let askers = self.clients.list.split_at_mut(self.options.n_talkers).1;
        let can_ask = |asker: usize| askers[asker].n_unsent() == 0;
        let asking = talk.asking.as_mut();
        let Some(due) = asking.and_then(|it| it.due(talk.begin.elapsed(), can_ask)) else {
            return Ok(None);
        };
        let line = self.options.ask.as_deref().unwrap_or_default();
        for turn in due.turns {
            askers[turn.talker].send(format!("{line}\n").repeat(turn.n_messages).as_bytes())?;
        }
        Ok(Some(due.next))
    }

    /// Waits for `n_expected` deliveries, unless the server has fallen silent or takes too long.
    fn wait_for_the_rest(&mut self, talk: &mut Talk, n_expected: u64) -> io::Result<()> {
        let deadline = Instant::now() + MAX_TAIL;
        let is_waiting = |clients: &Clients| {
            clients.last_read.elapsed() <= PATIENCE && Instant::now() <= deadline
        };
        while self.clients.list.iter().any(|it| it.n_unsent() > 0) && is_waiting(&self.clients) {
            self.clients.listen(Instant::now() + PROGRESS_INTERVAL)?;
        }
        self.watch_talkers(false)?;
        while self.clients.tally.n_heard_of() < n_expected && is_waiting(&self.clients) {
            self.clients.listen(Instant::now() + PROGRESS_INTERVAL)?;
            self.show_progress(talk);
        }
        talk.progress.clear();
        Ok(())
    }

    /// Sets whether the loop wakes when talkers without a rate can send more.
    fn watch_talkers(&self, wanted: bool) -> io::Result<()> {
        if self.options.rate.is_none() {
            let talkers = 0..self.options.n_talkers;
            self.clients.watch_writing(talkers, wanted)?;
        }
        Ok(())
    }

    fn show_progress(&self, talk: &mut Talk) {
        let n_sent = talk.schedule.n_sent();
        talk.progress.show(n_sent, self.clients.tally.n_delivered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;
    use std::net::TcpListener;

    #[test]
    fn clients_are_dealt_round_the_servers() {
        let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |at: usize| listeners[at].local_addr().unwrap();
        let line = format!("{} {} --clients 5", address(0), address(1));
        let options = Options::parse(arguments(&line)).unwrap();
        let mut crowd = Crowd {
            options: &options,
            clients: Clients::new().unwrap(),
            joined_in: Duration::ZERO,
        };
        crowd.connect_everyone().unwrap();
        let n_accepted = listeners.map(|listener| {
            listener.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| listener.accept().ok()).count()
        });
        assert_eq!(n_accepted, [3, 2]);
    }
}
