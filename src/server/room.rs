//! Who is here and what each must hear. Pure: it knows outboxes, but no socket, no thread and no
//! clock, so that every rule of it can be tested with channels alone. When a frame goes out is
//! decided by `broadcaster`.

use super::bell::Bell;
use super::outbox::{Delivery, Outbox, Refusal};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Which connection: they are counted from 0 and never used twice.
pub type ClientId = u64;

/// A frame of this many bytes is full: it bounds the size of one write, and leaves an outbox room
/// for several.
pub const FULL_FRAME: usize = 128 * 1024;

/// Everything that can happen in the room.
#[derive(Debug)]
pub enum Event {
    /// A client has a name and hears from now on what is said.
    Join {
        /// Who comes.
        id: ClientId,
        /// Where to send what it is to hear.
        outbox: Outbox,
    },
    /// A line for everyone, as it goes over the wire, newline included.
    Message(String),
    /// A client says nothing more. It still hears what was said before.
    Leave(ClientId),
    /// Nobody hears anything after this.
    Close,
}

/// The bytes that everyone will get next, and how many messages they are.
#[derive(Debug, Default)]
struct Frame {
    bytes: Vec<u8>,
    n_messages: u64,
}

#[derive(Debug)]
struct Member {
    outbox: Outbox,
    /// Messages dropped for this member of which it has not been told yet.
    n_missed: u64,
    /// How much of the frame under way had been said before this member joined.
    n_bytes_before: usize,
    n_messages_before: u64,
    /// This member leaves when the frame under way has gone out.
    leaving: bool,
}

/// Drops that nobody has taken yet, the client that waits longest first.
#[derive(Debug, Default)]
struct Drops {
    n_dropped: HashMap<ClientId, u64>,
    order: VecDeque<ClientId>,
}

/// The room: its members, and the frame under way that all of them will get.
#[derive(Debug, Default)]
pub struct Room {
    // In the order of their ids, in which neighbours share a bell.
    members: BTreeMap<ClientId, Member>,
    frame: Frame,
    drops: Drops,
    /// Members that have missed messages and do not know it yet.
    n_lagging: usize,
    closed: bool,
}

impl Room {
    /// Lets `event` happen. Messages wait in the frame under way until [`flush`](Self::flush).
    pub fn hear(&mut self, event: Event) {
        if self.closed {
            return;
        }
        match event {
            Event::Message(line) => {
                self.frame.bytes.extend_from_slice(line.as_bytes());
                self.frame.n_messages += 1;
            }
            Event::Join { id, outbox } => {
                let member = Member {
                    outbox,
                    n_missed: 0,
                    n_bytes_before: self.frame.bytes.len(),
                    n_messages_before: self.frame.n_messages,
                    leaving: false,
                };
                self.members.insert(id, member);
            }
            Event::Leave(id) => {
                if !self.has_frame() {
                    let left = self.members.remove(&id);
                    self.n_lagging -= usize::from(left.is_some_and(|it| it.n_missed > 0));
                } else if let Some(member) = self.members.get_mut(&id) {
                    member.leaving = true;
                }
            }
            Event::Close => self.close(),
        }
    }

    /// Sends the frame under way to everyone who was here for it, and starts the next one.
    pub fn flush(&mut self) {
        let frame: Arc<[u8]> = self.frame.bytes.as_slice().into();
        for (id, member) in &mut self.members {
            let from = std::mem::take(&mut member.n_bytes_before);
            let n_messages = self.frame.n_messages - std::mem::take(&mut member.n_messages_before);
            if n_messages == 0 {
                continue;
            }
            let n_dropped = member.send(&frame, from, n_messages);
            if n_dropped > 0 {
                self.drops.add(*id, n_dropped);
            }
        }
        self.frame.bytes.clear();
        self.frame.n_messages = 0;
        self.wake_writers();
        self.members.retain(|_, member| !member.leaving);
        self.count_lagging();
    }

    /// Tells members how much they have missed, if they have taken all that waited for them. Others
    /// are told with the next frame that finds a place: a notice of its own would take that place.
    pub fn tell_missed(&mut self) {
        let nothing: Arc<[u8]> = [].into();
        for member in self.members.values_mut() {
            if member.n_missed > 0 && member.outbox.is_empty() {
                member.send(&nothing, 0, 0);
                member.outbox.bell().ring();
            }
        }
        self.count_lagging();
    }

    /// How many clients have drops that nobody has taken, and how many messages they are.
    pub fn remaining_drops(&self) -> (usize, u64) {
        (self.drops.order.len(), self.drops.n_dropped.values().sum())
    }

