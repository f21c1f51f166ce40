//! Begins a session: asks for the password, if the room has one, greets the client, and asks for a
//! name until it gives one that it can have.
//! Everything after that is left to the session.

use super::end::End;
use super::input::Input;
use super::roster::Name;
use crate::net::connection::Connection;
use crate::password::Password;
use crate::protocol::foreign;
use crate::protocol::lines::Line;
use crate::protocol::notice::Notice;
use crate::room::event::ClientId;
use crate::server::admission::seats::Seat;
use crate::server::handle::{RoomHandle, Unclaimed};
use crate::server::shared::Shared;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Time between two tries to claim a name, while the other servers can't be reached.
const CLAIM_AGAIN: Duration = Duration::from_millis(250);

/// Maximum number of names that one client may try.
const NAME_TRIES: usize = 5;

/// Maximum number of passwords that one client may try, and the time that each wrong one costs.
const PASSWORD_TRIES: usize = 3;
const WRONG_PASSWORD: Duration = Duration::from_secs(1);

/// A client that has no name yet.
pub struct Newcomer<'a> {
    /// Its number.
    pub id: ClientId,
    /// Its connection.
    pub connection: &'a Connection,
    /// Its seat.
    pub seat: &'a Seat<'a>,
    /// The room that it wants to enter.
    pub room: &'a RoomHandle,
    /// What all sessions share.
    pub shared: &'a Shared,
}

