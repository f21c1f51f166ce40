//! Keeps what one member has yet to hear: its part of the current frame, and the answers for it alone.
//! Who the others are is left to the room.

use super::event::{ClientId, Writer};
use super::frame::{CurrentFrame, Frame, MAX_FRAME};
use super::outbox::Outbox;
use std::mem::take;
use std::sync::Arc;

/// Whoever has last said something to a member alone.
#[derive(Debug, Clone)]
pub enum LastWriter {
    /// Another member.
    Here(ClientId),
    /// Somebody on another server.
    Elsewhere(Writer),
}

/// A member of the room.
#[derive(Debug)]
pub struct Member {
    /// Its name, or `None` if it only listens.
    pub name: Option<Arc<str>>,
    /// Where to send its messages.
    pub outbox: Outbox,
    /// The member that has last said something to this one alone.
    pub last_writer: Option<LastWriter>,
    /// Whether this member leaves when the current frame has gone out.
    pub leaving: bool,
    /// Bytes and messages of the current frame that precede this member's join; it must not get
    /// those.
    n_bytes_before: usize,
    n_messages_before: u64,
    /// Answers that this member alone gets, after the current frame.
    answers: Vec<Arc<Frame>>,
    n_answer_bytes: usize,
    /// Number of further answers, which did not fit.
    n_answers_missed: u64,
}

impl Member {
    /// Returns a member that hears what is said after what the current `frame` has by now.
    pub fn new(name: Option<Arc<str>>, outbox: Outbox, frame: &CurrentFrame) -> Self {
        Self {
            name,
            outbox,
            last_writer: None,
            leaving: false,
            n_bytes_before: frame.bytes().len(),
            n_messages_before: frame.n_messages(),
            answers: Vec::new(),
            n_answer_bytes: 0,
            n_answers_missed: 0,
        }
    }

    /// Takes an answer that goes out after the current frame, if it fits the outbox however large
    /// that frame gets. Otherwise returns false, and the answer counts as missed.
    pub fn take_answer(&mut self, answer: Arc<Frame>) -> bool {
        let n_bytes = self.n_answer_bytes + answer.len();
        let fits = self.outbox.has_room_for(MAX_FRAME + n_bytes);
        if fits {
            self.n_answer_bytes = n_bytes;
            self.answers.push(answer);
        } else {
            self.n_answers_missed += 1;
        }
        fits
    }

    /// Sends the part of `frame` that is for this member, and the answers. The frame holds
    /// `n_messages`. Returns how many messages were dropped.
    pub fn send(&mut self, frame: &Arc<Frame>, n_messages: u64) -> u64 {
        let from = take(&mut self.n_bytes_before);
        let n_messages = n_messages - take(&mut self.n_messages_before);
        let answers = take(&mut self.answers);
        self.n_answer_bytes = 0;
        let n_missed = take(&mut self.n_answers_missed);
        self.outbox.miss(n_missed);
        if from == frame.len() && answers.is_empty() {
            return n_missed;
        }
        n_missed + self.outbox.send(frame, from, n_messages, answers)
    }

    /// Tells the member how many messages it has missed, where the notice takes no place from a
    /// message or an answer.
    pub fn tell_missed(&mut self) {
        if self.answers.is_empty() {
            self.outbox.tell_missed();
        }
    }
}
