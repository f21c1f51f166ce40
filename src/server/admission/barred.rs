//! Remembers which addresses may not come back yet. It is told the time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Maximum number of addresses.
const MAX_ADDRESSES: usize = 1024;

/// Maximum time.
pub const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The addresses that may not come back yet, and until when.
#[derive(Debug, Default)]
pub struct Barred(HashMap<IpAddr, Instant>);

impl Barred {
    /// Bars `address` from `now` on for so long. Returns false if it was already barred for longer,
    /// which then counts. Of too many addresses it forgets the one that may come back first.
    pub fn bar(&mut self, address: IpAddr, now: Instant, duration: Duration) -> bool {
        self.0.retain(|_, until| *until > now);
        if self.0.len() >= MAX_ADDRESSES && !self.0.contains_key(&address) {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(address, _)| *address) {
                self.0.remove(&first);
            }
        }
        let until = now + duration.min(LONGEST);
        let latest = self.0.entry(address).or_insert(until);
        *latest = until.max(*latest);
        *latest == until
    }

    /// Lets `address` come back. Returns false if it already may.
    pub fn forgive(&mut self, address: IpAddr, now: Instant) -> bool {
        self.0.remove(&address).is_some_and(|until| until > now)
    }

    /// Returns how many minutes it takes until `address` may come back, begun ones included, if it may
    /// not yet.
    pub fn minutes_left(&self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let until = self.0.get(&address?)?;
        let left = until.checked_duration_since(now)?;
        (!left.is_zero()).then(|| left.as_secs().div_ceil(60).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        [192, 0, high, low].into()
    }

    #[test]
    fn an_address_may_come_back_when_its_time_is_over() {
        let now = Instant::now();
        let mut barred = Barred::default();
        barred.bar(address(1), now, Duration::from_mins(9));
        let left = |number, seconds| {
            let now = now + Duration::from_secs(seconds);
            barred.minutes_left(Some(address(number)), now)
        };
        assert_eq!(
            (left(1, 0), left(1, 400), left(1, 539)),
            (Some(9), Some(3), Some(1))
        );
        assert_eq!((left(1, 540), left(2, 0)), (None, None));
        assert_eq!(barred.minutes_left(None, now), None);
    }

    #[test]
    fn the_longest_time_counts_unless_it_is_forgiven() {
        let now = Instant::now();
        let mut barred = Barred::default();
        let mut bar = |minutes| barred.bar(address(1), now, Duration::from_mins(minutes));
        assert_eq!([5, 9, 1].map(&mut bar), [true, true, false]);
        assert_eq!(barred.minutes_left(Some(address(1)), now), Some(9));
        assert!(barred.forgive(address(1), now));
        assert!(!barred.forgive(address(1), now));
        assert_eq!(barred.minutes_left(Some(address(1)), now), None);
        barred.bar(address(1), now, Duration::from_mins(1));
        assert!(!barred.forgive(address(1), now + Duration::from_mins(1)));
    }

    #[test]
    fn addresses_do_not_pile_up() {
        let now = Instant::now();
        let mut barred = Barred::default();
        for number in 0..2000 {
            barred.bar(
                address(number),
                now,
                Duration::from_secs(60 + u64::from(number)),
            );
        }
        assert_eq!(barred.0.len(), MAX_ADDRESSES);
        assert_eq!(barred.minutes_left(Some(address(0)), now), None);
        assert!(barred.minutes_left(Some(address(1999)), now).is_some());
        let later = now + Duration::from_hours(1);
        barred.bar(address(1), later, Duration::from_secs(1));
        assert_eq!(barred.0.len(), 1);
    }
}
