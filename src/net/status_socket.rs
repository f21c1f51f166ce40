//! Finds the place of a server's status socket, makes it there, and connects to it. What is said on
//! it is left to the server and to its callers.
//!
//! By default it lies in a folder that nobody else can enter, so who may look in is a matter of the
//! file system's rights.

use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

/// Where a systemd unit of the usual name has its private folder.
const OF_THE_UNIT: &str = "/run/trio-chat";

/// Maximum time for an answer: others may be answered first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum length of an answer, in bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// Where a server's status socket is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this user's private folder, under the server's port.
    Private,
    /// At this path.
    At(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// A status socket that listens. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct StatusSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The file's device and number there, by which it is known.
    file: (u64, u64),
}

impl StatusSocket {
    /// Makes the socket of the server at `port`, unless it is to be nowhere.
    ///
    /// # Errors
    /// One sentence that says why there is none.
    pub fn make(place: &Place, port: u16) -> Result<Option<Self>, String> {
        let path = match place {
            Place::Nowhere => return Ok(None),
            Place::At(path) => path.clone(),
            Place::Private => private_folder()?.join(file_name(port)),
        };
        let shown = path.display();
        let cannot = |error: io::Error| format!("Cannot make the status socket {shown}: {error}.");
        // The system allows 107 bytes.
        SockAddr::unix(&path).map_err(cannot)?;
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(error)),
            Ok(file) if !file.file_type().is_socket() => {
                return Err(format!("{shown} is no socket, so it is left alone."));
            }
            Ok(_) if is_answered(&path) => {
                return Err(format!("Another server has the status socket {shown}."));
            }
            Ok(_) => {}
        }
        bind(&path).map(Some).map_err(cannot)
    }

    /// Blocks until somebody connects.
    ///
    /// # Errors
    /// Those of the system. After [`wake`](Self::wake) it may always fail.
    pub fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().map(|(stream, _)| stream)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wakes a thread that waits in [`accept`](Self::accept).
    pub fn wake(&self) {
        // Not every system can shut a listener down. There, a connection to itself wakes it.
        if SockRef::from(&self.listener)
            .shutdown(Shutdown::Both)
            .is_err()
        {
            let _ = UnixStream::connect(&self.path);
        }
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        // Another server may have put its own there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

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

/// Returns the status socket of the server at `port`.
///
/// # Errors
/// One sentence, if there is none.
pub fn find(port: u16) -> Result<PathBuf, String> {
    let mut candidates = candidates(port).into_iter();
    let found = candidates.find(|path| is_private(path) && is_answered(path));
    found.ok_or_else(|| match &others()[..] {
        [] => format!(
            "There is no status socket for port {port}; does a server of this user run on this host?"
        ),
        others => format!(
            "There is no status socket for port {port}, but for {}; a server has one, for the first of \
             its ports.",
            others.join(", ")
        ),
    })
}

/// Returns the ports of all servers that can be found.
fn others() -> Vec<String> {
    let folders = folders().into_iter();
    let files = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let paths = files.flatten().flatten().map(|file| file.path());
    let answered = paths.filter(|path| is_private(path) && is_answered(path));
    let port = |path: PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let mut ports: Vec<u16> = answered.filter_map(port).collect();
    ports.sort_unstable();
    ports.iter().map(u16::to_string).collect()
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
        Ok(answer)
    };
    answer().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("Only the server's user may use {}.", path.display())
        }
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("No server is at {} any more.", path.display())
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!(
            "The server at {} takes too long to answer; try again.",
            path.display()
        ),
        _ => format!("The server does not answer at {}: {error}.", path.display()),
    })
}

/// Whether nobody else can have put `path` where it is. Anybody may make a folder in `/tmp`.
fn is_private(path: &Path) -> bool {
    let folder = in_tmp();
    if !path.starts_with(&folder) {
        return true;
    }
    fs::symlink_metadata(&folder).is_ok_and(|metadata| is_ours(&metadata))
}

/// Whether a folder is this user's, and nobody else may write there.
fn is_ours(folder: &Metadata) -> bool {
    let is_owned = folder.is_dir() && folder.uid() == geteuid().as_raw();
    is_owned && folder.mode() & 0o022 == 0
}

/// Returns the places in which the socket of a server at `port` may be, the likeliest first.
pub fn candidates(port: u16) -> Vec<PathBuf> {
    let name = file_name(port);
    folders().iter().map(|folder| folder.join(&name)).collect()
}

fn folders() -> Vec<PathBuf> {
    let of_environment = of_environment().into_iter();
    of_environment
        .chain([in_tmp(), PathBuf::from(OF_THE_UNIT)])
        .collect()
}

/// Binds a socket that only this user can connect to. It appears at `path` at once with the right
/// rights, and replaces one that nobody answers.
fn bind(path: &Path) -> io::Result<StatusSocket> {
    let temporary = path.with_file_name(format!(".{}", process::id()));
    let _ = fs::remove_file(&temporary);
    let earlier = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(&temporary);
    umask(earlier);
    let listener = bound?;
    let file = fs::symlink_metadata(&temporary)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(StatusSocket {
        listener,
        path: path.to_owned(),
        file: identity(&file),
    })
}

