//! Keeps what all connections from one address share: how many seats they hold, and when the next of
//! them may join. What a share of the seats is, is left to `seats`.

use crate::net::connection::Peer;
use crate::server::session::pacer::Pacer;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Minimum time between two joins from one address. Otherwise reconnecting would be a way around
/// the pace.
const JOIN_INTERVAL: Duration = Duration::from_millis(100);

/// Number of addresses without a seat that may be remembered before the idle ones are forgotten.
const MAX_IDLE_ORIGINS: usize = 1024;

/// Returns the address that a connection counts for, if it counts for any. A distant IPv6 host
/// usually owns a whole /64, so that counts as one address. In a /64 to which this host belongs,
/// each address counts alone. Loopback is exempt: a local user can do worse anyway.
pub fn origin(peer: Peer) -> Option<IpAddr> {
    match peer {
        Peer::Local => None,
        Peer::Ip { address, .. } if address.is_loopback() => None,
        Peer::Ip {
            address,
            is_neighbour: false,
        } => Some(network(address)),
        Peer::Ip { address, .. } => Some(address),
    }
}

/// Returns the first address of the network that a distant host usually owns: its /64, or with IPv4
/// just its own address.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The origins that hold seats, and those that did lately. `None` stands for exempt connections,
/// which share nothing.
#[derive(Debug, Default)]
pub struct Origins {
    known: HashMap<IpAddr, Origin>,
    /// Number of seats that all of them hold.
    n_seats: usize,
}

#[derive(Debug)]
struct Origin {
    n_seats: usize,
    joins: Pacer,
}

impl Origins {
    /// Returns how many seats `origin` holds.
    pub fn n_seats(&self, origin: Option<IpAddr>) -> usize {
        let known = origin.and_then(|address| self.known.get(&address));
        known.map_or(0, |origin| origin.n_seats)
    }

    /// Counts one more seat for `origin`.
    pub fn take_seat(&mut self, origin: Option<IpAddr>) {
        let Some(address) = origin else {
            return;
        };
        self.forget_idle();
        let new = || Origin {
            n_seats: 0,
            joins: Pacer::new(JOIN_INTERVAL),
        };
        self.known.entry(address).or_insert_with(new).n_seats += 1;
        self.n_seats += 1;
    }

    /// Counts one seat less for `origin`.
    pub fn leave_seat(&mut self, origin: Option<IpAddr>) {
        if let Some(origin) = self.get(origin) {
            origin.n_seats -= 1;
            self.n_seats -= 1;
        }
    }

    /// Lets a connection from `origin` try to join if no other has within 100 ms. Otherwise returns
    /// how much of that is left.
    pub fn try_join(&mut self, origin: Option<IpAddr>, now: Instant) -> Duration {
        let Some(origin) = self.get(origin) else {
            return Duration::ZERO;
        };
        let left = origin.joins.left(now);
        if left.is_zero() {
            origin.joins.wait(now);
        }
        left
    }

    fn get(&mut self, origin: Option<IpAddr>) -> Option<&mut Origin> {
        origin.and_then(|address| self.known.get_mut(&address))
    }

    /// Forgets those that hold no seat and have not joined lately, if many are remembered.
    fn forget_idle(&mut self) {
        if self.known.len() >= 2 * self.n_seats + MAX_IDLE_ORIGINS {
            let now = Instant::now();
            self.known
                .retain(|_, origin| origin.n_seats > 0 || !origin.joins.left(now).is_zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ip(text: &str, is_neighbour: bool) -> Option<IpAddr> {
        origin(Peer::Ip {
            address: address(text).to_canonical(),
            is_neighbour,
        })
    }

    #[test]
    fn a_distant_ipv6_network_counts_as_one_address_and_loopback_for_none() {
        assert_eq!(
            ip("2001:db8:0:1::1", false),
            ip("2001:db8:0:1:ffff::2", false)
        );
        assert_ne!(ip("2001:db8:0:1::1", false), ip("2001:db8:0:2::1", false));
        assert_ne!(ip("2001:db8::1", true), ip("2001:db8::2", true));
        assert_eq!(ip("::ffff:192.0.2.1", false), ip("192.0.2.1", false));
        for exempt in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(ip(exempt, false), None, "{exempt}");
        }
        assert_eq!(origin(Peer::Local), None);
    }

    #[test]
    fn one_address_may_join_ten_times_a_second_however_often_it_reconnects() {
        let mut origins = Origins::default();
        let start = Instant::now();
        let one = Some(address("192.0.2.1"));
        for number in 0..5 {
            origins.take_seat(one);
            let now = start + JOIN_INTERVAL * number;
            assert_eq!(origins.try_join(one, now), Duration::ZERO);
            let half = JOIN_INTERVAL / 2;
            assert_eq!(origins.try_join(one, now + half), half);
            origins.leave_seat(one);
        }
        let other = Some(address("192.0.2.2"));
        origins.take_seat(other);
        assert_eq!(origins.try_join(other, start), Duration::ZERO);
        for _ in 0..5 {
            assert_eq!(origins.try_join(None, start), Duration::ZERO);
        }
    }

    #[test]
    fn addresses_that_come_and_go_do_not_pile_up() {
        let mut origins = Origins::default();
        for number in 0..2 * MAX_IDLE_ORIGINS {
            let origin = Some(address(&format!("192.0.{}.{}", number / 256, number % 256)));
            origins.take_seat(origin);
            origins.leave_seat(origin);
        }
        assert!(origins.known.len() <= MAX_IDLE_ORIGINS);
    }
}
