//! Counts the messages that a crowd has heard, and times how long each was in flight. It is given
//! the bytes and the time. Printing is left to `report`.

use super::dialect::{self, MARK, STAMP};
use hdrhistogram::Histogram;
use memchr::{memchr_iter, memrchr};
use std::io;

/// The first 100,000 messages are all timed.
const N_ALL_TIMED: u64 = 100_000;

/// After that every message is counted, but only one per 1,021 bytes is timed. The samples lie all
/// over a read, because the messages at its beginning have waited longest.
const SAMPLE: usize = 1021;

/// Maximum latency that is recorded, in microseconds; longer ones count as this.
const MAX_LATENCY: u64 = 60_000_000;

/// The count of what was heard since the start of the measurement.
pub struct Tally {
    /// Number of messages that arrived.
    pub n_delivered: u64,
    /// Number of messages that did not arrive, according to the server.
    pub n_missed: u64,
    /// Times from when a message was due to when it was read, in microseconds.
    pub latencies: Histogram<u64>,
    start: u64,
    /// Offset of the next sample, in bytes from the beginning of the next read.
    next_sample: usize,
}

impl Tally {
    /// Returns an empty tally. Messages with a stamp before `start`, in microseconds, are counted
    /// but not timed.
    pub fn new(start: u64) -> io::Result<Self> {
        Ok(Self {
            n_delivered: 0,
            n_missed: 0,
            latencies: histogram()?,
            start,
            next_sample: 0,
        })
    }

    /// Adds the `n_messages` in `bytes`, which were read at the time `now`.
    pub fn add(&mut self, bytes: &[u8], n_messages: u64, now: u64) {
        self.n_delivered += n_messages;
        if self.n_delivered <= N_ALL_TIMED {
            for mark in memchr_iter(MARK, bytes) {
                self.time(&bytes[mark + 1..], now);
            }
            return;
        }
        while self.next_sample < bytes.len() {
            if let Some(mark) = memrchr(MARK, &bytes[..=self.next_sample]) {
                self.time(&bytes[mark + 1..], now);
            }
            self.next_sample += SAMPLE;
        }
        self.next_sample -= bytes.len();
    }

    /// Returns how many messages arrived or are known to be missed.
    pub fn n_heard_of(&self) -> u64 {
        self.n_delivered + self.n_missed
    }

    fn time(&mut self, message: &[u8], now: u64) {
        let stamp = message.get(..STAMP).and_then(dialect::stamp);
        if let Some(stamp) = stamp.filter(|stamp| *stamp >= self.start) {
            self.latencies
                .saturating_record(now.saturating_sub(stamp).max(1));
        }
    }
}

/// Returns an empty histogram of times in microseconds. Its size is fixed: one that grows would
/// record a time that is too long for it as next to nothing.
pub fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, MAX_LATENCY, 3).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::*;

    #[test]
    fn all_messages_of_a_read_are_timed_alike() {
        let mut tally = Tally::new(1000).unwrap();
        tally.n_delivered = N_ALL_TIMED;
        // Twenty messages a read, one a millisecond: those in front are the oldest.
        for n_read in 1..1000 {
            let end = n_read * 20_000;
            let bytes: Vec<u8> = (0..20)
                .flat_map(|n| Dialect::Line.message(end - 20_000 + n * 1000, 64))
                .collect();
            tally.add(&bytes, 20, end);
        }
        assert_eq!(tally.n_delivered, N_ALL_TIMED + 20 * 999);
        let median = tally.latencies.value_at_quantile(0.5);
        assert!((9_000..12_000).contains(&median), "{median}");
    }

    #[test]
    fn what_was_said_before_is_not_timed() {
        let mut tally = Tally::new(1000).unwrap();
        tally.add(&Dialect::Line.message(999, 2000), 1, 5000);
        assert_eq!(tally.latencies.len(), 0);
        tally.add(&Dialect::Line.message(1000, 2000), 1, 5000);
        assert!((3990..4010).contains(&tally.latencies.max()));
    }
}
