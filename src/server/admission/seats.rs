//! Hands out the seats. A seat is what one connection costs the host. It is given back when its
//! guard is dropped, on every path out of a session. The seats also keep each connection within
//! reach, so that a stop can wake and end sessions that wait for their client.
//!
//! Connections from one address may hold at most a quarter of the seats. Unnamed connections may
//! hold every seat that nobody else wants: in a full room, a newcomer evicts one of them.

use super::barred::Barred;
use super::origins::{Origins, network, origin};
use super::refusal::Refusal;
use crate::net::connection::{Connection, Peer};
use crate::room::event::ClientId;
use crate::server::gauges::{Doing, Gauge};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The share of the seats for all connections from one address: a quarter.
const SHARE: usize = 4;

/// Minimum share, so that people who arrive together from one address fit in a small room.
const MIN_SHARE: usize = 4;

/// Maximum time that a newcomer waits for the seat of an evicted client. It is free as soon as that
/// session has ended, which takes less than a millisecond unless the host is busy.
const EVICTION: Duration = Duration::from_millis(100);

/// All seats of the server.
#[derive(Debug)]
pub struct Seats {
    n_total: usize,
    state: Mutex<State>,
    /// Notified when an evicted client's seat is free, and when all seats are.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: HashMap<ClientId, Taken>,
    /// The unnamed connections of each origin, oldest first, without those that have been evicted.
    unnamed: HashMap<Option<IpAddr>, BTreeSet<ClientId>>,
    origins: Origins,
    barred: Barred,
    closed: bool,
}

#[derive(Debug)]
struct Taken {
    connection: Arc<Connection>,
    gauge: Arc<Gauge>,
    origin: Option<IpAddr>,
    evicted: bool,
}

/// One seat, held until this is dropped.
#[derive(Debug)]
pub struct Seat<'a> {
    seats: &'a Seats,
    id: ClientId,
    gauge: Arc<Gauge>,
}

/// Somebody who was asked to leave.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    /// The bar of its address, if there is one. Loopback has none.
    pub bar: Option<Bar>,
}

/// An address that may not come back yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Bar {
    /// The address.
    pub address: IpAddr,
    /// Whether it was not barred for longer already.
    pub counts: bool,
}

impl Seats {
    /// Returns `n_seats` free seats.
    pub fn new(n_seats: usize) -> Self {
        Self {
            n_total: n_seats,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Takes a seat for `connection`. If no seat is free, evicts an unnamed connection, and blocks
    /// until its seat is free, for at most 100 ms.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn take(
        &self,
        id: ClientId,
        connection: &Arc<Connection>,
        peer: Peer,
    ) -> Result<Seat<'_>, Refusal> {
        let origin = origin(peer);
        let gauge = Arc::new(Gauge::new(id, connection));
        let mut state = self.state.lock();
        if let Some(n_minutes) = state.barred.minutes_left(origin, Instant::now()) {
            return Err(Refusal::Barred(n_minutes));
        }
        if state.origins.n_seats(origin) >= self.share() {
            return Err(Refusal::TooManyFromAddress);
        }
        if self.is_full(&state) {
            self.evict_one(&mut state);
        }
        if state.closed {
            return Err(Refusal::Closed);
        }
        if self.is_full(&state) {
            return Err(Refusal::Full);
        }
        state.origins.take_seat(origin);
        state.unnamed.entry(origin).or_default().insert(id);
        let taken = Taken {
            connection: Arc::clone(connection),
            gauge: Arc::clone(&gauge),
            origin,
            evicted: false,
        };
        state.taken.insert(id, taken);
        let seats = self;
        Ok(Seat { seats, id, gauge })
    }

    /// Asks the client `id` to leave, for this reason if there is one, and bars its address for so long.
    /// Returns nothing if there is no such client.
    pub fn remove(&self, id: ClientId, why: String, bar: Option<Duration>) -> Option<Removed> {
        let mut state = self.state.lock();
        let taken = state.taken.get(&id)?;
        let (connection, gauge) = (Arc::clone(&taken.connection), Arc::clone(&taken.gauge));
        let origin = taken.origin;
        let bar = origin.zip(bar).map(|(address, duration)| Bar {
            address,
            counts: state.barred.bar(address, Instant::now(), duration),
        });
        drop(state);
        gauge.ask_to_leave(why);
        if gauge.doing() == Doing::Leaves {
            // It has said its last, and may take its time to hear the others'.
            connection.cut();
        } else {
            connection.end_reading();
        }
        Some(Removed { bar })
    }

    /// Lets an address come back that was barred. Returns false if it was not.
    pub fn forgive(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let barred = &mut self.state.lock().barred;
        let now = Instant::now();
        barred.forgive(address, now) | barred.forgive(network(address), now)
    }

    /// Closes the seats to newcomers, and wakes every session that waits for its client.
    pub fn close(&self) {
        self.state.lock().closed = true;
        for connection in self.connections() {
            connection.end_reading();
        }
    }

