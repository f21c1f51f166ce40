//! One client's lines become events: paced, cleaned, and with its name in front. Reading nothing
//! while it waits is what slows a flood down: the socket fills, and then the sender feels it.

use super::lines::Lines;
use super::names::Name;
use super::pacer::Pacer;
use super::room::Event;
use super::session::{End, Shared};
use super::text;
#[cfg(debug_assertions)]
use super::threads;
use super::writer::Writer;
use crossbeam_channel::Sender;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client is still heard that can't be sent anything more: those who paste and go, as
/// `ncat --send-only` does, are reset while most of their lines still wait for their slots, and a
/// paste of a hundred lines takes 20 s.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// A client that can't be sent anything more, and of which so many bytes wait, half of what its
/// socket holds, was flooding: nobody pastes so much and goes, and its last words are not worth
/// hearing.
const FLOOD: usize = 16 * 1024;

/// A read that gives fewer bytes than this, and no line end, is followed by this pause.
const CRUMB: usize = 256;
const CRUMB_PAUSE: Duration = Duration::from_millis(1);

/// A long wait is slept in pieces, so that a stop need not wait for a slow pace.
const MAX_SLEEP: Duration = Duration::from_millis(100);

/// Says everything that the client says, until it or the server has had enough.
pub fn run(
    stream: &TcpStream,
    lines: &mut Lines,
    name: &Name<'_>,
    writer: &Writer<'_>,
    events: &Sender<Event>,
    shared: &Shared,
) -> End {
    let mut pacer = Pacer::new(shared.settings.line_interval);
    let mut unreachable_since: Option<Instant> = None;
    // Something of the line has been said, so what follows is not its beginning.
    let mut within_line = false;
    loop {
        while let Some(line) = lines.next_line() {
            if !sleep(pacer.wait(Instant::now()), shared) {
                return End::Stopped;
            }
            if writer.has_ended() {
                let since = unreachable_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LAST_WORDS || is_flooding(stream) {
                    return End::Reset;
                }
            }
            let text = text::clean(&line.text);
            within_line &= !line.first;
            let text = if within_line {
                &text
            } else {
                text.trim_start()
            };
            let text = if line.last { text.trim_end() } else { text };
            if !text::can_be_seen(text) {
                continue;
            }
            within_line = true;
            #[cfg(debug_assertions)]
            threads::panic_if_told(text.as_bytes());
            let message = format!("{}> {text}\n", name.as_str());
            if events.send(Event::Message(message)).is_err() {
                return End::Stopped;
            }
        }
        if lines.is_finished() {
            // Whichever of reader and writer comes first is told of a reset, the other is not.
            let reset = writer.has_ended();
            return if reset { End::Reset } else { End::ClosedByPeer };
        }
        if let Err(error) = fill(stream, lines) {
            return End::from(error);
        }
        if shared.stopping.load(Ordering::Relaxed) {
            return End::Stopped;
        }
    }
}

/// Reads once. A client that sends a line in crumbs is read a thousand times a second at most.
pub fn fill(stream: &TcpStream, lines: &mut Lines) -> io::Result<()> {
    let n_read = lines.fill(stream)?;
    if (1..CRUMB).contains(&n_read) && !lines.has_line_end() {
        thread::sleep(CRUMB_PAUSE);
    }
    Ok(())
}

/// Sleeps for `wait`, and tells whether to go on after that.
fn sleep(mut wait: Duration, shared: &Shared) -> bool {
    while !wait.is_zero() && !shared.stopping.load(Ordering::Relaxed) {
        let nap = wait.min(MAX_SLEEP);
        thread::sleep(nap);
        wait -= nap;
    }
    !shared.stopping.load(Ordering::Relaxed)
}

fn is_flooding(stream: &TcpStream) -> bool {
    let mut waiting = vec![0; FLOOD];
    stream
        .peek(&mut waiting)
        .is_ok_and(|n_bytes| n_bytes == FLOOD)
}
