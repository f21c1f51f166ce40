//! Decides when a lost connection is tried again. It is told a random number, so that it has none of
//! its own.

use std::time::Duration;

/// Longest time between two tries, in seconds, before chance changes it.
const LONGEST: u32 = 30;

/// Part of the time by which chance shortens or lengthens it, so that the clients of a server that
/// was restarted don't all come at once.
const CHANCE: f64 = 0.2;

/// Counts tries in vain.
#[derive(Debug, Default)]
pub struct Backoff {
    n_tries: u32,
}

impl Backoff {
    /// Returns how long to wait before the next try: 1, 2, 4 … 30 s, give or take a fifth. `random`
    /// is from 0 to 1.
    pub fn wait(&mut self, random: f64) -> Duration {
        let seconds = 1_u32
            .checked_shl(self.n_tries)
            .unwrap_or(LONGEST)
            .clamp(1, LONGEST);
        self.n_tries = (self.n_tries + 1).min(31);
        let factor = 1.0 - CHANCE + 2.0 * CHANCE * random.clamp(0.0, 1.0);
        Duration::from_secs(seconds.into()).mul_f64(factor)
    }

    /// Starts again at one second.
    pub fn reset(&mut self) {
        self.n_tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
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
