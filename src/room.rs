//! Keeps who is in the room and what each of them must hear. When a frame goes out is left to the
//! broadcaster, which owns the room.
//!
//! The room knows outboxes, but no socket, no clock and no log, so that all its rules can be tested
//! with channels alone.

pub mod frame;
pub mod outbox;
pub mod event;
pub mod history;
pub mod arrivals;
pub mod member;
pub mod directory;
pub mod commands;

use crate::protocol::notice::Notice;
use arrivals::{Arrivals, Change};
use crossbeam_channel::Sender;
use directory::Directory;
use event::{ClientId, Event, Outgoing};
use frame::{CurrentFrame, FULL_FRAME, Frame, FrameMemory, MAX_FRAME};
use history::History;
use member::Member;
use outbox::Outbox;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a room differs from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Memory for frames that clients have not read, in bytes. Beyond it, those of the clients
    /// furthest behind are taken back.
    pub frame_memory: usize,
    /// Number of messages that newcomers hear of those said before they came.
    pub n_history: usize,
    /// Whether everyone hears who comes and goes.
    pub announces: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            frame_memory: usize::MAX,
            n_history: 0,
            announces: false,
        }
    }
}

/// The room: its members, oldest first, and the current frame, which all of them will get.
#[derive(Debug, Default)]
pub struct Room {
    members: BTreeMap<ClientId, Member>,
    directory: Directory,
    /// What `/who` answers, until somebody comes or goes.
    list: Option<Arc<Frame>>,
    frame: CurrentFrame,
    /// Whether some member has an answer that waits.
    has_answers: bool,
    history: History,
    /// `None` if the room does not announce who comes and goes.
    arrivals: Option<Arrivals>,
    memory: FrameMemory,
    /// Takes what is for other servers, if some share the room.
    outgoing: Option<Sender<Outgoing>>,
    /// Number of members that have missed messages and have not been told.
    n_lagging: usize,
    closed: bool,
}

impl Room {
    /// Returns an empty room.
    pub fn new(rules: &Rules) -> Self {
        Self {
            memory: FrameMemory::new(rules.frame_memory),
            history: History::new(rules.n_history),
            arrivals: rules.announces.then(Arrivals::default),
            ..Self::default()
        }
    }

    /// Shares the room with other servers: `outgoing` takes what is for them.
    pub fn share(&mut self, outgoing: Sender<Outgoing>) {
        self.outgoing = Some(outgoing);
    }

    /// Replaces what newcomers hear of what was said before.
    pub fn recall(&mut self, history: History) {
        self.history = history;
    }

    /// Adds a message to the history only, newline included.
    pub fn remember(&mut self, line: String) {
        self.history.push(line);
    }

    /// Applies `event`. What it makes members hear waits until [`flush`](Self::flush).
    pub fn apply(&mut self, event: Event) {
        if self.closed {
            return;
        }
        match event {
            Event::Join { id, name, outbox } => self.join(id, name, outbox),
            Event::Said { from, line } => {
                if self.members.contains_key(&from) {
                    self.say(line);
                }
            }
            Event::Relayed(line) => self.say(line),
            Event::Missed(n_messages) => {
                let notice = Notice::Missed(n_messages).line();
                self.frame.push_for(n_messages, &notice);
            }
            Event::Notified(notice) => self.frame.push_for(0, &notice.line()),
            Event::Renamed { id, name } => self.rename(id, &name),
            Event::AskedWho(id) => self.who(id),
            Event::SaidTo { from, letter } => self.say_to(from, &letter),
            Event::Replied { from, text } => self.reply(from, text),
            Event::Letter { to, writer, text } => self.letter(&to, writer, &text),
            Event::Changed(change) => self.publish(&change),
            Event::Told { id, lines } => {
                self.tell(id, &lines);
            }
            Event::Leave(id) => self.leave(id),
            Event::Close => self.close(),
        }
    }

    /// Sends the current frame to everyone who was here for it, and the answers that wait, and
    /// starts the next frame. Calls `dropped` for each member that missed messages, with the number.
    pub fn flush(&mut self, mut dropped: impl FnMut(ClientId, u64)) {
        let frame = self.memory.frame(self.frame.bytes());
        for (id, member) in &mut self.members {
            let n_dropped = member.send(&frame, self.frame.n_messages());
            if n_dropped > 0 {
                dropped(*id, n_dropped);
            }
        }
        drop(frame);
        self.frame.clear();
        self.has_answers = false;
        if self.memory.is_exceeded() {
            self.free_memory(dropped);
        }
        self.members.retain(|_, member| !member.leaving);
        self.count_lagging();
    }

    /// Tells members how many messages they have missed, where the notice takes no place from a
    /// message.
    pub fn tell_missed(&mut self) {
        for member in self.members.values_mut() {
            member.tell_missed();
        }
        self.count_lagging();
    }

    /// Ends a second of announcements: publishes what waited for that.
    pub fn end_second(&mut self) {
        if let Some(arrivals) = &mut self.arrivals {
            for line in arrivals.end_second() {
                self.frame.push(&line);
            }
        }
    }

