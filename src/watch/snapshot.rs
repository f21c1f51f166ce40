//! Holds what was seen at one moment. It trusts what a server says no more than a server trusts its
//! clients: what is missing or makes no sense counts as nothing.

use super::queues::Queues;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Maximum number of clients. No server has so many.
const MAX_CLIENTS: usize = 100_000;

/// What was seen at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// When.
    pub at: Instant,
    /// All clients.
    pub clients: Vec<Client>,
    /// The numbers of the room.
    pub room: Room,
}

/// One client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its number.
    pub id: u64,
    /// Our address and its own, as the server says.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// Its name, not cleaned; `*` if it has none.
    pub name: String,
    /// What its reader does.
    pub doing: String,
    /// Number of messages that it has said.
    pub said: u64,
    /// For how long it was paced, in milliseconds.
    pub paced_ms: u64,
    /// Number of frames in its outbox.
    pub frames: u64,
    /// Bytes in its outbox.
    pub bytes: u64,
    /// Number of messages that it has missed.
    pub missed: u64,
    /// What waits in the kernel.
    pub queues: Path,
}

/// What waits in the kernel's queues of one connection, in bytes, as far as this host shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Path {
    /// Sent by the client, and not yet here.
    pub its_sending: Option<u64>,
    /// Received here, and not yet read.
    pub our_received: Option<u64>,
    /// Sent to the client, and not yet there.
    pub our_sending: Option<u64>,
    /// Received there, and not yet read.
    pub its_received: Option<u64>,
}

/// The numbers of the room.
#[derive(Debug, Default)]
pub struct Room(HashMap<String, String>);

impl Snapshot {
    /// Returns what the status socket said of `clients` and the `room`, without what waits in the
    /// kernel.
    pub fn parse(clients: &str, room: &str, at: Instant) -> Self {
        let pairs = room.lines().filter_map(|line| line.split_once('\t'));
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let mut lines = clients.lines();
        let heading: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        Self {
            at,
            clients: lines
                .take(MAX_CLIENTS)
                .map(|line| client(&heading, line))
                .collect(),
            room: Room(pairs.map(owned).collect()),
        }
    }

    /// Fills in what waits in the kernel.
    pub fn add(&mut self, queues: &Queues) {
        for client in &mut self.clients {
            let Some((here, peer)) = client.ends else {
                continue;
            };
            let (ours, theirs) = (queues.end(here, peer), queues.end(peer, here));
            client.queues = Path {
                its_sending: theirs.map(|end| end.sending),
                our_received: ours.map(|end| end.received),
                our_sending: ours.map(|end| end.sending),
                its_received: theirs.map(|end| end.received),
            };
        }
    }
}

impl Room {
    /// Returns a number, or 0 if there is none.
    pub fn number(&self, key: &str) -> u64 {
        self.text(key).and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    /// Returns a value.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

impl Path {
    /// Returns how many bytes wait on the way in, and on the way out.
    pub fn n_bytes(&self) -> [u64; 2] {
        let sum = |one: Option<u64>, other: Option<u64>| {
            one.unwrap_or(0).saturating_add(other.unwrap_or(0))
        };
        [
            sum(self.its_sending, self.our_received),
            sum(self.our_sending, self.its_received),
        ]
    }
}

fn client(heading: &[&str], line: &str) -> Client {
    let values: HashMap<&str, &str> = heading.iter().copied().zip(line.split('\t')).collect();
    let text = |key| values.get(key).copied().unwrap_or_default();
    let number = |key| text(key).parse().unwrap_or(0);
    let address = |key| text(key).parse::<SocketAddr>().ok();
    Client {
        id: number("id"),
        ends: address("here").zip(address("peer")),
        name: text("name").to_owned(),
        doing: text("doing").to_owned(),
        said: number("said"),
        paced_ms: number("paced_ms"),
        frames: number("frames"),
        bytes: number("bytes"),
        missed: number("missed"),
        queues: Path::default(),
    }
}
