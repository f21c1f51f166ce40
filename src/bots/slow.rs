//! Runs the slow bot, which reads little, and seldom. While others talk, unread bytes fill its
//! socket and then its outbox in the server. After that it misses messages.

use super::Options;
use crate::client::{connect, join, lost};
use socket2::Socket;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

const NAME: &str = "SlowBot 0.0.1a";

/// Maximum number of bytes it reads at a time: about one line of the spam bot.
const READ: usize = 2600;
const PAUSE: Duration = Duration::from_secs(5);

/// Kernel receive buffer of the bot, in bytes. It is small, so that the loss shows in seconds.
const RECEIVE_BUFFER: usize = 4 * 1024;

/// Reads until the process ends, or as often as the options say.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &Options) -> Result<(), String> {
    let name = options.name.as_deref().unwrap_or(NAME);
    log::info!("{name} connecting to {}", options.address);
    read_slowly(options, name).map_err(|error| lost(&error))
}

fn read_slowly(options: &Options, name: &str) -> io::Result<()> {
    let prepare = |socket: &Socket| socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let (mut stream, _) = join(|| connect(&options.address, prepare), name, b"")?;
    let mut bytes = [0; READ];
    for n_read in 1.. {
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n_bytes => log::info!("Received {n_bytes} bytes"),
        }
        if options.count.is_some_and(|count| n_read >= count) {
            break;
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
