//! One room over several servers: what everyone hears, and what happens when Redis is away, full,
//! frozen, without memory or full of what others have written. The names of tests begin with the
//! promise, C1 to C13.

mod answers;
mod foreign;
mod listener;
mod losses;
mod missed;
mod names;
mod order;
mod pause;
mod people;
mod start;
mod stops;

pub use listener::Listener;
pub use pause::flood;

use crate::support::{Client, Redis, TestServer};
use std::collections::HashMap;
use std::ops::Range;
use std::thread;
use trio_chat::protocol::notice::Notice;

/// Starts a server that shares the room "main" on the engine at `url`.
fn server(url: &str) -> TestServer {
    TestServer::with(&["--redis", url, "--rate", "0", "--queue", "4096"])
}

/// Starts `n_servers` that share a room.
pub fn servers<const N_SERVERS: usize>(redis: &Redis) -> [TestServer; N_SERVERS] {
    std::array::from_fn(|_| server(&redis.url()))
}

/// Lets a client of each server join, and waits until each hears what the others say.
pub fn join_each(servers: &[TestServer]) -> Vec<Client> {
    let join = |(number, server)| Client::join(server, &format!("Guest {number}"));
    let mut clients: Vec<_> = servers.iter().enumerate().map(join).collect();
    hear_to("the start", &mut clients);
    clients
}

/// Lets the first client say `last`, and returns what each has heard before that came.
pub fn hear_to(last: &str, clients: &mut [Client]) -> Vec<Heard> {
    clients[0].say(last);
    let last = format!("{}> {last}", clients[0].name);
    thread::scope(|scope| {
        let hear = |client: &mut Client| Heard::from(client.hear_until(&last));
        let listening = clients
            .iter_mut()
            .map(|client| scope.spawn(move || hear(client)));
        let listening: Vec<_> = listening.collect();
        let heard = listening.into_iter().map(|it| it.join().unwrap());
        heard.collect()
    })
}

/// Lets a client say lines with these numbers, and does not wait for them.
fn say_lines(client: &mut Client, numbers: Range<usize>) {
    let lines = numbers.map(|number| format!("line {number}\n"));
    client.send(lines.collect::<String>());
}

/// Returns what the client hears until it has heard all of `wanted`, in whatever order.
fn hear_all_of(client: &mut Client, wanted: &[String]) -> Heard {
    let mut wanted = wanted.to_vec();
    let mut heard = Vec::new();
    while !wanted.is_empty() {
        let line = client.next();
        let line = line.unwrap_or_else(|| panic!("the end came before {wanted:#?}"));
        wanted.retain(|other| *other != line);
        heard.push(line);
    }
    Heard::from(heard)
}

/// What a client has heard.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Heard {
    /// What people have said, in order.
    pub said: Vec<String>,
    pub n_missed: u64,
    /// Every other notice, in order.
    pub notices: Vec<Notice>,
}

impl From<Vec<String>> for Heard {
    fn from(lines: Vec<String>) -> Self {
        let mut heard = Self::default();
        for line in lines {
            heard.push(line);
        }
        heard
    }
}

impl Heard {
    fn push(&mut self, line: String) {
        match line.parse() {
            Ok(Notice::Missed(n_messages)) => self.n_missed += n_messages,
            Ok(notice) => self.notices.push(notice),
            Err(_) => self.said.push(line),
        }
    }

    /// Returns how many messages were heard or missed.
    pub fn n_accounted(&self) -> u64 {
        self.said.len() as u64 + self.n_missed
    }

    /// Fails unless nothing was missed, and the lines of [`say_lines`] were heard in order: from 0
    /// up to `n_lines` from each of `names`.
    #[track_caller]
    fn assert_whole<'a>(&self, names: impl IntoIterator<Item = &'a str>, n_lines: usize) {
        let mut n_said = 0;
        for name in names {
            let start = format!("{name}> line ");
            let numbers = self.said.iter();
            let numbers = numbers.filter_map(|line| line.strip_prefix(&start));
            let expected: Vec<_> = (0..n_lines).map(|number| number.to_string()).collect();
            assert_eq!(numbers.collect::<Vec<_>>(), expected, "by {name}");
            n_said += n_lines;
        }
        assert_eq!((self.said.len(), self.n_missed), (n_said, 0));
    }

    /// Fails unless each one's numbered lines were heard in order, and none twice.
    #[track_caller]
    pub fn assert_in_order(&self) {
        let mut next: HashMap<&str, u64> = HashMap::new();
        for line in &self.said {
            let mut words = line.split("> line ");
            let (Some(name), Some(number)) = (words.next(), words.next()) else {
                continue;
            };
            let number: u64 = number.trim_end().parse().unwrap();
            let next = next.entry(name).or_default();
            assert!(number >= *next, "{line} after {next}");
            *next = number + 1;
        }
    }

    /// Fails if people were told anything but that they are cut off, and each time that they are
    /// back. A busy machine may take longer than they are to wait without a word.
    #[track_caller]
    fn assert_pauses(&self) {
        let mut pairs = self.notices.chunks(2);
        // They may be told that they are back after the last line.
        let is_pause =
            |pair: &[Notice]| matches!(pair, [Notice::CutOff] | [Notice::CutOff, Notice::Back]);
        assert!(pairs.all(is_pause), "{:?}", self.notices);
    }

    /// Fails unless all of it is in `whole` too, in the same order.
    #[track_caller]
    fn assert_part_of(&self, whole: &Self) {
        let mut whole = whole.said.iter();
        for line in &self.said {
            assert!(whole.any(|other| other == line), "{line} is out of order");
        }
    }
}
