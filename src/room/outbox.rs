//! Queues deliveries between the room and one client's writer, and keeps delivered + missed = sent.
//! A message that does not fit is counted, and the client is told with the next delivery that fits,
//! or at the end.
//!
//! Sending MUST NOT block. Writing to the socket is left to the writer.
//!
//! The writer parks when nothing waits, and each delivery unparks it. It does not block on the
//! channel: `recv` spins before it parks, and a thousand writers spinning for one broadcaster cost
//! more than the writes.

use super::frame::{FULL_FRAME, Frame};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// Maximum number of bytes that wait in one outbox. It bounds memory, and how far behind a slow
/// client can be.
pub const MAX_BYTES: usize = 512 * 1024;

/// With more bytes than this, an outbox has no room for another full frame.
pub const HARDLY_FITS: usize = MAX_BYTES - FULL_FRAME;

/// A frame on its way to one client.
#[derive(Debug)]
pub struct Delivery {
    /// Number of messages that this client missed just before.
    pub n_missed: u64,
    /// Number of messages in it, each answer included.
    n_messages: u64,
    /// The frame, shared by everyone who gets it.
    frame: Arc<Frame>,
    /// Offset in the frame at which this client's part begins, in bytes.
    from: usize,
    /// Answers that this client alone gets, after the frame.
    pub answers: Box<[Arc<Frame>]>,
}

impl Delivery {
    /// Returns the part of the frame that is for this client.
    pub fn bytes(&self) -> &[u8] {
        &self.frame[self.from..]
    }

    fn n_bytes(&self) -> usize {
        let answers = self.answers.iter().map(|answer| answer.len());
        self.bytes().len() + answers.sum::<usize>()
    }
}

/// The room's end of the queue. When it is dropped, the writer drains the queue and ends.
#[derive(Debug)]
pub struct Outbox {
    // The order matters: the channel is disconnected before the writer wakes and looks.
    deliveries: Sender<Delivery>,
    writer: UnparkOnDrop,
    /// The queue from its other end, for taking deliveries back.
    waiting: Receiver<Delivery>,
    counts: Arc<Counts>,
    /// Number of messages that were dropped and that the client has not been told of.
    n_missed: u64,
}

#[derive(Debug)]
struct UnparkOnDrop(Thread);

/// What a writer writes to. A closure that writes one delivery is a sink too.
pub trait Sink {
    /// The reason why nothing more can be written.
    type Error;

    /// Writes `delivery`, and blocks until that is done.
    ///
    /// # Errors
    /// When nothing more can be written.
    fn write(&mut self, delivery: &Delivery) -> Result<(), Self::Error>;

    /// Does what is due while nothing waits to be written. Returns after which time it wants to be
    /// called again, if it does.
    fn idle(&mut self) -> Option<Duration> {
        None
    }
}

impl<E, F: FnMut(&Delivery) -> Result<(), E>> Sink for F {
    type Error = E;

    fn write(&mut self, delivery: &Delivery) -> Result<(), E> {
        self(delivery)
    }
}

/// The writer's end of the queue.
#[derive(Debug)]
pub struct Frames {
    deliveries: Receiver<Delivery>,
    counts: Arc<Counts>,
}

/// What waits in one outbox, and what its client has missed. Everybody may look.
#[derive(Debug, Default)]
pub struct Counts {
    /// Number of frames that wait, without the one that is being written.
    n_frames: AtomicUsize,
    /// Number of bytes that wait, including those that are being written.
    n_bytes: AtomicUsize,
    /// Number of messages that were dropped so far.
    n_missed: AtomicU64,
    /// Number of those that the client has not been told of when the room drops its end.
    n_missed_at_end: AtomicU64,
    writer_has_ended: AtomicBool,
}

impl Counts {
    /// Returns how many frames wait.
    pub fn n_frames(&self) -> usize {
        self.n_frames.load(Ordering::Relaxed)
    }

    /// Returns how many bytes the client has yet to be sent.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes.load(Ordering::Relaxed)
    }

    /// Returns how many messages the client has missed so far, told or not.
    pub fn n_missed(&self) -> u64 {
        self.n_missed.load(Ordering::Relaxed)
    }

    fn add(&self, n_bytes: usize) {
        self.n_frames.fetch_add(1, Ordering::Relaxed);
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    fn remove(&self, n_bytes: usize) {
        self.n_frames.fetch_sub(1, Ordering::Relaxed);
        self.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
    }
}

