//! Shares the bytes of each frame among many outboxes, and counts the memory of all frames. Filling
//! a frame is left to the room.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
