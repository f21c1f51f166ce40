//! Makes a server's status socket, so that only its user can open it. Who may look in is a matter of
//! the file system's rights. Where it lies by default is left to `place`, how it is asked to `request`.

pub mod place;
pub mod request;

use place::{file_name, is_stale, private_folder};
use rustix::fs::Mode;
use rustix::process::umask;
use socket2::{SockAddr, SockRef};
use std::fs::{self, Metadata};
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

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
            Ok(_) if is_stale(&path) => fs::remove_file(&path).map_err(cannot)?,
            Ok(_) => return Err(format!("Another server has the status socket {shown}.")),
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

/// Binds a socket that only this user can connect to, from its first moment on.
fn bind(path: &Path) -> io::Result<StatusSocket> {
    let earlier = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(path);
    umask(earlier);
    Ok(StatusSocket {
        listener: bound?,
        path: path.to_owned(),
        file: identity(&fs::symlink_metadata(path)?),
    })
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;
    use std::process;

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
        // One that speaks in another way is alive too.
        let datagrams = folder.join("b");
        let _other = UnixDatagram::bind(&datagrams).unwrap();
        assert!(make(&datagrams).unwrap_err().contains("Another server"));
        fs::remove_file(datagrams).unwrap();
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
    fn a_socket_that_is_woken_accepts_no_longer() {
        let folder = folder("woken");
        let socket = make(&folder.join("a")).unwrap();
        socket.wake();
        assert!(socket.accept().is_err());
        drop(socket);
        fs::remove_dir(folder).unwrap();
    }
}
