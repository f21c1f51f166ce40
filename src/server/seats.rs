//! Who holds a seat. A seat is what one connection costs; it is given back when its guard is
//! dropped, on every path out of a session. It also keeps each connection in reach, so that a stop
//! can wake and end those that wait for their client.
//!
//! Nobody can shut the door on the others: those who give no name hold at most a share of the seats,
//! and so do those from one address.

use super::room::ClientId;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// The share of the seats for all without a name, and for all from one address: a quarter.
const SHARE: usize = 4;

/// In a small room the share is so many, lest people who come together push each other out.
const MIN_SHARE: usize = 4;

/// Most who have been pushed out and still hold their seat; the host has to carry them on top.
pub const MAX_PUSHED_OUT: usize = 32;

/// All seats there are.
#[derive(Debug)]
pub struct Seats {
    n_total: usize,
    state: Mutex<State>,
    all_free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: HashMap<ClientId, Taken>,
    /// Those who have not given a name yet: the one with the least number has waited longest.
    unnamed: BTreeSet<ClientId>,
    n_from: HashMap<IpAddr, usize>,
    n_pushed_out: usize,
    closed: bool,
}

#[derive(Debug)]
struct Taken {
    stream: Arc<TcpStream>,
    origin: Option<IpAddr>,
    pushed_out: bool,
}

/// One seat, held until this is dropped.
#[derive(Debug)]
pub struct Seat<'a> {
    seats: &'a Seats,
    id: ClientId,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// All are taken, by people with names.
    Full,
    /// Too many are taken by this address.
    TooManyFromAddress,
    /// The server is closing.
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Full => "the room is full",
            Self::TooManyFromAddress => "one address has its share of the seats",
            Self::Closed => "the server is stopping",
        })
    }
}

impl Seats {
    /// So many free seats.
    pub fn new(n_seats: usize) -> Self {
        Self {
            n_total: n_seats,
            state: Mutex::default(),
            all_free: Condvar::new(),
        }
    }

    /// Takes a seat for a connection from `address`. If it needs one that somebody holds who has
    /// not given a name, the one who has waited longest is pushed out.
    ///
    /// # Errors
    /// Why there is none.
    pub fn take(
        &self,
        id: ClientId,
        stream: &Arc<TcpStream>,
        address: IpAddr,
    ) -> Result<Seat<'_>, Refusal> {
        let mut state = self.state.lock();
        let origin = origin(address);
        let n_from = origin.and_then(|origin| state.n_from.get(&origin));
        if state.closed {
            return Err(Refusal::Closed);
        }
        if n_from.is_some_and(|n_from| *n_from >= self.share()) {
            return Err(Refusal::TooManyFromAddress);
        }
        let full = state.taken.len() - state.n_pushed_out >= self.n_total;
        let pushed_out = if full || state.unnamed.len() >= self.share() {
            if state.n_pushed_out >= MAX_PUSHED_OUT {
                return Err(Refusal::Full);
            }
            Some(state.push_out().ok_or(Refusal::Full)?)
        } else {
            None
        };
        if let Some(origin) = origin {
            *state.n_from.entry(origin).or_default() += 1;
        }
        state.unnamed.insert(id);
        let taken = Taken {
            stream: Arc::clone(stream),
            origin,
            pushed_out: false,
        };
        state.taken.insert(id, taken);
        drop(state);
        if let Some(stream) = pushed_out {
            wake(&stream);
        }
        Ok(Seat { seats: self, id })
    }

    /// Gives out no more seats, and wakes every session that waits for its client to say something.
    pub fn close(&self) {
        self.state.lock().closed = true;
        for stream in self.streams() {
            wake(&stream);
        }
    }

    /// Waits until every seat is free, and tells whether that was before `deadline`.
    pub fn wait_until_free(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let still_taken = |state: &mut State| !state.taken.is_empty();
        !self
            .all_free
            .wait_while_until(&mut state, still_taken, deadline)
            .timed_out()
    }

    /// Cuts every connection, and so ends writes that are stuck.
    pub fn cut(&self) {
        for stream in self.streams() {
            // One that has gone by itself is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn share(&self) -> usize {
        (self.n_total / SHARE).max(MIN_SHARE).min(self.n_total)
    }

    fn streams(&self) -> Vec<Arc<TcpStream>> {
        let state = self.state.lock();
        let taken = state.taken.values();
        taken.map(|taken| Arc::clone(&taken.stream)).collect()
    }
}

impl State {
    /// Marks who has waited longest without giving a name, if anybody does.
    fn push_out(&mut self) -> Option<Arc<TcpStream>> {
        let id = self.unnamed.pop_first()?;
        let taken = self.taken.get_mut(&id)?;
        taken.pushed_out = true;
        self.n_pushed_out += 1;
        Some(Arc::clone(&taken.stream))
    }
}

impl Seat<'_> {
    /// The client has given a name, so its seat is its own now; unless it was pushed out already.
    pub fn keep(&self) -> bool {
        self.seats.state.lock().unnamed.remove(&self.id)
    }

    /// Somebody else has this seat now.
    pub fn is_lost(&self) -> bool {
        let state = self.seats.state.lock();
        state.taken.get(&self.id).is_some_and(|it| it.pushed_out)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.seats.state.lock();
        state.unnamed.remove(&self.id);
        let taken = state.taken.remove(&self.id);
        if let Some(taken) = &taken {
            state.n_pushed_out -= usize::from(taken.pushed_out);
            if let Some(origin) = taken.origin
                && let Some(n_from) = state.n_from.get_mut(&origin)
            {
                *n_from -= 1;
                if *n_from == 0 {
                    state.n_from.remove(&origin);
                }
            }
        }
        if state.taken.is_empty() {
            self.seats.all_free.notify_all();
        }
        // The lock goes first: the stream may be the last of its kind, and closing takes time.
        drop(state);
        drop(taken);
    }
}

