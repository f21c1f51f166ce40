//! Connects to a server as a client and joins under a name, or says in one sentence why it could
//! not. Talking and listening is left to the caller.

use crate::protocol::notice::Notice;
use crate::protocol::text;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Maximum number of names to try. Clients that are started together ask for the same names, and
/// each round one gets in.
const NAME_TRIES: usize = 50;

/// Maximum length of a server's line before the client is in, in bytes.
const MAX_LINE: usize = 1024;

/// What a client says that has no password for a room that asks for one.
const PASSWORD: &str = "The room has a password, and bots have none; take a room without.";

/// Connects to the first address that answers, after `prepare` has set up the socket.
///
/// # Errors
/// One sentence for a person.
pub fn connect(
    address: &str,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<TcpStream> {
    let try_one = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        prepare(&socket)?;
        socket.connect(&address.into()).map_err(in_time)?;
        Ok(TcpStream::from(socket))
    };
    let not_found = |error| io::Error::other(format!("Cannot find {address}: {}.", plain(&error)));
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs().map_err(not_found)? {
        match try_one(address) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(io::Error::other(match failure.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("Nothing listens on {address}; is the server running?")
        }
        _ => format!("Cannot connect to {address}: {}.", plain(&failure)),
    }))
}

/// Returns what a person can use of an error's text, which ends in the system's number for it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error ").next();
    plain.unwrap_or_default().to_owned()
}

/// Names a timeout as such: the system says that the connection is in progress.
fn in_time(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::INPROGRESS) => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// Joins under `name`, or, if that is taken, under the name that the server suggests. `first_words`
/// are sent right after the name. Returns when the server has sent something that is no refusal,
/// with the time that sending `first_words` took.
///
/// # Errors
/// The server's refusal, or the reason why the connection failed.
pub fn join(
    connect: impl Fn() -> io::Result<TcpStream>,
    name: &str,
    first_words: &[u8],
) -> io::Result<(TcpStream, Duration)> {
    let mut name = name.to_owned();
    for n_tried in 0..NAME_TRIES {
        let mut stream = connect()?;
        if n_tried == 0 {
            log::info!("Connected");
        }
        let welcome = read_line(&stream)?;
        asks_for_password(welcome.as_bytes())?;
        if welcome.starts_with('*') {
            return Err(refused(&welcome));
        }
        log::info!("Sending name");
        stream.write_all(format!("{name}\n").as_bytes())?;
        let start = Instant::now();
        stream.write_all(first_words)?;
        let took = start.elapsed();
        // No name begins with a star, so a line that begins with one is the server's.
        let mut first = [0];
        if stream.peek(&mut first)? == 1 && first != *b"*" {
            return Ok((stream, took));
        }
        let answer = read_line(&stream)?;
        match answer.parse::<Notice>() {
            Ok(Notice::TakenName { free, .. } | Notice::LostName { free, .. }) => name = free,
            Ok(notice) if notice.is_refusal() => return Err(refused(&answer)),
            // The server lets us in, and tells us something first.
            _ => return Ok((stream, took)),
        }
    }
    Err(io::Error::other(
        "Every name that was tried is taken; try another --name.",
    ))
}

/// Fails if `greeting` begins with the server's question for a password, which bots do not know.
///
/// # Errors
/// A sentence that says so.
pub fn asks_for_password(greeting: &[u8]) -> io::Result<()> {
    let question = Notice::EnterPassword.to_string();
    if greeting.starts_with(question.as_bytes()) {
        return Err(io::Error::other(PASSWORD));
    }
    Ok(())
}

/// Returns a sentence that says why a connection ended before the client had finished.
pub fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => {
            "The server has closed the connection; is it still running?".to_owned()
        }
        // A sentence of the server's, or one of ours.
        io::ErrorKind::Other => error.to_string(),
        _ => format!("The connection is lost ({}); try again.", plain(error)),
    }
}

/// Returns an error with what the server said, cleaned for a terminal.
fn refused(line: &str) -> io::Error {
    let shown = text::clean(line);
    let shown = shown.trim_start_matches("* ");
    io::Error::other(format!("The server says: {shown}"))
}

/// Reads one line byte by byte, so that everything after it stays in the socket.
fn read_line(mut stream: &TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    while line.len() < MAX_LINE {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
