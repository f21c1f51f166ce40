//! Everything that can happen in the room.

use super::outbox::Outbox;
use std::sync::Arc;

/// Which connection: they are counted from 0 and never used twice.
pub type ClientId = u64;

/// Something that happens in the room. Events happen one after the other, in one order for all.
#[derive(Debug)]
pub enum Event {
    /// Somebody hears from now on what is said.
    Join {
        /// Which connection.
        id: ClientId,
        /// The name, or none for one who only listens.
        name: Option<Arc<str>>,
        /// Where to send what it is to hear.
        outbox: Outbox,
    },
    /// A member says something.
    Said {
        /// Who; nobody hears one who is not in the room.
        from: ClientId,
        /// A line for everyone, as it goes over the wire, newline included.
        line: String,
    },
    /// A member says nothing more. It still hears what was said before.
    Leave(ClientId),
    /// Nobody hears anything after this.
    Close,
}