impl Outbox {
    /// Returns an empty queue for at most `n_frames` deliveries and at most [`MAX_BYTES`], which keeps
    /// its `counts`. `start` gets the writer's end, and returns the thread that drains it.
    ///
    /// # Errors
    /// The error of `start`.
    pub fn new(
        n_frames: usize,
        counts: Arc<Counts>,
        start: impl FnOnce(Frames) -> io::Result<Thread>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(n_frames);
        let waiting = receiver.clone();
        let writer = start(Frames {
            deliveries: receiver,
            counts: Arc::clone(&counts),
        })?;
        Ok(Self {
            deliveries: sender,
            writer: UnparkOnDrop(writer),
            waiting,
            counts,
            n_missed: 0,
        })
    }

    /// Queues the part of `frame` that begins at `from`, which holds `n_messages`, and after it
    /// `answers`, which count as one more each. Returns how many of them were dropped.
    pub fn send(
        &mut self,
        frame: &Arc<Frame>,
        from: usize,
        n_messages: u64,
        answers: Vec<Arc<Frame>>,
    ) -> u64 {
        let n_messages = n_messages + answers.len() as u64;
        let delivery = Delivery {
            n_missed: self.n_missed,
            n_messages,
            frame: Arc::clone(frame),
            from,
            answers: answers.into(),
        };
        if self.fits(delivery) {
            self.n_missed = 0;
            0
        } else {
            self.miss(n_messages);
            n_messages
        }
    }

    /// Counts messages that were dropped before they came here.
    pub fn miss(&mut self, n_messages: u64) {
        if n_messages > 0 {
            self.n_missed += n_messages;
            self.counts
                .n_missed
                .fetch_add(n_messages, Ordering::Relaxed);
        }
    }

    /// Whether one more delivery of `n_bytes` is sure to fit, if nothing else is sent before it.
    pub fn has_room_for(&self, n_bytes: usize) -> bool {
        self.writer_has_ended()
            || !self.deliveries.is_full() && self.n_bytes_waiting() + n_bytes <= MAX_BYTES
    }

    /// Tells the client how many messages it has missed, if its queue is empty. Otherwise it is
    /// told with the next frame that fits, since a separate notice would take that frame's place.
    pub fn tell_missed(&mut self) {
        if self.is_lagging() && self.deliveries.is_empty() {
            self.send(&Arc::default(), 0, 0, Vec::new());
        }
    }

    /// Takes back everything that waits, and returns how many messages were dropped by that.
    pub fn take_back(&mut self) -> u64 {
        let mut n_dropped = 0;
        for delivery in self.waiting.try_iter() {
            self.counts.remove(delivery.n_bytes());
            // The client has been told neither of these nor of those missed before them.
            self.n_missed += delivery.n_missed;
            n_dropped += delivery.n_messages;
        }
        self.miss(n_dropped);
        n_dropped
    }

    /// Returns how many bytes the client has yet to be sent.
    pub fn n_bytes_waiting(&self) -> usize {
        self.counts.n_bytes()
    }

    /// Whether the client has missed messages that it has not been told of.
    pub fn is_lagging(&self) -> bool {
        self.n_missed > 0
    }

    /// Queues `delivery` and wakes the writer, or returns false at once. A client whose writer has
    /// ended misses nothing, so for it everything fits.
    fn fits(&self, delivery: Delivery) -> bool {
        if self.writer_has_ended() {
            let rest = self.waiting.try_iter();
            rest.for_each(|delivery| self.counts.remove(delivery.n_bytes()));
            return true;
        }
        let n_bytes = delivery.n_bytes();
        // Only the room adds bytes, so the sum can't grow between this check and the send.
        if self.n_bytes_waiting() + n_bytes > MAX_BYTES {
            return false;
        }
        // Added before the send: the writer may subtract as soon as it is sent.
        self.counts.add(n_bytes);
        let fits = self.deliveries.try_send(delivery).is_ok();
        if fits {
            self.writer.0.unpark();
        } else {
            self.counts.remove(n_bytes);
        }
        fits
    }

