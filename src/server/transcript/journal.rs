//! A file of whole lines, each with its date and time in front, that only grows. Which lines those
//! are, and what happens when it fails, is left to the transcript.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Maximum number of bytes that are read from the end of the file.
const MAX_TAIL: u64 = 512 * 1024;

/// The shape of a stamp: each 0 stands for a digit.
const STAMP: &str = "0000-00-00T00:00:00Z ";

/// A file that is open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the file at `path`, and removes a line at its end that was not completed.
    ///
    /// # Errors
    /// One sentence, if the file cannot be opened, or seems to be something else.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let cannot = |error| format!("Cannot write the transcript to {shown}: {error}.");
        // It can be read too, so that a pipe does not wait for its other end.
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let journal = Self {
            path: path.to_owned(),
            file: options.open(path).map_err(cannot)?,
        };
        let tail = journal.tail().map_err(cannot)?;
        let mut lines = tail.rsplit(|byte| *byte == b'\n');
        let partial = lines.next().unwrap_or_default();
        let whole = lines.next().unwrap_or(partial);
        if !tail.is_empty() && !is_stamped(whole) {
            return Err(format!(
                "{shown} does not end like a transcript; give another file."
            ));
        }
        if !partial.is_empty() {
            journal.cut(partial.len() as u64).map_err(cannot)?;
        }
        Ok(journal)
    }

    /// Opens the file again, since it has another name or none now.
    ///
    /// # Errors
    /// One sentence, if that is not possible. Then the file stays open that was.
    pub fn reopen(&mut self) -> Result<(), String> {
        let earlier = std::mem::replace(&mut self.file, Self::open(&self.path)?.file);
        // If its disk has failed, the new one may be on another.
        let _ = earlier.sync_data();
        Ok(())
    }

    /// Appends whole `lines`, all of them or none. A file that was deleted is made again.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let now = OffsetDateTime::now_utc().truncate_to_second();
        let stamp = now.format(&Rfc3339).map_err(io::Error::other)?;
        let mut text = String::new();
        for line in lines {
            text.extend([&stamp, " ", line, "\n"]);
        }
        if self.on_disk()?.is_some_and(|file| file.nlink() == 0) {
            self.reopen().map_err(io::Error::other)?;
        }
        let before = self.on_disk()?.map(|file| file.len());
        self.file.write_all(text.as_bytes()).inspect_err(|_| {
            // A disk that is full may have taken a part.
            if let Some(length) = before {
                let _ = self.file.set_len(length);
            }
        })
    }

    /// Forces what was appended to the disk.
    ///
    /// # Errors
    /// When the disk has failed.
    pub fn sync(&self) -> io::Result<()> {
        match self.on_disk()? {
            Some(_) => self.file.sync_data(),
            None => Ok(()),
        }
    }

    /// Returns the lines at the end of the file, without their stamps.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_lines(&self) -> io::Result<Vec<String>> {
        let tail = self.tail()?;
        let tail = String::from_utf8_lossy(&tail);
        let line = |line: &str| {
            let text = line.get(STAMP.len()..)?;
            is_stamped(line.as_bytes()).then(|| text.to_owned())
        };
        Ok(tail.lines().filter_map(line).collect())
    }

    /// Returns the end of the file, from the beginning of a line.
    fn tail(&self) -> io::Result<Vec<u8>> {
        let mut tail = Vec::new();
        let Some(metadata) = self.on_disk()? else {
            return Ok(tail);
        };
        let begin = metadata.len().saturating_sub(MAX_TAIL);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(begin))?;
        file.take(MAX_TAIL).read_to_end(&mut tail)?;
        if begin > 0 {
            let line_end = tail.iter().position(|byte| *byte == b'\n');
            tail.drain(..line_end.map_or(tail.len(), |at| at + 1));
        }
        Ok(tail)
    }

    fn cut(&self, n_bytes: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(n_bytes))
    }

    /// Returns what the disk knows of the file, or `None` if it is a pipe or the like.
    fn on_disk(&self) -> io::Result<Option<Metadata>> {
        let metadata = self.file.metadata()?;
        Ok(metadata.is_file().then_some(metadata))
    }
}

