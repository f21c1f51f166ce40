//! What the options, the environment and the terminal make of a session.

use super::looks::Looks;
use crate::password::Password;
use time::UtcOffset;

/// How a session goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server is, as HOST:PORT.
    pub address: String,
    /// The password to begin with, for a room that asks for one.
    pub password: Option<Password>,
    /// How lines look.
    pub looks: Looks,
    /// The local time's offset, if the time is shown.
    pub clock: Option<UtcOffset>,
    /// Whether the bell rings.
    pub rings: bool,
    /// Whether a lost connection is tried again.
    pub reconnects: bool,
    /// Whether our own sentences go another way than what the room says.
    pub speaks_apart: bool,
}
