//! Reads a server's lines from the socket: whole, bounded and cleaned. What they mean is left to
//! others.

use crate::protocol::MAX_LINE;
use crate::protocol::lines::Lines;
use crate::protocol::text;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum length of a line, in bytes. A message of the longest line has a name in front. The rest
/// of a longer line is discarded.
const MAX_HEARD: usize = 2 * MAX_LINE;

/// Time for a last look at what has come, when there is no time left.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// The server's side of a connection.
pub struct Hearing {
    stream: Arc<TcpStream>,
    lines: Lines,
    /// The pieces so far of a line that is longer than [`MAX_LINE`].
    pieces: String,
    /// When the wait for the next line ends, if it does.
    deadline: Option<Instant>,
}

impl Hearing {
    /// Starts to read from `stream`.
    pub fn new(stream: Arc<TcpStream>) -> Self {
        Self {
            stream,
            lines: Lines::default(),
            pieces: String::new(),
            deadline: None,
        }
    }

    /// Sets until when [`next`](Self::next) may wait, however the bytes trickle. `None` is for ever.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Returns the connection.
    pub fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    /// Returns the bytes that were read and are not a whole line yet.
    pub fn unread(&self) -> &[u8] {
        self.lines.unread()
    }

    /// Blocks until a line has come, and returns it, or `None` at the end. Call this again after an
    /// error that is a timeout: nothing is lost.
    ///
    /// # Errors
    /// Those of the socket, and a timeout after the deadline.
    pub fn next(&mut self) -> io::Result<Option<String>> {
        let mut is_late = false;
        loop {
            while let Some(piece) = self.lines.next_line() {
                if self.pieces.len() < MAX_HEARD {
                    self.pieces.push_str(&piece.text);
                }
                if piece.last {
                    let cleaned = text::clean(&self.pieces).into_owned();
                    self.pieces.clear();
                    return Ok(Some(cleaned));
                }
            }
            if self.lines.is_finished() {
                return Ok(None);
            }
            if is_late {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = self
                .deadline
                .map(|it| it.saturating_duration_since(Instant::now()));
            // What has come in time counts, even if this process was late itself.
            is_late = left.is_some_and(|left| left.is_zero());
            self.stream
                .set_read_timeout(left.map(|left| left.max(LAST_LOOK)))?;
            self.lines.fill(&*self.stream)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    fn heard(bytes: Vec<u8>) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(&bytes).unwrap());
        let mut hearing = Hearing::new(Arc::new(TcpStream::connect(address).unwrap()));
        let lines = std::iter::from_fn(|| hearing.next().unwrap()).collect();
        server.join().unwrap();
        lines
    }

    #[test]
    fn lines_come_whole_and_clean() {
        let long = format!("Ada> {}", "x".repeat(MAX_LINE));
        let bytes = format!("{long}\nAda> \x1b[2Jhi\x07\nlast");
        assert_eq!(
            heard(bytes.into_bytes()),
            [long.as_str(), "Ada> [2Jhi", "last"]
        );
        assert_eq!(heard(b"Ada> \xff\xfe\xc3\n".to_vec()).len(), 1);
    }

    #[test]
    fn what_has_come_in_time_is_heard_late_but_no_trickle_puts_the_deadline_off() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut hearing = Hearing::new(Arc::new(stream));
        hearing.set_deadline(Some(Instant::now()));
        server.write_all(b"in time\n").unwrap();
        assert_eq!(hearing.next().unwrap().as_deref(), Some("in time"));
        server.write_all(b"no end").unwrap();
        let error = hearing.next().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(hearing.unread(), b"no end");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let lines = heard([vec![b'x'; 1 << 20], b"\nnext\n".to_vec()].concat());
        assert!(lines[0].len() < MAX_HEARD + MAX_LINE);
        assert_eq!(lines[1], "next");
    }
}