    /// Takes the drops of up to `n_clients`: which client, and how many messages since the last
    /// time.
    pub fn take_drops(&mut self, n_clients: usize) -> Vec<(ClientId, u64)> {
        let n_clients = n_clients.min(self.drops.order.len());
        let taken = self.drops.order.drain(..n_clients);
        taken
            .filter_map(|id| self.drops.n_dropped.remove_entry(&id))
            .collect()
    }

    /// How many are here.
    pub fn n_members(&self) -> usize {
        self.members.len()
    }

    /// Something was said that has not gone out yet.
    pub fn has_frame(&self) -> bool {
        self.frame.n_messages > 0
    }

    /// The frame under way takes no more: it has to go out.
    pub fn frame_is_full(&self) -> bool {
        self.frame.bytes.len() >= FULL_FRAME
    }

    /// Somebody has missed messages and does not know it yet.
    pub fn has_lagging(&self) -> bool {
        self.n_lagging > 0
    }

    /// There are drops to take.
    pub fn has_drops(&self) -> bool {
        !self.drops.order.is_empty()
    }

    fn wake_writers(&self) {
        let members = self.members.values();
        let mut bells: Vec<&Bell> = members.map(|member| member.outbox.bell()).collect();
        bells.dedup_by(|this, last| this.is_shared_with(last));
        for bell in bells {
            bell.ring_for_all();
        }
    }

    fn close(&mut self) {
        self.flush();
        self.members.clear();
        self.n_lagging = 0;
        self.closed = true;
    }

    fn count_lagging(&mut self) {
        self.n_lagging = self
            .members
            .values()
            .filter(|member| member.n_missed > 0)
            .count();
    }
}

