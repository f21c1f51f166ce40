//! Gathers messages in the current frame, shares the bytes of the frames before it among many
//! outboxes, and counts the memory of those. When a frame goes out is left to the room.

use crate::protocol::MAX_LINE;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Size at which a frame is full, in bytes. It bounds the size of one write, and lets several
/// frames fit one outbox.
pub const FULL_FRAME: usize = 128 * 1024;

/// Maximum size of a frame, in bytes: a full one ends with the message that fills it.
pub const MAX_FRAME: usize = FULL_FRAME + 2 * MAX_LINE;

/// The bytes that everyone will get next.
#[derive(Debug, Default)]
pub struct CurrentFrame {
    bytes: Vec<u8>,
    n_messages: u64,
}

impl CurrentFrame {
    /// Adds a message, newline included.
    pub fn push(&mut self, line: &str) {
        self.push_for(1, line);
    }

    /// Adds a line that stands for so many messages, newline included. Who misses it misses these.
    pub fn push_for(&mut self, n_messages: u64, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.n_messages += n_messages;
    }

    /// Removes all messages.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.n_messages = 0;
    }

    /// Returns the number of messages.
    pub fn n_messages(&self) -> u64 {
        self.n_messages
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the messages as they go over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A frame that has gone out. It is freed when the last client has been sent it.
#[derive(Debug, Default)]
pub struct Frame {
    bytes: Box<[u8]>,
    n_bytes_alive: Arc<AtomicUsize>,
}

/// The memory of all frames that some client has yet to be sent.
#[derive(Debug)]
pub struct FrameMemory {
    n_bytes_alive: Arc<AtomicUsize>,
    limit: usize,
}

impl FrameMemory {
    /// Returns a memory for at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            n_bytes_alive: Arc::default(),
            limit,
        }
    }

    /// Copies `bytes` into a frame, and counts them.
    pub fn frame(&self, bytes: &[u8]) -> Arc<Frame> {
        self.n_bytes_alive.fetch_add(bytes.len(), Ordering::Relaxed);
        Arc::new(Frame {
            bytes: bytes.into(),
            n_bytes_alive: Arc::clone(&self.n_bytes_alive),
        })
    }

    /// Whether the frames take more than the limit.
    pub fn is_exceeded(&self) -> bool {
        self.n_bytes_alive.load(Ordering::Relaxed) > self.limit
    }
}

impl Default for FrameMemory {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let n_bytes = self.bytes.len();
        self.n_bytes_alive.fetch_sub(n_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_until_the_last_reference_is_gone() {
        let memory = FrameMemory::new(5);
        let first = memory.frame(b"hello");
        assert!(!memory.is_exceeded());
        let second = memory.frame(b"!");
        let shared = Arc::clone(&first);
        drop(first);
        assert!(memory.is_exceeded());
        drop(shared);
        assert!(!memory.is_exceeded());
        assert_eq!(&**second, b"!");
    }
}
