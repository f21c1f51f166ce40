//! Links this server's room with those of other servers, through a stream on an engine: Redis or
//! Valkey. Two threads carry it. The `uplink` says there what the people of this server say, and the
//! `downlink` hears what everybody says, and is the only one to pass it to the room. So the order of
//! the stream is the order of the room on every server.
//!
//! When the engine is away, the uplink takes nothing more. Then readers wait, TCP windows close and
//! senders block, as in any busy room: the engine is one more slow consumer, further in.
//!
//! ```text
//! nc ─▶ reader-7 ──said──▶ uplink ══say══▶ engine ══read══▶ downlink ──events──▶ broadcaster
//! ```
//!
//! What is in the stream is not trusted: see `entry`.

pub mod address;
mod changes;
pub mod entry;
pub mod ledger;
#[cfg(test)]
mod model;
mod health;
mod answers;
mod engine;
mod connector;
mod shared;
mod deferred;
mod batch;
mod registry;
mod letters;
mod uplink;
mod downlink;

use super::broadcaster::INBOX;
use super::elsewhere::Elsewhere;
use super::handle::RoomHandle;
use super::session::roster::Roster;
use super::threads;
use crate::room::Room;
use crate::room::event::Event;
use crate::room::history::History;
use address::Place;
use answers::Failure;
use crossbeam_channel::{Receiver, Sender, bounded};
use downlink::{Downlink, FEW_ENTRIES};
use engine::Engine;
use entry::{Entry, Id};
use health::Health;
use ledger::Ledger;
use parking_lot::{Condvar, Mutex};
use shared::{Progress, Shared, fresh_id};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use uplink::{Ends, Uplink};

/// Maximum time for the engine to answer at the start.
const START: Duration = Duration::from_secs(5);

/// Time between two tries at the start.
const START_RETRY: Duration = Duration::from_millis(250);

/// Stack size of both threads, in bytes: the crate parses what is nested by recursion.
const STACK: usize = 1 << 20;

/// Maximum number of things that the room has for other servers.
const OUTGOING: usize = 64;

/// Maximum time that a stop waits for the last lines to be said and heard.
const LAST_LINES: Duration = Duration::from_millis(700);

/// A link that is up, and has not been started yet.
pub struct Link {
    shared: Arc<Shared>,
    engine: Engine,
    ledger: Ledger,
}

/// The end of a link that its server holds.
pub struct Running {
    shared: Arc<Shared>,
    said: Receiver<Event>,
}

impl Link {
    /// Connects to the room at `place`, and returns the link with the last `n_history` messages there.
    ///
    /// # Errors
    /// One sentence that says why the engine does not answer as it should.
    pub fn connect(place: &Place, n_history: usize) -> Result<(Self, History), String> {
        let deadline = Instant::now() + START;
        let sentence = |failure| {
            let why = match failure {
                Failure::Away(words) => words,
                Failure::Full => "its memory is full".to_owned(),
            };
            format!(
                "Cannot use Redis at {} ({why}). Check that it runs, its address and its password.",
                place.address
            )
        };
        loop {
            match Self::try_connect(place, n_history) {
                Ok(connected) => return Ok(connected),
                Err(failure) if Instant::now() >= deadline => return Err(sentence(failure)),
                Err(_) => thread::sleep(START_RETRY),
            }
        }
    }

