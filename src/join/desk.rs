//! What the keyboard, the session and the printer share. Each lock is held for an instant only, and
//! never while something blocks.

use super::completion::Names;
use crate::password::Password;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Time after the last line has gone in which Ctrl-C may still be meant for it.
const LATELY: Duration = Duration::from_secs(1);

/// Shared by the threads of the client.
#[derive(Debug, Default)]
pub struct Desk {
    /// The names that were seen.
    pub names: Mutex<Names>,
    name: Mutex<String>,
    /// The password that opens the room, as far as it is known.
    pub password: Mutex<Option<Password>>,
    n_waiting: AtomicUsize,
    /// When lines waited last.
    waited: Mutex<Option<Instant>>,
    /// How many lines were sent and have not come back.
    pub n_unheard: AtomicUsize,
    /// Whether something may be printed now.
    pub gate: Gate,
    /// Set when the line is to be read again, with another prompt.
    pub restart: AtomicBool,
    /// Set when the person wants to leave.
    pub leaving: AtomicBool,
    /// Set when the session has ended, and all of it is printed.
    pub over: AtomicBool,
}

impl Desk {
    /// Returns the name under which this person is in.
    pub fn name(&self) -> String {
        self.name.lock().clone()
    }

    /// Sets the name under which this person is in.
    pub fn set_name(&self, name: &str) {
        name.clone_into(&mut self.name.lock());
    }

    /// Returns how many lines wait to be sent.
    pub fn n_waiting(&self) -> usize {
        self.n_waiting.load(Ordering::Relaxed)
    }

    /// Sets how many lines wait to be sent.
    pub fn set_n_waiting(&self, n_waiting: usize, now: Instant) {
        let earlier = self.n_waiting.swap(n_waiting, Ordering::Relaxed);
        if earlier.max(n_waiting) > 0 {
            *self.waited.lock() = Some(now);
        }
    }

    /// Whether lines waited a moment ago. It says so only once.
    pub fn waited_lately(&self, now: Instant) -> bool {
        let waited = self.waited.lock().take();
        waited.is_some_and(|waited| now.saturating_duration_since(waited) < LATELY)
    }
}

/// Open while a line is being read. Only then may something be printed: rustyline's printer keeps
/// the draft whole only while rustyline reads.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open,
    /// It will not open again.
    Abandoned,
}

impl Gate {
    /// Opens it.
    pub fn open(&self) {
        self.set(State::Open);
    }

    /// Closes it.
    pub fn close(&self) {
        self.set(State::Closed);
    }

    /// Closes it for good, so that nobody waits any longer.
    pub fn abandon(&self) {
        self.set(State::Abandoned);
    }

    /// Blocks until it is open, and returns true, or false if it will not open again.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while *state == State::Closed {
            self.changed.wait(&mut state);
        }
        *state == State::Open
    }

    /// Blocks until it is not closed, for `time` at most, and returns whether it is not.
    pub fn wait_for(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed
            .wait_while_for(&mut state, |state| *state == State::Closed, time);
        *state != State::Closed
    }

    fn set(&self, wanted: State) {
        let mut state = self.state.lock();
        if *state != State::Abandoned {
            *state = wanted;
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_have_just_gone_are_remembered_for_a_moment_and_once() {
        let (desk, start) = (Desk::default(), Instant::now());
        desk.set_n_waiting(0, start);
        assert!(!desk.waited_lately(start));
        desk.set_n_waiting(2, start);
        for (seconds, lately) in [(5, true), (6, false)] {
            desk.set_n_waiting(0, start + Duration::from_secs(5));
            let now = start + Duration::from_secs(seconds);
            assert_eq!(desk.waited_lately(now), lately);
        }
        desk.set_n_waiting(1, start);
        assert!(!desk.waited_lately(start + LATELY));
    }
}
