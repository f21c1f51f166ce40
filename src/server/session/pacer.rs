//! Decides when the next line may be said. The pacer is told the time and returns how long to wait;
//! sleeping is left to the reader.

use std::time::{Duration, Instant};

/// Paces one client. After a pause a line goes at once. In a flood each line has its slot, and
/// oversleeping one slot does not delay the next.
#[derive(Debug)]
pub struct Pacer {
    interval: Duration,
    next_slot: Option<Instant>,
}

impl Pacer {
    /// Returns a pacer that allows one line per `interval`; zero means no limit.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            next_slot: None,
        }
    }

    /// Takes the next slot, and returns how long it is until then.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let slot = self.next_slot.unwrap_or(now);
        let wait = self.left(now);
        let lateness = now.saturating_duration_since(slot);
        // A line that came a little late does not delay the next. Otherwise a client that talks
        // just at the pace would be late forever after one hiccup. A pause saves up nothing.
        let taken = if lateness <= self.interval / 2 {
            slot
        } else {
            now
        };
        self.next_slot = Some(taken + self.interval);
        wait
    }

    /// Returns how long it is until the next slot, without taking it.
    pub fn left(&self, now: Instant) -> Duration {
        let slot = self.next_slot.unwrap_or(now);
        slot.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Duration = Duration::from_millis(200);

    #[test]
    fn a_line_after_a_pause_goes_at_once() {
        let start = Instant::now();
        let mut pacer = Pacer::new(SLOT);
        assert_eq!(pacer.left(start), Duration::ZERO);
        assert_eq!(pacer.wait(start), Duration::ZERO);
        assert_eq!(pacer.left(start + SLOT / 4), SLOT * 3 / 4);
        assert_eq!(pacer.left(start + SLOT), Duration::ZERO);
        assert_eq!(pacer.wait(start + SLOT), Duration::ZERO);
        assert_eq!(pacer.wait(start + SLOT * 50), Duration::ZERO);
        assert_eq!(
            pacer.wait(start + SLOT * 50),
            SLOT,
            "a pause saves up no slots"
        );
    }

    #[test]
    fn a_flood_gets_one_line_a_slot() {
        let start = Instant::now();
        let mut pacer = Pacer::new(SLOT);
        for n_earlier in 0..100 {
            assert_eq!(pacer.wait(start), SLOT * n_earlier);
        }
    }

    #[test]
    fn oversleeping_does_not_add_up() {
        let mut now = Instant::now();
        let start = now;
        let mut pacer = Pacer::new(SLOT);
        for _ in 0..100 {
            now += pacer.wait(now) + Duration::from_millis(9);
        }
        assert_eq!(now - start, SLOT * 99 + Duration::from_millis(9));
    }

    #[test]
    fn a_late_line_does_not_delay_the_next() {
        let start = Instant::now();
        let mut pacer = Pacer::new(SLOT);
        pacer.wait(start);
        assert_eq!(pacer.wait(start + SLOT + SLOT / 4), Duration::ZERO);
        assert_eq!(pacer.wait(start + SLOT * 2), Duration::ZERO);
    }

    #[test]
    fn no_interval_is_no_limit() {
        let start = Instant::now();
        let mut pacer = Pacer::new(Duration::ZERO);
        assert_eq!(pacer.wait(start), Duration::ZERO);
        assert_eq!(pacer.wait(start), Duration::ZERO);
    }
}