    fn writer_has_ended(&self) -> bool {
        self.counts.writer_has_ended.load(Ordering::Relaxed)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        // The fields are dropped after this, so the count is there when the channel is
        // disconnected.
        let at_end = &self.counts.n_missed_at_end;
        at_end.store(self.n_missed, Ordering::Release);
    }
}

impl Drop for UnparkOnDrop {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.counts.writer_has_ended.store(true, Ordering::Relaxed);
    }
}

impl Frames {
    /// Writes every delivery to `sink`, in order, until the room has dropped its end and the queue is
    /// drained. The bytes of a delivery count against the limit until they are written. Returns how
    /// many messages were missed after the last delivery.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn drain<S: Sink>(&self, sink: &mut S) -> Result<u64, S::Error> {
        loop {
            match self.deliveries.try_recv() {
                Ok(delivery) => {
                    self.counts.n_frames.fetch_sub(1, Ordering::Relaxed);
                    sink.write(&delivery)?;
                    let n_bytes = delivery.n_bytes();
                    self.counts.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
                }
                Err(TryRecvError::Empty) => match sink.idle() {
                    Some(pause) => thread::park_timeout(pause),
                    None => thread::park(),
                },
                Err(TryRecvError::Disconnected) => break,
            }
        }
        Ok(self.counts.n_missed_at_end.load(Ordering::Acquire))
    }
}

