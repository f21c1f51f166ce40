//! Decides when something that has failed is tried again. It is told a random number, so that it has
//! none of its own.

use std::time::Duration;

/// Part of the time by which chance shortens or lengthens it, so that the clients of a server that
/// was restarted don't all come at once.
const CHANCE: f64 = 0.2;

/// Counts tries in vain.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    n_tries: u32,
}

impl Backoff {
    /// Returns a backoff that waits for `first` before the second try, and never longer than
    /// `longest`, before chance changes it.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            n_tries: 0,
        }
    }

    /// Returns how long to wait before the next try: each time twice as long as the last time, give or
    /// take a fifth. `random` is from 0 to 1.
    pub fn wait(&mut self, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(self.n_tries).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.longest);
        self.n_tries = (self.n_tries + 1).min(31);
        wait.mul_f64(1.0 - CHANCE + 2.0 * CHANCE * random.clamp(0.0, 1.0))
    }

    /// Starts again with the first wait.
    pub fn reset(&mut self) {
        self.n_tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let waits: Vec<_> = (0..40)
            .map(|_| backoff.wait(0.5).as_secs_f64().round())
            .collect();
        assert_eq!(waits[..7], [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert!(waits[7..].iter().all(|wait| (wait - 30.0).abs() < 0.1));
        backoff.reset();
        assert_eq!(backoff.wait(0.0), Duration::from_millis(800));
        assert_eq!(backoff.wait(1.0), Duration::from_millis(2400));
    }
}
