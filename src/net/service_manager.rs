//! Tells systemd that the service is ready, if systemd has started it and wants to know.

use socket2::{Domain, SockAddr, Socket, Type};
use std::env;
use std::io;

/// Tells that people can join now. Never blocks.
///
/// # Errors
/// Those of the system, if somebody wants to know and can't be told.
pub fn tell_ready() -> io::Result<()> {
    let Ok(path) = env::var("NOTIFY_SOCKET") else {
        return Ok(());
    };
    // In the environment an at sign stands for the zero before the name of an abstract socket.
    let address = SockAddr::unix(match path.strip_prefix('@') {
        Some(name) => format!("\0{name}"),
        None => path,
    })?;
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.send_to(b"READY=1", &address).map(drop)
}
