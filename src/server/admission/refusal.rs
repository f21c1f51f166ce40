//! Says why somebody gets no seat: to the client, in the log, and in the numbers of the status socket.

use crate::protocol::notice::Notice;
use std::fmt;

/// The reason why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// All seats are taken, and evicting an unnamed client has freed none in time.
    Full,
    /// The client's address already holds its share of the seats.
    TooManyFromAddress,
    /// The server is stopping.
    Closed,
    /// Somebody from the client's address was removed, and nobody may come back for so many minutes.
    Barred(u64),
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Full,
        Self::TooManyFromAddress,
        Self::Closed,
        Self::Barred(0),
    ];

    /// Returns its place among all of them.
    pub fn number(self) -> usize {
        match self {
            Self::Full => 0,
            Self::TooManyFromAddress => 1,
            Self::Closed => 2,
            Self::Barred(_) => 3,
        }
    }

    /// Returns a word for it, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooManyFromAddress => "address",
            Self::Closed => "stopping",
            Self::Barred(_) => "barred",
        }
    }

    /// Returns the notice for the client.
    pub fn notice(self) -> Notice {
        match self {
            Self::Full => Notice::Full,
            Self::TooManyFromAddress => Notice::TooManyFromAddress,
            Self::Closed => Notice::Goodbye,
            Self::Barred(n_minutes) => Notice::Barred(n_minutes),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Full => "the room is full",
            Self::TooManyFromAddress => "one address has its share of the seats",
            Self::Closed => "the server is stopping",
            Self::Barred(_) => "its address may not come back yet",
        })
    }
}