    /// Whether the current second matters for announcements.
    pub fn has_arrivals(&self) -> bool {
        self.arrivals.as_ref().is_some_and(Arrivals::has_begun)
    }

    /// Returns the names of the members, oldest first. Members that only listen have none.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let present = self.members.values().filter(|member| !member.leaving);
        present.filter_map(|member| member.name.as_ref())
    }

    /// Returns the number of members, including those that only listen.
    pub fn n_members(&self) -> usize {
        self.members.len()
    }

    /// Whether something waits in the current frame, or answers.
    pub fn has_unsent(&self) -> bool {
        !self.frame.is_empty() || self.has_answers
    }

    /// Returns how many bytes the current frame has.
    pub fn n_frame_bytes(&self) -> usize {
        self.frame.bytes().len()
    }

    /// Returns how many messages the current frame has.
    pub fn n_frame_messages(&self) -> u64 {
        self.frame.n_messages()
    }

    /// Whether the current frame is full and has to go out.
    pub fn frame_is_full(&self) -> bool {
        self.n_frame_bytes() >= FULL_FRAME
    }

    /// Whether some member has missed messages and has not been told.
    pub fn has_lagging(&self) -> bool {
        self.n_lagging > 0
    }

    fn say(&mut self, line: String) {
        self.frame.push(&line);
        self.history.push(line);
    }

    fn join(&mut self, id: ClientId, name: Option<Arc<str>>, mut outbox: Outbox) {
        if name.is_some()
            && let Some((frame, n_messages)) = self.history.frame()
        {
            // The history ends where the part of the current frame begins that the member gets.
            outbox.send(&frame, 0, n_messages, Vec::new());
        }
        let member = Member::new(name.clone(), outbox, &self.frame);
        self.members.insert(id, member);
        if let Some(name) = name {
            self.directory.add(&name, id);
            self.list = None;
            self.announce(&Change::Joined(name));
        }
    }

    fn leave(&mut self, id: ClientId) {
        let name = self.name(id);
        if self.has_unsent() {
            if let Some(member) = self.members.get_mut(&id) {
                member.leaving = true;
            }
        } else {
            let left = self.members.remove(&id);
            self.n_lagging -= usize::from(left.is_some_and(|it| it.outbox.is_lagging()));
        }
        if let Some(name) = name {
            self.directory.remove(&name, id);
            self.list = None;
            self.announce(&Change::Left(name));
        }
    }

    /// Announces a change here. In a room that is shared, it comes back from the other servers.
    fn announce(&mut self, change: &Change) {
        if self.outgoing.is_none() {
            self.publish(change);
        }
    }

    fn publish(&mut self, change: &Change) {
        let arrivals = self.arrivals.as_mut();
        if let Some(line) = arrivals.and_then(|arrivals| arrivals.announce(change)) {
            self.frame.push(&line);
        }
    }

    /// Sends whole lines to the member `id` alone. Returns whether they fit its queue.
    fn tell(&mut self, id: ClientId, lines: &str) -> bool {
        let answer = self.memory.frame(lines.as_bytes());
        self.answer(id, answer)
    }

    /// Sends `answer` to the member `id` alone, with the next flush. Returns whether it fits its
    /// queue.
    fn answer(&mut self, id: ClientId, answer: Arc<Frame>) -> bool {
        let Some(member) = self.members.get_mut(&id) else {
            return false;
        };
        self.has_answers = true;
        member.take_answer(answer)
    }

    /// Returns the name of a member that has one and is not leaving.
    fn name(&self, id: ClientId) -> Option<Arc<str>> {
        let member = self.members.get(&id).filter(|member| !member.leaving);
        member.and_then(|member| member.name.clone())
    }

    /// Takes back frames that wait for the members furthest behind, until the rest fits the memory
    /// again. A frame that is being written to a stuck client can't be taken back. Members for which
    /// one more frame waits may be healthy, so they keep it.
    fn free_memory(&mut self, mut dropped: impl FnMut(ClientId, u64)) {
        let members = self.members.iter_mut();
        let mut members: Vec<_> = members
            .map(|(id, member)| (member.outbox.n_bytes_waiting(), id, member))
            .filter(|(n_bytes, ..)| *n_bytes > 2 * MAX_FRAME)
            .collect();
        members.sort_unstable_by_key(|(n_bytes, ..)| Reverse(*n_bytes));
        for (_, id, member) in members {
            if !self.memory.is_exceeded() {
                break;
            }
            let n_dropped = member.outbox.take_back();
            if n_dropped > 0 {
                dropped(*id, n_dropped);
            }
        }
    }

    fn close(&mut self) {
        // Drops are no longer logged, but the outboxes tell their clients at the end.
        self.flush(|_, _| {});
        self.members.clear();
        self.list = None;
        self.n_lagging = 0;
        self.closed = true;
    }

    fn count_lagging(&mut self) {
        let members = self.members.values();
        self.n_lagging = members.filter(|it| it.outbox.is_lagging()).count();
    }
}

#[cfg(test)]
mod tests;
