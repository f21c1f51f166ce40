//! Who holds a seat. A seat is what one connection costs; it is given back when its guard is
//! dropped, on every path out of a session. It also keeps each connection in reach, so that a stop
//! can wake and end those that wait for their client.

use super::room::ClientId;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// All seats there are.
#[derive(Debug)]
pub struct Seats {
    n_total: usize,
    state: Mutex<State>,
    all_free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: HashMap<ClientId, Arc<TcpStream>>,
    closed: bool,
}

/// One seat, held until this is dropped.
#[derive(Debug)]
pub struct Seat<'a> {
    seats: &'a Seats,
    id: ClientId,
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

    /// Takes a seat for a connection, if there is one, and if the server is not closing.
    pub fn take(&self, id: ClientId, stream: &Arc<TcpStream>) -> Option<Seat<'_>> {
        let mut state = self.state.lock();
        if state.closed || state.taken.len() >= self.n_total {
            return None;
        }
        state.taken.insert(id, Arc::clone(stream));
        Some(Seat { seats: self, id })
    }

    /// Gives out no more seats, and wakes every session that waits for its client to say something.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.shut_down(Shutdown::Read);
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
        self.shut_down(Shutdown::Both);
    }

    fn shut_down(&self, how: Shutdown) {
        let streams: Vec<_> = self.state.lock().taken.values().map(Arc::clone).collect();
        for stream in streams {
            // One that has gone by itself is as good.
            let _ = stream.shutdown(how);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let stream = {
            let mut state = self.seats.state.lock();
            let stream = state.taken.remove(&self.id);
            if state.taken.is_empty() {
                self.seats.all_free.notify_all();
            }
            stream
        };
        drop(stream);
    }
}
