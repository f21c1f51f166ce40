//! Tells systemd that the service is ready, if systemd has started it and wants to know.

use socket2::{Domain, SockAddr, Socket, Type};
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Maximum time for systemd to take it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells that people can join now. Blocks for at most two seconds.
///
/// # Errors
/// Those of the system, if somebody wants to know and can't be told.
pub fn tell_ready() -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let mut path = path.as_bytes().to_owned();
    // In the environment an at sign stands for the zero before the name of an abstract socket.
    if let Some(first) = path.first_mut().filter(|first| **first == b'@') {
        *first = 0;
    }
    let address = SockAddr::unix(OsStr::from_bytes(&path))?;
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to(b"READY=1", &address).map(drop)
}
