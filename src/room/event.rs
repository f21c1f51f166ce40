//! Lists everything that can happen in the room. The consequences are left to the room.

use super::arrivals::Change;
use super::outbox::Outbox;
use crate::protocol::addressee::Letter;
use crate::protocol::notice::Notice;
use std::sync::Arc;

/// The number of a connection. Connections are counted from 0, and no number is used twice.
pub type ClientId = u64;

/// The number of the transcript, which is a member without a connection.
pub const TRANSCRIPT: ClientId = ClientId::MAX;

/// Somebody on another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The server, as it is called among servers.
    pub server: Arc<str>,
    /// The number there.
    pub id: ClientId,
    /// The name.
    pub name: Arc<str>,
}

/// The member that something is for which comes from another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// The one of this name.
    Name(String),
    /// The one of this number.
    Id(ClientId),
}

/// Something that a room has for another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A member answers somebody.
    Reply {
        /// The member's number.
        from: ClientId,
        /// The member's name.
        name: Arc<str>,
        /// The other one.
        to: Writer,
        /// The text.
        text: String,
    },
    /// What somebody said to a member did not reach it.
    Undelivered {
        /// Who said it.
        to: Writer,
        /// Whether the member was here, but its queue was full.
        was_full: bool,
    },
}

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
    /// Somebody has said this line on one of the servers that share the room. It is for everyone, newline
    /// included.
    Relayed(String),
    /// So many messages were lost on their way to this server.
    Missed(u64),
    /// The server tells everyone something, which is no message.
    Notified(Notice),
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
    /// Somebody on another server says something to one member.
    Letter {
        /// The member that it is for.
        to: Addressee,
        /// Who says it.
        writer: Writer,
        /// The text.
        text: String,
    },
    /// Somebody came, left or changed the name on one of the servers that share the room.
    Changed(Change),
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
