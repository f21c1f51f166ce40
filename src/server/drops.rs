//! Logs drops fairly: a few clients at a time, in turn, with the count since last time. So a client
//! that keeps missing messages does not flood the log.

use crate::room::event::{ClientId, TRANSCRIPT};
use std::collections::{HashMap, VecDeque};

/// Maximum number of clients whose drops are logged at a time.
const CLIENTS_AT_A_TIME: usize = 20;

/// Maximum number of clients whose drops wait to be logged one by one.
const MAX_CLIENTS: usize = 1024;

/// Drops not yet logged, oldest client first.
#[derive(Debug, Default)]
pub struct Drops {
    n_dropped: HashMap<ClientId, u64>,
    order: VecDeque<ClientId>,
    /// Number of messages dropped for all further clients.
    n_others: u64,
}

impl Drops {
    /// Counts `n_messages` that were dropped for client `id`.
    pub fn add(&mut self, id: ClientId, n_messages: u64) {
        match self.n_dropped.get_mut(&id) {
            Some(n_dropped) => *n_dropped += n_messages,
            None if self.order.len() == MAX_CLIENTS => self.n_others += n_messages,
            None => {
                self.order.push_back(id);
                self.n_dropped.insert(id, n_messages);
            }
        }
    }

    /// Whether there is nothing to log.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Logs the drops of the clients that have waited longest.
    pub fn log_some(&mut self) {
        for (id, n_dropped) in self.take_some() {
            let what = match n_dropped {
                1 => "message".to_owned(),
                _ => format!("{n_dropped} messages"),
            };
            let whose = match id {
                TRANSCRIPT => "Transcript".to_owned(),
                _ => format!("Connection #{id}"),
            };
            log::error!("{whose}: queue is full! (dropping {what})");
        }
        let n_others = std::mem::take(&mut self.n_others);
        if n_others > 0 {
            log::error!("More connections: queue is full! (dropping {n_others} messages)");
        }
    }

    /// Logs the drops of some clients one by one, and those of all others in one line.
    pub fn log_all(&mut self) {
        self.log_some();
        if !self.is_empty() {
            let n_dropped: u64 = self.n_dropped.values().sum();
            let n_clients = self.order.len();
            log::error!(
                "{n_clients} more connections: queue is full! (dropping {n_dropped} messages)"
            );
        }
    }

    fn take_some(&mut self) -> Vec<(ClientId, u64)> {
        let n_clients = CLIENTS_AT_A_TIME.min(self.order.len());
        let taken = self.order.drain(..n_clients);
        taken
            .filter_map(|id| self.n_dropped.remove_entry(&id))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_come_and_go_do_not_pile_up() {
        let mut drops = Drops::default();
        for id in 0..10_000 {
            drops.add(id, 3);
        }
        drops.add(0, 3);
        assert_eq!(drops.order.len(), MAX_CLIENTS);
        assert_eq!(drops.n_dropped.len(), MAX_CLIENTS);
        let n_named: u64 = drops.n_dropped.values().sum();
        assert_eq!(n_named + drops.n_others, 30_003);
    }

    #[test]
    fn clients_are_taken_in_turn_and_each_drop_once() {
        let mut drops = Drops::default();
        let n_clients = CLIENTS_AT_A_TIME as ClientId + 1;
        for id in 0..n_clients {
            drops.add(id, 2);
        }
        drops.add(0, 3);
        let first = drops.take_some();
        assert_eq!(first.len(), CLIENTS_AT_A_TIME);
        assert_eq!(first[..2], [(0, 5), (1, 2)]);
        drops.add(0, 1);
        assert_eq!(
            drops.take_some(),
            [(n_clients - 1, 2), (0, 1)],
            "the client that waited longest comes first"
        );
        assert!(drops.is_empty());
    }
}
