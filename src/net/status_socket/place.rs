//! Finds the place of a server's status socket: by default a folder that nobody else can enter.

use super::request::ask;
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};
use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where a systemd unit of the usual name has its private folder.
const OF_THE_UNIT: &str = "/run/trio-chat";

/// Maximum number of a server's addresses that are shown.
const MAX_SHOWN: usize = 8;

/// Returns the status socket of the server that listens on one of these `addresses`, which have the
/// same port.
///
/// # Errors
/// One sentence, if there is none.
pub fn find(addresses: &[SocketAddr]) -> Result<PathBuf, String> {
    let port = addresses.first().map_or(0, SocketAddr::port);
    let mut others = Vec::new();
    let candidates = candidates(port).into_iter();
    for path in candidates.filter(|path| is_private(path) && is_answered(path)) {
        let listens = listens(&path)?;
        let is_meant = |own: &SocketAddr| addresses.iter().any(|it| is_reached_at(own, it));
        // Servers of earlier versions do not say it.
        if listens.is_empty() || listens.iter().any(is_meant) {
            return Ok(path);
        }
        others.extend(listens.iter().take(MAX_SHOWN).map(ToString::to_string));
    }
    if others.is_empty() {
        return Err(none(port));
    }
    Err(format!(
        "The server of the status socket for port {port} is another one; it listens on {}.",
        others.join(", ")
    ))
}

/// Returns where the server at the other end of a status socket listens.
fn listens(path: &Path) -> Result<Vec<SocketAddr>, String> {
    let room = ask(path, "room")?;
    let listens = room.lines().find_map(|line| line.strip_prefix("listens\t"));
    let addresses = listens.unwrap_or_default().split(' ');
    Ok(addresses.filter_map(|it| it.parse().ok()).collect())
}

/// Whether a server that listens on `own` is meant by `wanted`.
fn is_reached_at(own: &SocketAddr, wanted: &SocketAddr) -> bool {
    let [own_ip, wanted_ip] = [own, wanted].map(|it| it.ip().to_canonical());
    // The one of IPv6 stands for all addresses of both kinds.
    let has = |one: IpAddr, other: IpAddr| {
        one == other || one.is_unspecified() && (one.is_ipv6() || other.is_ipv4())
    };
    own.port() == wanted.port() && (has(own_ip, wanted_ip) || has(wanted_ip, own_ip))
}

/// Says that there is no status socket for `port`.
fn none(port: u16) -> String {
    let is_denied = |path: &PathBuf| {
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let others = others();
    if candidates(port).iter().any(is_denied) {
        format!(
            "There is no status socket of this user for port {port}; for a server of another one, try \
             sudo."
        )
    } else if others.is_empty() {
        format!(
            "There is no status socket for port {port}; does a server of this user run on this host?"
        )
    } else {
        format!(
            "There is no status socket for port {port}, but for {}; a server has one, for the first of \
             its ports.",
            others.join(", ")
        )
    }
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
fn is_answered(path: &Path) -> bool {
    // When many wait to be accepted, the system asks to try again.
    try_to_connect(path).map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Whether whoever listened at the socket at `path` has been killed. Never blocks.
pub(super) fn is_stale(path: &Path) -> bool {
    try_to_connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn try_to_connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
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
    fn a_server_is_reached_where_it_listens() {
        let reached = |own: &str, wanted: &str| {
            is_reached_at(&own.parse().unwrap(), &wanted.parse().unwrap())
        };
        for (own, wanted) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]:1"),
            ("0.0.0.0:1", "192.0.2.7:1"),
            ("[::]:1", "192.0.2.7:1"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.1:1", "0.0.0.0:1"),
        ] {
            assert!(reached(own, wanted), "{own} {wanted}");
        }
        for (own, wanted) in [
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("127.0.0.1:1", "127.0.0.1:2"),
            ("0.0.0.0:1", "[::1]:1"),
            ("[::1]:1", "127.0.0.1:1"),
            ("[::1]:1", "0.0.0.0:1"),
        ] {
            assert!(!reached(own, wanted), "{own} {wanted}");
        }
    }

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
