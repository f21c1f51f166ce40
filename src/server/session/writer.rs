//! Writes frames to a client's socket. Only this thread waits for a slow client. Dropping what the
//! client can't take in time is left to the room.

use crate::faults::panic_if_told;
use crate::net::connection::{Connection, SEND_BUFFER};
use crate::protocol::notice::Notice;
use crate::room::event::ClientId;
use crate::room::frame::{Frame, MAX_FRAME};
use crate::room::outbox::{Delivery, Frames, Outbox};
use crate::server::gauges::Gauge;
use crate::server::shared::{Shared, Stop};
use crate::server::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::{self, Scope};
use std::time::Duration;

/// The send buffer shrinks when a frame is smaller than the buffer divided by this.
const SHRINK_BELOW: usize = 8;

/// Maximum time for a client that says nothing more to read what waits for it.
const DRAIN: Duration = Duration::from_secs(10);

/// The same for a client that was asked to leave.
const DRAIN_AT_REMOVAL: Duration = Duration::from_secs(1);

/// A running writer thread, as its session sees it. Dropping it blocks until everything is written,
/// or cuts the connection after 10 s, or 1 s if its client was asked to leave. The room must have
/// dropped the outbox before.
#[derive(Debug)]
pub struct Writer<'a> {
    connection: &'a Connection,
    gauge: &'a Gauge,
    ended: Receiver<()>,
}

impl<'a> Writer<'a> {
    /// Starts the writer of client `id`, and returns it with the outbox that it drains.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        id: ClientId,
        connection: &'a Connection,
        shared: &'a Shared,
        gauge: &'a Gauge,
    ) -> io::Result<(Self, Outbox)>
    where
        'a: 'scope,
    {
        let (end, ended) = bounded(0);
        let counts = Arc::clone(&gauge.outbox);
        let outbox = Outbox::new(shared.config.queue_frames, counts, |frames| {
            threads::spawn(scope, format!("writer-{id}"), move || {
                let _end: Sender<()> = end;
                let _cut = CutOnPanic(connection);
                if let Err(error) = write(connection, &frames, &shared.stop, gauge) {
                    log::debug!("Connection #{id}: not everything could be sent: {error}");
                }
            })
        })?;
        let writer = Self {
            connection,
            gauge,
            ended,
        };
        Ok((writer, outbox))
    }

    /// Whether the writer has ended, so that nothing more can be sent.
    pub fn has_ended(&self) -> bool {
        self.ended
            .try_recv()
            .is_err_and(|error| error.is_disconnected())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let drain = if self.gauge.is_asked_to_leave() {
            DRAIN_AT_REMOVAL
        } else {
            DRAIN
        };
        if self.ended.recv_timeout(drain) == Err(RecvTimeoutError::Timeout) {
            // This ends a write that is stuck.
            self.connection.cut();
        }
    }
}

/// Cuts the connection if the writer panics. A session is of no use without its writer, and this
/// ends its reader too.
struct CutOnPanic<'a>(&'a Connection);

impl Drop for CutOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cut();
        }
    }
}

fn write(
    mut connection: &Connection,
    frames: &Frames,
    stop: &Stop,
    gauge: &Gauge,
) -> io::Result<()> {
    let mut send_buffer = SEND_BUFFER;
    let n_missed_at_end = frames.drain(&mut |delivery: &Delivery| {
        tell_missed(connection, delivery.n_missed)?;
        let bytes = delivery.bytes();
        let wanted = send_buffer_for(bytes.len(), send_buffer);
        if wanted != send_buffer {
            send_buffer = wanted;
            connection.set_send_buffer(send_buffer)?;
        }
        panic_if_told(bytes);
        connection.write_all(bytes)?;
        gauge.wrote(bytes.len());
        match &*delivery.answers {
            [] => Ok(()),
            [answer] => connection.write_all(answer),
            answers => connection.write_all(&concat(answers)),
        }
    })?;
    tell_missed(connection, n_missed_at_end)?;
    if stop.has_begun() {
        connection.write_all(Notice::Goodbye.line().as_bytes())?;
    }
    Ok(())
}