/// Ends a session's wait for its client's next bytes.
fn wake(stream: &TcpStream) {
    // One that has gone by itself needs no waking.
    let _ = stream.shutdown(Shutdown::Read);
}

/// What counts as one address: in IPv6 a whole /64, which one host can have for itself. Loopback
/// counts for nobody, since whoever is on this host can do worse.
fn origin(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Duration;

    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), client)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Takes a seat, and keeps it if `named`.
    fn sit<'a>(
        seats: &'a Seats,
        id: ClientId,
        from: &str,
        named: bool,
    ) -> Result<Seat<'a>, Refusal> {
        let seat = seats.take(id, &connection().0, address(from))?;
        if named {
            assert!(seat.keep());
        }
        Ok(seat)
    }

    #[test]
    fn a_seat_is_free_again_when_dropped() {
        let seats = Seats::new(2);
        let first = sit(&seats, 0, "127.0.0.1", true).unwrap();
        let _second = sit(&seats, 1, "127.0.0.1", true).unwrap();
        assert_eq!(
            sit(&seats, 2, "127.0.0.1", true).unwrap_err(),
            Refusal::Full
        );
        drop(first);
        assert!(sit(&seats, 3, "127.0.0.1", true).is_ok());
    }

    #[test]
    fn one_unnamed_too_many_pushes_out_the_one_that_has_waited_longest() {
        let seats = Seats::new(40);
        let unnamed: Vec<_> = (0..10)
            .map(|id| sit(&seats, id, "127.0.0.1", false).unwrap())
            .collect();
        assert!(!unnamed.iter().any(Seat::is_lost));
        let _next = sit(&seats, 10, "127.0.0.1", false).unwrap();
        assert!(
            unnamed[0].is_lost() && !unnamed[0].keep(),
            "a name comes too late now"
        );
        assert!(!unnamed[1].is_lost() && unnamed[1].keep());
        let _named_made_room = sit(&seats, 11, "127.0.0.1", false).unwrap();
        assert!(!unnamed[2].is_lost());
    }

    #[test]
    fn the_unnamed_do_not_keep_the_last_seats_from_a_newcomer() {
        let seats = Seats::new(8);
        let _named: Vec<_> = (0..7)
            .map(|id| sit(&seats, id, "127.0.0.1", true).unwrap())
            .collect();
        let silent = sit(&seats, 7, "127.0.0.1", false).unwrap();
        let newcomer = sit(&seats, 8, "127.0.0.1", true).unwrap();
        assert!(silent.is_lost() && !newcomer.is_lost());
        assert_eq!(
            sit(&seats, 9, "127.0.0.1", true).unwrap_err(),
            Refusal::Full
        );
    }

    #[test]
    fn the_pushed_out_are_bounded_too() {
        let seats = Seats::new(4);
        let mut held = Vec::new();
        while let Ok(seat) = sit(&seats, held.len() as ClientId, "127.0.0.1", false) {
            held.push(seat);
        }
        assert_eq!(held.len(), 4 + MAX_PUSHED_OUT);
        drop(held);
        assert_eq!(seats.state.lock().n_pushed_out, 0);
        assert!(sit(&seats, 1000, "127.0.0.1", false).is_ok());
    }

    #[test]
    fn who_is_pushed_out_is_woken() {
        let seats = Seats::new(1);
        let (stream, _client) = connection();
        let _silent = seats.take(0, &stream, address("127.0.0.1")).unwrap();
        let _next = sit(&seats, 1, "127.0.0.1", false).unwrap();
        assert_eq!((&*stream).read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn one_address_holds_at_most_a_quarter() {
        for (first, second, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ] {
            let seats = Seats::new(40);
            let held: Vec<_> = (0..10)
                .map(|id| sit(&seats, id, first, true).unwrap())
                .collect();
            let refusal = sit(&seats, 10, second, true).unwrap_err();
            assert_eq!(refusal, Refusal::TooManyFromAddress, "{second}");
            assert!(sit(&seats, 11, other, true).is_ok());
            drop(held);
            assert!(sit(&seats, 12, second, true).is_ok());
            assert!(seats.state.lock().n_from.is_empty());
        }
    }

    #[test]
    fn loopback_counts_for_nobody() {
        let seats = Seats::new(40);
        for from in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.9.9.9"] {
            let held: Vec<_> = (0..40)
                .map(|id| sit(&seats, id, from, true).unwrap())
                .collect();
            assert_eq!(held.len(), 40);
        }
    }

    #[test]
    fn a_small_room_has_a_share_for_people_who_come_together() {
        assert_eq!(Seats::new(1).share(), 1);
        assert_eq!(Seats::new(8).share(), 4);
        assert_eq!(Seats::new(8000).share(), 2000);
    }

    #[test]
    fn closing_refuses_and_waits_until_all_are_free() {
        let seats = Seats::new(4);
        let seat = sit(&seats, 0, "127.0.0.1", true).unwrap();
        seats.close();
        assert_eq!(
            sit(&seats, 1, "127.0.0.1", true).unwrap_err(),
            Refusal::Closed
        );
        assert!(!seats.wait_until_free(Instant::now()));
        std::thread::scope(|scope| {
            scope.spawn(move || drop(seat));
            assert!(seats.wait_until_free(Instant::now() + Duration::from_mins(1)));
        });
    }
}
