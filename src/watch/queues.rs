//! Reads the kernel's queues of TCP connections. The kernel shows both ends of every connection of
//! this host to everybody, so the server need not help.

#[cfg(target_os = "linux")]
use procfs::{ProcResult, net::TcpNetEntry};
use std::collections::HashMap;
use std::net::SocketAddr;

/// What waits at one end of a connection, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// What this end has sent and the other has not acknowledged.
    pub sending: u64,
    /// What has arrived here and has not been read.
    pub received: u64,
}

/// The ends of all connections, by their own address and the other's.
#[derive(Debug, Default)]
pub struct Queues(HashMap<(SocketAddr, SocketAddr), End>);

impl Queues {
    /// Reads the queues of connections whose ends are `wanted`, and others. Where the kernel does not
    /// show them, there are none.
    #[cfg(target_os = "linux")]
    pub fn read(wanted: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let mut queues = Self::of(rows(procfs::net::tcp()));
        // Each table takes the kernel milliseconds, however little is in it.
        if !wanted.into_iter().all(|ends| queues.0.contains_key(&ends)) {
            queues.0.extend(Self::of(rows(procfs::net::tcp6())).0);
        }
        queues
    }

    /// Returns none: only Linux shows them.
    #[cfg(not(target_os = "linux"))]
    pub fn read(_wanted: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        Self::default()
    }

    /// Returns these queues. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn of(rows: impl IntoIterator<Item = (SocketAddr, SocketAddr, End)>) -> Self {
        let plain =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let rows = rows.into_iter();
        Self(
            rows.map(|(own, other, end)| ((plain(own), plain(other)), end))
                .collect(),
        )
    }

    /// Returns the end at `own` of the connection to `other`, if the kernel shows it.
    pub fn end(&self, own: SocketAddr, other: SocketAddr) -> Option<End> {
        self.0.get(&(own, other)).copied()
    }
}

/// Returns the rows of a table: an end's own address, the other's, and what waits there.
#[cfg(target_os = "linux")]
fn rows(
    table: ProcResult<Vec<TcpNetEntry>>,
) -> impl Iterator<Item = (SocketAddr, SocketAddr, End)> {
    table.into_iter().flatten().map(|row| {
        let end = End {
            sending: row.tx_queue.into(),
            received: row.rx_queue.into(),
        };
        (row.local_address, row.remote_address, end)
    })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn both_ends_of_a_connection_show_what_waits_there() {
        for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let Ok(listener) = TcpListener::bind(format!("{host}:0")) else {
                continue;
            };
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (_server, peer) = listener.accept().unwrap();
            client.write_all(b"hello").unwrap();
            let plain = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
            let (peer, own) = (plain(peer), plain(listener.local_addr().unwrap()));
            loop {
                let queues = Queues::read([(own, peer)]);
                let (ours, theirs) = (queues.end(own, peer), queues.end(peer, own));
                assert!(theirs.is_some());
                if ours.is_some_and(|end| end.received == 5) {
                    break;
                }
            }
        }
    }
}
