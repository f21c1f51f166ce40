//! Runs one connection from hello to goodbye: takes the name, starts the writer, enters the room,
//! and leaves nothing behind. Everything that must happen at the end happens in a `Drop`, so it
//! happens on every path.

pub mod end;
pub mod roster;
mod input;
mod handshake;
pub mod pacer;
mod writer;
mod commands;
mod reader;

use super::admission::seats::Seat;
use super::gauges::{Doing, Gauge};
use super::handle::RoomHandle;
use super::shared::Shared;
use crate::net::connection::Connection;
use crate::protocol::notice::Notice;
use crate::room::event::ClientId;
use end::End;
use handshake::Newcomer;
use input::Input;
use roster::Name;
use std::io::Write;
use std::thread;
use writer::Writer;

/// Runs the session of one client, and returns why it ended. By then its last line has been said,
/// and its writer has ended.
pub fn run(
    id: ClientId,
    connection: &Connection,
    seat: &Seat<'_>,
    room: &RoomHandle,
    shared: &Shared,
) -> End {
    let mut input = Input::new(connection, &shared.stop, seat.gauge());
    let newcomer = Newcomer {
        id,
        connection,
        seat,
        room,
        shared,
    };
    let end = match take_name(&newcomer, &mut input) {
        Ok(mut name) => {
            shared.log_name(id, name.shown());
            tell(connection, &shared.config.message_of_the_day);
            let gauge = seat.gauge();
            gauge.set_name(name.shown());
            chat(id, connection, &mut input, &mut name, room, shared, gauge)
        }
        Err(end) => {
            if let Some(notice) = end.last_words() {
                tell(connection, &notice.line());
            }
            end
        }
    };
    match end {
        End::Quit
        | End::TooSlow
        | End::TooManyTries
        | End::WrongPassword
        | End::NotAName
        | End::Foreign(_) => {
            connection.close_gently();
        }
        End::AskedToLeave => {
            // One who does not read is not waited for.
            connection.limit_writing();
            tell(connection, &seat.gauge().farewell().line());
            connection.close_after_end_of_reading();
        }
        End::Stopped => connection.close_after_end_of_reading(),
        _ => {}
    }
    end
}

// Inlined, this and `chat` would keep each other's variables on the stack of every session: 27.9
// instead of 23.8 KB a client.
#[inline(never)]
fn take_name<'a>(newcomer: &Newcomer<'a>, input: &mut Input<'_>) -> Result<Name<'a>, End> {
    newcomer.take_name(input)
}

#[inline(never)]
fn chat(
    id: ClientId,
    connection: &Connection,
    input: &mut Input<'_>,
    name: &mut Name<'_>,
    room: &RoomHandle,
    shared: &Shared,
    gauge: &Gauge,
) -> End {
    thread::scope(|scope| {
        // The writer is declared before the presence, and so dropped after it. It can finish
        // draining only when the room has dropped the outbox.
        let (writer, outbox) = match Writer::start(scope, id, connection, shared, gauge) {
            Ok(started) => started,
            Err(error) => {
                tell(connection, &Notice::Full.line());
                return End::Failed(error);
            }
        };
        let Ok(presence) = room.join(id, Some(name.shown().clone()), outbox) else {
            return End::Stopped;
        };
        let end = reader::run(id, input, name, &presence, &writer, shared, gauge);
        gauge.set(Doing::Leaves);
        end
    })
}

fn tell(mut connection: &Connection, lines: &str) {
    // If this fails, the client has already gone.
    let _ = connection.write_all(lines.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connection::Peer;
    use crate::room::Room;
    use crate::server::admission::seats::Seats;
    use crossbeam_channel::bounded;
    use std::io::Read;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    /// Runs a session over a pair, in a room of its own, while `client` plays the other end.
    fn session<T>(shared: &Shared, client: impl FnOnce(&Connection, &Connection) -> T) -> (End, T) {
        let (ours, theirs) = Connection::pair().unwrap();
        let ours = Arc::new(ours);
        let seats = Seats::new(1);
        let seat = seats.take(0, &ours, Peer::Local).unwrap();
        let (events, inbox) = bounded(8);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut room = Room::default();
                for event in inbox {
                    room.apply(event);
                    room.flush(|_, _| {});
                }
            });
            let (ours, seat) = (&ours, &seat);
            let session = scope.spawn(move || {
                let room = RoomHandle::new(events);
                let end = run(0, ours, seat, &room, shared);
                ours.end_writing();
                end
            });
            let seen = client(ours, &theirs);
            (session.join().unwrap(), seen)
        })
    }

    fn hear_all(mut client: &Connection) -> String {
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        heard
    }

    #[test]
    fn a_session_greets_echoes_and_ends_with_its_client() {
        let (end, heard) = session(&Shared::default(), |_, mut client| {
            client.write_all(b"Ada\n  hello \nlast").unwrap();
            client.end_writing();
            hear_all(client)
        });
        assert!(matches!(end, End::ClosedByPeer));
        assert_eq!(
            heard,
            "Welcome to Trio Chat! Enter your name:\nAda> hello\nAda> last\n"
        );
    }

    #[test]
    fn every_line_after_the_first_waits_for_its_slot() {
        let mut shared = Shared::default();
        shared.config.line_interval = Duration::from_millis(20);
        let start = Instant::now();
        session(&shared, |_, mut client| {
            client.write_all(b"Ada\n\n\n\n\nhello\n").unwrap();
            client.end_writing();
            hear_all(client)
        });
        assert!(start.elapsed() >= shared.config.line_interval * 4);
    }

    #[test]
    fn a_stop_ends_a_session_that_waits_with_a_goodbye() {
        for name in ["", "Ada\nhello\n"] {
            let shared = Shared::default();
            let (end, heard) = session(&shared, |ours, mut client| {
                client.write_all(name.as_bytes()).unwrap();
                let mut first = [0; 11];
                client.read_exact(&mut first).unwrap();
                shared.stop.begin();
                ours.end_reading();
                hear_all(client)
            });
            assert!(matches!(end, End::Stopped));
            assert!(
                heard.ends_with("* The server is stopping. Goodbye!\n"),
                "{heard}"
            );
        }
    }
}