    fn try_connect(place: &Place, n_history: usize) -> Result<(Self, History), Failure> {
        let me = fresh_id();
        let mut engine = Engine::connect(place, &me)?;
        let hello = engine.hello("", 0, &fresh_id())?;
        let mut ledger = Ledger::new(&hello, n_history as u64);
        let mut history = History::new(n_history);
        while ledger.cursor().total < hello.end.total {
            let heard = engine.read(ledger.cursor(), Id::default(), FEW_ENTRIES)?;
            if heard.entries.is_empty() {
                break;
            }
            for (id, fields) in &heard.entries {
                ledger.hear(*id, Entry::parse(fields), |news| {
                    if let ledger::News::Line(line) = news {
                        history.push(line);
                    }
                });
            }
        }
        log::info!(
            "Room \"{}\" on {}, server {}",
            place.room,
            place.address,
            &me[..8]
        );
        for warning in &engine.about().warnings {
            log::warn!("{warning}");
        }
        let progress = Progress {
            epoch: hello.epoch,
            heard: ledger.cursor().total,
            promised: hello.end.total,
            ..Progress::default()
        };
        let shared = Arc::new(Shared {
            place: place.clone(),
            me,
            progress: Mutex::new(progress),
            changed: Condvar::new(),
            health: Mutex::new(Health::new(Instant::now())),
            is_cut_off: Arc::default(),
            is_over: AtomicBool::new(false),
        });
        Ok((
            Self {
                shared,
                engine,
                ledger,
            },
            history,
        ))
    }

    /// Starts both directions. `events` leads to this server's `room`, whose names are in the `roster`.
    /// Returns the way into the room of all servers, and the end of the link that the server holds.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        room: &mut Room,
        events: Sender<Event>,
        roster: &'scope Roster,
    ) -> io::Result<(RoomHandle, Running)> {
        let shared = self.shared;
        let (said, for_uplink) = bounded(INBOX);
        let (elsewhere, questions) = Elsewhere::new(Arc::clone(&shared.is_cut_off));
        let (letters, outgoing) = bounded(OUTGOING);
        let (news, woken) = bounded(1);
        room.share(letters);
        roster.link(news.clone());
        let ends = Ends {
            said: for_uplink.clone(),
            questions,
            outgoing,
            woken,
            events: events.clone(),
            roster,
        };
        let uplink = Uplink::new(Arc::clone(&shared), ends);
        let link = Arc::clone(&shared);
        let downlink = Downlink::new(link, self.engine, self.ledger, events.clone(), news);
        threads::spawn_with(scope, "uplink".to_owned(), STACK, move || uplink.run())?;
        threads::spawn_with(scope, "downlink".to_owned(), STACK, move || downlink.run())?;
        let handle = RoomHandle::linked(events, said, elsewhere);
        Ok((
            handle,
            Running {
                shared,
                said: for_uplink,
            },
        ))
    }
}

/// How a link is, for who looks in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether people know that they are cut off.
    pub is_cut_off: bool,
    /// Number of messages that were said on some server and not yet heard here.
    pub n_behind: u64,
    /// Number of lines of this server that wait to be said.
    pub n_unsaid: u64,
}

/// Tells how a link is.
#[derive(Clone)]
pub struct Lookout {
    shared: Arc<Shared>,
    said: Receiver<Event>,
}

impl Lookout {
    /// Returns how the link is now.
    pub fn state(&self) -> State {
        let progress = self.shared.progress.lock();
        State {
            is_cut_off: self.shared.is_cut_off(),
            n_behind: progress.promised.saturating_sub(progress.heard),
            n_unsaid: progress.n_unsaid + self.said.len() as u64,
        }
    }
}

impl Running {
    /// Returns what tells how the link is.
    pub fn lookout(&self) -> Lookout {
        Lookout {
            shared: Arc::clone(&self.shared),
            said: self.said.clone(),
        }
    }

    /// Waits until everything that was said here has been said to everyone and heard, but not longer
    /// than 700 ms. Ends the link, and returns how many lines were not said.
    pub fn finish(&self) -> u64 {
        let deadline = Instant::now() + LAST_LINES;
        let mut progress = self.shared.progress.lock();
        while !(progress.n_unsaid == 0
            && progress.heard >= progress.promised
            && self.said.is_empty())
        {
            if self
                .shared
                .changed
                .wait_until(&mut progress, deadline)
                .timed_out()
            {
                break;
            }
        }
        drop(progress);
        self.shared.end();
        let is_said = |event: &Event| matches!(event, Event::Said { .. });
        let n_waiting = self.said.try_iter().filter(is_said).count();
        self.shared.progress.lock().n_unsaid + n_waiting as u64
    }
}