/// Whether a server is at the other end of the socket at `path`. Never blocks.
fn is_answered(path: &Path) -> bool {
    let connected = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    // When many wait to be accepted, the system asks to try again.
    connected().map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Returns the folder for this user's sockets, which nobody else can enter. Makes it if necessary.
fn private_folder() -> Result<PathBuf, String> {
    let folder = of_environment().unwrap_or_else(in_tmp);
    let shown = folder.display();
    let cannot = |error: io::Error| format!("Cannot use {shown} for the status socket: {error}.");
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(error)),
        _ => {}
    }
    // A link could lead into a folder of somebody else's choice.
    let found = fs::symlink_metadata(&folder).map_err(cannot)?;
    if is_ours(&found) {
        Ok(folder)
    } else {
        Err(format!(
            "{shown} is not a folder of this user alone, so there is no status socket."
        ))
    }
}

/// Returns the folder that the environment has for this user's sockets.
fn of_environment() -> Option<PathBuf> {
    let folder = |name| {
        let value = env::var(name).ok()?;
        // systemd separates several by colons.
        let first = value.split(':').next().filter(|it| it.starts_with('/'));
        first.map(PathBuf::from)
    };
    // After `su`, it can be that of another user, who would be locked out of what is made there.
    let is_own = |folder: &PathBuf| fs::metadata(folder).is_ok_and(|it| is_ours(&it));
    folder("RUNTIME_DIRECTORY")
        .or_else(|| Some(folder("XDG_RUNTIME_DIR").filter(is_own)?.join("trio-chat")))
}

fn in_tmp() -> PathBuf {
    PathBuf::from(format!("/tmp/trio-chat-{}", geteuid().as_raw()))
}

fn file_name(port: u16) -> String {
    format!("{port}.sock")
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    fn folder(name: &str) -> PathBuf {
        let folder = format!("trio-status-{name}-{}", process::id());
        let folder = env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn make(path: &Path) -> Result<StatusSocket, String> {
        StatusSocket::make(&Place::At(path.to_owned()), 1).map(Option::unwrap)
    }

    #[test]
    fn it_is_for_its_user_alone_and_gone_at_the_end() {
        let folder = folder("alone");
        let path = folder.join("a");
        let socket = make(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        drop(socket);
        // It fails if something is left there.
        fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn a_stale_one_is_replaced_and_a_live_one_is_not() {
        let folder = folder("stale");
        let path = folder.join("a");
        drop(UnixListener::bind(&path).unwrap());
        let socket = make(&path).unwrap();
        let refusal = make(&path).unwrap_err();
        assert!(refusal.contains("Another server"), "{refusal}");
        // Somebody puts another one there.
        fs::remove_file(&path).unwrap();
        let other = make(&path).unwrap();
        drop(socket);
        assert!(UnixStream::connect(&path).is_ok());
        drop(other);
        fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_had_is_said_in_one_sentence() {
        let folder = folder("sentence");
        let file = folder.join("file");
        fs::write(&file, "mine").unwrap();
        for (path, part) in [
            (file.clone(), "is no socket"),
            (folder.join("none/a"), "Cannot make"),
            (folder.join("x".repeat(108)), "Cannot make"),
        ] {
            let refusal = make(&path).unwrap_err();
            assert!(refusal.contains(part), "{refusal}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        fs::remove_dir_all(folder).unwrap();
        assert!(StatusSocket::make(&Place::Nowhere, 1).unwrap().is_none());
    }

    #[test]
    fn only_a_folder_in_which_nobody_else_can_write_is_private() {
        let place = folder("private");
        let check = |mode| {
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
            is_ours(&fs::symlink_metadata(&place).unwrap())
        };
        assert_eq!(
            [0o700, 0o755, 0o770, 0o702, 0o1777].map(check),
            [true, true, false, false, false]
        );
        // A link is not the folder that it leads to.
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
        let link = place.with_extension("link");
        std::os::unix::fs::symlink(&place, &link).unwrap();
        assert!(!is_ours(&fs::symlink_metadata(&link).unwrap()));
        fs::remove_file(link).unwrap();
        fs::remove_dir(place).unwrap();
    }

    #[test]
    fn who_answers_a_byte_at_a_time_is_not_heard_for_ever() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut hurried = Hurried::new(ours, Duration::from_millis(200));
        let drip = thread::spawn(move || while (&theirs).write_all(b"x").is_ok() {});
        let start = Instant::now();
        assert!(hurried.read_to_end(&mut Vec::new()).is_err());
        assert!(start.elapsed() >= Duration::from_millis(200));
        drop(hurried);
        drip.join().unwrap();
    }

    #[test]
    fn a_socket_that_is_woken_accepts_no_longer() {
        let folder = folder("woken");
        let socket = make(&folder.join("a")).unwrap();
        socket.wake();
        assert!(socket.accept().is_err());
        drop(socket);
        fs::remove_dir(folder).unwrap();
    }
}
