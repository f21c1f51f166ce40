//! The slow bot: reads little, seldom. With somebody talking beside it, what it does not read
//! fills its socket, then its queue in the server, and then it misses messages: that is a slow
//! consumer.

use super::{connect, join, lost};
use crate::options::BotOptions;
use socket2::Socket;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "SlowBot 0.0.1a";

/// Most bytes that it reads at a time: about one line of the spam bot.
const READ: usize = 2600;
const PAUSE: Duration = Duration::from_secs(5);

/// What the kernel may hold for us, in bytes: small, so that the loss shows in seconds.
const RECEIVE_BUFFER: usize = 4 * 1024;

/// Runs until it is told to stop, or has read or run for as long as the options say.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &BotOptions) -> Result<(), String> {
    let start = Instant::now();
    let name = options.name.as_deref().unwrap_or(NAME);
    log::info!("{name} connecting to {}", options.address);
    let time_left = || {
        options
            .duration
            .map(|duration| duration.saturating_sub(start.elapsed()))
    };
    match read_slowly(options, name, time_left) {
        Err(error) if time_left() != Some(Duration::ZERO) => Err(lost(&error)),
        _ => Ok(()),
    }
}

/// Returns when it has read as often as it is to, or with a timeout when no time is left.
fn read_slowly(
    options: &BotOptions,
    name: &str,
    time_left: impl Fn() -> Option<Duration>,
) -> io::Result<()> {
    let prepare = |socket: &Socket| {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_read_timeout(time_left())
    };
    let mut stream = join(|| connect(&options.address, prepare), name, b"")?;
    let mut bytes = [0; READ];
    for n_read in 1.. {
        // No time at all can't be set, and is the timeout that is wanted.
        stream.set_read_timeout(time_left())?;
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n_bytes => log::info!("Received {n_bytes} bytes"),
        }
        if options.count.is_some_and(|count| n_read >= count) {
            break;
        }
        thread::sleep(time_left().map_or(PAUSE, |left| left.min(PAUSE)));
    }
    Ok(())
}
