//! What a crowd has heard: how much of it, and how long it was under way. Pure: it is given the
//! bytes and the time.

use super::dialect::{self, MARK, STAMP};
use hdrhistogram::{CreationError, Histogram};
use memchr::{memchr_iter, memrchr};

/// Of so many messages each is looked at.
const EACH: u64 = 100_000;

/// After these every message is counted, and the one at every so many bytes is looked at: wherever
/// a read begins, since those at its beginning have waited longest for the rest.
const SAMPLE: usize = 1021;

/// Longest latency that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// What was heard since it was started.
pub struct Tally {
    /// Messages that came.
    pub n_delivered: u64,
    /// Messages that did not, as the server has told.
    pub n_missed: u64,
    /// From when a message was due to when it was read, in microseconds.
    pub latencies: Histogram<u64>,
    start: u64,
    /// Where to look closer, in bytes from the beginning of the next read.
    next_sample: usize,
}

impl Tally {
    /// Starts at the time `start`, in the microseconds of the stamps: messages stamped before are
    /// of no interest.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(start: u64) -> Result<Self, CreationError> {
        Ok(Self {
            n_delivered: 0,
            n_missed: 0,
            latencies: histogram()?,
            start,
            next_sample: 0,
        })
    }

    /// Adds what was read at the time `now`, `n_messages` in all.
    pub fn add(&mut self, bytes: &[u8], n_messages: u64, now: u64) {
        self.n_delivered += n_messages;
        if self.n_delivered <= EACH {
            for mark in memchr_iter(MARK, bytes) {
                self.look(&bytes[mark + 1..], now);
            }
            return;
        }
        while self.next_sample < bytes.len() {
            if let Some(mark) = memrchr(MARK, &bytes[..=self.next_sample]) {
                self.look(&bytes[mark + 1..], now);
            }
            self.next_sample += SAMPLE;
        }
        self.next_sample -= bytes.len();
    }

    fn look(&mut self, message: &[u8], now: u64) {
        let stamp = message.get(..STAMP).and_then(dialect::stamp);
        if let Some(stamp) = stamp.filter(|stamp| *stamp >= self.start) {
            self.latencies
                .saturating_record(now.saturating_sub(stamp).max(1));
        }
    }
}

/// Of times up to the longest that is told apart, in microseconds. It does not grow: a histogram
/// that does counts what is too long for it, when it is told to saturate, as next to nothing.
pub fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, LONGEST, 3)
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::*;

    #[test]
    fn all_messages_of_a_read_are_looked_at_alike() {
        let mut tally = Tally::new(1000).unwrap();
        tally.n_delivered = EACH;
        // Twenty messages a read, one a millisecond: those in front are the oldest.
        for n_read in 1..1000 {
            let end = n_read * 20_000;
            let bytes: Vec<u8> = (0..20)
                .flat_map(|n| Dialect::Line.message(end - 20_000 + n * 1000, 64))
                .collect();
            tally.add(&bytes, 20, end);
        }
        assert_eq!(tally.n_delivered, EACH + 20 * 999);
        let median = tally.latencies.value_at_quantile(0.5);
        assert!((9_000..12_000).contains(&median), "{median}");
    }

    #[test]
    fn what_was_said_before_is_of_no_interest() {
        let mut tally = Tally::new(1000).unwrap();
        tally.add(&Dialect::Line.message(999, 2000), 1, 5000);
        assert_eq!(tally.latencies.len(), 0);
        tally.add(&Dialect::Line.message(1000, 2000), 1, 5000);
        assert!((3990..4010).contains(&tally.latencies.max()));
    }
}
