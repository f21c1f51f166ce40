//! Lists everything that can happen in the room. The consequences are left to the room.

use super::outbox::Outbox;
use std::sync::Arc;

/// The number of a connection. Connections are counted from 0, and no number is used twice.
pub type ClientId = u64;

/// Something that happens in the room. Events are applied one after the other, so everyone hears
/// one order.
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
    /// A member says something.
    Said {
        /// Its number. Lines from clients that are not in the room are ignored.
        from: ClientId,
        /// A line for everyone, as it goes over the wire, newline included.
        line: String,
    },
    /// A member leaves. It still hears everything that was said before.
    Leave(ClientId),
    /// The room closes. Nobody hears anything that is said later.
    Close,
}
