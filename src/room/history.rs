//! Keeps the last messages for those who come later. When they get them is left to the room.

use super::frame::{Frame, FrameMemory};
use crate::protocol::notice::Notice;
use std::collections::VecDeque;
use std::sync::Arc;

/// Maximum size of all messages kept, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// The last messages, as they went over the wire.
#[derive(Debug, Default)]
pub struct History {
    n_kept: usize,
    lines: VecDeque<String>,
    n_bytes: usize,
    /// What a newcomer gets. It is shared by all that come before the next message.
    frame: Option<Arc<Frame>>,
}

impl History {
    /// Returns an empty history of at most `n_kept` messages.
    pub fn new(n_kept: usize) -> Self {
        Self {
            n_kept,
            ..Self::default()
        }
    }

    /// Adds a message, newline included, and forgets the oldest ones that no longer fit.
    pub fn push(&mut self, line: String) {
        if self.n_kept == 0 {
            return;
        }
        self.frame = None;
        self.n_bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.n_kept || self.n_bytes > MAX_BYTES {
            let oldest = self.lines.pop_front();
            self.n_bytes -= oldest.map_or(0, |line| line.len());
        }
    }

    /// Returns what a newcomer gets, and the number of messages in it, if there are any. This is not
    /// memory that slow clients take from others: each seat counts for a whole history.
    pub fn frame(&mut self) -> Option<(Arc<Frame>, u64)> {
        if self.lines.is_empty() {
            return None;
        }
        let frame = self.frame.get_or_insert_with(|| {
            let mut text = Notice::History(self.lines.len()).line();
            text.extend(self.lines.iter().map(String::as_str));
            text += &Notice::UpToDate.line();
            FrameMemory::default().frame(text.as_bytes())
        });
        Some((Arc::clone(frame), self.lines.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(history: &mut History) -> String {
        let frame = history.frame();
        frame.map_or(String::new(), |(frame, _)| {
            String::from_utf8(frame.to_vec()).unwrap()
        })
    }

    #[test]
    fn the_last_messages_are_kept_between_two_notices() {
        let mut history = History::new(2);
        assert_eq!(text(&mut history), "");
        history.push("a\n".to_owned());
        assert_eq!(
            text(&mut history),
            "* The last message:\na\n* You are up to date.\n"
        );
        history.push("b\n".to_owned());
        history.push("c\n".to_owned());
        assert_eq!(
            text(&mut history),
            "* The last 2 messages:\nb\nc\n* You are up to date.\n"
        );
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_too() {
        let mut history = History::new(usize::MAX);
        for _ in 0..100 {
            history.push("x".repeat(MAX_BYTES / 10));
        }
        assert_eq!(history.lines.len(), 10);
        assert_eq!(history.n_bytes, history.lines.iter().map(String::len).sum());
        history.push("x".repeat(MAX_BYTES + 1));
        assert_eq!((history.lines.len(), history.n_bytes), (0, 0));
    }

    #[test]
    fn newcomers_share_one_frame_until_the_next_message() {
        let mut history = History::new(2);
        history.push("a\n".to_owned());
        let (first, _) = history.frame().unwrap();
        let (second, _) = history.frame().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn no_history_keeps_nothing() {
        let mut history = History::new(0);
        history.push("a\n".to_owned());
        assert_eq!(history.n_bytes, 0);
    }
}
