//! One connection from hello to goodbye: greets, takes the name, starts the writer, enters the
//! room, and leaves nothing behind. Everything that has to happen at the end happens in a `Drop`,
//! so it happens on every path.

use super::bell::Bells;
use super::foreign;
use super::lines::{Line, Lines};
use super::names::{Name, Names, Refusal};
use super::outbox::{Outbox, outbox};
use super::reader;
use super::room::{ClientId, Event};
use super::seats::Seat;
use super::writer::{GOODBYE, Writer};
use crossbeam_channel::Sender;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WELCOME: &[u8] = b"Welcome to Trio Chat! Enter your name:\n";
const NAME_TRIES: usize = 5;

/// How long a client that is closed may still send before its connection is cut. Closing a
/// connection with unread bytes resets it, and a reset can overtake the last line. Who sends more
/// than this many bytes meanwhile does not wait for our last line.
const LINGER: Duration = Duration::from_millis(250);
const LINGER_BYTES: usize = 64 * 1024;

/// What is the same for all sessions.
#[derive(Debug)]
pub struct Settings {
    /// The shortest time between two lines of one client; zero is no limit.
    pub line_interval: Duration,
    /// How many frames wait for a slow client.
    pub queue: usize,
    /// How long a client may take to give a name, all tries together.
    pub name_timeout: Duration,
}

/// What all sessions share.
#[derive(Debug)]
pub struct Shared {
    /// The same for all.
    pub settings: Settings,
    /// What the writers wait on.
    pub bells: Bells,
    /// The names in use.
    pub names: Names,
    /// The server is on its way out.
    pub stopping: AtomicBool,
}

/// Why a session has ended, as the log says it.
#[derive(Debug)]
pub enum End {
    /// The client said that it will send nothing more.
    ClosedByPeer,
    /// The client's side is gone without a word.
    Reset,
    /// It took too long to give a name.
    NoName,
    /// It gave too many names that could not be had.
    TooManyTries,
    /// Its first line was longer than any line.
    NotAName,
    /// It gave no name, and others wanted its seat.
    PushedOut,
    /// It is no chat client, but speaks this.
    Foreign(&'static str),
    /// The server is on its way out.
    Stopped,
    /// The system failed us.
    Failed(io::Error),
}

/// Takes the client through its session. Returns when its last line has been said and everything
/// it is to hear has been written.
pub fn run(
    id: ClientId,
    stream: &TcpStream,
    seat: &Seat<'_>,
    events: &Sender<Event>,
    shared: &Shared,
) -> End {
    let mut lines = Lines::new();
    let end = match take_name(stream, seat, &mut lines, shared) {
        Ok(name) => {
            log::info!("Connection #{id}: name set to \"{}\"", name.as_str());
            chat(id, stream, &mut lines, &name, events, shared)
        }
        Err(end) => end,
    };
    match end {
        End::NoName | End::TooManyTries | End::NotAName | End::Foreign(_) => close_gently(stream),
        End::Stopped => close_at_stop(stream),
        _ => {}
    }
    end
}

// Inlined, these two would keep each other's variables on the stack of every session: a page more.
#[inline(never)]
fn chat(
    id: ClientId,
    stream: &TcpStream,
    lines: &mut Lines,
    name: &Name<'_>,
    events: &Sender<Event>,
    shared: &Shared,
) -> End {
    thread::scope(|scope| {
        let (outbox, frames) = outbox(shared.settings.queue, shared.bells.of(id));
        // The writer is declared before the presence, and so dropped after it: it can only drain
        // to an end when the room has let go of the outbox.
        let writer = match Writer::start(scope, id, stream, frames, &shared.stopping) {
            Ok(writer) => writer,
            Err(error) => return no_thread(stream, error),
        };
        let Some(_presence) = Presence::enter(id, outbox, events) else {
            return End::Stopped;
        };
        reader::run(stream, lines, name, &writer, events, shared)
    })
}

fn no_thread(mut stream: &TcpStream, error: io::Error) -> End {
    // Nobody is left to be told if this fails.
    let _ = stream.write_all(b"* The room is full. Try again later.\n");
    End::Failed(error)
}

/// Being in the room, until this is dropped.
struct Presence<'a> {
    id: ClientId,
    events: &'a Sender<Event>,
}

impl<'a> Presence<'a> {
    fn enter(id: ClientId, outbox: Outbox, events: &'a Sender<Event>) -> Option<Self> {
        events
            .send(Event::Join { id, outbox })
            .ok()
            .map(|()| Self { id, events })
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        // Without a room there is nothing to leave.
        let _ = self.events.send(Event::Leave(self.id));
    }
}

