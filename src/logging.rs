//! Writes the log, in simplelog's format. The server's lines go through a thread of their own.
//! Standard error may be full, stopped or gone, and a log line must never make anybody wait. So the
//! log is one more slow client. Where systemd's journal reads it, each line has a priority in front
//! and no time, since the journal has its own. The bots write their lines directly, since printing is their work.
//!
//! Each part decides for itself what to log.

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{Level, LevelFilter};
use simplelog::{ConfigBuilder, WriteLogger};
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Maximum number of lines that wait to be written. Further lines are lost, and counted.
const QUEUE: usize = 1024;

/// Maximum time that the end of the program waits to queue a flush, and then again for the last
/// lines to be written.
const FLUSH: Duration = Duration::from_millis(250);

/// Number of lines lost so far, reported or not.
static N_LOST: AtomicU64 = AtomicU64::new(0);

/// Returns how many lines were lost so far, because nobody read them in time.
pub fn n_lost() -> u64 {
    N_LOST.load(Ordering::Relaxed)
}

/// The log thread. Dropping it waits until everything logged is written, but for half a second at
/// most.
#[derive(Debug)]
pub struct Log {
    entries: Sender<Entry>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Dropped by the log thread once everything before it is written.
    Flush(Sender<()>),
}

/// Collects simplelog's output into lines, and queues each.
struct Queue {
    line: Vec<u8>,
    for_journal: bool,
    entries: Sender<Entry>,
    n_lost: Arc<AtomicU64>,
}

/// Logs to standard error through a thread, panics included. Call this while the process has only
/// one thread: with more, the offset of local time can't be read safely.
///
/// # Errors
/// When there is a log already, or a thread cannot be started.
pub fn to_stderr(level: LevelFilter) -> io::Result<Log> {
    let for_journal = is_read_by_journal();
    let mut config = config();
    if for_journal {
        config.set_time_level(LevelFilter::Off);
    }
    let config = config.build();
    let (sender, entries) = bounded(QUEUE);
    let n_lost = Arc::new(AtomicU64::new(0));
    let queue = Queue {
        line: Vec::new(),
        for_journal,
        entries: sender.clone(),
        n_lost: Arc::clone(&n_lost),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(&entries, &n_lost, io::stderr()))?;
    WriteLogger::init(level, config, queue).map_err(io::Error::other)?;
    // The standard hook writes to standard error itself, and may block there forever.
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
    WriteLogger::init(LevelFilter::Info, config().build(), io::stdout()).map_err(io::Error::other)
}

/// Makes simplelog print `12:07:54 [INFO] text`, in local time.
fn config() -> ConfigBuilder {
    let mut config = ConfigBuilder::new();
    config
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off);
    // If the offset is unknown, times are in UTC.
    let _ = config.set_time_offset_to_local().is_ok();
    config
}

/// Whether standard error leads to systemd's journal, which puts its device and inode into
/// `JOURNAL_STREAM`. A variable that was inherited, with standard error elsewhere, means nothing.
pub fn is_read_by_journal() -> bool {
    let Ok(journal) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.is_ok_and(|it| journal == format!("{}:{}", it.dev(), it.ino()))
}

/// Returns the priority of a level, as the journal has it.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Turns `[LEVEL] ` at the beginning of a line into the priority of that level.
fn with_priority(line: &[u8]) -> Vec<u8> {
    let level = Level::iter().find_map(|level| {
        let text = line.strip_prefix(format!("[{level}] ").as_bytes())?;
        Some((level, text))
    });
    match level {
        Some((level, text)) => [format!("<{}>", priority(level)).as_bytes(), text].concat(),
        None => line.to_vec(),
    }
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            let mut line = std::mem::take(&mut self.line);
            if self.for_journal {
                line = with_priority(&line);
            }
            if self.entries.try_send(Entry::Line(line)).is_err() {
                self.n_lost.fetch_add(1, Ordering::Relaxed);
                N_LOST.fetch_add(1, Ordering::Relaxed);
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
            // A line that can't be written is lost, and there is no other place to report that.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_journal_has_the_priority_of_its_level() {
        for (line, expected) in [
            ("[ERROR] queue is full!\n", "<3>queue is full!\n"),
            ("[WARN] a\n", "<4>a\n"),
            ("[INFO] [ERROR] b\n", "<6>[ERROR] b\n"),
            ("[DEBUG] c\n", "<7>c\n"),
            ("c\n", "c\n"),
        ] {
            assert_eq!(with_priority(line.as_bytes()), expected.as_bytes());
        }
    }
}
