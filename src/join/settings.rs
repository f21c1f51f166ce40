//! What the options, the environment and the terminal make of a session.

use super::looks::Looks;
use time::UtcOffset;

/// How a session goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server is, as HOST:PORT.
    pub address: String,
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