impl Member {
    /// Sends this member's part of `frame`, with what it has missed before, and returns how many
    /// messages it misses now.
    fn send(&mut self, frame: &Arc<[u8]>, from: usize, n_messages: u64) -> u64 {
        let delivery = Delivery {
            n_missed: self.n_missed,
            frame: Arc::clone(frame),
            from,
        };
        match self.outbox.try_send(delivery) {
            Err(Refusal::Full) => {
                self.n_missed += n_messages;
                n_messages
            }
            Ok(()) | Err(Refusal::Gone) => {
                self.n_missed = 0;
                0
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.outbox.end(self.n_missed);
    }
}

impl Drops {
    fn add(&mut self, id: ClientId, n_messages: u64) {
        *self.n_dropped.entry(id).or_insert_with(|| {
            self.order.push_back(id);
            0
        }) += n_messages;
    }
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bells;
    use super::super::outbox::{Frames, outbox};
    use super::*;
    use std::fmt::Write;

    fn join(room: &mut Room, id: ClientId, n_frames: usize) -> Frames {
        let (outbox, frames) = outbox(n_frames, Bells::default().of(id));
        room.hear(Event::Join { id, outbox });
        frames
    }

    fn say(room: &mut Room, text: &str) {
        room.hear(Event::Message(format!("{text}\n")));
    }

    /// Everything that waits in `frames`, as its writer would write it.
    fn heard(frames: &Frames) -> String {
        let mut heard = String::new();
        while let Some(delivery) = frames.try_next() {
            if delivery.n_missed > 0 {
                write!(heard, "[missed {}]", delivery.n_missed).unwrap();
            }
            heard += &String::from_utf8_lossy(delivery.bytes());
        }
        heard
    }

    #[test]
    fn everyone_hears_one_order_in_one_frame() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        let bob = join(&mut room, 1, 4);
        say(&mut room, "a");
        say(&mut room, "b");
        assert_eq!(heard(&ada), "", "nothing goes out before the flush");
        room.flush();
        assert_eq!(heard(&ada), "a\nb\n");
        assert_eq!(heard(&bob), "a\nb\n");
        assert!(!room.has_frame());
    }

    #[test]
    fn a_newcomer_hears_only_what_is_said_after_it_joined() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, "before");
        let bob = join(&mut room, 1, 4);
        let eve = join(&mut room, 2, 4);
        room.flush();
        assert_eq!(heard(&eve), "");
        say(&mut room, "between");
        let joe = join(&mut room, 3, 4);
        say(&mut room, "after");
        room.flush();
        assert_eq!(heard(&ada), "before\nbetween\nafter\n");
        assert_eq!(heard(&bob), "between\nafter\n");
        assert_eq!(heard(&joe), "after\n");
    }

    #[test]
    fn a_leaver_hears_what_was_said_before_it_left() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, "last words");
        room.hear(Event::Leave(0));
        assert_eq!(room.n_members(), 1);
        room.flush();
        assert_eq!(room.n_members(), 0);
        assert_eq!(heard(&ada), "last words\n");
        assert!(ada.has_ended());
    }

    #[test]
    fn in_a_quiet_room_a_leaver_leaves_at_once() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        room.hear(Event::Leave(0));
        assert_eq!(room.n_members(), 0);
        assert!(ada.has_ended());
    }

    #[test]
    fn delivered_and_missed_add_up_to_what_was_sent() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 2);
        let quick = join(&mut room, 1, 100);
        for n in 0..10 {
            say(&mut room, &format!("{n}a"));
            say(&mut room, &format!("{n}b"));
            room.flush();
        }
        assert_eq!(heard(&slow), "0a\n0b\n1a\n1b\n");
        assert!(room.has_lagging());
        say(&mut room, "now");
        room.flush();
        assert_eq!(heard(&slow), "[missed 16]now\n");
        assert!(!room.has_lagging());
        assert_eq!(heard(&quick).lines().count(), 21);
    }

    #[test]
    fn in_a_quiet_room_the_slow_are_told_as_soon_as_they_can_be() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 1);
        for _ in 0..3 {
            say(&mut room, "x");
            room.flush();
        }
        room.tell_missed();
        assert!(room.has_lagging(), "its outbox is still full");
        assert_eq!(heard(&slow), "x\n");
        room.tell_missed();
        assert!(!room.has_lagging());
        assert_eq!(heard(&slow), "[missed 2]");
    }

    #[test]
    fn a_notice_takes_no_place_from_what_is_said() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 8);
        // Full by bytes, with places left.
        while !room.has_lagging() {
            say(&mut room, &"x".repeat(60_000));
            room.flush();
        }
        for _ in 0..9 {
            room.tell_missed();
        }
        assert!(
            room.has_lagging(),
            "it is told when it has taken what waits"
        );
        assert!(!heard(&slow).contains("missed"));
        room.tell_missed();
        assert_eq!(heard(&slow), "[missed 1]");
    }

    #[test]
    fn who_missed_messages_and_left_is_counted_and_told_at_the_end() {
        let mut room = Room::default();
        let slow = join(&mut room, 0, 1);
        for _ in 0..3 {
            say(&mut room, "x");
            room.flush();
        }
        room.hear(Event::Leave(0));
        assert!(!room.has_lagging());
        assert_eq!(room.take_drops(9), [(0, 2)]);
        assert_eq!(slow.drain(|_| Ok::<_, ()>(())), Ok(2));
    }

    #[test]
    fn drops_are_taken_in_turn_and_each_once() {
        let mut room = Room::default();
        let slow: Vec<Frames> = (0..3).map(|id| join(&mut room, id, 1)).collect();
        for _ in 0..5 {
            say(&mut room, "x");
            room.flush();
        }
        let first = room.take_drops(2);
        assert_eq!(first.len(), 2);
        say(&mut room, "x");
        room.flush();
        let then = room.take_drops(1);
        assert!(
            first
                .iter()
                .all(|(id, n_dropped)| *id != then[0].0 && *n_dropped == 4)
        );
        assert_eq!(then[0].1, 5, "who waited longest comes first");
        assert_eq!(room.take_drops(9).len(), 2);
        assert!(!room.has_drops());
        drop(slow);
    }

    #[test]
    fn a_writer_that_has_ended_misses_nothing() {
        let mut room = Room::default();
        drop(join(&mut room, 0, 1));
        say(&mut room, "x");
        room.flush();
        assert!(!room.has_lagging() && !room.has_drops());
    }

    #[test]
    fn closing_ends_every_outbox_after_the_last_message() {
        let mut room = Room::default();
        let ada = join(&mut room, 0, 4);
        say(&mut room, "last words");
        room.hear(Event::Close);
        assert_eq!(heard(&ada), "last words\n");
        assert!(ada.has_ended());
        say(&mut room, "too late");
        let bob = join(&mut room, 1, 4);
        assert!(bob.has_ended());
        assert!(!room.has_frame());
    }

    #[test]
    fn a_full_frame_says_so() {
        let mut room = Room::default();
        while !room.frame_is_full() {
            say(&mut room, &"x".repeat(4096));
        }
        room.flush();
        assert!(!room.frame_is_full());
    }

    #[test]
    fn several_full_frames_fit_an_outbox() {
        let mut room = Room::default();
        let _ada = join(&mut room, 0, 32);
        for _ in 0..3 {
            while !room.frame_is_full() {
                say(&mut room, &"x".repeat(4096));
            }
            room.flush();
        }
        assert!(!room.has_drops());
    }
}
