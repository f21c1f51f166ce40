//! The bounded queue between the room and one client's writer: never blocks, and says when it is
//! full. What is lost then is counted by the room; how it is written is the writer's business.
//!
//! The writer waits for its bell and not for the channel: that would first look again and again and
//! yield in between, which is right for two threads, and costs more than the writing for a thousand
//! that wait for one.

use super::bell::Bell;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Most bytes that wait in one outbox: bounds memory, and how stale a slow client's room gets.
pub const MAX_BYTES: usize = 512 * 1024;

/// What one client is to be sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// How many messages this client missed just before.
    pub n_missed: u64,
    /// The bytes of a frame, shared by everyone who gets it.
    pub frame: Arc<[u8]>,
    /// Where in the frame this client's part begins, in bytes.
    pub from: usize,
}

impl Delivery {
    /// The part of the frame that is for this client.
    pub fn bytes(&self) -> &[u8] {
        &self.frame[self.from..]
    }
}

/// Why a delivery was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client reads too slowly: it misses this.
    Full,
    /// The writer has ended: there is nobody left to miss anything.
    Gone,
}

/// The room's end.
#[derive(Debug)]
pub struct Outbox {
    // The order matters: the writer has to be woken when the channel is disconnected already.
    deliveries: Sender<Delivery>,
    bell: RingAtLast,
    counts: Arc<Counts>,
}

/// Rings for the writer when it is dropped.
#[derive(Debug)]
struct RingAtLast(Bell);

/// The writer's end.
#[derive(Debug)]
pub struct Frames {
    deliveries: Receiver<Delivery>,
    bell: Bell,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    n_bytes: AtomicUsize,
    n_missed_at_end: AtomicU64,
}

/// An empty queue for at most `n_frames` deliveries and [`MAX_BYTES`], whichever is first, of a
/// writer that waits for `bell`.
pub fn outbox(n_frames: usize, bell: Bell) -> (Outbox, Frames) {
    let (sender, receiver) = bounded(n_frames);
    let counts = Arc::new(Counts::default());
    (
        Outbox {
            deliveries: sender,
            bell: RingAtLast(bell.clone()),
            counts: Arc::clone(&counts),
        },
        Frames {
            deliveries: receiver,
            bell,
            counts,
        },
    )
}

impl Outbox {
    /// What the writer waits for. Sending does not ring it, so that one ring does for many.
    pub fn bell(&self) -> &Bell {
        &self.bell.0
    }

    /// Nothing waits: the writer has taken all there was.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Leaves word of what did not fit any more. To be called before this is dropped.
    pub fn end(&self, n_missed: u64) {
        // The drop that follows, which disconnects the channel, makes it visible.
        self.counts
            .n_missed_at_end
            .store(n_missed, Ordering::Relaxed);
    }

    /// Queues `delivery`, or refuses at once. Never blocks.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn try_send(&self, delivery: Delivery) -> Result<(), Refusal> {
        let n_bytes = delivery.bytes().len();
        // Only the room adds, so nothing can make this sum too small before the send.
        let waiting = &self.counts.n_bytes;
        if waiting.load(Ordering::Relaxed) + n_bytes > MAX_BYTES {
            return Err(Refusal::Full);
        }
        // Added before the send: the writer may subtract as soon as it is sent.
        waiting.fetch_add(n_bytes, Ordering::Relaxed);
        self.deliveries.try_send(delivery).map_err(|refused| {
            waiting.fetch_sub(n_bytes, Ordering::Relaxed);
            match refused {
                TrySendError::Full(_) => Refusal::Full,
                TrySendError::Disconnected(_) => Refusal::Gone,
            }
        })
    }
}

impl Drop for RingAtLast {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl Frames {
    /// Hands every delivery to `write`, in order, until the room has dropped its end and the queue
    /// is drained. A delivery takes its place in the queue until it is written. Returns how many
    /// messages did not fit after the last one.
    ///
    /// # Errors
    /// The first that `write` returns.
    pub fn drain<E>(&self, mut write: impl FnMut(&Delivery) -> Result<(), E>) -> Result<u64, E> {
        loop {
            let n_rings = self.bell.n_rings();
            match self.deliveries.try_recv() {
                Ok(delivery) => {
                    write(&delivery)?;
                    let n_bytes = delivery.bytes().len();
                    self.counts.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
                }
                Err(TryRecvError::Empty) => self.bell.wait(n_rings),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        Ok(self.counts.n_missed_at_end.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
impl Frames {
    /// Takes what waits, without waiting for more.
    pub(super) fn try_next(&self) -> Option<Delivery> {
        let delivery = self.deliveries.try_recv().ok()?;
        let n_bytes = delivery.bytes().len();
        self.counts.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
        Some(delivery)
    }

    /// The room has dropped its end, and nothing waits.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.deliveries.try_recv(), Err(TryRecvError::Disconnected))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bells;
    use super::*;

    fn bell() -> Bell {
        Bells::default().of(0)
    }

    fn delivery(n_bytes: usize) -> Delivery {
        Delivery {
            n_missed: 0,
            frame: vec![b'x'; n_bytes].into(),
            from: 0,
        }
    }

    #[test]
    fn it_is_full_by_frames_or_by_bytes_whichever_is_first() {
        let (outbox, _frames) = outbox(3, bell());
        for _ in 0..3 {
            assert_eq!(outbox.try_send(delivery(1)), Ok(()));
        }
        assert_eq!(outbox.try_send(delivery(1)), Err(Refusal::Full));

        let (outbox, _frames) = super::outbox(3, bell());
        assert_eq!(outbox.try_send(delivery(MAX_BYTES)), Ok(()));
        assert_eq!(outbox.try_send(delivery(1)), Err(Refusal::Full));
        assert_eq!(
            outbox.try_send(delivery(0)),
            Ok(()),
            "a bare notice takes no bytes"
        );
    }

    #[test]
    fn what_is_written_makes_room_and_not_before() {
        let (outbox, frames) = outbox(3, bell());
        assert_eq!(outbox.try_send(delivery(MAX_BYTES)), Ok(()));
        assert_eq!(outbox.try_send(delivery(0)), Ok(()));
        let stopped = frames.drain(|written| {
            if written.bytes().is_empty() {
                return Err(());
            }
            assert_eq!(outbox.try_send(delivery(1)), Err(Refusal::Full));
            Ok(())
        });
        assert_eq!(stopped, Err(()));
        assert_eq!(outbox.try_send(delivery(MAX_BYTES)), Ok(()));
    }

    #[test]
    fn the_end_says_what_did_not_fit() {
        let (outbox, frames) = outbox(1, bell());
        assert_eq!(outbox.try_send(delivery(1)), Ok(()));
        outbox.end(7);
        drop(outbox);
        assert_eq!(frames.drain(|_| Ok::<_, ()>(())), Ok(7));
    }

    #[test]
    fn a_writer_that_has_ended_is_gone_not_full() {
        let (outbox, frames) = outbox(1, bell());
        drop(frames);
        assert_eq!(outbox.try_send(delivery(1)), Err(Refusal::Gone));
    }
}
