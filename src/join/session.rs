//! Runs a stay in the room: sends lines in their turn, takes what comes, notes what was heard, and
//! comes back after a lost connection. It waits for nothing but its channels, so that neither a
//! stuck terminal nor a stuck server stops it. Keys and printing are left to others.

mod batch;
mod command;
mod connection;
mod comeback;
mod loss;
mod timing;

pub use batch::Piece;
pub use command::Command;
pub use loss::sentence as loss;

use super::desk::Desk;
use super::door::Entered;
use super::line::{self, Kind};
use super::settings::Settings;
use super::unheard::{Unheard, meaning, quits};
use super::waiting::Waiting;
use crate::backoff::Backoff;
use crate::faults::panic_if_told;
use crate::protocol::names;
use crate::protocol::notice::Notice;
use batch::Batch;
use connection::Connection;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use std::io;
use std::sync::atomic::Ordering;
use std::thread::Scope;
use std::time::{Duration, Instant};

/// Time before the first try to come back, and the longest time between two tries.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The other ends of a session's channels.
pub struct Ends<'a> {
    /// What is shared.
    pub desk: &'a Desk,
    /// What the person wants.
    pub commands: Receiver<Command>,
    /// Has a message for each piece that was printed.
    pub printed: Receiver<()>,
}

impl<'a> Ends<'a> {
    /// Returns the ends for a session, and the other end of `printed`, which takes one message.
    pub fn new(desk: &'a Desk, commands: Receiver<Command>) -> (Self, Sender<()>) {
        let (done, printed) = bounded(1);
        let ends = Self {
            desk,
            commands,
            printed,
        };
        (ends, done)
    }
}

/// A stay in the room.
pub struct Session<'a> {
    settings: &'a Settings,
    ends: Ends<'a>,
    connection: Connection,
    backoff: Backoff,
    n_names_refused: u32,
    /// Why it could not come back, as told last.
    told_reason: String,
    waiting: Waiting,
    unheard: Unheard,
    batch: Batch<'a>,
    /// When a line was sent or came back last.
    last_progress: Instant,
    finishing: bool,
    quitting: bool,
    /// Whether whoever runs the server wants the person to leave.
    is_dismissed: bool,
    leaving: Option<Instant>,
}

/// Why a session ends.
type End = Result<(), String>;

/// Runs a session from an entered room to its end. Threads of its own live in `scope`. `pieces` leads
/// to the screen, and has room for one.
///
/// # Errors
/// One sentence that says why it could not go on, or what was lost.
pub fn run<'scope>(
    scope: &'scope Scope<'scope, '_>,
    settings: &Settings,
    ends: Ends<'_>,
    pieces: Sender<Piece>,
    entered: Entered,
) -> End {
    let mut session = Session::new(settings, ends, pieces);
    session.enter(scope, entered);
    let end = loop {
        if let Err(end) = session.step(scope) {
            break end;
        }
    };
    session.connection.close();
    if session.leaving.is_none() {
        session.batch.finish();
    } else if !settings.speaks_apart {
        session.take_leave();
    }
    end
}

impl<'a> Session<'a> {
    fn new(settings: &'a Settings, ends: Ends<'a>, pieces: Sender<Piece>) -> Self {
        let now = Instant::now();
        Self {
            settings,
            ends,
            connection: Connection::away(now),
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            n_names_refused: 0,
            told_reason: String::new(),
            waiting: Waiting::default(),
            unheard: Unheard::default(),
            batch: Batch::new(settings, pieces, now),
            last_progress: now,
            finishing: false,
            quitting: false,
            is_dismissed: false,
            leaving: None,
        }
    }

    /// Does what is due, and waits for the next thing to happen.
    fn step<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> Result<(), End> {
        let now = Instant::now();
        self.connection
            .try_again(now, &self.settings.address, self.ends.desk);
        self.send_due(now)?;
        let desk = self.ends.desk;
        desk.set_n_waiting(self.waiting.len(), now);
        desk.n_unheard
            .store(self.unheard.n_lines(), Ordering::Relaxed);
        if self.leaving.is_none() {
            self.batch.hand_over(self.status(now), now);
        }
        self.check_end(now)?;

        let left = self.deadline(now).saturating_duration_since(now);
        let (no_lines, no_commands) = (never(), never());
        let incoming = self.connection.incoming().filter(|_| !self.batch.is_full());
        let takes_commands = !self.settings.speaks_apart || !self.waiting.is_full();
        let commands = if takes_commands && !self.finishing {
            &self.ends.commands
        } else {
            &no_commands
        };
        select! {
            recv(commands) -> command => self.obey(command.unwrap_or(Command::Finish)),
            recv(incoming.unwrap_or(&no_lines)) -> line => {
                self.hear(line.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())))?;
                self.hear_more()?;
            }
            recv(self.connection.entering().unwrap_or(&never())) -> entered => {
                if let Ok(entered) = entered {
                    self.come_back(scope, entered);
                }
            }
            recv(self.ends.printed) -> printed => if printed.is_ok() {
                self.batch.printed();
            } else {
                // Nobody can see anything any more.
                self.ends.printed = never();
                self.obey(Command::Leave);
            },
            recv(after(left)) -> _ => {}
        }
        Ok(())
    }

    /// Takes what has come meanwhile, as long as there is space.
    fn hear_more(&mut self) -> Result<(), End> {
        while !self.batch.is_full()
            && let Some(Ok(line)) = self.connection.incoming().map(Receiver::try_recv)
        {
            self.hear(line)?;
        }
        Ok(())
    }

    /// Sends the lines whose turn it is.
    fn send_due(&mut self, now: Instant) -> Result<(), End> {
        if !self.connection.is_in() || self.leaving.is_some() {
            return Ok(());
        }
        while let Some(mut line) = self.waiting.pop(now, self.unheard.len()) {
            let meaning = meaning(&line);
            self.quitting |= quits(&line);
            line.push('\n');
            let sent = self.connection.send(line.as_bytes());
            line.pop();
            self.unheard.sent(line, meaning, now);
            self.last_progress = now;
            if let Err(error) = sent {
                return self.lose(&error);
            }
        }
        Ok(())
    }

    /// Takes a line from the server, or the end of the connection.
    fn hear(&mut self, line: io::Result<String>) -> Result<(), End> {
        let line = match line {
            Ok(line) => line,
            Err(error) => return self.lose(&error),
        };
        panic_if_told(line.as_bytes());
        let now = Instant::now();
        let me = self.ends.desk.name();
        if self.unheard.heard(&line, &me) {
            self.last_progress = now;
        }
        self.is_dismissed |= matches!(
            line.parse(),
            Ok(Notice::AskedToLeave | Notice::AskedToLeaveFor(_))
        );
        // A name that nobody can have would only spoil the prompt.
        if let Ok(Notice::YouAre(name)) = line.parse()
            && names::check(&name).is_ok()
        {
            if name == me {
                // This answers a question of ours.
                return Ok(());
            }
            self.ends.desk.set_name(&name);
            self.batch.rename();
        }
        self.show(&line, &me, now);
        if line::kind(&line) == Kind::Missed && !self.unheard.is_empty() && !self.unheard.is_asked()
        {
            // Our own line may be among those missed.
            self.unheard.asked(now);
            if let Err(error) = self.connection.ask() {
                return self.lose(&error);
            }
        }
        Ok(())
    }

    /// Shows a line of the room.
    fn show(&mut self, line: &str, me: &str, now: Instant) {
        self.ends.desk.names.lock().hear(line, me);
        self.batch.show(line, me, now);
    }
}

#[cfg(test)]
mod tests;
