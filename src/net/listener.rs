//! Turns the addresses that people write into sockets that accept connections. Admitting clients is
//! left to the server.

use super::connection::{Connection, Peer};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Maximum number of connections that wait to be accepted. With the usual 128, a burst of joins
/// overflows, and waits a whole second until TCP tries again.
const BACKLOG: i32 = 4096;

/// Kernel receive buffer of a connection, in bytes. It is small, so that a flood is felt at once,
/// and little is left to say for a client that has gone.
pub const RECEIVE_BUFFER: usize = 32 * 1024;

/// Maximum time for waking a listener by a connection to itself.
const WAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
}

/// Listens once on every address that `names` (HOST:PORT each) resolve to. If a name has several,
/// one that works is enough: `localhost` often has two, and IPv6 is often off.
///
/// # Errors
/// One sentence about the first name that can't be resolved or listened on.
pub fn listen(names: &[String]) -> Result<Vec<Listener>, String> {
    let mut addresses = Vec::new();
    for name in names {
        let found = name.to_socket_addrs();
        let found = found.map_err(|error| format!("Cannot find {name}: {error}."))?;
        addresses.push(found.collect::<Vec<_>>());
    }
    let all = addresses.concat();
    let mut listeners: Vec<Listener> = Vec::new();
    for of_name in addresses {
        let mut failures = Vec::new();
        let mut is_heard = false;
        for address in of_name {
            // Port 0 never matches, since it gets a new port each time.
            if listeners.iter().any(|it| it.address == address) {
                is_heard = true;
                continue;
            }
            match Listener::bind(address, &all) {
                Ok(listener) => {
                    is_heard = true;
                    listeners.push(listener);
                }
                Err(error) => failures.push(cannot_listen(address, &error)),
            }
        }
        if !is_heard {
            return Err(failures.into_iter().next().unwrap_or_default());
        }
        for failure in failures {
            log::warn!("{failure}");
        }
    }
    Ok(listeners)
}

impl Listener {
    /// Listens on `address`. A wildcard IPv6 address takes IPv4 clients too, unless `all` contains
    /// an IPv4 address with the same port.
    fn bind(address: SocketAddr, all: &[SocketAddr]) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            let taken = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
            socket.set_only_v6(all.iter().any(taken))?;
        }
        socket.set_reuse_address(true)?;
        // Set here, because accepted sockets inherit it before their first packet.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self { socket, address })
    }

    /// Returns the address that it listens on, with the port that the system picked if it was 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Blocks until the next connection, and returns it.
    ///
    /// # Errors
    /// Those of the system. They concern this connection alone, or mean that something has run out.
    pub fn accept(&self) -> io::Result<(Connection, Peer)> {
        let (socket, address) = self.socket.accept()?;
        let peer = Peer::new(&address, socket.local_addr().ok().as_ref());
        Ok((Connection::new(socket), peer))
    }

    /// Wakes a thread that waits in [`accept`](Self::accept).
    pub fn wake(&self) {
        // A shutdown needs no descriptor, but not every system can shut a listener down. There, a
        // connection to itself wakes it.
        if self.socket.shutdown(Shutdown::Both).is_err() {
            let _ = TcpStream::connect_timeout(&self.address, WAKE_TIMEOUT);
        }
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "is another server running there? Try another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; try 1234",
        io::ErrorKind::AddrNotAvailable => "that address is not one of this host's",
        _ => "try another address",
    };
    format!("Cannot listen on {address} ({error}): {hint}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_given_twice_is_listened_on_once() {
        let first = listen(&["127.0.0.1:0".to_owned()]).unwrap();
        let address = first[0].address().to_string();
        drop(first);
        assert_eq!(listen(&[address.clone(), address]).unwrap().len(), 1);
    }

    #[test]
    fn a_name_needs_only_one_of_its_addresses() {
        // Often resolves to IPv6 and IPv4, and this host may have only one of them.
        let listeners = listen(&["localhost:0".to_owned()]).unwrap();
        assert!(listeners.iter().all(|it| it.address().ip().is_loopback()));
    }

    #[test]
    fn a_listener_that_is_woken_accepts_no_longer() {
        let listeners = listen(&["127.0.0.1:0".to_owned()]).unwrap();
        listeners[0].wake();
        assert!(listeners[0].accept().is_err());
    }
}
