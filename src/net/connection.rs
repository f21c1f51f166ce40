//! Wraps one connection, TCP or Unix: sets it up, reads, writes, and ends it from either side.
//! Reader and writer share it, so it needs only one descriptor.

use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, recv};
use socket2::{SockAddr, Socket, TcpKeepalive};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

/// Initial kernel send buffer of a connection, in bytes. It is small, so that the outbox, not the
/// kernel, decides what a slow client gets.
pub const SEND_BUFFER: usize = 32 * 1024;

/// Idle time before keepalive probes. An idle peer that vanished is detected after this plus three
/// probes. With unsent data, it takes until TCP gives up, about 15 minutes. A shorter limit for
/// that would also end clients that are alive and just do not read.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// Maximum time that a client may still send while we close. Closing a connection with unread bytes
/// resets it, and a reset can overtake our last line.
const LINGER: Duration = Duration::from_millis(250);
/// Maximum number of bytes that a client may send meanwhile. A client that sends more isn't reading
/// our last line, so we stop waiting.
const LINGER_BYTES: usize = 64 * 1024;

/// The system takes a read timeout of less than a microsecond for none.
const MIN_READ_TIMEOUT: Duration = Duration::from_millis(1);

/// A connection to a client. All its methods take `&self`, so it can be shared.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A host.
    Ip {
        /// Its address. IPv4-mapped IPv6 addresses count as IPv4.
        address: IpAddr,
        /// Whether it is in an IPv6 network (a /64) to which this host itself belongs.
        is_neighbour: bool,
    },
    /// A process of this host, through a Unix socket.
    Local,
}

impl Connection {
    /// Wraps a connected socket.
    pub fn new(socket: Socket) -> Self {
        Self { socket }
    }

    /// Sets the options of a client's TCP socket: keepalive, a small send buffer, and
    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// When the socket has failed already.
    pub fn set_up(&self) -> io::Result<()> {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE_PROBE)
            .with_retries(KEEPALIVE_PROBES);
        self.socket.set_tcp_keepalive(&keepalive)?;
        self.set_send_buffer(SEND_BUFFER)?;
        self.socket.set_tcp_nodelay(true)
    }

    /// Returns the addresses of both ends, the peer's first, as far as they have any. IPv4-mapped IPv6
    /// addresses count as IPv4.
    pub fn ends(&self) -> [Option<SocketAddr>; 2] {
        [self.socket.peer_addr(), self.socket.local_addr()].map(|address| {
            let address = address.ok()?.as_socket()?;
            Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
        })
    }

    /// Sets the size of the kernel's send buffer, in bytes.
    ///
    /// # Errors
    /// When the socket has failed already.
    pub fn set_send_buffer(&self, n_bytes: usize) -> io::Result<()> {
        self.socket.set_send_buffer_size(n_bytes)
    }

    /// Limits how long each read may block, to 1 ms at least; `None` means no limit.
    ///
    /// # Errors
    /// When the socket has failed already.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| timeout.max(MIN_READ_TIMEOUT));
        self.socket.set_read_timeout(timeout)
    }

    /// Limits how long each write may block, to 250 ms.
    pub fn limit_writing(&self) {
        // If the client has already gone, there is nothing to limit.
        let _ = self.socket.set_write_timeout(Some(LINGER));
    }

    /// Returns how many bytes have arrived in the socket and have not been read.
    pub fn unread(&self) -> usize {
        let n_bytes = ioctl_fionread(&self.socket).unwrap_or(0);
        usize::try_from(n_bytes).unwrap_or(usize::MAX)
    }

    /// Whether a read would return the end, or an error. Never blocks.
    pub fn has_ended(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(&self.socket, &mut [0; 1], flags) {
            Ok((_, n_bytes)) => n_bytes == 0,
            Err(error) => error != Errno::AGAIN,
        }
    }

    /// Ends a read that waits for the client. Bytes that have arrived can still be read, and then
    /// comes the end.
    pub fn end_reading(&self) {
        // If the client has already gone, there is nothing to end.
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    /// Tells the client that nothing more will come.
    pub fn end_writing(&self) {
        // If the client has already gone, there is nothing to end.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends reads and writes that are stuck, and closes both directions.
    pub fn cut(&self) {
        // If the client has already gone, there is nothing to cut.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends writing, and reads until the client closes its side too, so that our last line is not
    /// lost to a reset. Gives up after 250 ms or 64 KiB.
    pub fn close_gently(&self) {
        let deadline = Instant::now() + LINGER;
        // On the stack, this would enlarge every session.
        let mut discarded = vec![0; 1024];
        let mut n_left = LINGER_BYTES / discarded.len();
        self.end_writing();
        while n_left > 0
            && let left = deadline.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && self.set_read_timeout(Some(left)).is_ok()
            && (&*self)
                .read(&mut discarded)
                .is_ok_and(|n_bytes| n_bytes > 0)
        {
            n_left -= 1;
        }
    }

    /// Ends writing after [`end_reading`](Self::end_reading). The receive window stays closed then,
    /// so a flooder would hang until its own timeout. Dropping the connection resets it, and this
    /// gives it time to read our last line first.
    pub fn close_after_end_of_reading(&self) {
        self.end_writing();
        if self.unread() > 0 {
            thread::sleep(LINGER);
        }
    }

    /// Returns both ends of a connection without a network.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        Ok((Self::new(one), Self::new(other)))
    }
}

impl Read for &Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(buffer)
    }
}

