//! Writes what the room hears into a file. It listens like any member, with an outbox and a thread
//! of its own, so it can be slow or fail without anyone noticing in the room. What it loses is
//! counted, in the file and in the log.

mod journal;

use super::throttle::Throttle;
use crate::protocol::text;
use crate::room::outbox::{Delivery, Outbox, Sink};
use crossbeam_channel::{Receiver, Sender, bounded};
use journal::Journal;
use std::convert::Infallible;
use std::io;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Maximum number of frames that wait to be written. A disk can stall for longer than a client, and
/// there is only one such queue. A busy room of 200 makes up to 1,000 frames a second.
const QUEUE_FRAMES: usize = 4096;

/// Time from a write until it is forced to the disk.
const SYNC_AFTER: Duration = Duration::from_millis(500);

/// A transcript that can be written.
#[derive(Debug)]
pub struct Transcript {
    journal: Journal,
    /// Becomes true when the file is to be opened again.
    reopen: Arc<AtomicBool>,
    sync_due: Option<Instant>,
    /// Number of messages lost since the last one that was written.
    n_lost: u64,
    failures: Throttle,
}

impl Transcript {
    /// Opens or creates the file at `path`. It is opened again whenever `reopen` becomes true.
    ///
    /// # Errors
    /// One sentence, if the file cannot be opened, or seems to be something else.
    pub fn open(path: &Path, reopen: Arc<AtomicBool>) -> Result<Self, String> {
        Ok(Self {
            journal: Journal::open(path)?,
            reopen,
            sync_due: None,
            n_lost: 0,
            failures: Throttle::new(1),
        })
    }

    /// Returns the messages at the end of the file, as they went over the wire.
    pub fn last_messages(&self) -> Vec<String> {
        let lines = self.journal.last_lines().unwrap_or_default();
        let said = lines.iter().filter(|line| !line.starts_with('*'));
        said.map(|line| text::clean(line).into_owned() + "\n")
            .collect()
    }

    /// Starts the thread that writes. Returns its outbox, and a channel that is disconnected when
    /// everything is written.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(self) -> io::Result<(Outbox, Receiver<Infallible>)> {
        let (end, ended) = bounded(0);
        let outbox = Outbox::new(QUEUE_FRAMES, Arc::default(), |frames| {
            // A write can be stuck for ever, so no scope may wait for this thread.
            let thread = thread::Builder::new().name("transcript".to_owned());
            let handle = thread.spawn(move || {
                let _end: Sender<Infallible> = end;
                let mut transcript = self;
                let Ok(n_missed) = frames.drain(&mut transcript);
                transcript.end(n_missed);
            })?;
            Ok(Thread::clone(handle.thread()))
        })?;
        Ok((outbox, ended))
    }

    /// Appends what was `said`, and before it how many messages were lost until then.
    fn append(&mut self, said: &str) {
        if self.reopen.swap(false, Ordering::Relaxed)
            && let Err(error) = self.journal.reopen()
        {
            // It goes on in the same file, and tries again with the next message.
            self.reopen.store(true, Ordering::Relaxed);
            self.report(&error);
        }
        let lost = format!("* Messages lost here: {}", self.n_lost);
        let lost = iter::once(lost.as_str()).filter(|_| self.n_lost > 0);
        match self.journal.append(lost.chain(said.lines())) {
            Ok(()) => {
                self.n_lost = 0;
                self.sync_due
                    .get_or_insert_with(|| Instant::now() + SYNC_AFTER);
            }
            Err(error) => {
                self.n_lost += said.lines().count() as u64;
                self.report(&format!("{error} (messages lost: {})", self.n_lost));
            }
        }
    }

    fn report(&mut self, failure: &str) {
        if self.failures.count(Instant::now()).is_some() {
            log::error!("Transcript: {failure}");
        }
    }

    fn sync(&mut self) {
        self.sync_due = None;
        if let Err(error) = self.journal.sync() {
            log::error!("Transcript: may not be on the disk: {error}");
        }
    }

    /// Writes what remains to be written at the end.
    fn end(&mut self, n_missed: u64) {
        self.n_lost += n_missed;
        self.append("");
        self.sync();
    }
}

impl Sink for Transcript {
    type Error = Infallible;

    fn write(&mut self, delivery: &Delivery) -> Result<(), Infallible> {
        self.n_lost += delivery.n_missed;
        self.append(&String::from_utf8_lossy(delivery.bytes()));
        if self.sync_due.is_some_and(|due| due <= Instant::now()) {
            self.sync();
        }
        Ok(())
    }

    fn idle(&mut self) -> Option<Duration> {
        let left = self.sync_due?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.sync();
            return None;
        }
        Some(left)
    }
}
