//! Lets sessions into the room. Only this file knows that the broadcaster's inbox puts everything
//! that is said in order.

use crate::protocol::addressee::Letter;
use crate::room::event::{ClientId, Event};
use crate::room::outbox::Outbox;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// A session's way into the room.
#[derive(Debug, Clone)]
pub struct RoomHandle {
    events: Sender<Event>,
}

/// A client's presence in the room. The client leaves when this is dropped.
#[derive(Debug)]
pub struct Presence<'a> {
    id: ClientId,
    events: &'a Sender<Event>,
}

/// An error: the room is closed, or has failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

impl RoomHandle {
    /// Returns a way into the room at the other end of `events`.
    pub fn new(events: Sender<Event>) -> Self {
        Self { events }
    }

    /// Enters the room: from now on `outbox` gets what is said. Blocks while the inbox is full.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn join(
        &self,
        id: ClientId,
        name: Option<Arc<str>>,
        outbox: Outbox,
    ) -> Result<Presence<'_>, Closed> {
        let events = &self.events;
        let joined = events.send(Event::Join { id, name, outbox });
        joined.map_err(|_| Closed)?;
        Ok(Presence { id, events })
    }

    /// Wakes the room, so that it closes after its last lines if a stop has begun. Never blocks.
    pub fn close(&self) {
        // If the inbox is full, the room is awake. If the room is gone, it has failed, and there
        // are no last lines.
        let _ = self.events.try_send(Event::Close);
    }
}

impl Presence<'_> {
    /// Says `line`, newline included, to everyone. Blocks while the inbox is full, which is how a
    /// busy room slows its clients down.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn say(&self, line: String) -> Result<(), Closed> {
        self.send(Event::Said {
            from: self.id,
            line,
        })
    }

    /// Says something to the member that the `letter` is for. Blocks as [`say`](Self::say)
    /// does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn say_to(&self, letter: Letter) -> Result<(), Closed> {
        self.send(Event::SaidTo {
            from: self.id,
            letter,
        })
    }

    /// Answers the member that has last said something to this one. Blocks as [`say`](Self::say)
    /// does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn reply(&self, text: String) -> Result<(), Closed> {
        self.send(Event::Replied {
            from: self.id,
            text,
        })
    }

    /// Asks who is here. Blocks as [`say`](Self::say) does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn ask_who(&self) -> Result<(), Closed> {
        self.send(Event::AskedWho(self.id))
    }

    /// Takes another name, which must be free. Blocks as [`say`](Self::say) does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn rename(&self, name: Arc<str>) -> Result<(), Closed> {
        self.send(Event::Renamed { id: self.id, name })
    }

    /// Tells this client whole `lines`, in order with what it hears. Blocks as [`say`](Self::say)
    /// does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn tell(&self, lines: String) -> Result<(), Closed> {
        self.send(Event::Told { id: self.id, lines })
    }

    fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).map_err(|_| Closed)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        // If the room is gone, there is nothing to leave.
        let _ = self.events.send(Event::Leave(self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::outbox::testing::outbox;
    use crossbeam_channel::bounded;

    #[test]
    fn a_presence_joins_says_and_leaves_on_every_path() {
        let (events, inbox) = bounded(8);
        let room = RoomHandle::new(events);
        let presence = room.join(7, Some("Ada".into()), outbox(1).0).unwrap();
        presence.say("Ada> hi\n".to_owned()).unwrap();
        drop(presence);
        let happened: Vec<Event> = inbox.try_iter().collect();
        assert!(matches!(
            &happened[..],
            [
                Event::Join { id: 7, name: Some(name), .. },
                Event::Said { from: 7, line },
                Event::Leave(7),
            ] if &**name == "Ada" && line == "Ada> hi\n"
        ));
    }

    #[test]
    fn a_room_that_is_gone_lets_nobody_in() {
        let (events, inbox) = bounded(1);
        let room = RoomHandle::new(events);
        drop(inbox);
        assert_eq!(room.join(0, None, outbox(1).0).unwrap_err(), Closed);
        room.close();
    }
}
