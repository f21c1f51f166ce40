//! Lets a bounded number of events a second be logged, and counts the others. What is logged is
//! decided where it happens.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(1);

/// Counts events of one kind.
#[derive(Debug)]
pub struct Throttle {
    limit: u64,
    period_begin: Option<Instant>,
    n_in_period: u64,
    n_left_out: u64,
}

impl Throttle {
    /// Lets `limit` events a second be logged.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            period_begin: None,
            n_in_period: 0,
            n_left_out: 0,
        }
    }

    /// Counts one more event. If it may be logged, returns how many there were since the last one
    /// that was, itself included.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        if self.period_begin.is_none_or(|begin| now - begin >= PERIOD) {
            self.period_begin = Some(now);
            self.n_in_period = 0;
        }
        self.n_in_period += 1;
        if self.n_in_period > self.limit {
            self.n_left_out += 1;
            return None;
        }
        Some(std::mem::take(&mut self.n_left_out) + 1)
    }

    /// Returns how many events there were since the last one that was logged.
    pub fn n_left_out(&self) -> u64 {
        self.n_left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_up_to_the_limit_are_logged_and_the_others_are_counted() {
        for limit in [1, 20] {
            let start = Instant::now();
            let mut throttle = Throttle::new(limit);
            for number in 0..50 {
                let expected = (number < limit).then_some(1);
                assert_eq!(throttle.count(start), expected);
            }
            assert_eq!(throttle.count(start + PERIOD / 2), None);
            assert_eq!(throttle.n_left_out(), 51 - limit);
            assert_eq!(throttle.count(start + PERIOD), Some(52 - limit));
            assert_eq!(throttle.count(start + PERIOD * 2), Some(1));
        }
    }
}
