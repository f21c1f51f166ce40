//! Plans who sends how many messages, and when. It is told the time, and which talkers can send
//! more. Making messages and sending them is left to the crowd.

use std::time::Duration;

/// Maximum number of messages that are due at a time, so that the crowd reads in between.
const MAX_DUE: usize = 1024;

/// Number of messages that a talker sends at a time when no rate is set.
const BURST: usize = 64;

/// A plan for all talkers. Its times count from when they began to talk.
pub struct Schedule {
    n_talkers: usize,
    /// Messages per second of all talkers together, or `None` for as many as they can send.
    rate: Option<f64>,
    seconds: f64,
    n_sent: u64,
}

/// The messages that are due at one time.
#[derive(Debug, PartialEq)]
pub struct Due {
    /// The turns, in their order.
    pub turns: Vec<Turn>,
    /// When to ask again.
    pub next: Duration,
}

/// One talker's turn to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// The talker's number.
    pub talker: usize,
    /// Number of messages that it sends.
    pub n_messages: usize,
    /// When they were due.
    pub due: Duration,
}

impl Schedule {
    /// Returns a plan for `n_talkers` that talk for `seconds`, with `rate` messages per second per
    /// talker, or as many as they can send.
    pub fn new(n_talkers: usize, rate: Option<f64>, seconds: f64) -> Self {
        Self {
            n_talkers,
            rate: rate.map(|rate| rate * n_talkers as f64),
            seconds,
            n_sent: 0,
        }
    }

    /// Returns how many messages have been due so far.
    pub fn n_sent(&self) -> u64 {
        self.n_sent
    }

    /// Returns what is due at the time `now`, or `None` when all has been sent. A talker without a
    /// rate gets a turn only if it `can_send`.
    pub fn due(&mut self, now: Duration, can_send: impl Fn(usize) -> bool) -> Option<Due> {
        let due = match self.rate {
            Some(rate) => self.evenly(rate, now),
            None => self.in_bursts(now, can_send),
        }?;
        let n_messages: usize = due.turns.iter().map(|turn| turn.n_messages).sum();
        self.n_sent += n_messages as u64;
        Some(due)
    }

    /// Spreads all messages evenly over the time; the talkers take turns.
    fn evenly(&self, rate: f64, now: Duration) -> Option<Due> {
        let n_planned = (rate * self.seconds).round() as u64;
        let time = |number: u64| Duration::from_secs_f64(number as f64 / rate);
        let turns: Vec<Turn> = (self.n_sent..n_planned)
            .take(MAX_DUE)
            .take_while(|number| time(*number) <= now)
            .map(|number| Turn {
                talker: number as usize % self.n_talkers,
                n_messages: 1,
                due: time(number),
            })
            .collect();
        let next = time(self.n_sent + turns.len() as u64);
        (self.n_sent < n_planned).then_some(Due { turns, next })
    }

    /// Gives a turn to every talker that can send, until the time is over.
    fn in_bursts(&self, now: Duration, can_send: impl Fn(usize) -> bool) -> Option<Due> {
        let end = Duration::from_secs_f64(self.seconds);
        let turns = (0..self.n_talkers)
            .filter(|talker| can_send(*talker))
            .map(|talker| Turn {
                talker,
                n_messages: BURST,
                due: now,
            })
            .collect();
        (now < end).then_some(Due { turns, next: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn turn(talker: usize, n_messages: usize, due: Duration) -> Turn {
        Turn {
            talker,
            n_messages,
            due,
        }
    }

    #[test]
    fn with_a_rate_messages_are_spread_evenly_and_talkers_take_turns() {
        // Two talkers, five messages a second each: one message every 100 ms.
        let mut schedule = Schedule::new(2, Some(5.0), 0.4);
        let mut due = |now| schedule.due(ms(now), |_| false);
        let first = Due {
            turns: vec![turn(0, 1, ms(0))],
            next: ms(100),
        };
        assert_eq!(due(0), Some(first));
        let early = Due {
            turns: Vec::new(),
            next: ms(100),
        };
        assert_eq!(due(99), Some(early));
        let late = Due {
            turns: vec![turn(1, 1, ms(100)), turn(0, 1, ms(200))],
            next: ms(300),
        };
        assert_eq!(due(250), Some(late));
        assert_eq!(due(1000).unwrap().turns, [turn(1, 1, ms(300))]);
        assert_eq!(due(1000), None);
        assert_eq!(schedule.n_sent(), 4);
    }

    #[test]
    fn a_late_crowd_reads_before_it_has_sent_everything() {
        let mut schedule = Schedule::new(1000, Some(5.0), 1.0);
        let due = schedule.due(ms(1000), |_| true).unwrap();
        assert_eq!(due.turns.len(), MAX_DUE);
        assert!(due.next < ms(1000));
    }

    #[test]
    fn without_a_rate_each_talker_that_can_sends_a_burst_until_the_end() {
        let mut schedule = Schedule::new(3, None, 0.5);
        let due = schedule.due(ms(7), |talker| talker != 1).unwrap();
        assert_eq!(due.turns, [turn(0, BURST, ms(7)), turn(2, BURST, ms(7))]);
        assert_eq!(due.next, ms(500));
        assert_eq!(schedule.n_sent(), 2 * BURST as u64);
        assert_eq!(schedule.due(ms(500), |_| true), None);
    }
}