fn concat(answers: &[Arc<Frame>]) -> Vec<u8> {
    answers
        .iter()
        .flat_map(|answer| answer.iter().copied())
        .collect()
}

/// Returns the send buffer's size for a frame of `n_bytes`, when it is `current` now, both in
/// bytes. A write that has to wait for its second half costs as much as two, so the buffer grows
/// with the frames. It shrinks when they are much smaller again. It does not grow for a history,
/// which is larger than any frame and sent only once.
fn send_buffer_for(n_bytes: usize, current: usize) -> usize {
    if n_bytes > MAX_FRAME {
        current
    } else if n_bytes > current || n_bytes < current / SHRINK_BELOW {
        n_bytes.next_power_of_two().max(SEND_BUFFER)
    } else {
        current
    }
}

fn tell_missed(mut connection: &Connection, n_missed: u64) -> io::Result<()> {
    match n_missed {
        0 => Ok(()),
        _ => connection.write_all(Notice::Missed(n_missed).line().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::frame::FrameMemory;
    use crate::server::shared::Config;
    use std::io::Read;

    #[test]
    fn the_send_buffer_follows_the_frames() {
        assert_eq!(send_buffer_for(100, SEND_BUFFER), SEND_BUFFER);
        let grown = send_buffer_for(100_000, SEND_BUFFER);
        assert_eq!(grown, 128 * 1024);
        assert_eq!(send_buffer_for(MAX_FRAME + 1, SEND_BUFFER), SEND_BUFFER);
        assert_eq!(send_buffer_for(grown / 8, grown), grown);
        assert_eq!(send_buffer_for(grown / 8 - 1, grown), SEND_BUFFER);
    }

    #[test]
    fn what_the_room_sends_is_written_in_order_with_the_loss_where_it_was() {
        let (ours, theirs) = Connection::pair().unwrap();
        let shared = Shared {
            config: Config {
                queue_frames: 1,
                ..Config::default()
            },
            ..Shared::default()
        };
        let gauge = Gauge::new(0, &ours);
        let mut n_dropped = 0;
        thread::scope(|scope| {
            let (writer, mut outbox) = Writer::start(scope, 0, &ours, &shared, &gauge).unwrap();
            let memory = FrameMemory::default();
            let big = memory.frame(&vec![b'x'; 400_000]);
            let small = memory.frame(b"frame\n");
            // The first is being written, the second waits, and then one does not fit.
            while n_dropped == 0 {
                n_dropped += outbox.send(&big, 0, 1, Vec::new());
            }
            let reader = scope.spawn(|| {
                let mut heard = Vec::new();
                (&theirs).read_to_end(&mut heard).map(|_| heard)
            });
            while outbox.is_lagging() {
                outbox.tell_missed();
            }
            while outbox.send(&small, 0, 1, vec![memory.frame(b"answer\n")]) > 0 {
                n_dropped += 2;
            }
            shared.stop.begin();
            drop(outbox);
            drop(writer);
            ours.end_writing();
            let heard = reader.join().unwrap().unwrap();
            let heard = String::from_utf8(heard).unwrap();
            assert_eq!(gauge.outbox.n_missed(), n_dropped);
            assert_eq!((gauge.outbox.n_frames(), gauge.outbox.n_bytes()), (0, 0));
            let told = heard.trim_start_matches('x');
            assert!(told.starts_with("* You missed 1 message.\n"), "{told}");
            assert!(
                told.ends_with("frame\nanswer\n* The server is stopping. Goodbye!\n"),
                "{told}"
            );
        });
    }

    #[test]
    fn a_writer_ends_when_its_client_has_gone() {
        let (ours, theirs) = Connection::pair().unwrap();
        let shared = Shared::default();
        let gauge = Gauge::new(0, &ours);
        drop(theirs);
        thread::scope(|scope| {
            let (writer, mut outbox) = Writer::start(scope, 0, &ours, &shared, &gauge).unwrap();
            outbox.send(&FrameMemory::default().frame(b"frame\n"), 0, 1, Vec::new());
            while !writer.has_ended() {
                thread::yield_now();
            }
            drop(outbox);
        });
    }
}