    /// Blocks until every seat is free, and returns whether that was before `deadline`.
    pub fn wait_until_free(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let still_taken = |state: &mut State| !state.taken.is_empty();
        !self
            .freed
            .wait_while_until(&mut state, still_taken, deadline)
            .timed_out()
    }

    /// Cuts every connection, which ends writes that are stuck.
    pub fn cut(&self) {
        for connection in self.connections() {
            connection.cut();
        }
    }

    /// Returns how many seats there are.
    pub fn n_total(&self) -> usize {
        self.n_total
    }

    /// Returns the gauges of all connections, oldest first.
    pub fn gauges(&self) -> Vec<Arc<Gauge>> {
        let state = self.state.lock();
        let taken = state.taken.values();
        let mut gauges: Vec<_> = taken.map(|taken| Arc::clone(&taken.gauge)).collect();
        drop(state);
        gauges.sort_unstable_by_key(|gauge| gauge.id);
        gauges
    }

    fn is_full(&self, state: &State) -> bool {
        state.taken.len() >= self.n_total
    }

    // `clamp` would panic, since the minimum may exceed the total.
    fn share(&self) -> usize {
        (self.n_total / SHARE).max(MIN_SHARE).min(self.n_total)
    }

    /// Evicts the oldest unnamed connection of the origin that has most of them, if there is any,
    /// and waits for its seat.
    fn evict_one(&self, state: &mut MutexGuard<'_, State>) {
        let crowds = state.unnamed.values();
        let oldest = crowds
            .max_by_key(|crowd| (crowd.len(), crowd.first().copied().map(Reverse)))
            .and_then(|crowd| crowd.first().copied());
        let Some(id) = oldest.filter(|id| state.forget_unnamed(*id)) else {
            return;
        };
        let Some(taken) = state.taken.get_mut(&id) else {
            return;
        };
        taken.evicted = true;
        let connection = Arc::clone(&taken.connection);
        MutexGuard::unlocked(state, || connection.end_reading());
        let is_held = |state: &mut State| state.taken.contains_key(&id);
        self.freed.wait_while_for(state, is_held, EVICTION);
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let state = self.state.lock();
        let taken = state.taken.values();
        taken.map(|taken| Arc::clone(&taken.connection)).collect()
    }
}

impl State {
    /// Removes a connection from the unnamed ones. Returns false if it was not among them.
    fn forget_unnamed(&mut self, id: ClientId) -> bool {
        let Some(taken) = self.taken.get(&id) else {
            return false;
        };
        let Entry::Occupied(mut crowd) = self.unnamed.entry(taken.origin) else {
            return false;
        };
        let is_unnamed = crowd.get_mut().remove(&id);
        if crowd.get().is_empty() {
            crowd.remove();
        }
        is_unnamed
    }
}

