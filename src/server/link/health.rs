//! Decides what people are told about the link: that they are cut off, that they are back, or that the
//! engine is full. It is told the time, and what the two directions of the link have met.

use crate::protocol::notice::Notice;
use std::time::{Duration, Instant};

/// Time without an answer after which people are told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Minimum time between two lines of the log about a link that does not work.
const LOG_AGAIN: Duration = Duration::from_secs(10);

/// How the link is.
#[derive(Debug)]
pub struct Health {
    /// When the engine answered last, for each direction that it does not answer any more.
    silent_since: [Option<Instant>; 2],
    answered: [Instant; 2],
    is_full: bool,
    told: Told,
    /// When it was logged last that the link does not work.
    logged: Option<Instant>,
}

/// The direction of a link.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// To the engine.
    Up,
    /// From it.
    Down,
}

/// What people know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    CutOff,
    Full,
}

impl Health {
    /// Returns the health of a link whose engine has just answered.
    pub fn new(now: Instant) -> Self {
        Self {
            silent_since: [None; 2],
            answered: [now; 2],
            is_full: false,
            told: Told::Nothing,
            logged: None,
        }
    }

    /// Notes that the engine has answered in this direction.
    pub fn answered(&mut self, direction: Direction, now: Instant) {
        self.answered[direction as usize] = now;
        self.silent_since[direction as usize] = None;
    }

    /// Notes whether the engine has no space for more.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// Notes that the engine can't be reached in this direction. Returns whether to log that: now and
    /// then.
    pub fn failed(&mut self, direction: Direction, now: Instant) -> bool {
        let since = match direction {
            Direction::Down => self.answered[Direction::Down as usize],
            // Nothing may have been said for a long time.
            Direction::Up => now,
        };
        self.silent_since[direction as usize].get_or_insert(since);
        let is_due = self.logged.is_none_or(|last| now >= last + LOG_AGAIN);
        if is_due {
            self.logged = Some(now);
        }
        is_due
    }

    /// Whether people know that they are cut off.
    pub fn is_cut_off(&self) -> bool {
        self.told == Told::CutOff
    }

    /// Returns what people are to be told now, if anything. They are told that they are back only when
    /// they have caught up with the others.
    pub fn notice(&mut self, has_caught_up: bool, now: Instant) -> Option<Notice> {
        let is_silent = |since: &Option<Instant>| since.is_some_and(|at| now >= at + PATIENCE);
        let is_well = self.silent_since == [None; 2];
        let (told, notice) = if self.silent_since.iter().any(is_silent) {
            (Told::CutOff, Some(Notice::CutOff))
        } else if is_well && self.is_full {
            (Told::Full, Some(Notice::EngineFull))
        } else if is_well && has_caught_up {
            let was_cut = self.is_cut_off();
            (Told::Nothing, was_cut.then_some(Notice::Back))
        } else {
            return None;
        };
        let is_new = self.told != told;
        self.told = told;
        notice.filter(|_| is_new)
    }

    /// Returns when people will have to be told something, if nothing changes until then.
    pub fn due(&self) -> Option<Instant> {
        let first = self.silent_since.iter().flatten().min();
        first
            .filter(|_| !self.is_cut_off())
            .map(|at| *at + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_short_silence_is_not_mentioned() {
        let start = Instant::now();
        let mut health = Health::new(start);
        assert!(health.failed(Direction::Down, start + s(0.5)));
        assert_eq!(health.notice(false, start + s(1.9)), None);
        health.answered(Direction::Down, start + s(1.9));
        assert_eq!(health.notice(true, start + s(9.0)), None);
    }

    #[test]
    fn a_long_one_is_told_once_and_so_is_its_end() {
        let start = Instant::now();
        let mut health = Health::new(start);
        assert!(health.failed(Direction::Down, start + s(0.5)));
        assert!(!health.failed(Direction::Down, start + s(0.6)));
        assert_eq!(health.due(), Some(start + s(2.0)));
        assert_eq!(health.notice(false, start + s(2.0)), Some(Notice::CutOff));
        assert!(!health.failed(Direction::Up, start + s(2.1)));
        assert_eq!(health.notice(false, start + s(9.0)), None);
        assert_eq!(health.due(), None);
        health.answered(Direction::Down, start + s(9.0));
        assert_eq!(
            health.notice(true, start + s(9.0)),
            None,
            "nothing is said yet"
        );
        health.answered(Direction::Up, start + s(9.1));
        assert_eq!(health.notice(false, start + s(9.2)), None);
        assert!(health.is_cut_off());
        assert_eq!(health.notice(true, start + s(9.3)), Some(Notice::Back));
        assert_eq!(health.notice(true, start + s(9.4)), None);
    }

    #[test]
    fn what_cannot_be_said_is_told_though_others_are_heard() {
        let start = Instant::now();
        let mut health = Health::new(start);
        health.failed(Direction::Up, start + s(60.0));
        health.answered(Direction::Down, start + s(61.0));
        assert_eq!(health.notice(true, start + s(61.9)), None);
        assert_eq!(health.notice(true, start + s(62.0)), Some(Notice::CutOff));
    }

    #[test]
    fn a_full_engine_is_told_at_once_and_its_end_can_be_seen() {
        let start = Instant::now();
        let mut health = Health::new(start);
        health.set_full(true);
        assert_eq!(health.notice(true, start), Some(Notice::EngineFull));
        assert_eq!(health.notice(true, start), None);
        health.answered(Direction::Up, start);
        assert_eq!(health.notice(true, start), None);
        health.set_full(false);
        assert_eq!(health.notice(true, start), None);
        health.set_full(true);
        assert_eq!(health.notice(true, start), Some(Notice::EngineFull));
    }
}
