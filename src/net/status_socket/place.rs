//! Finds the place of a server's status socket: by default a folder that nobody else can enter.

use super::request::ask;
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};
use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where a systemd unit of the usual name has its private folder.
const OF_THE_UNIT: &str = "/run/trio-chat";

/// Returns the status socket of the server that listens on one of these `addresses`, which have the
/// same port.
///
/// # Errors
/// One sentence, if there is none.
pub fn find(addresses: &[SocketAddr]) -> Result<PathBuf, String> {
    let port = addresses.first().map_or(0, SocketAddr::port);
    let path = find_port(port)?;
    let room = ask(&path, "room")?;
    let listens = room.lines().find_map(|line| line.strip_prefix("listens\t"));
    let listens = listens.unwrap_or_default().split(' ');
    let listens: Vec<SocketAddr> = listens.filter_map(|it| it.parse().ok()).collect();
    let is_same = |one: &SocketAddr, other: &SocketAddr| {
        let [one_ip, other_ip] = [one, other].map(|it| it.ip().to_canonical());
        let is_any = one_ip.is_unspecified() || other_ip.is_unspecified();
        one.port() == other.port() && (is_any || one_ip == other_ip)
    };
    let is_meant = |it: &SocketAddr| addresses.iter().any(|address| is_same(it, address));
    if listens.iter().any(is_meant) {
        return Ok(path);
    }
    let listens: Vec<_> = listens.iter().map(ToString::to_string).collect();
    Err(format!(
        "The server of the status socket for port {port} is another one; it listens on {}.",
        listens.join(", ")
    ))
}

fn find_port(port: u16) -> Result<PathBuf, String> {
    let mut candidates = candidates(port).into_iter();
    let found = candidates.find(|path| is_private(path) && is_answered(path));
    let is_denied = |path: &PathBuf| {
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    found.ok_or_else(|| match &others()[..] {
        [] if self::candidates(port).iter().any(is_denied) => format!(
            "There is no status socket of this user for port {port}; for a server of another one, try \
             sudo."
        ),
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
    ports.dedup();
    ports.iter().map(u16::to_string).collect()
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
    // Not every shell of a user has its environment.
    let of_login = format!("/run/user/{}/trio-chat", geteuid().as_raw());
    let others = [PathBuf::from(of_login), in_tmp(), OF_THE_UNIT.into()];
    let mut folders: Vec<_> = of_environment.chain(others).collect();
    folders.dedup();
    folders
}

/// Whether a server is at the other end of the socket at `path`. Never blocks.
pub(super) fn is_answered(path: &Path) -> bool {
    let connected = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    // When many wait to be accepted, the system asks to try again.
    connected().map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Returns the folder for this user's sockets, which nobody else can enter. Makes it if necessary.
pub(super) fn private_folder() -> Result<PathBuf, String> {
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

pub(super) fn file_name(port: u16) -> String {
    format!("{port}.sock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process;

    #[test]
    fn only_a_folder_in_which_nobody_else_can_write_is_private() {
        let place = env::temp_dir().join(format!("trio-place-{}", process::id()));
        fs::create_dir_all(&place).unwrap();
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
        symlink(&place, &link).unwrap();
        assert!(!is_ours(&fs::symlink_metadata(&link).unwrap()));
        fs::remove_file(link).unwrap();
        fs::remove_dir(place).unwrap();
    }
}
