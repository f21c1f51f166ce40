//! Runs the spam bot, which sends long lines as fast as it can and times each. Its first lines are
//! sent at once. Then its socket is full, and it blocks until the server has made room: that is
//! backpressure.

use super::Options;
use crate::client::{connect, join, lost};
use socket2::Socket;
use std::io::{self, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Instant;

const NAME: &str = "SpamBot 5000";
const WORD: &str = "spam ";
const N_WORDS: usize = 500;

/// Kernel send buffer of the bot, in bytes. It is small, so that the stall shows in seconds and not
/// after 4 MB.
const SEND_BUFFER: usize = 4 * 1024;

/// Sends until the process ends, or as often as the options say.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &Options) -> Result<(), String> {
    log::info!("Spam client connecting to {}", options.address);
    send_fast(options).map_err(|error| lost(&error))
}

fn send_fast(options: &Options) -> io::Result<()> {
    let message = format!("{}\n", WORD.repeat(N_WORDS).trim_end());
    let name = options.name.as_deref().unwrap_or(NAME);
    let prepare = |socket: &Socket| socket.set_send_buffer_size(SEND_BUFFER);
    let connect = || connect(&options.address, prepare);
    let (stream, took) = join(connect, name, message.as_bytes())?;
    log::info!("Sent #0 in {:.3}s", took.as_secs_f64());
    thread::scope(|scope| {
        let reader = scope.spawn(|| io::copy(&mut &stream, &mut io::sink()));
        for number in 1..options.count.unwrap_or(u64::MAX) {
            let start = Instant::now();
            (&stream).write_all(message.as_bytes())?;
            log::info!("Sent #{number} in {:.3}s", start.elapsed().as_secs_f64());
        }
        // The last lines are still in flight. They are heard only if we stay until the server has
        // read them and ends the connection.
        stream.shutdown(Shutdown::Write)?;
        drop(reader.join());
        Ok(())
    })
}