/// Asks for a name until there is one that can be had.
#[inline(never)]
fn take_name<'a>(
    mut stream: &TcpStream,
    seat: &Seat<'_>,
    lines: &mut Lines,
    shared: &'a Shared,
) -> Result<Name<'a>, End> {
    let deadline = Instant::now() + shared.settings.name_timeout;
    stream.write_all(WELCOME)?;
    for n_tries_left in (0..NAME_TRIES).rev() {
        let given = match next_name(stream, lines, deadline, shared) {
            Err(_) if seat.is_lost() => return Err(push_out(stream)),
            given => given?,
        };
        if let Some(protocol) = foreign::protocol_of_line(&given.text) {
            return Err(End::Foreign(protocol));
        }
        if !given.last {
            // Nobody is called so; what follows is not for the room either.
            writeln!(stream, "* {} Goodbye!", Refusal::TooLong)?;
            return Err(End::NotAName);
        }
        match shared.names.claim(&given.text) {
            Ok(_) if !seat.keep() => return Err(push_out(stream)),
            Ok(name) => {
                stream.set_read_timeout(None)?;
                return Ok(name);
            }
            Err(refusal) if n_tries_left > 0 => {
                write!(stream, "* {refusal}\nEnter your name:\n")?;
            }
            Err(refusal) => write!(stream, "* {refusal}\n* That was the last try. Goodbye!\n")?,
        }
    }
    Err(End::TooManyTries)
}

fn push_out(mut stream: &TcpStream) -> End {
    // Nobody is left to be told if this fails.
    let _ = stream.write_all(b"* Others want to come in, and you gave no name. Goodbye!\n");
    End::PushedOut
}

/// The next line, however slowly its bytes come, but not after `deadline`.
fn next_name(
    mut stream: &TcpStream,
    lines: &mut Lines,
    deadline: Instant,
    shared: &Shared,
) -> Result<Line, End> {
    loop {
        if let Some(protocol) = foreign::protocol_of_bytes(lines.unread()) {
            return Err(End::Foreign(protocol));
        }
        if let Some(line) = lines.next_line() {
            return Ok(line);
        }
        if lines.is_finished() {
            return Err(End::ClosedByPeer);
        }
        let read = match time_left(deadline) {
            Duration::ZERO => Err(io::ErrorKind::WouldBlock.into()),
            left => stream
                .set_read_timeout(Some(left))
                .and_then(|()| reader::fill(stream, lines)),
        };
        if shared.stopping.load(Ordering::Relaxed) {
            stream.write_all(GOODBYE)?;
            return Err(End::Stopped);
        }
        match read {
            Err(error) if is_timeout(&error) => {
                stream.write_all(b"* That took too long. Goodbye!\n")?;
                return Err(End::NoName);
            }
            read => read?,
        }
    }
}

/// Ends the connection of a session that was woken by shutting down its reading side. Such a
/// connection opens no window any more, so a flooder has to be reset, or it waits for one until its
/// own system gives up; but first it has time to take what was sent.
fn close_at_stop(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    if stream.peek(&mut [0]).is_ok_and(|n_bytes| n_bytes > 0) {
        thread::sleep(LINGER);
    }
}

/// Ends the connection from our side, so that what was sent arrives before the end does.
fn close_gently(mut stream: &TcpStream) {
    let deadline = Instant::now() + LINGER;
    // Not on the stack: every session would have to have room for it there.
    let mut discarded = vec![0; 1024];
    let mut n_left = LINGER_BYTES / discarded.len();
    let _ = stream.shutdown(Shutdown::Write);
    while n_left > 0
        && !time_left(deadline).is_zero()
        && stream.set_read_timeout(Some(time_left(deadline))).is_ok()
        && stream.read(&mut discarded).is_ok_and(|n_bytes| n_bytes > 0)
    {
        n_left -= 1;
    }
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            _ => Self::Failed(error),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByPeer => out.write_str("closed by peer"),
            Self::Reset => out.write_str("reset by peer"),
            Self::NoName => out.write_str("closed, it gave no name in time"),
            Self::NotAName => out.write_str("closed, what it sent is no name"),
            Self::PushedOut => out.write_str("closed, it gave no name and others wanted its seat"),
            Self::Foreign(protocol) => {
                write!(out, "closed, it is no chat client but speaks {protocol}")
            }
            Self::TooManyTries => write!(out, "closed, no name after {NAME_TRIES} tries"),
            Self::Stopped => out.write_str("closed, the server is stopping"),
            Self::Failed(error) => write!(out, "lost ({error})"),
        }
    }
}
