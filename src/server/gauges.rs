//! Keeps the numbers that show where bytes wait and what has happened, as relaxed atomics. Threads
//! that do the work write them and wait for nothing. Reading and showing them is left to `status`.

use crate::net::connection::Connection;
use crate::protocol::notice::Notice;
use crate::room::event::ClientId;
use crate::room::outbox::Counts;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What a client's reader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It asks for a name.
    Names,
    /// It waits for the client.
    Listens,
    /// It sleeps until the client's next line may be said.
    Paced,
    /// It hands over a line, and waits while the inbox is full.
    Waits,
    /// It lets the writer finish.
    Leaves,
}

impl Doing {
    const ALL: [Self; 5] = [
        Self::Names,
        Self::Listens,
        Self::Paced,
        Self::Waits,
        Self::Leaves,
    ];

    /// Returns a word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Listens => "listens",
            Self::Paced => "paced",
            Self::Waits => "waits",
            Self::Leaves => "leaves",
        }
    }
}

/// The numbers of one connection.
#[derive(Debug)]
pub struct Gauge {
    /// The connection's number.
    pub id: ClientId,
    /// The address of the peer, and our own, if they have any.
    pub ends: [Option<SocketAddr>; 2],
    /// When it was accepted.
    pub since: Instant,
    /// What its outbox holds.
    pub outbox: Arc<Counts>,
    name: Mutex<Option<Arc<str>>>,
    doing: AtomicU8,
    farewell: OnceLock<String>,
    n_said: AtomicU64,
    paced_us: AtomicU64,
    n_written: AtomicU64,
}

impl Gauge {
    /// Returns the gauge of a connection that has just been accepted.
    pub fn new(id: ClientId, connection: &Connection) -> Self {
        Self {
            id,
            ends: connection.ends(),
            since: Instant::now(),
            outbox: Arc::default(),
            name: Mutex::default(),
            doing: AtomicU8::new(Doing::Names as u8),
            farewell: OnceLock::new(),
            n_said: AtomicU64::new(0),
            paced_us: AtomicU64::new(0),
            n_written: AtomicU64::new(0),
        }
    }

    /// Notes the client's name.
    // Called seldom, so it should not enlarge the stack of a session.
    #[inline(never)]
    pub fn set_name(&self, name: &Arc<str>) {
        let earlier = self.name.lock().replace(Arc::clone(name));
        drop(earlier);
    }

    /// Notes what the reader does.
    pub fn set(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// Counts a message that was said.
    pub fn said(&self) {
        self.n_said.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds to the time that the client was paced.
    pub fn paced(&self, nap: Duration) {
        let nap = u64::try_from(nap.as_micros()).unwrap_or(u64::MAX);
        self.paced_us.fetch_add(nap, Ordering::Relaxed);
    }

    /// Counts bytes that were written to the client's socket.
    pub fn wrote(&self, n_bytes: usize) {
        self.n_written.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    /// Notes that the client is to leave, and why, if a reason is given. The first reason counts.
    pub fn ask_to_leave(&self, why: String) {
        let _ = self.farewell.set(why);
    }

    /// Whether the client is to leave.
    pub fn is_asked_to_leave(&self) -> bool {
        self.farewell.get().is_some()
    }

    /// Returns what to tell a client that is to leave.
    pub fn farewell(&self) -> Notice {
        match self.farewell.get().filter(|why| !why.is_empty()) {
            Some(why) => Notice::AskedToLeaveFor(why.clone()),
            None => Notice::AskedToLeave,
        }
    }

    /// Returns the client's name, once it has one.
    pub fn name(&self) -> Option<Arc<str>> {
        self.name.lock().clone()
    }

    /// Returns what the reader does.
    pub fn doing(&self) -> Doing {
        let doing = usize::from(self.doing.load(Ordering::Relaxed));
        Doing::ALL.get(doing).copied().unwrap_or(Doing::Leaves)
    }

    /// Returns how many messages the client has said.
    pub fn n_said(&self) -> u64 {
        self.n_said.load(Ordering::Relaxed)
    }

    /// Returns for how long it was paced, in all.
    pub fn time_paced(&self) -> Duration {
        Duration::from_micros(self.paced_us.load(Ordering::Relaxed))
    }

    /// Returns how many bytes were written to its socket.
    pub fn n_written(&self) -> u64 {
        self.n_written.load(Ordering::Relaxed)
    }
}

/// What has happened so far in the whole room.
#[derive(Debug, Default)]
pub struct Totals {
    frame_bytes: AtomicUsize,
    frames: AtomicU64,
    messages: AtomicU64,
    missed: AtomicU64,
    turned_away: [AtomicU64; 4],
}

impl Totals {
    /// Notes how many bytes the current frame has.
    pub fn frame_has(&self, n_bytes: usize) {
        self.frame_bytes.store(n_bytes, Ordering::Relaxed);
    }

    /// Counts a frame that goes out with this many messages.
    pub fn flushed(&self, n_messages: u64) {
        self.frame_has(0);
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.messages.fetch_add(n_messages, Ordering::Relaxed);
    }

    /// Counts messages that were dropped for some client.
    pub fn missed(&self, n_messages: u64) {
        if n_messages > 0 {
            self.missed.fetch_add(n_messages, Ordering::Relaxed);
        }
    }

    /// Counts a connection that got no seat, for the reason of this number.
    pub fn turned_away(&self, reason: usize) {
        if let Some(n_turned_away) = self.turned_away.get(reason) {
            n_turned_away.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many bytes the current frame has.
    pub fn n_frame_bytes(&self) -> usize {
        self.frame_bytes.load(Ordering::Relaxed)
    }

    /// Returns how many frames went out.
    pub fn n_frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Returns how many messages went out, each counted once.
    pub fn n_messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Returns how many messages were missed, by all clients together.
    pub fn n_missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Returns how many connections got no seat, by reason.
    pub fn n_turned_away(&self) -> [u64; 4] {
        self.turned_away
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }
}
