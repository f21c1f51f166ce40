//! Tells the log and the client why a session has ended.

use crate::protocol::notice::Notice;
use crate::server::handle::Closed;
use std::fmt;
use std::io;

/// The reason why a session has ended.
#[derive(Debug)]
pub enum End {
    /// The client said that it will send nothing more.
    ClosedByPeer,
    /// The client left by a command.
    Quit,
    /// The connection was reset.
    Reset,
    /// The client took too long to give a name.
    TooSlow,
    /// Too many of its names were refused.
    TooManyTries,
    /// It did not know the password.
    WrongPassword,
    /// It sent a line that is too long to be a name.
    NotAName,
    /// It gave no name, and others needed its seat.
    Evicted,
    /// It is not a chat client, and speaks this protocol.
    Foreign(&'static str),
    /// Whoever runs the server wants it to leave.
    AskedToLeave,
    /// The server is stopping.
    Stopped,
    /// A call of the operating system failed.
    Failed(io::Error),
}

impl End {
    /// Returns the last notice for a client that gave no name, if it gets one.
    pub fn last_words(&self) -> Option<Notice> {
        match self {
            Self::TooSlow => Some(Notice::TooSlow),
            Self::TooManyTries | Self::WrongPassword => Some(Notice::LastTry),
            Self::NotAName => Some(Notice::NotAName),
            Self::Foreign(_) => Some(Notice::Foreign),
            Self::Evicted => Some(Notice::Evicted),
            Self::Stopped => Some(Notice::Goodbye),
            Self::ClosedByPeer
            | Self::Quit
            | Self::Reset
            | Self::AskedToLeave
            | Self::Failed(_) => None,
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            // Not `TimedOut`: that is a peer which has vanished.
            io::ErrorKind::WouldBlock => Self::TooSlow,
            _ => Self::Failed(error),
        }
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Stopped
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByPeer => out.write_str("closed by peer"),
            Self::Quit => out.write_str("closed, its client quit"),
            Self::Reset => out.write_str("reset by peer"),
            Self::TooSlow => out.write_str("closed, it gave no name in time"),
            Self::TooManyTries => out.write_str("closed, too many of its names were refused"),
            Self::WrongPassword => out.write_str("closed, it did not know the password"),
            Self::NotAName => out.write_str("closed, what it sent is not a name"),
            Self::Evicted => out.write_str("closed, it gave no name and others needed its seat"),
            Self::Foreign(protocol) => {
                write!(out, "closed, not a chat client: it speaks {protocol}")
            }
            Self::AskedToLeave => out.write_str("closed, it was asked to leave"),
            Self::Stopped => out.write_str("closed, the server is stopping"),
            Self::Failed(error) => write!(out, "lost ({error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_peer_is_lost_and_not_too_slow() {
        let end = |kind: io::ErrorKind| End::from(io::Error::from(kind)).to_string();
        assert_eq!(end(io::ErrorKind::TimedOut), "lost (timed out)");
        assert_eq!(end(io::ErrorKind::ConnectionReset), "reset by peer");
        let too_slow = "closed, it gave no name in time";
        assert_eq!(end(io::ErrorKind::WouldBlock), too_slow);
    }
}
