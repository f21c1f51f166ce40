//! The spam bot: sends long lines as fast as it can and times each. Its first lines go at once,
//! then its socket is full, and each line waits for the server's pace: that is backpressure.

use super::{connect, join, lost};
use crate::options::BotOptions;
use socket2::Socket;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

const NAME: &str = "SpamBot 5000";
const WORD: &str = "spam ";
const N_WORDS: usize = 500;

/// What the kernel may hold for us, in bytes: small, so that the stall shows in seconds and not
/// after 4 MB.
const SEND_BUFFER: usize = 4 * 1024;

/// Runs until it is told to stop, or has sent or run for as long as the options say.
///
/// # Errors
/// One sentence that says what went wrong.
pub fn run(options: &BotOptions) -> Result<(), String> {
    let start = Instant::now();
    log::info!("Spam client connecting to {}", options.address);
    let message = format!("{}\n", WORD.repeat(N_WORDS).trim_end());
    let name = options.name.as_deref().unwrap_or(NAME);

    let prepare = |socket: &Socket| socket.set_send_buffer_size(SEND_BUFFER);
    let sending = Instant::now();
    let stream = join(
        || connect(&options.address, prepare),
        name,
        message.as_bytes(),
    )
    .map_err(|error| lost(&error))?;
    log::info!("Sent #0 in {:.3}s", sending.elapsed().as_secs_f64());
    thread::scope(|scope| {
        let reader = scope.spawn(|| io::copy(&mut &stream, &mut io::sink()));
        let mut n_sent = 1;
        let is_over = |n_sent| {
            options.count.is_some_and(|count| n_sent >= count)
                || options
                    .duration
                    .is_some_and(|duration| start.elapsed() >= duration)
        };
        while !is_over(n_sent) {
            send(&stream, message.as_bytes(), n_sent).map_err(|error| lost(&error))?;
            n_sent += 1;
        }
        // What is sent is still on its way: it is heard only if we stay until the server has read
        // it and ends the connection.
        stream
            .shutdown(Shutdown::Write)
            .map_err(|error| lost(&error))?;
        drop(reader.join());
        Ok(())
    })
}

fn send(mut stream: &TcpStream, message: &[u8], number: u64) -> io::Result<()> {
    let start = Instant::now();
    stream.write_all(message)?;
    log::info!("Sent #{number} in {:.3}s", start.elapsed().as_secs_f64());
    Ok(())
}
