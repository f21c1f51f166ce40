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

#[cfg(test)]
impl Settings {
    /// Returns the settings of a pipe, or of a terminal, that joins the server at `address`.
    pub fn for_tests(is_pipe: bool, address: String) -> Self {
        Self {
            address,
            password: None,
            looks: Looks { colored: false },
            clock: None,
            rings: !is_pipe,
            reconnects: !is_pipe,
            speaks_apart: is_pipe,
        }
    }
}
