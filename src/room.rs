//! Keeps who is in the room and what each of them must hear. When a frame goes out is left to the
//! broadcaster, which owns the room.
//!
//! The room knows outboxes, but no socket, no clock and no log, so that all its rules can be tested
//! with channels alone.

pub mod frame;
pub mod outbox;
pub mod event;

use crate::protocol::MAX_LINE;
use event::{ClientId, Event};
use frame::FrameMemory;
use outbox::Outbox;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

/// Size at which a frame is full, in bytes. It bounds the size of one write, and lets several
/// frames fit one outbox.
pub const FULL_FRAME: usize = 128 * 1024;

/// Maximum size of a frame, in bytes: a full one ends with the message that fills it.
const MAX_FRAME: usize = FULL_FRAME + 2 * MAX_LINE;

/// The bytes that everyone will get next, and the number of messages in them.
#[derive(Debug, Default)]
struct CurrentFrame {
    bytes: Vec<u8>,
    n_messages: u64,
}

#[derive(Debug)]
struct Member {
    name: Option<Arc<str>>,
    outbox: Outbox,
    /// Bytes and messages of the current frame that precede this member's join; it must not get
    /// those.
    n_bytes_before: usize,
    n_messages_before: u64,
    /// An answer that this member alone gets, after the current frame.
    answer: Option<Arc<[u8]>>,
    /// Whether this member leaves when the current frame has gone out.
    leaving: bool,
}

/// The room: its members, oldest first, and the current frame, which all of them will get.
#[derive(Debug, Default)]
pub struct Room {
    members: BTreeMap<ClientId, Member>,
    frame: CurrentFrame,
    memory: FrameMemory,
    /// Number of members that have missed messages and have not been told.
    n_lagging: usize,
    closed: bool,
}

impl Room {
    /// Returns an empty room. When frames that clients have not read exceed `frame_memory` bytes,
    /// it takes back those of the clients furthest behind.
    pub fn new(frame_memory: usize) -> Self {
        Self {
            memory: FrameMemory::new(frame_memory),
            ..Self::default()
        }
    }

    /// Applies `event`. A message waits in the current frame until [`flush`](Self::flush).
    pub fn apply(&mut self, event: Event) {
        if self.closed {
            return;
        }
        match event {
            Event::Join { id, name, outbox } => {
                let member = Member {
                    name,
                    outbox,
                    n_bytes_before: self.frame.bytes.len(),
                    n_messages_before: self.frame.n_messages,
                    answer: None,
                    leaving: false,
                };
                self.members.insert(id, member);
            }
            Event::Said { from, line } => {
                if self.members.contains_key(&from) {
                    self.frame.bytes.extend_from_slice(line.as_bytes());
                    self.frame.n_messages += 1;
                }
            }
            Event::Leave(id) => {
                if !self.has_frame() {
                    let left = self.members.remove(&id);
                    self.n_lagging -= usize::from(left.is_some_and(|it| it.outbox.is_lagging()));
                } else if let Some(member) = self.members.get_mut(&id) {
                    member.leaving = true;
                }
            }
            Event::Close => self.close(),
        }
    }

    /// Sends the current frame to everyone who was here for it, and starts the next one. Calls
    /// `dropped` for each member that missed messages, with the number.
    pub fn flush(&mut self, mut dropped: impl FnMut(ClientId, u64)) {
        let frame = self.memory.frame(&self.frame.bytes);
        for (id, member) in &mut self.members {
            let from = take(&mut member.n_bytes_before);
            let n_messages = self.frame.n_messages - take(&mut member.n_messages_before);
            let answer = member.answer.take();
            if n_messages == 0 && answer.is_none() {
                continue;
            }
            let n_dropped = member.outbox.send(&frame, from, n_messages, answer);
            if n_dropped > 0 {
                dropped(*id, n_dropped);
            }
        }
        drop(frame);
        self.frame.bytes.clear();
        self.frame.n_messages = 0;
        if self.memory.is_exceeded() {
            self.free_memory(dropped);
        }
        self.members.retain(|_, member| !member.leaving);
        self.count_lagging();
    }

    /// Sends `answer` to the member `id` alone: at once in a quiet room, or else after the current
    /// frame. Returns how many messages were dropped by that now.
    pub fn answer(&mut self, id: ClientId, answer: Arc<[u8]>) -> u64 {
        let quiet = !self.has_frame();
        let Some(member) = self.members.get_mut(&id) else {
            return 0;
        };
        if quiet {
            let n_dropped = member.outbox.send(&Arc::default(), 0, 0, Some(answer));
            self.count_lagging();
            return n_dropped;
        }
        let earlier = member.answer.take();
        let both = |earlier: Arc<[u8]>| [&*earlier, &answer].concat().into();
        member.answer = Some(earlier.map_or_else(|| Arc::clone(&answer), both));
        0
    }

    /// Tells members how many messages they have missed, where the notice takes no place from a
    /// message.
    pub fn tell_missed(&mut self) {
        for member in self.members.values_mut() {
            member.outbox.tell_missed();
        }
        self.count_lagging();
    }