impl<'a> Newcomer<'a> {
    /// Greets the client, and returns its name. The time limit for all tries together starts here.
    ///
    /// # Errors
    /// The reason why there is no name. The client has not been told.
    pub fn take_name(&self, input: &mut Input<'_>) -> Result<Name<'a>, End> {
        let config = &self.shared.config;
        input.set_deadline(Some(Instant::now() + config.name_timeout))?;
        if let Some(password) = &config.password {
            self.take_password(password, input)?;
        }
        self.tell(&[Notice::Welcome])?;
        for n_tries_left in (0..NAME_TRIES).rev() {
            let given = self.next_line(input)?;
            if let Some(protocol) = foreign::protocol_of_line(&given.text, input.unread()) {
                return Err(End::Foreign(protocol));
            }
            if !given.last {
                // This is not a name, and what follows it isn't chat either.
                return Err(End::NotAName);
            }
            self.wait_for_turn(input)?;
            let claimed = match self.shared.roster.claim(&given.text) {
                Ok(name) if self.room.is_linked() => self.claim_elsewhere(name, input)?,
                claimed => claimed,
            };
            match claimed {
                Ok(_) if !self.seat.keep() => return Err(End::Evicted),
                Ok(name) => {
                    input.set_deadline(None)?;
                    return Ok(name);
                }
                Err(refusal) if n_tries_left > 0 => self.tell(&[refusal, Notice::EnterName])?,
                Err(refusal) => self.tell(&[refusal])?,
            }
            // A refusal costs the server more than a line does.
            input.pause(config.line_interval);
        }
        Err(End::TooManyTries)
    }

    /// Asks for the password, and returns when the client has given it.
    #[inline(never)]
    fn take_password(&self, password: &Password, input: &mut Input<'_>) -> Result<(), End> {
        for _ in 0..PASSWORD_TRIES {
            self.tell(&[Notice::EnterPassword])?;
            let given = self.next_line(input)?;
            // Many clients of one address can try no more than one can.
            self.wait_for_turn(input)?;
            if given.last && password.is(&given.text) {
                return Ok(());
            }
            if let Some(protocol) = foreign::protocol_of_line(&given.text, input.unread()) {
                return Err(End::Foreign(protocol));
            }
            let id = self.id;
            let log = &self.shared.log;
            log.info(format_args!("Connection #{id}: gave a wrong password"));
            // Before the answer: a client that does not wait for it could come again at once.
            input.pause(WRONG_PASSWORD);
            while input.is_paused() {
                self.read(input)?;
            }
            self.tell(&[Notice::WrongPassword])?;
            if !given.last {
                break;
            }
        }
        Err(End::WrongPassword)
    }

    /// Returns the next line, unless its first bytes show a protocol that does not end its lines.
    fn next_line(&self, input: &mut Input<'_>) -> Result<Line, End> {
        loop {
            if let Some(protocol) = foreign::protocol_of_bytes(input.unread()) {
                return Err(End::Foreign(protocol));
            }
            if let Some(line) = input.buffered_line()? {
                return Ok(line);
            }
            self.read(input)?;
        }
    }

    /// Waits until this client may try a name, if others from its address have done so just now. Until
    /// then it has none, so that it can be evicted, and it is not missed if it leaves.
    fn wait_for_turn(&self, input: &mut Input<'_>) -> Result<(), End> {
        loop {
            let left = self.seat.try_join(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            input.postpone(left);
            self.wait(input)?;
        }
    }

    /// Claims a name on all servers that share the room. If nobody knows at the moment whether it can be
    /// had, the client is told to wait.
    #[inline(never)]
    fn claim_elsewhere(
        &self,
        name: Name<'a>,
        input: &mut Input<'_>,
    ) -> Result<Result<Name<'a>, Notice>, End> {
        let mut was_told = false;
        loop {
            match self.room.claim(self.id, &name, None, &self.shared.roster) {
                Ok(()) => return Ok(Ok(name)),
                Err(Unclaimed::Refused(refusal)) => return Ok(Err(refusal)),
                Err(Unclaimed::Away) if was_told => {}
                Err(Unclaimed::Away) => {
                    self.tell(&[Notice::CutOffAtDoor])?;
                    was_told = true;
                }
            }
            input.pause(CLAIM_AGAIN);
            self.wait(input)?;
        }
    }

    /// Waits until the input is no longer paused.
    fn wait(&self, input: &mut Input<'_>) -> Result<(), End> {
        while input.is_paused() {
            self.read(input)?;
            if input.has_ended() {
                return Err(End::ClosedByPeer);
            }
        }
        Ok(())
    }

    /// Reads once. Returns an error after an eviction, even if the client never pauses.
    fn read(&self, input: &mut Input<'_>) -> Result<(), End> {
        let read = input.read();
        if self.seat.is_evicted() {
            return Err(End::Evicted);
        }
        read
    }

    fn tell(&self, notices: &[Notice]) -> io::Result<()> {
        let lines: String = notices.iter().map(Notice::line).collect();
        let mut connection = self.connection;
        connection.write_all(lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connection::Peer;
    use crate::server::admission::seats::Seats;
    use crate::server::shared::Config;
    use crossbeam_channel::unbounded;
    use std::io::Read;
    use std::sync::Arc;

    /// Returns the name of a client, in a room that nobody else is in.
    fn name_of(connection: &Connection, seat: &Seat<'_>, shared: &Shared) -> Result<String, End> {
        let room = RoomHandle::new(unbounded().0);
        let newcomer = Newcomer {
            id: 0,
            connection,
            seat,
            room: &room,
            shared,
        };
        let name = newcomer.take_name(&mut Input::new(connection, &shared.stop, seat.gauge()));
        name.map(|name| name.shown().to_string())
    }

    /// Returns the outcome for a client that sends `bytes` and nothing more, and what it hears.
    fn outcome(bytes: &[u8], shared: &Shared) -> (Result<String, End>, String) {
        let (ours, theirs) = Connection::pair().unwrap();
        let ours = Arc::new(ours);
        let seats = Seats::new(1);
        let seat = seats.take(0, &ours, Peer::Local).unwrap();
        (&theirs).write_all(bytes).unwrap();
        if shared.config.name_timeout > Duration::ZERO {
            theirs.end_writing();
        }
        let name = name_of(&ours, &seat, shared);
        ours.end_writing();
        let mut heard = String::new();
        (&theirs).read_to_string(&mut heard).unwrap();
        (name, heard)
    }

    fn shared() -> Shared {
        Shared::default()
    }

    #[test]
    fn a_client_is_greeted_and_asked_until_its_name_can_be_had() {
        let shared = shared();
        let _rick = shared.roster.claim("Rick").unwrap();
        let (name, heard) = outcome(b"*\nrick\n Rick 2 \nhello\n", &shared);
        assert_eq!(name.unwrap(), "Rick 2");
        assert_eq!(
            heard,
            "Welcome to Trio Chat! Enter your name:\n\
             * A name cannot contain \">\" or start with \"*\".\n\
             Enter your name:\n\
             * \"rick\" is taken. Try \"rick 2\".\n\
             Enter your name:\n"
        );
    }

    /// Returns what all sessions share in a room with a password.
    fn shared_with_password() -> Shared {
        let mut shared = shared();
        shared.config.password = Password::of_line("relay 70");
        shared
    }

    #[test]
    fn the_password_is_asked_for_before_the_greeting() {
        let (name, heard) = outcome(b"Relay 70\n relay\t70\r\nAda\n", &shared_with_password());
        assert_eq!(name.unwrap(), "Ada");
        assert_eq!(
            heard,
            "This room has a password. Enter it:\n\
             * That is not the password.\n\
             This room has a password. Enter it:\n\
             Welcome to Trio Chat! Enter your name:\n"
        );
    }

    #[test]
    fn each_wrong_password_costs_a_second_and_the_third_is_the_last() {
        for (bytes, seconds, expected) in [
            (
                &b"1\n2\n3\nrelay 70\n"[..],
                3,
                "closed, it did not know the password",
            ),
            (&[b'x'; 5000], 1, "closed, it did not know the password"),
            (b"1\n", 1, "closed by peer"),
            (
                b"GET / HTTP/1.1\n",
                0,
                "closed, not a chat client: it speaks HTTP",
            ),
        ] {
            let start = Instant::now();
            let (name, heard) = outcome(bytes, &shared_with_password());
            assert_eq!(name.unwrap_err().to_string(), expected);
            assert!(
                start.elapsed() >= Duration::from_secs(seconds),
                "{expected}"
            );
            assert!(!heard.contains("Welcome"), "{heard}");
        }
    }

    #[test]
    fn the_time_to_give_a_name_counts_while_passwords_are_refused() {
        let mut shared = shared_with_password();
        shared.config.name_timeout = Duration::from_millis(1500);
        let (name, _) = outcome(b"1\n2\nrelay 70\nAda\n", &shared);
        assert!(matches!(name, Err(End::TooSlow)));
    }

    #[test]
    fn one_who_leaves_while_it_waits_for_its_turn_is_gone() {
        let (ours, theirs) = Connection::pair().unwrap();
        let ours = Arc::new(ours);
        let peer = Peer::Ip {
            address: [192, 0, 2, 1].into(),
            is_neighbour: false,
        };
        let seats = Seats::new(8);
        let [first, seat] = [0, 1].map(|id| seats.take(id, &ours, peer).unwrap());
        // The next one has its turn in an hour.
        first.try_join(Instant::now() + Duration::from_hours(1));
        (&theirs).write_all(b"Ada\n").unwrap();
        theirs.end_writing();
        let shared = shared();
        let end = name_of(&ours, &seat, &shared);
        assert!(matches!(end, Err(End::ClosedByPeer)));
        assert!(seats.take(2, &ours, peer).is_ok());
    }

    #[test]
    fn it_ends_where_no_name_will_come() {
        let long = [b'x'; 5000];
        for (bytes, expected, n_lines) in [
            (&b""[..], "closed by peer", 1),
            (
                b"\n\n\n\n\n",
                "closed, too many of its names were refused",
                10,
            ),
            (
                b"GET / HTTP/1.1\n",
                "closed, not a chat client: it speaks HTTP",
                1,
            ),
            (
                b"\x16\x03\x01",
                "closed, not a chat client: it speaks TLS",
                1,
            ),
            (&long, "closed, what it sent is not a name", 1),
        ] {
            let (name, heard) = outcome(bytes, &shared());
            assert_eq!(name.unwrap_err().to_string(), expected);
            assert_eq!(heard.lines().count(), n_lines, "{heard}");
        }
    }

    #[test]
    fn it_ends_when_the_time_is_over_or_the_server_stops() {
        let mut shared = shared();
        shared.config = Config {
            name_timeout: Duration::ZERO,
            ..Config::default()
        };
        let (name, _) = outcome(b"half a na", &shared);
        assert!(matches!(name, Err(End::TooSlow)));
        shared.stop.begin();
        let (name, _) = outcome(b"half a na", &shared);
        assert!(matches!(name, Err(End::Stopped)));
    }

    #[test]
    fn a_client_that_is_evicted_loses_its_name_with_its_seat() {
        let shared = shared();
        let (ours, theirs) = Connection::pair().unwrap();
        let ours = Arc::new(ours);
        let seats = Seats::new(1);
        let seat = seats.take(0, &ours, Peer::Local).unwrap();
        let (other, _others) = Connection::pair().unwrap();
        (&theirs).write_all(b"Ada\n").unwrap();
        // The newcomer does not get the seat in time, but this client loses it.
        assert!(seats.take(1, &Arc::new(other), Peer::Local).is_err());
        let name = name_of(&ours, &seat, &shared);
        assert!(matches!(name, Err(End::Evicted)));
        assert!(shared.roster.claim("Ada").is_ok());
    }
}