/// Whether `line` begins with a stamp.
fn is_stamped(line: &[u8]) -> bool {
    let is_like = |(byte, stamp): (&u8, u8)| match stamp {
        b'0' => byte.is_ascii_digit(),
        _ => *byte == stamp,
    };
    line.len() >= STAMP.len() && line.iter().zip(STAMP.bytes()).all(is_like)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A path in the system's folder for such files, which is free again when this is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("trio-chat-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn lines_in(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines()
            .map(|line| line[STAMP.len()..].to_owned())
            .collect()
    }

    #[test]
    fn lines_are_stamped_and_can_be_read_back() {
        let scratch = Scratch::new("stamped");
        let mut journal = Journal::open(&scratch.0).unwrap();
        journal.append(["Ada> hi", "* 3 lost"].into_iter()).unwrap();
        journal.sync().unwrap();
        let text = fs::read_to_string(&scratch.0).unwrap();
        assert!(
            text.lines().all(|line| is_stamped(line.as_bytes())),
            "{text}"
        );
        let again = Journal::open(&scratch.0).unwrap();
        assert_eq!(again.last_lines().unwrap(), ["Ada> hi", "* 3 lost"]);
    }

    #[test]
    fn a_line_that_was_not_completed_is_removed() {
        for partial in ["2", "2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z Ada> h"] {
            let scratch = Scratch::new("partial");
            let text = format!("2026-11-25T10:00:00Z Ada> a\n{partial}");
            fs::write(&scratch.0, text).unwrap();
            let mut journal = Journal::open(&scratch.0).unwrap();
            journal.append(["Ada> b"].into_iter()).unwrap();
            assert_eq!(lines_in(&scratch.0), ["Ada> a", "Ada> b"]);
        }
    }

    #[test]
    fn a_file_that_is_something_else_is_left_alone() {
        for text in [
            "a letter\nto a friend",
            "a letter\n",
            "2024",
            "a\n2026-11-25",
            "\n",
        ] {
            let scratch = Scratch::new("other");
            fs::write(&scratch.0, text).unwrap();
            let message = Journal::open(&scratch.0).unwrap_err();
            assert!(
                message.contains("does not end like a transcript"),
                "{message}"
            );
            assert_eq!(fs::read_to_string(&scratch.0).unwrap(), text);
        }
    }

    #[test]
    fn a_line_whose_beginning_is_too_far_away_is_no_line() {
        let scratch = Scratch::new("long");
        let stamp = "2026-11-25T10:00:00Z ";
        let long = format!("{stamp}Eve> {stamp}Bob> I confess").repeat(20_000);
        fs::write(&scratch.0, format!("{long}\n{stamp}Ada> hi\n")).unwrap();
        let journal = Journal::open(&scratch.0).unwrap();
        assert_eq!(journal.last_lines().unwrap(), ["Ada> hi"]);
    }

    #[test]
    fn a_file_that_is_gone_is_made_again() {
        let scratch = Scratch::new("gone");
        let mut journal = Journal::open(&scratch.0).unwrap();
        journal.append(["Ada> a"].into_iter()).unwrap();
        fs::remove_file(&scratch.0).unwrap();
        journal.append(["Ada> b"].into_iter()).unwrap();
        assert_eq!(lines_in(&scratch.0), ["Ada> b"]);
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let mut full = Journal::open(Path::new("/dev/full")).unwrap();
        assert!(full.append(["Ada> a"].into_iter()).is_err());
        full.sync().unwrap();
        assert_eq!(full.last_lines().unwrap(), [""; 0]);
        let message = Journal::open(Path::new("/nowhere/said")).unwrap_err();
        assert!(message.starts_with("Cannot write the transcript to /nowhere/said: "));
    }
}