/// Outboxes for tests of the room, with the test as the writer.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// Returns both ends of a queue for `n_frames`.
    ///
    /// # Panics
    /// Never.
    pub fn outbox(n_frames: usize) -> (Outbox, Frames) {
        let mut writers_end = None;
        let outbox = Outbox::new(n_frames, Arc::default(), |frames| {
            writers_end = Some(frames);
            Ok(thread::current())
        });
        (outbox.unwrap(), writers_end.unwrap())
    }

    /// Returns the text that waits in `frames`, as its writer would write it, and whether that was
    /// all of it. Numbers of missed messages are in square brackets.
    pub fn heard(frames: &Frames) -> (String, bool) {
        let mut heard = String::new();
        let mut add = |n_missed: u64, bytes: &[u8]| {
            if n_missed > 0 {
                heard.extend(["[missed ", &n_missed.to_string(), "]"]);
            }
            heard += &String::from_utf8_lossy(bytes);
        };
        let ended = loop {
            match frames.deliveries.try_recv() {
                Ok(delivery) => {
                    add(delivery.n_missed, delivery.bytes());
                    delivery.answers.iter().for_each(|answer| add(0, answer));
                    frames.counts.remove(delivery.n_bytes());
                }
                Err(error) => break error == TryRecvError::Disconnected,
            }
        };
        if ended {
            add(
                frames.counts.n_missed_at_end.swap(0, Ordering::Relaxed),
                b"",
            );
        }
        (heard, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{heard, outbox};
    use super::*;
    use crate::room::frame::FrameMemory;

    fn frame(n_bytes: usize) -> Arc<Frame> {
        FrameMemory::default().frame(&vec![b'x'; n_bytes])
    }

    #[test]
    fn it_is_full_by_frames_or_by_bytes_whichever_is_first() {
        let (mut small, _frames) = outbox(3);
        let dropped: Vec<_> = (0..5)
            .map(|_| small.send(&frame(1), 0, 2, Vec::new()))
            .collect();
        assert_eq!(dropped, [0, 0, 0, 2, 2]);

        let (mut large, _frames) = outbox(3);
        assert_eq!(large.send(&frame(MAX_BYTES), 0, 1, Vec::new()), 0);
        assert_eq!(large.send(&frame(1), 0, 1, Vec::new()), 1);
        assert_eq!(
            large.send(&frame(0), 0, 0, Vec::new()),
            0,
            "a notice takes no bytes"
        );
    }

    #[test]
    fn what_is_written_makes_room_and_not_before() {
        let (mut outbox, frames) = outbox(3);
        outbox.send(&frame(MAX_BYTES), 0, 1, Vec::new());
        outbox.send(&frame(0), 0, 0, Vec::new());
        let stopped = frames.drain(&mut |delivery: &Delivery| {
            if delivery.bytes().is_empty() {
                return Err(());
            }
            assert_eq!(outbox.send(&frame(1), 0, 1, Vec::new()), 1);
            Ok(())
        });
        assert_eq!(stopped, Err(()));
        assert_eq!(outbox.send(&frame(MAX_BYTES), 0, 1, Vec::new()), 0);
    }

    #[test]
    fn what_was_missed_is_told_with_the_next_delivery_that_fits() {
        let (mut outbox, frames) = outbox(1);
        for _ in 0..3 {
            outbox.send(&frame(1), 0, 2, Vec::new());
        }
        outbox.tell_missed();
        assert!(outbox.is_lagging(), "the queue is still full");
        assert_eq!(heard(&frames).0, "x");
        outbox.send(&frame(2), 0, 1, Vec::new());
        assert_eq!(heard(&frames).0, "[missed 4]xx");
        assert!(!outbox.is_lagging());
    }

    #[test]
    fn in_a_quiet_room_what_was_missed_is_told_when_the_queue_is_empty() {
        let (mut outbox, frames) = outbox(8);
        // Full by bytes, with places left.
        outbox.send(&frame(MAX_BYTES), 0, 1, Vec::new());
        outbox.send(&frame(1), 0, 1, Vec::new());
        for _ in 0..9 {
            outbox.tell_missed();
        }
        assert!(!heard(&frames).0.contains("missed"));
        outbox.tell_missed();
        assert_eq!(heard(&frames).0, "[missed 1]");
    }

    #[test]
    fn what_is_taken_back_is_missed_too() {
        let (mut outbox, frames) = outbox(2);
        for _ in 0..3 {
            outbox.send(&frame(1), 0, 1, Vec::new());
        }
        assert_eq!(heard(&frames).0, "xx");
        outbox.send(&frame(1), 0, 2, Vec::new());
        outbox.send(&frame(1), 0, 4, Vec::new());
        assert_eq!(outbox.take_back(), 6);
        assert_eq!((outbox.n_bytes_waiting(), outbox.take_back()), (0, 0));
        outbox.send(&frame(1), 0, 1, Vec::new());
        assert_eq!(heard(&frames).0, "[missed 7]x");
    }

    #[test]
    fn the_end_says_what_did_not_fit() {
        let (mut outbox, frames) = outbox(1);
        outbox.send(&frame(1), 0, 1, Vec::new());
        outbox.send(&frame(1), 0, 7, Vec::new());
        drop(outbox);
        assert_eq!(frames.drain(&mut |_: &Delivery| Ok::<_, ()>(())), Ok(7));
    }

    #[test]
    fn answers_ride_behind_the_frame_and_are_missed_with_it() {
        let (mut outbox, frames) = outbox(1);
        let answer = FrameMemory::default().frame(b"answer");
        let answers = vec![Arc::clone(&answer), answer];
        assert_eq!(outbox.send(&frame(2), 1, 1, answers.clone()), 0);
        assert_eq!(outbox.send(&frame(2), 1, 1, answers), 3);
        assert_eq!(heard(&frames).0, "xansweranswer");
        outbox.tell_missed();
        assert_eq!(heard(&frames).0, "[missed 3]");
    }

    #[test]
    fn a_writer_that_has_ended_misses_nothing() {
        let (mut outbox, frames) = outbox(1);
        drop(frames);
        assert_eq!(outbox.send(&frame(1), 0, 1, Vec::new()), 0);
        assert!(!outbox.is_lagging());
    }

    #[test]
    fn a_parked_writer_wakes_for_a_delivery_and_for_the_end() {
        thread::scope(|scope| {
            let (written, deliveries) = bounded(0);
            let mut outbox = Outbox::new(1, Arc::default(), |frames| {
                let mut write = move |delivery: &Delivery| written.send(delivery.bytes().len());
                let writer = scope.spawn(move || frames.drain(&mut write));
                Ok(writer.thread().clone())
            })
            .unwrap();
            for n_bytes in 1..100 {
                outbox.send(&frame(n_bytes), 0, 1, Vec::new());
                assert_eq!(deliveries.recv(), Ok(n_bytes));
            }
            drop(outbox);
            assert!(deliveries.recv().is_err());
        });
    }
}
