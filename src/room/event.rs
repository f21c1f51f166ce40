//! Lists everything that can happen in the room. The consequences are left to the room.

use super::outbox::Outbox;
use crate::protocol::addressee::Letter;
use std::sync::Arc;

/// The number of a connection. Connections are counted from 0, and no number is used twice.
pub type ClientId = u64;

/// The number of the transcript, which is a member without a connection.
pub const TRANSCRIPT: ClientId = ClientId::MAX;

/// Something that happens in the room. Events are applied one after the other, so everyone hears
/// one order. An event that comes from somebody who is not in the room is ignored.
#[derive(Debug)]
pub enum Event {
    /// A client enters, and hears everything that is said from now on.
    Join {
        /// Its number.
        id: ClientId,
        /// Its name, or `None` if it only listens.
        name: Option<Arc<str>>,
        /// Where to send its messages.
        outbox: Outbox,
    },
    /// A member says something to everyone.
    Said {
        /// Its number.
        from: ClientId,
        /// A line for everyone, as it goes over the wire, newline included.
        line: String,
    },
    /// A member takes another name.
    Renamed {
        /// Its number.
        id: ClientId,
        /// Its new name.
        name: Arc<str>,
    },
    /// A member asks who is here.
    AskedWho(ClientId),
    /// A member says something to one other.
    SaidTo {
        /// Its number.
        from: ClientId,
        /// The other's name, and the text.
        letter: Letter,
    },
    /// A member answers the one that has last said something to it alone.
    Replied {
        /// Its number.
        from: ClientId,
        /// The text.
        text: String,
    },
    /// Its session tells a member something.
    Told {
        /// Its number.
        id: ClientId,
        /// Whole lines for it alone, as they go over the wire.
        lines: String,
    },
    /// A member leaves. It still hears everything that was said before.
    Leave(ClientId),
    /// The room closes. Nobody hears anything that is said later.
    Close,
}
