//! Asks a status socket, and sees to it that neither side is kept waiting. What is said is left to the
//! server and to those who ask.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Maximum time for an answer: others may be answered first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum length of an answer, in bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// A connection on which everything must be said and heard before a deadline.
#[derive(Debug)]
pub struct Hurried {
    stream: UnixStream,
    deadline: Instant,
}

impl Hurried {
    /// Allows so much time from now on.
    pub fn new(stream: UnixStream, time: Duration) -> Self {
        let deadline = Instant::now() + time;
        Self { stream, deadline }
    }

    /// Returns the time that is left, which is not zero.
    fn time_left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Hurried {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.time_left()?)?;
        self.stream.read(bytes)
    }
}

impl Write for Hurried {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.time_left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Sends a request to the status socket at `path`, and returns the answer.
///
/// # Errors
/// One sentence, if nobody answers.
pub fn ask(path: &Path, request: &str) -> Result<String, String> {
    let answer = || {
        let mut stream = Hurried::new(UnixStream::connect(path)?, PATIENCE);
        stream.write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        // The server cuts off one who takes too long to hear it.
        if answer.ends_with('\n') {
            Ok(answer)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    };
    answer().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("Only the server's user may use {}.", path.display())
        }
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("No server answers at {}.", path.display())
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof => {
            format!(
                "The server at {} gave no whole answer in time; try again.",
                path.display()
            )
        }
        _ => format!("The server does not answer at {}: {error}.", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn who_answers_a_byte_at_a_time_is_not_heard_for_ever() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let start = Instant::now();
        let mut hurried = Hurried::new(ours, Duration::from_millis(200));
        let drip = thread::spawn(move || while (&theirs).write_all(b"x").is_ok() {});
        assert!(hurried.read_to_end(&mut Vec::new()).is_err());
        assert!(start.elapsed() >= Duration::from_millis(200));
        drop(hurried);
        drip.join().unwrap();
    }
}