impl Write for &Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.socket).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip { address, .. } => address.fmt(out),
            Self::Local => out.write_str("this host"),
        }
    }
}

impl Peer {
    /// Returns the peer at `address`, seen from our own address `ours`.
    pub fn new(address: &SockAddr, ours: Option<&SockAddr>) -> Self {
        let Some(peer) = address.as_socket_ipv6() else {
            return address.as_socket().map_or(Self::Local, |address| Self::Ip {
                address: address.ip(),
                is_neighbour: false,
            });
        };
        let network = |address: &Ipv6Addr| address.segments()[..4].to_vec();
        let ours = ours.and_then(SockAddr::as_socket_ipv6);
        Self::Ip {
            address: peer.ip().to_canonical(),
            is_neighbour: peer.ip().is_unicast_link_local()
                || ours.is_some_and(|ours| network(ours.ip()) == network(peer.ip())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::{TcpListener, TcpStream};

    fn tcp() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Connection::new(listener.accept().unwrap().0.into()), client)
    }

    #[test]
    fn an_accepted_socket_is_set_up_as_the_design_has_it() {
        let (connection, _client) = tcp();
        connection.set_up().unwrap();
        let socket = SockRef::from(&connection.socket);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_PROBE);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
        // Linux doubles the size that it is asked for.
        assert!(socket.send_buffer_size().unwrap() >= SEND_BUFFER);
    }

    #[test]
    fn unread_bytes_are_counted_with_and_without_a_network() {
        let (ours, theirs) = Connection::pair().unwrap();
        assert_eq!(ours.unread(), 0);
        (&theirs).write_all(b"hello").unwrap();
        assert_eq!(ours.unread(), 5);
        let (ours, mut theirs) = tcp();
        theirs.write_all(b"hello").unwrap();
        (&ours).read_exact(&mut [0]).unwrap();
        assert_eq!(ours.unread(), 4);
        ours.end_reading();
        assert_eq!(ours.unread(), 4, "what has arrived can still be read");
    }

    #[test]
    fn a_read_ends_after_its_timeout_or_when_it_is_ended() {
        let (ours, _theirs) = Connection::pair().unwrap();
        let timeout = Some(Duration::from_millis(1));
        ours.set_read_timeout(timeout).unwrap();
        let error = (&ours).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        ours.set_read_timeout(None).unwrap();
        ours.end_reading();
        assert_eq!((&ours).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn closing_gently_lets_the_last_line_arrive_before_the_end() {
        let (ours, mut theirs) = tcp();
        theirs.write_all(&[b'x'; 5000]).unwrap();
        (&ours).write_all(b"last words").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        ours.close_gently();
        drop(ours);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "last words");
    }

    #[test]
    fn ipv4_is_ipv4_in_any_clothes_and_a_unix_socket_has_no_address() {
        let address = |text: &str| SockAddr::from(text.parse::<SocketAddr>().unwrap());
        let Peer::Ip { address: ip, .. } = Peer::new(&address("[::ffff:192.0.2.1]:7"), None) else {
            panic!("it has an address");
        };
        assert_eq!(ip.to_string(), "192.0.2.1");
        assert_eq!(Peer::new(&SockAddr::unix("/x").unwrap(), None), Peer::Local);
    }

    #[test]
    fn a_peer_in_our_own_network_is_a_neighbour() {
        for (theirs, ours, expected) in [
            ("[2001:db8::1]:7", "[2001:db8::2]:7", true),
            ("[2001:db8:1::1]:7", "[2001:db8::2]:7", false),
            ("[fe80::1]:7", "[fe80::2]:7", true),
            ("192.0.2.1:7", "192.0.2.2:7", false),
        ] {
            let address = |text: &str| SockAddr::from(text.parse::<SocketAddr>().unwrap());
            let peer = Peer::new(&address(theirs), Some(&address(ours)));
            assert!(
                matches!(peer, Peer::Ip { is_neighbour, .. } if is_neighbour == expected),
                "{theirs} from {ours}: {peer:?}"
            );
        }
    }
}
