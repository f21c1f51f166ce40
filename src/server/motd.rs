//! Loads the message of the day, and makes it fit for terminals. Sending it is left to the session.

use crate::protocol::{MAX_LINE, text};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Maximum number of lines.
const MAX_LINES: usize = 32;

/// Returns the lines of the file at `path` as clients get them, newlines included.
///
/// # Errors
/// One sentence, if the file can't be read, or is too long.
pub fn load(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = |file: File| {
        let most = (MAX_LINES * (MAX_LINE + 2)) as u64;
        file.take(most).read_to_end(&mut bytes)
    };
    // To open a pipe would wait for its other end.
    let metadata = fs::metadata(path);
    metadata
        .and_then(|metadata| {
            if metadata.is_file() {
                File::open(path).and_then(read)
            } else {
                Err(io::Error::other("it is not a file"))
            }
        })
        .map_err(|error| format!("Cannot read the message of the day from {shown}: {error}."))?;
    lines(&bytes).ok_or_else(|| {
        format!(
            "The message of the day in {shown} is too long: write at most {MAX_LINES} lines of at \
             most {MAX_LINE} bytes."
        )
    })
}

fn lines(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let is_short =
        text.lines().count() <= MAX_LINES && text.lines().all(|line| line.len() <= MAX_LINE);
    let line = |line| format!("* {}", text::clean(line)).trim_end().to_owned() + "\n";
    is_short.then(|| text.lines().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_marked_as_the_servers_and_cleaned() {
        let text = lines(b"Welcome!\r\n\n\x1b[31mRules\t1\n").unwrap();
        assert_eq!(text, "* Welcome!\n*\n* [31mRules 1\n");
        assert_eq!(lines(b"").unwrap(), "");
    }

    #[test]
    fn a_long_message_is_refused() {
        assert!(lines("x\n".repeat(32).as_bytes()).is_some());
        assert!(lines("x\n".repeat(33).as_bytes()).is_none());
        assert!(lines("x".repeat(MAX_LINE + 1).as_bytes()).is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let message = load(Path::new("/nowhere/motd")).unwrap_err();
        assert!(message.contains("/nowhere/motd: "), "{message}");
        let message = load(Path::new("/dev/zero")).unwrap_err();
        assert!(message.contains("/dev/zero: it is not a file"), "{message}");
    }
}
