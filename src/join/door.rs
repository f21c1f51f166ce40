//! Connects, and gives a name, until the server says that one is in or why not. It trusts nothing
//! that comes: what is no Trio Chat server is said in one sentence.

use super::hearing::Hearing;
use crate::client;
use crate::password::Password;
use crate::protocol::notice::Notice;
use crate::protocol::{foreign, names, text};
use crossbeam_channel::{RecvTimeoutError, bounded};
use socket2::{Socket, TcpKeepalive};
use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time after which a person is told what takes so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// Maximum time for the greeting.
const GREETING: Duration = Duration::from_secs(10);

/// Maximum time for an answer to a name or a password. Others from this address may be first.
const ANSWER: Duration = Duration::from_secs(30);

/// Maximum time that the server takes no byte of a line.
const SENDING: Duration = Duration::from_secs(10);

/// Keepalive, so that a server that has vanished without a word is found.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// Maximum size of what comes before one is in, in bytes: more than any history and message of the
/// day.
const MAX_BEFORE: usize = 4 << 20;

/// Telnet's "are you there", which the server answers with the name as soon as one is in.
pub const ARE_YOU_THERE: &[u8] = b"\xff\xf6";

/// A place in the room.
pub struct Entered {
    /// The connection.
    pub hearing: Hearing,
    /// The name that the server has given.
    pub name: String,
    /// What came before that.
    pub lines: Vec<String>,
}

/// Why one is not in.
#[derive(Debug)]
pub enum Refusal {
    /// The name can't be had. Another may.
    Name {
        /// The server's reason.
        reason: String,
        /// A similar name that is free.
        free: Option<String>,
    },
    /// The room has a password, which was not given, or not the right one.
    Password {
        /// Whether one was given.
        was_given: bool,
    },
    /// It may work later, or elsewhere.
    Failed(String),
}

/// Does the same as [`enter`], and tells a person who waits for it what takes so long.
///
/// # Errors
/// Why that was not possible, in one sentence.
pub fn enter_watched(
    address: &str,
    name: &str,
    password: Option<&Password>,
) -> Result<Entered, Refusal> {
    let (done, is_done) = bounded::<()>(0);
    thread::scope(|scope| {
        let teller = thread::Builder::new().name("teller".to_owned());
        // If this fails, nothing is told.
        let _ = teller.spawn_scoped(scope, move || {
            let late = is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if late && io::stderr().is_terminal() {
                let _ = writeln!(io::stderr(), "Connecting to {address}…");
            }
        });
        let entered = enter(address, name, password);
        drop(done);
        entered
    })
}

/// Connects to `address` and joins under `name`. The password goes only to a server that asks for it.
///
/// # Errors
/// Why that was not possible, in one sentence.
pub fn enter(address: &str, name: &str, password: Option<&Password>) -> Result<Entered, Refusal> {
    // As it was typed, it could have lines after the first, which would be said to the room.
    let name = names::check(name).map_err(|notice| refused_name(&notice))?;
    let failed = |error: io::Error| Refusal::Failed(client::lost(&error));
    let stream = client::connect(address, prepare).map_err(failed)?;
    let mut hearing = Hearing::new(Arc::new(stream));
    if greeted(&mut hearing, address, GREETING)? == Notice::EnterPassword {
        let was_given = false;
        let line = password.ok_or(Refusal::Password { was_given })?.line();
        let sent = (&**hearing.stream()).write_all(line.as_bytes());
        sent.map_err(failed)?;
        if greeted(&mut hearing, address, ANSWER)? != Notice::Welcome {
            return Err(Refusal::Password { was_given: true });
        }
    }
    let words = [name.as_bytes(), b"\n", ARE_YOU_THERE].concat();
    (&**hearing.stream()).write_all(&words).map_err(failed)?;
    let (name, lines) = admitted(&mut hearing, address)?;
    hearing.set_deadline(None);
    Ok(Entered {
        hearing,
        name,
        lines,
    })
}

fn prepare(socket: &Socket) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let keepalive = keepalive
        .with_interval(KEEPALIVE_PROBE)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_write_timeout(Some(SENDING))
}

