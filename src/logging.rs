//! The log: lines in simplelog's shape. The server's lines go through a thread of their own, because
//! standard error may be full, stopped or gone, and a log line must never make anybody wait. So the
//! log is one more slow client. The bots write their lines directly, since printing is their work.
//!
//! What is logged is decided where it happens.

use crossbeam_channel::{Receiver, Sender, bounded};
use log::LevelFilter;
use simplelog::{Config, ConfigBuilder, WriteLogger};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Maximum number of lines that wait to be written; more are lost, and counted.
const QUEUE: usize = 1024;

/// How long the end of the program waits for the last lines to be written.
const FLUSH: Duration = Duration::from_millis(500);

/// The log thread. Dropping it waits until what was logged is written, or for half a second.
#[derive(Debug)]
pub struct Log {
    entries: Sender<Entry>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Dropped when everything before it is written.
    Flush(Sender<()>),
}

/// Cuts what simplelog writes into lines and queues them.
struct Queue {
    line: Vec<u8>,
    entries: Sender<Entry>,
    n_lost: Arc<AtomicU64>,
}

/// Logs to standard error through a thread, panics included. Call this while there is one thread:
/// with more, the offset of local time can't be read safely.
///
/// # Errors
/// When there is a log already, or the system has no thread to give.
pub fn to_stderr(level: LevelFilter) -> io::Result<Log> {
    let config = config();
    let (sender, entries) = bounded(QUEUE);
    let n_lost = Arc::new(AtomicU64::new(0));
    let queue = Queue {
        line: Vec::new(),
        entries: sender.clone(),
        n_lost: Arc::clone(&n_lost),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(&entries, &n_lost, io::stderr()))?;
    WriteLogger::init(level, config, queue).map_err(io::Error::other)?;
    // The standard hook writes to standard error, and may wait for it for ever.
    std::panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("a thread");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let reason = panic
            .payload_as_str()
            .unwrap_or("no reason given")
            .escape_debug();
        log::error!("{name} panicked at {place}: {reason}");
    }));
    Ok(Log { entries: sender })
}

/// Logs to standard output, line by line.
///
/// # Errors
/// When there is a log already.
pub fn to_stdout() -> io::Result<()> {
    WriteLogger::init(LevelFilter::Info, config(), io::stdout()).map_err(io::Error::other)
}

/// Makes simplelog print `12:07:54 [INFO] text`, in local time.
fn config() -> Config {
    let mut config = ConfigBuilder::new();
    config
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off);
    // Where the offset can't be found out, the time is UTC.
    let _ = config.set_time_offset_to_local().is_ok();
    config.build()
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            if self.entries.try_send(Entry::Line(line)).is_err() {
                self.n_lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (written, all_written) = bounded(0);
        if self
            .entries
            .send_timeout(Entry::Flush(written), FLUSH)
            .is_ok()
        {
            let _ = all_written.recv_timeout(FLUSH);
        }
    }
}

fn write(entries: &Receiver<Entry>, n_lost: &AtomicU64, mut output: impl Write) {
    for entry in entries {
        match entry {
            // What can't be written is lost: there is no other place to say so.
            Entry::Line(line) => drop(output.write_all(&line)),
            Entry::Flush(written) => drop(written),
        }
        if entries.len() <= QUEUE / 2 {
            let n_lost = n_lost.swap(0, Ordering::Relaxed);
            if n_lost > 0 {
                log::warn!("{n_lost} log lines were lost, because nobody read them in time");
            }
        }
    }
}
