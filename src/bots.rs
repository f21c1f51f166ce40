//! Clients that misbehave on purpose, to show backpressure from both ends. What they have in
//! common is here: how they connect, and how they get a name.

pub mod crowd;
pub mod slow;
pub mod spam;

use crate::server::text;
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

/// Bots that are started together ask for the same names, and each round one gets in.
const NAME_TRIES: usize = 50;

/// Longest line that a bot expects before it has a name, in bytes.
const MAX_LINE: usize = 1024;

/// Connects to the first address that answers, after `prepare` has set up the socket.
fn connect(address: &str, prepare: impl Fn(&Socket) -> io::Result<()>) -> io::Result<TcpStream> {
    let try_one = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        prepare(&socket)?;
        socket.connect(&address.into())?;
        Ok(TcpStream::from(socket))
    };
    let not_found = |error| io::Error::other(format!("Cannot find {address}: {error}."));
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs().map_err(not_found)? {
        match try_one(address) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(io::Error::other(format!(
        "Cannot connect to {address} ({failure}): is the server running? Start it with: trio-chat {address}"
    )))
}

/// Joins under `name`, or under the one that the server suggests if that is taken. `first_words` are
/// sent right behind the name. Returns when the server has sent something that is no refusal.
fn join(
    connect: impl Fn() -> io::Result<TcpStream>,
    name: &str,
    first_words: &[u8],
) -> io::Result<TcpStream> {
    let mut name = name.to_owned();
    for n_tried in 0..NAME_TRIES {
        let mut stream = connect()?;
        if n_tried == 0 {
            log::info!("Connected");
        }
        let welcome = read_line(&stream)?;
        if welcome.starts_with('*') {
            return Err(refused(&welcome));
        }
        log::info!("Sending name");
        stream.write_all(format!("{name}\n").as_bytes())?;
        stream.write_all(first_words)?;
        // No name begins with a star, so what begins with one is the server's.
        let mut first = [0];
        if stream.peek(&mut first)? == 1 && first != *b"*" {
            return Ok(stream);
        }
        let refusal = read_line(&stream)?;
        let free = refusal
            .rsplit_once("Try \"")
            .and_then(|(_, rest)| rest.strip_suffix("\"."));
        free.ok_or_else(|| refused(&refusal))?.clone_into(&mut name);
    }
    Err(io::Error::other(
        "Every name that was tried is taken; try another --name.",
    ))
}

/// What the server said, if it is one, fit for a terminal.
fn refused(line: &str) -> io::Error {
    let shown = text::clean(line);
    let shown = shown.trim_start_matches("* ");
    io::Error::other(format!("The server says: {shown}"))
}

/// Byte by byte, so that nothing behind the line is taken from the socket.
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

/// What a bot says when its connection ends before its work does.
fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => {
            "The server has closed the connection; is it still running?".to_owned()
        }
        // A sentence of the server's or of ours.
        io::ErrorKind::Other => error.to_string(),
        _ => format!("The connection is lost ({error}); try again."),
    }
}