/// Waits for the greeting, or for what the server says about the password, and returns it.
fn greeted(hearing: &mut Hearing, address: &str, time: Duration) -> Result<Notice, Refusal> {
    hearing.set_deadline(Some(Instant::now() + time));
    let line = match hearing.next() {
        Ok(Some(line)) => line,
        Ok(None) => return Err(closed()),
        Err(error) if is_timeout(&error) && hearing.unread().is_empty() => {
            return Err(Refusal::Failed(format!(
                "{address} has said nothing for {} s: it is overloaded, or not a Trio Chat server.",
                time.as_secs()
            )));
        }
        Err(error) if is_timeout(&error) => String::from_utf8_lossy(hearing.unread()).into_owned(),
        Err(error) => return Err(Refusal::Failed(client::lost(&error))),
    };
    match line.parse() {
        Ok(notice @ (Notice::Welcome | Notice::EnterPassword | Notice::WrongPassword)) => {
            Ok(notice)
        }
        Ok(notice) if notice.is_refusal() => Err(Refusal::Failed(said(&line))),
        _ => Err(Refusal::Failed(foreign_server(address, &line))),
    }
}

/// Waits until one is in, and returns the name and what came before.
fn admitted(hearing: &mut Hearing, address: &str) -> Result<(String, Vec<String>), Refusal> {
    hearing.set_deadline(Some(Instant::now() + ANSWER));
    let (mut lines, mut n_bytes) = (Vec::new(), 0);
    loop {
        let line = match hearing.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Err(closed()),
            Err(error) if is_timeout(&error) => {
                return Err(Refusal::Failed(format!(
                    "{address} does not let anybody in."
                )));
            }
            Err(error) => return Err(Refusal::Failed(client::lost(&error))),
        };
        n_bytes += line.len();
        if n_bytes > MAX_BEFORE {
            return Err(Refusal::Failed(foreign_server(address, &line)));
        }
        match line.parse() {
            Ok(Notice::YouAre(name)) if names::check(&name).is_err() => {
                return Err(Refusal::Failed(foreign_server(address, &line)));
            }
            Ok(Notice::YouAre(name)) => {
                lines.push(line);
                return Ok((name, lines));
            }
            // Messages and the message of the day come only to one who is in.
            Ok(
                notice @ (Notice::InvisibleName
                | Notice::LongName
                | Notice::ReservedName
                | Notice::PrivateName
                | Notice::MixedAlphabets(..)
                | Notice::TakenName { .. }
                | Notice::LostName { .. }),
            ) if lines.is_empty() => return Err(refused_name(&notice)),
            Ok(notice) if notice.is_refusal() => return Err(Refusal::Failed(said(&line))),
            _ => lines.push(line),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn refused_name(notice: &Notice) -> Refusal {
    let free = match notice {
        Notice::TakenName { free, .. } | Notice::LostName { free, .. } => Some(free.clone()),
        _ => None,
    };
    let reason = notice.to_string().trim_start_matches("* ").to_owned();
    Refusal::Name { reason, free }
}

fn said(line: &str) -> String {
    format!("The server says: {}", line.trim_start_matches("* "))
}

fn closed() -> Refusal {
    Refusal::Failed(client::lost(&io::ErrorKind::UnexpectedEof.into()))
}

/// Returns a sentence about a server that speaks another protocol.
fn foreign_server(address: &str, line: &str) -> String {
    /// Number of characters of its first line to show.
    const SHOWN: usize = 40;
    let is_http = line.starts_with("HTTP/");
    let protocol = foreign::protocol_of_line(line, b"").or(is_http.then_some("HTTP"));
    if let Some(protocol) = protocol {
        return format!("{address} is not a Trio Chat server: it speaks {protocol}.");
    }
    let line = text::clean(line);
    let mut shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    format!("{address} is not a Trio Chat server: it says \"{shown}\".")
}

/// Ends a connection, so that its reader sees the end too.
pub fn close(stream: &TcpStream) {
    // If this fails, it has ended already.
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

#[cfg(test)]
mod tests;
