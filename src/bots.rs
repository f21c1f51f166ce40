//! Clients that misbehave on purpose, to show backpressure from both ends. What they have in
//! common is here: how they connect, and how they get a name.

pub mod slow;
pub mod spam;

use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

/// The server closes after five names, so a bot gives up before.
const NAME_TRIES: usize = 3;

/// Longest line that a bot expects before it has a name, in bytes.
const MAX_LINE: usize = 1024;

/// Connects to the first address that answers, after `prepare` has set up the socket.
fn connect(
    address: &str,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> Result<TcpStream, String> {
    let try_one = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        prepare(&socket)?;
        socket.connect(&address.into())?;
        Ok(TcpStream::from(socket))
    };
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in address
        .to_socket_addrs()
        .map_err(|error| format!("Cannot find {address}: {error}."))?
    {
        match try_one(address) {
            Ok(stream) => {
                log::info!("Connected");
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(format!(
        "Cannot connect to {address} ({failure}): is the server running? Start it with: trio-chat {address}"
    ))
}

/// Waits for the welcome and gives a name, another one if that is taken. `first_words` are sent
/// right behind each name. Returns when the server has sent something that is no refusal.
fn enter(mut stream: &TcpStream, name: &str, first_words: &[u8]) -> io::Result<()> {
    let mut name = name.to_owned();
    read_line(stream)?;
    for _ in 0..NAME_TRIES {
        log::info!("Sending name");
        stream.write_all(format!("{name}\n").as_bytes())?;
        stream.write_all(first_words)?;
        // No name begins with a star, so what begins with one is the server's.
        let mut first = [0];
        if stream.peek(&mut first)? == 1 && first != *b"*" {
            return Ok(());
        }
        let refusal = read_line(stream)?;
        let free = refusal
            .split("Try \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let Some(free) = free else {
            let refusal = refusal.trim_start_matches("* ");
            return Err(io::Error::other(format!("The server says: {refusal}")));
        };
        free.clone_into(&mut name);
        read_line(stream)?;
        // The first words were taken for a name too, and refused.
        if !first_words.is_empty() {
            read_line(stream)?;
            read_line(stream)?;
        }
    }
    Err(io::Error::other(
        "Every name that was tried is taken; try another --name.",
    ))
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
