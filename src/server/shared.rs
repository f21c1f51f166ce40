//! Holds what all sessions of a server share: its configuration, the names in use, their log, and
//! whether it is stopping.

use super::connection_log::ConnectionLog;
use super::gauges::Totals;
use super::link::address::Place;
use super::session::roster::Roster;
use crate::password::Password;
use crate::room::Rules;
use crate::room::event::ClientId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Configuration of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Minimum time between two lines of one client; zero means no limit.
    pub line_interval: Duration,
    /// Maximum number of frames that wait for a slow client; at least 1.
    pub queue_frames: usize,
    /// Maximum number of clients at a time. `None` means as many as the host can carry, which is
    /// never exceeded.
    pub max_clients: Option<usize>,
    /// Total time for a client to give a name.
    pub name_timeout: Duration,
    /// What every client must give before its name, if anything.
    pub password: Option<Password>,
    /// Whole lines that every client gets after it has given a name.
    pub message_of_the_day: String,
    /// How the room differs from others.
    pub room: Rules,
    /// Where the room is that other servers share, if they do.
    pub place: Option<Place>,
}

/// Everything that all sessions share.
#[derive(Debug, Default)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The names in use.
    pub roster: Roster,
    /// The log of connections.
    pub log: ConnectionLog,
    /// Whether the server is stopping.
    pub stop: Stop,
    /// What has happened so far, for who looks in.
    pub totals: Totals,
}

impl Shared {
    /// Logs the name that a client has taken.
    pub fn log_name(&self, id: ClientId, name: &str) {
        self.log
            .info(format_args!("Connection #{id}: name set to \"{name}\""));
    }
}

/// How far the server has come with stopping. It never goes back.
#[derive(Debug, Default)]
pub struct Stop {
    has_begun: AtomicBool,
    closes_room: AtomicBool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            line_interval: Duration::from_millis(200),
            queue_frames: 32,
            max_clients: None,
            name_timeout: Duration::from_mins(1),
            password: None,
            message_of_the_day: String::new(),
            room: Rules::default(),
            place: None,
        }
    }
}

impl Stop {
    /// Marks the server as stopping: nobody gets in, and sessions end.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Lets the room close after its last lines.
    pub fn close_room(&self) {
        self.closes_room.store(true, Ordering::Relaxed);
    }

    /// Whether the server is stopping.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Whether the room is to close.
    pub fn closes_room(&self) -> bool {
        self.closes_room.load(Ordering::Relaxed)
    }
}