    /// Returns the names of the members, oldest first. Members that only listen have none.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let members = self.members.values();
        members.filter_map(|member| member.name.as_ref())
    }

    /// Returns the number of members, including those that only listen.
    pub fn n_members(&self) -> usize {
        self.members.len()
    }

    /// Whether messages wait in the current frame.
    pub fn has_frame(&self) -> bool {
        self.frame.n_messages > 0
    }

    /// Returns how many bytes the current frame has.
    pub fn n_frame_bytes(&self) -> usize {
        self.frame.bytes.len()
    }

    /// Whether the current frame is full and has to go out.
    pub fn frame_is_full(&self) -> bool {
        self.n_frame_bytes() >= FULL_FRAME
    }

    /// Whether some member has missed messages and has not been told.
    pub fn has_lagging(&self) -> bool {
        self.n_lagging > 0
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
        self.n_lagging = 0;
        self.closed = true;
    }

    fn count_lagging(&mut self) {
        let members = self.members.values();
        self.n_lagging = members.filter(|it| it.outbox.is_lagging()).count();
    }
}

#[cfg(test)]
mod tests {
    use super::outbox::Frames;
    use super::outbox::testing::{heard, outbox};
    use super::*;

    fn join(room: &mut Room, id: ClientId, n_frames: usize) -> Frames {
        let (outbox, frames) = outbox(n_frames);
        let name = Some(format!("Guest {id}").into());
        room.apply(Event::Join { id, name, outbox });
        frames
    }

    fn say(room: &mut Room, from: ClientId, text: &str) {
        let line = format!("{text}\n");
        room.apply(Event::Said { from, line });
    }

    fn flush(room: &mut Room) -> Vec<(ClientId, u64)> {
        let mut drops = Vec::new();
        room.flush(|id, n_dropped| drops.push((id, n_dropped)));
        drops
    }

