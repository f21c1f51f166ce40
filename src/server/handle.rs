//! Lets sessions into the room. Only this file knows who puts everything that is said in order: the
//! broadcaster's inbox, or a link between servers.

use super::elsewhere::{Claim, Elsewhere, Present, Wanted};
use super::session::roster::{Name, Roster};
use crate::protocol::addressee::Letter;
use crate::protocol::names;
use crate::protocol::notice::Notice;
use crate::random;
use crate::room::commands::list_of;
use crate::room::event::{ClientId, Event};
use crate::room::outbox::Outbox;
use crossbeam_channel::{SendTimeoutError, Sender};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

/// How often one who leaves, and has to wait, looks whether a link is cut off.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Number of other names that are looked up for a suggestion.
const SUGGESTIONS: usize = 6;

/// A session's way into the room.
#[derive(Debug, Clone)]
pub struct RoomHandle(Arc<Channels>);

#[derive(Debug)]
struct Channels {
    events: Sender<Event>,
    /// Takes what sessions send: the same channel, or a link.
    said: Sender<Event>,
    /// The way to other servers, if some share the room.
    elsewhere: Option<Elsewhere>,
}

/// A client's presence in the room. The client leaves when this is dropped.
#[derive(Debug)]
pub struct Presence<'a> {
    id: ClientId,
    room: &'a RoomHandle,
}

/// An error: the client can't have the name.
#[derive(Debug, PartialEq, Eq)]
pub enum Unclaimed {
    /// For this reason, which the client is told.
    Refused(Notice),
    /// Nobody knows at the moment whether it can.
    Away,
}

/// An error: the room is closed, or has failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

impl RoomHandle {
    /// Returns a way into the room at the other end of `events`.
    pub fn new(events: Sender<Event>) -> Self {
        Self(Arc::new(Channels {
            said: events.clone(),
            events,
            elsewhere: None,
        }))
    }

    /// Returns a way into a room that hears at `events` what a link takes at `said`.
    pub fn linked(events: Sender<Event>, said: Sender<Event>, elsewhere: Elsewhere) -> Self {
        Self(Arc::new(Channels {
            events,
            said,
            elsewhere: Some(elsewhere),
        }))
    }

    /// Whether other servers share the room.
    pub fn is_linked(&self) -> bool {
        self.0.elsewhere.is_some()
    }

    /// Returns how many events wait for the room.
    pub fn n_waiting(&self) -> usize {
        self.0.events.len()
    }

    /// Claims a name for the client `id` on all servers. If that has another already, its number is
    /// `earlier`. The `roster` has names to suggest.
    ///
    /// # Errors
    /// Why the client can't have it, or that nobody knows at the moment.
    pub fn claim(
        &self,
        id: ClientId,
        name: &Name<'_>,
        earlier: Option<u64>,
        roster: &Roster,
    ) -> Result<(), Unclaimed> {
        match &self.0.elsewhere {
            Some(elsewhere) => claim(elsewhere, id, name, earlier, roster),
            None => Ok(()),
        }
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
        let joined = self.0.events.send(Event::Join { id, name, outbox });
        joined.map_err(|_| Closed)?;
        Ok(Presence { id, room: self })
    }

    /// Tells everyone something. Blocks while the inbox is full.
    pub fn notify(&self, notice: Notice) {
        // If the room is gone, there is nobody to tell.
        let _ = self.0.events.send(Event::Notified(notice));
    }

    /// Wakes the room, so that it closes after its last lines if a stop has begun. Never blocks.
    pub fn close(&self) {
        // If the inbox is full, the room is awake. If the room is gone, it has failed, and there
        // are no last lines.
        let _ = self.0.events.try_send(Event::Close);
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

    /// Asks who is here, on all servers if that can be known. Blocks as [`say`](Self::say) does.
    ///
    /// # Errors
    /// When the room is closed, or has failed.
    pub fn ask_who(&self) -> Result<(), Closed> {
        match self.room.0.elsewhere.as_ref().and_then(list_of_all) {
            Some(list) => self.tell(list),
            None => self.send(Event::AskedWho(self.id)),
        }
    }

    /// Claims another name for this client on all servers.
    ///
    /// # Errors
    /// As those of [`RoomHandle::claim`].
    pub fn claim(
        &self,
        name: &Name<'_>,
        earlier: &Name<'_>,
        roster: &Roster,
    ) -> Result<(), Unclaimed> {
        let earlier = Some(earlier.number());
        self.room.claim(self.id, name, earlier, roster)
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
        self.room.0.said.send(event).map_err(|_| Closed)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let Channels {
            events,
            said,
            elsewhere,
        } = &*self.room.0;
        // A seat must not wait for a link that is cut off. What this client has said goes its way.
        while let Err(SendTimeoutError::Timeout(leave)) =
            said.send_timeout(Event::Leave(self.id), LOOK_AGAIN)
        {
            if elsewhere.as_ref().is_some_and(Elsewhere::is_cut_off) {
                let _ = events.send(leave);
                return;
            }
        }
        // If the room is gone, there is nothing to leave.
    }
}

// Inlined, this and the next one would take more of the stack of every session, linked or not.
#[inline(never)]
fn claim(
    elsewhere: &Elsewhere,
    id: ClientId,
    name: &Name<'_>,
    earlier: Option<u64>,
    roster: &Roster,
) -> Result<(), Unclaimed> {
    let wanted = name.shown().to_string();
    let similar = roster.similar(&wanted).take(SUGGESTIONS);
    let far = names::far(&wanted, random::number());
    let all = iter::once(wanted.clone()).chain(similar).chain([far]);
    let all: Vec<_> = all.map(|name| Wanted::new(&name)).collect();
    match elsewhere.claim(id, name.number(), earlier, &all) {
        Claim::Taken => Ok(()),
        Claim::Refused { free, is_lost } => {
            let free = free.map_or_else(|| wanted.clone(), |free| free.to_string());
            Err(Unclaimed::Refused(if is_lost {
                Notice::LostName { wanted, free }
            } else {
                Notice::TakenName { wanted, free }
            }))
        }
        Claim::Away => Err(Unclaimed::Away),
    }
}

/// Returns what `/who` answers about all servers, if anybody knows.
#[inline(never)]
fn list_of_all(elsewhere: &Elsewhere) -> Option<String> {
    let Present { n_people, listed } = elsewhere.who()?;
    let listed: Vec<_> = listed.iter().map(String::as_str).collect();
    Some(list_of(&listed, n_people))
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
