//! Holds what both directions of a link share: how far it has come, and how it is.

use super::address::Place;
use super::answers::Failure;
use super::health::{Direction, Health};
use crate::protocol::notice::Notice;
use crate::random;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What both directions of a link share. Each lock is held for an instant only.
pub struct Shared {
    pub place: Place,
    /// The number of this server.
    pub me: String,
    pub progress: Mutex<Progress>,
    pub changed: Condvar,
    pub health: Mutex<Health>,
    pub is_cut_off: Arc<AtomicBool>,
    pub is_over: AtomicBool,
}

/// How far a link has come.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The epoch that was greeted.
    pub epoch: String,
    /// Whether the engine is being told how far the link has come.
    pub is_greeting: bool,
    /// How many messages of this epoch were heard or missed.
    pub heard: u64,
    /// How many there are, as far as the engine has told.
    pub promised: u64,
    /// How many lines of this server wait to be said.
    pub n_unsaid: u64,
}

impl Shared {
    /// Whether the link is over.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Ends the link.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Whether people know that they are cut off.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::SeqCst)
    }

    /// Returns how far the link has come.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Changes how far the link has come.
    pub fn advance<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let changed = change(&mut self.progress.lock());
        self.changed.notify_all();
        changed
    }

    /// Returns what people are to be told now, if anything.
    pub fn notice(&self) -> Option<Notice> {
        let progress = self.progress();
        let has_caught_up = progress.heard >= progress.promised;
        let mut health = self.health.lock();
        let notice = health.notice(has_caught_up, Instant::now());
        self.is_cut_off.store(health.is_cut_off(), Ordering::SeqCst);
        notice
    }

    /// Notes, and logs, that the engine can't be reached in this direction.
    pub fn failed(&self, direction: Direction, failure: &Failure) {
        let Failure::Away(reason) = failure else {
            self.health.lock().set_full(true);
            return;
        };
        let is_new = self.health.lock().failed(direction, Instant::now());
        if is_new {
            log::warn!("Cut off from Redis ({reason}); trying again");
        }
    }
}

/// Returns a number that nobody else has.
pub fn fresh_id() -> String {
    format!("{:016x}", random::number())
}