    #[test]
    fn everyone_hears_one_order_in_one_frame() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        let bob = join(&mut room, 1, 4);
        say(&mut room, 0, "a");
        say(&mut room, 1, "b");
        assert_eq!(heard(&ada).0, "", "nothing goes out before the flush");
        assert_eq!(flush(&mut room), []);
        assert_eq!(heard(&ada).0, "a\nb\n");
        assert_eq!(heard(&bob).0, "a\nb\n");
        assert!(!room.has_frame());
    }

    #[test]
    fn a_newcomer_hears_only_what_is_said_after_it_joined() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, 0, "before");
        let bob = join(&mut room, 1, 4);
        let eve = join(&mut room, 2, 4);
        flush(&mut room);
        assert_eq!(heard(&eve).0, "");
        say(&mut room, 0, "between");
        let joe = join(&mut room, 3, 4);
        say(&mut room, 0, "after");
        flush(&mut room);
        assert_eq!(heard(&ada).0, "before\nbetween\nafter\n");
        assert_eq!(heard(&bob).0, "between\nafter\n");
        assert_eq!(heard(&joe).0, "after\n");
    }

    #[test]
    fn nobody_hears_one_who_is_not_in_the_room() {
        let mut room = Room::default();
        let _ada = join(&mut room, 0, 4);
        say(&mut room, 1, "before I came");
        let bob = join(&mut room, 1, 4);
        room.apply(Event::Leave(1));
        say(&mut room, 1, "after I left");
        assert!(!room.has_frame());
        assert_eq!(heard(&bob), (String::new(), true));
    }

    #[test]
    fn a_leaver_hears_what_was_said_before_it_left() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, 0, "last words");
        room.apply(Event::Leave(0));
        assert_eq!(room.n_members(), 1);
        flush(&mut room);
        assert_eq!(room.n_members(), 0);
        assert_eq!(heard(&ada), ("last words\n".to_owned(), true));
    }

    #[test]
    fn in_a_quiet_room_a_leaver_leaves_at_once() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        room.apply(Event::Leave(0));
        assert_eq!(room.n_members(), 0);
        assert!(heard(&ada).1);
    }

    #[test]
    fn members_have_names_and_listeners_have_none() {
        let mut room = Room::default();
        let _guests = [7, 3].map(|id| join(&mut room, id, 4));
        let (outbox, listener) = outbox(4);
        let name = None;
        room.apply(Event::Join {
            id: 5,
            name,
            outbox,
        });
        let names: Vec<&str> = room.names().map(|name| &**name).collect();
        assert_eq!(names, ["Guest 3", "Guest 7"]);
        assert_eq!(room.n_members(), 3);
        say(&mut room, 3, "hello");
        flush(&mut room);
        assert_eq!(heard(&listener).0, "hello\n");
    }

    #[test]
    fn delivered_and_missed_add_up_to_what_was_sent() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 2);
        let quick = join(&mut room, 1, 100);
        let mut n_dropped = 0;
        for n in 0..10 {
            say(&mut room, 1, &format!("{n}a"));
            say(&mut room, 1, &format!("{n}b"));
            n_dropped += flush(&mut room).iter().map(|(_, n)| n).sum::<u64>();
        }
        assert_eq!(n_dropped, 16);
        assert_eq!(heard(&slow).0, "0a\n0b\n1a\n1b\n");
        assert!(room.has_lagging());
        say(&mut room, 1, "now");
        assert_eq!(flush(&mut room), []);
        assert_eq!(heard(&slow).0, "[missed 16]now\n");
        assert!(!room.has_lagging());
        assert_eq!(heard(&quick).0.lines().count(), 21);
    }

    #[test]
    fn in_a_quiet_room_the_slow_are_told_as_soon_as_they_can_be() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 1);
        for _ in 0..3 {
            say(&mut room, 0, "x");
            flush(&mut room);
        }
        room.tell_missed();
        assert!(room.has_lagging(), "its outbox is still full");
        assert_eq!(heard(&slow).0, "x\n");
        room.tell_missed();
        assert!(!room.has_lagging());
        assert_eq!(heard(&slow).0, "[missed 2]");
    }

    #[test]
    fn a_slow_client_that_leaves_is_told_at_the_end_what_it_missed() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 1);
        for _ in 0..3 {
            say(&mut room, 0, "x");
            flush(&mut room);
        }
        room.apply(Event::Leave(0));
        assert!(!room.has_lagging());
        assert_eq!(heard(&slow), ("x\n[missed 2]".to_owned(), true));
    }

    #[test]
    fn an_answer_goes_at_once_in_a_quiet_room_and_to_nobody_else() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 1);
        let bob = join(&mut room, 1, 1);
        let answer = || Arc::from(*b"* You are Ada.\n");
        assert_eq!(room.answer(0, answer()), 0);
        assert_eq!(room.answer(0, answer()), 1, "its queue is full");
        assert!(room.has_lagging());
        assert_eq!(heard(&ada).0, "* You are Ada.\n");
        assert_eq!(heard(&bob).0, "");
        assert_eq!(
            room.answer(9, answer()),
            0,
            "there is nobody to be answered"
        );
    }

    #[test]
    fn an_answer_rides_behind_the_current_frame_and_forces_no_flush() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 1);
        let bob = join(&mut room, 1, 1);
        say(&mut room, 1, "hello");
        for answer in [*b"* 1\n", *b"* 2\n"] {
            assert_eq!(room.answer(0, Arc::from(answer)), 0);
        }
        assert_eq!(heard(&ada).0, "");
        flush(&mut room);
        assert_eq!(heard(&ada).0, "hello\n* 1\n* 2\n");
        assert_eq!(heard(&bob).0, "hello\n");
    }

    #[test]
    fn when_memory_is_short_those_furthest_behind_lose_what_waits() {
        let mut room = Room::new(3 * MAX_FRAME);
        let line = |letter: &str| letter.repeat(MAX_FRAME - 1);
        let far_behind = join(&mut room, 0, 99);
        say(&mut room, 0, &line("x"));
        flush(&mut room);
        let behind = join(&mut room, 1, 99);
        let quick = join(&mut room, 2, 99);
        for letter in ["y", "z"] {
            say(&mut room, 0, &line(letter));
            assert_eq!(flush(&mut room), [], "all frames fit");
        }
        heard(&quick);
        say(&mut room, 0, "a");
        say(&mut room, 0, "b");
        assert_eq!(flush(&mut room), [(0, 5)]);
        let two = format!("{}\n{}\na\nb\n", line("y"), line("z"));
        assert_eq!(heard(&behind).0, two);
        assert_eq!(heard(&quick).0, "a\nb\n");
        room.tell_missed();
        assert_eq!(heard(&far_behind).0, "[missed 5]");
    }

    #[test]
    fn when_stuck_writers_take_all_memory_healthy_members_lose_nothing() {
        let mut room = Room::new(0);
        let healthy = join(&mut room, 0, 9);
        // The second waits while the first is being written.
        for letter in ["x", "y"] {
            say(&mut room, 0, &letter.repeat(MAX_FRAME - 1));
            assert_eq!(flush(&mut room), []);
        }
        assert_eq!(heard(&healthy).0.len(), 2 * MAX_FRAME);
    }

    #[test]
    fn closing_ends_every_outbox_after_the_last_message() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, 0, "last words");
        room.apply(Event::Close);
        assert_eq!(heard(&ada), ("last words\n".to_owned(), true));
        let bob = join(&mut room, 1, 4);
        say(&mut room, 1, "too late");
        assert!(heard(&bob).1);
        assert!(!room.has_frame());
    }

    #[test]
    fn a_full_frame_says_so_and_several_fit_an_outbox() {
        let mut room = Room::default();
        let _ada = join(&mut room, 0, 32);
        for _ in 0..3 {
            while !room.frame_is_full() {
                say(&mut room, 0, &"x".repeat(4096));
            }
            assert_eq!(flush(&mut room), []);
        }
        assert!(!room.frame_is_full());
    }
}
