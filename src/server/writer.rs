//! Frames become bytes on a socket. This is the thread that feels a slow client, and nobody else
//! waits for it: what it can't take in time is the room's to drop.

use super::outbox::Frames;
use super::room::ClientId;
use super::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use socket2::SockRef;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

/// What the kernel takes of us at once, in bytes: small, so that the outbox, not the kernel, decides
/// what a slow client gets. In a big room it grows to the size of a frame, because a write that has
/// to wait for its second half costs as much as two.
pub const SEND_BUFFER: usize = 32 * 1024;

/// How long a client that says nothing more may take to read what waits for it.
const DRAIN: Duration = Duration::from_secs(10);

/// The last thing that everyone hears when the server stops.
pub const GOODBYE: &[u8] = b"* The server is stopping. Goodbye!\n";

/// A running writer thread, as its session sees it. Dropping it waits until everything is written,
/// or for 10 s, and then cuts the connection; the room has to have dropped the outbox before.
#[derive(Debug)]
pub struct Writer<'a> {
    stream: &'a TcpStream,
    ended: Receiver<()>,
}

impl<'a> Writer<'a> {
    /// Starts the writer of client `id`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        id: ClientId,
        stream: &'a TcpStream,
        frames: Frames,
        stopping: &'a AtomicBool,
    ) -> io::Result<Self>
    where
        'a: 'scope,
    {
        let (end, ended) = bounded(0);
        threads::spawn(scope, format!("writer-{id}"), move || {
            let _end: Sender<()> = end;
            let _cut = CutOnPanic(stream);
            if let Err(error) = write(stream, &frames, stopping) {
                log::debug!("Connection #{id}: not everything could be sent: {error}");
            }
        })?;
        Ok(Self { stream, ended })
    }

    /// The client can be sent nothing more: it has gone without a word.
    pub fn has_ended(&self) -> bool {
        self.ended
            .try_recv()
            .is_err_and(|error| error.is_disconnected())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.ended.recv_timeout(DRAIN) == Err(RecvTimeoutError::Timeout) {
            // This ends a write that is stuck.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// Without its writer a session is of no use, and this ends its reader too.
struct CutOnPanic<'a>(&'a TcpStream);

impl Drop for CutOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.shutdown(Shutdown::Both);
        }
    }
}

fn write(mut stream: &TcpStream, frames: &Frames, stopping: &AtomicBool) -> io::Result<()> {
    let mut send_buffer = SEND_BUFFER;
    let n_missed_at_end = frames.drain(|delivery| {
        tell_missed(stream, delivery.n_missed)?;
        if delivery.bytes().len() > send_buffer {
            send_buffer = delivery.bytes().len().next_power_of_two();
            SockRef::from(stream).set_send_buffer_size(send_buffer)?;
        }
        #[cfg(debug_assertions)]
        threads::panic_if_told(delivery.bytes());
        stream.write_all(delivery.bytes())
    })?;
    tell_missed(stream, n_missed_at_end)?;
    if stopping.load(Ordering::Relaxed) {
        stream.write_all(GOODBYE)?;
    }
    Ok(())
}

fn tell_missed(mut stream: &TcpStream, n_missed: u64) -> io::Result<()> {
    match n_missed {
        0 => Ok(()),
        1 => stream.write_all(b"* You missed 1 message.\n"),
        _ => stream.write_all(format!("* You missed {n_missed} messages.\n").as_bytes()),
    }
}
