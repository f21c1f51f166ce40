//! What writers wait for: a bell that a few dozen of them share, so that a frame, which is for
//! everyone, wakes them with one system call and not with one each. (The books call it an
//! eventcount.) It says that something has happened, and not what: each writer looks into its own
//! outbox.

use super::room::ClientId;
use rustix::thread::futex::{self, Flags};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many writers share a bell: as many as the system can tell apart on one address.
const SHARERS: u64 = u32::BITS as u64;

/// Bells enough for 8,192 writers. Of more, some can only be woken together.
const BELLS: u64 = 256;

/// Whoever waits, however many they are.
const MANY: u32 = i32::MAX as u32;

const ALL: NonZeroU32 = NonZeroU32::MAX;

/// All the bells.
#[derive(Debug)]
pub struct Bells(Vec<Arc<AtomicU32>>);

/// The bell of one writer, which it shares with its neighbours.
#[derive(Debug, Clone)]
pub struct Bell {
    n_rings: Arc<AtomicU32>,
    listener: NonZeroU32,
}

impl Default for Bells {
    fn default() -> Self {
        Self((0..BELLS).map(|_| Arc::default()).collect())
    }
}

impl Bells {
    /// The bell of the writer of client `id`. Clients with successive ids share one.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are few bells, and the standard library counts them in usize"
    )]
    pub fn of(&self, id: ClientId) -> Bell {
        let bell = (id / SHARERS % BELLS) as usize;
        let listener = NonZeroU32::new(1 << (id % SHARERS)).unwrap_or(ALL);
        Bell {
            n_rings: Arc::clone(&self.0[bell]),
            listener,
        }
    }
}

impl Bell {
    /// It is the same bell.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.n_rings, &other.n_rings)
    }

    /// Wakes this writer only.
    pub fn ring(&self) {
        self.wake(self.listener);
    }

    /// Wakes everyone who shares the bell.
    pub fn ring_for_all(&self) {
        self.wake(ALL);
    }

    fn wake(&self, listeners: NonZeroU32) -> usize {
        // Whoever is about to wait sees the new count and does not; the others are waiting already.
        self.n_rings.fetch_add(1, Ordering::Release);
        // This can only fail for an address that is not ours.
        futex::wake_bitset(&self.n_rings, Flags::PRIVATE, MANY, listeners).unwrap_or(0)
    }

    /// How often it has rung, wrapping around. To be asked before looking whether there is
    /// something to do, for [`wait`](Self::wait).
    pub fn n_rings(&self) -> u32 {
        self.n_rings.load(Ordering::Acquire)
    }

    /// Waits until this writer is rung for, but not if the bell has rung since it had rung `n_rings`
    /// times. It may return for nothing.
    pub fn wait(&self, n_rings: u32) {
        let _ = futex::wait_bitset(&self.n_rings, Flags::PRIVATE, n_rings, None, self.listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    #[test]
    fn neighbours_share_a_bell_and_others_do_not() {
        let bells = Bells::default();
        assert!(bells.of(0).is_shared_with(&bells.of(31)));
        assert!(!bells.of(31).is_shared_with(&bells.of(32)));
        assert!(bells.of(0).is_shared_with(&bells.of(SHARERS * BELLS)));
        assert_eq!(bells.of(u64::MAX).listener, bells.of(31).listener);
    }

    #[test]
    fn who_looks_before_it_rings_does_not_wait() {
        let bell = Bells::default().of(0);
        let n_rings = bell.n_rings();
        bell.ring();
        bell.wait(n_rings);
    }

    #[test]
    fn a_ring_is_for_one_or_for_all_who_wait() {
        let bells = Bells::default();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for id in 0..2 {
                let (bell, over) = (bells.of(id), &over);
                scope.spawn(move || {
                    loop {
                        let n_rings = bell.n_rings();
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        bell.wait(n_rings);
                    }
                });
            }
            // Until they wait, it rings for nobody.
            while bells.of(2).wake(ALL) < 2 {}
            for id in 0..2 {
                let bell = bells.of(id);
                while bell.wake(bell.listener) < 1 {}
            }
            let nobody = bells.of(2);
            let n_woken: usize = (0..1000).map(|_| nobody.wake(nobody.listener)).sum();
            over.store(true, Ordering::Relaxed);
            nobody.ring_for_all();
            assert_eq!(n_woken, 0);
        });
    }
}