impl Seat<'_> {
    /// Returns the gauge of this connection.
    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Protects the seat from eviction, since its client has given a name. Returns false if it has
    /// already been evicted.
    pub fn keep(&self) -> bool {
        self.seats.state.lock().forget_unnamed(self.id)
    }

    /// Lets the client try to join if no other from its address has within 100 ms. Otherwise returns
    /// how much of that is left.
    pub fn try_join(&self, now: Instant) -> Duration {
        let mut state = self.seats.state.lock();
        let origin = state.taken.get(&self.id).and_then(|taken| taken.origin);
        state.origins.try_join(origin, now)
    }

    /// Whether a newcomer has evicted this client.
    pub fn is_evicted(&self) -> bool {
        let state = self.seats.state.lock();
        state.taken.get(&self.id).is_some_and(|it| it.evicted)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.seats.state.lock();
        state.forget_unnamed(self.id);
        let Some(taken) = state.taken.remove(&self.id) else {
            return;
        };
        state.origins.leave_seat(taken.origin);
        if taken.evicted || state.taken.is_empty() {
            self.seats.freed.notify_all();
        }
        // Unlock first: dropping the last reference closes the socket, which can take a while.
        drop(state);
        drop(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::notice::Notice;
    use std::io::Read;
    use std::thread::Scope;

    fn connection() -> (Arc<Connection>, Connection) {
        let (ours, theirs) = Connection::pair().unwrap();
        (Arc::new(ours), theirs)
    }

    fn peer(address: &str) -> Peer {
        let address: IpAddr = address.parse().unwrap();
        Peer::Ip {
            address: address.to_canonical(),
            is_neighbour: false,
        }
    }

    /// Takes a seat, and keeps it if `named`.
    fn sit<'a>(
        seats: &'a Seats,
        id: ClientId,
        from: &str,
        named: bool,
    ) -> Result<Seat<'a>, Refusal> {
        let seat = seats.take(id, &connection().0, peer(from))?;
        if named {
            assert!(seat.keep());
        }
        Ok(seat)
    }

    /// Starts a session without a name, which ends when its reading is ended. Returns its client.
    fn wait_for_a_name<'scope>(
        scope: &'scope Scope<'scope, '_>,
        seats: &'scope Seats,
        id: ClientId,
        from: Peer,
    ) -> Connection {
        let (ours, theirs) = connection();
        let seat = seats.take(id, &ours, from).unwrap();
        scope.spawn(move || {
            while (&*ours).read(&mut [0; 8]).is_ok_and(|n_bytes| n_bytes > 0) {}
            drop(seat);
        });
        theirs
    }

    fn ids(seats: &Seats) -> Vec<ClientId> {
        let mut ids: Vec<_> = seats.state.lock().taken.keys().copied().collect();
        ids.sort_unstable();
        ids
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
    fn a_full_room_evicts_the_oldest_unnamed_connection_and_gives_its_seat_away() {
        let seats = Seats::new(4);
        std::thread::scope(|scope| {
            let _clients: Vec<_> = (0..4)
                .map(|id| wait_for_a_name(scope, &seats, id, Peer::Local))
                .collect();
            let next = sit(&seats, 4, "127.0.0.1", false).unwrap();
            assert_eq!(ids(&seats), [1, 2, 3, 4]);
            assert!(!next.is_evicted() && next.keep());
            let _another = sit(&seats, 5, "127.0.0.1", true).unwrap();
            assert_eq!(ids(&seats), [2, 3, 4, 5]);
            seats.close();
        });
    }

    #[test]
    fn the_origin_with_most_unnamed_connections_loses_one() {
        let seats = Seats::new(8);
        std::thread::scope(|scope| {
            let wait = |id, from| wait_for_a_name(scope, &seats, id, peer(from));
            let _person = wait(0, "192.0.2.1");
            let _crowd: Vec<_> = (1..4).map(|id| wait(id, "192.0.2.2")).collect();
            let _named: Vec<_> = (4..8)
                .map(|id| sit(&seats, id, "127.0.0.1", true).unwrap())
                .collect();
            let _first = sit(&seats, 8, "192.0.2.3", true).unwrap();
            assert_eq!(ids(&seats), [0, 2, 3, 4, 5, 6, 7, 8]);
            let _second = sit(&seats, 9, "192.0.2.3", true).unwrap();
            assert_eq!(ids(&seats), [0, 3, 4, 5, 6, 7, 8, 9]);
            seats.close();
        });
    }

    #[test]
    fn the_unnamed_do_not_keep_the_last_seats_from_a_newcomer() {
        let seats = Seats::new(8);
        let _named: Vec<_> = (0..7)
            .map(|id| sit(&seats, id, "127.0.0.1", true).unwrap())
            .collect();
        std::thread::scope(|scope| {
            let _silent = wait_for_a_name(scope, &seats, 7, Peer::Local);
            let _newcomer = sit(&seats, 8, "127.0.0.1", true).unwrap();
            let refusal = sit(&seats, 9, "127.0.0.1", true).unwrap_err();
            assert_eq!(refusal, Refusal::Full);
        });
    }

    #[test]
    fn a_seat_that_does_not_get_free_in_time_is_nobodys() {
        let seats = Seats::new(1);
        let stuck = sit(&seats, 0, "127.0.0.1", false).unwrap();
        let refusal = sit(&seats, 1, "127.0.0.1", false).unwrap_err();
        assert_eq!(refusal, Refusal::Full);
        assert!(stuck.is_evicted() && !stuck.keep(), "a name comes too late");
        drop(stuck);
        assert!(sit(&seats, 2, "127.0.0.1", false).is_ok());
    }

    #[test]
    fn one_who_is_removed_hears_why_and_its_address_may_not_come_back_yet() {
        let bar = Some(Duration::from_mins(10));
        let why = || "spam".to_owned();
        for (first, again, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ] {
            let seats = Seats::new(8);
            let seat = sit(&seats, 0, first, true).unwrap();
            let removed = seats.remove(0, why(), bar).unwrap();
            assert!(seat.gauge().is_asked_to_leave());
            assert_eq!(seat.gauge().farewell(), Notice::AskedToLeaveFor(why()));
            drop(seat);
            assert!(seats.remove(0, why(), None).is_none());
            let refusal = sit(&seats, 1, again, true).unwrap_err();
            assert_eq!(refusal, Refusal::Barred(10));
            assert!(sit(&seats, 2, other, true).is_ok());
            // Whoever runs the server may write any address of those that are barred.
            assert!(!seats.forgive(other.parse().unwrap()));
            assert!(seats.forgive(again.parse().unwrap()));
            assert!(!seats.forgive(removed.bar.unwrap().address));
            assert!(sit(&seats, 3, again, true).is_ok());
        }
        let seats = Seats::new(8);
        let seat = sit(&seats, 0, "127.0.0.1", true).unwrap();
        let removed = seats.remove(0, String::new(), bar);
        assert_eq!(removed, Some(Removed { bar: None }));
        assert_eq!(seat.gauge().farewell(), Notice::AskedToLeave);
        assert!(sit(&seats, 1, "127.0.0.1", true).is_ok());
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
        }
    }

    #[test]
    fn loopback_and_unix_sockets_are_exempt() {
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
