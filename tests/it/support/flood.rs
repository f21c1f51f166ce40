//! Clients that talk without a pause and read everything, each in two threads of its own. What a
//! flooded room owes them is up to the test.

use super::{Client, TestServer, WATCHDOG, n_missed};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use trio_chat::protocol::notice::Notice;
use trio_chat::room::outbox::MAX_BYTES;

/// Number of bytes to keep of the end of what a client hears: enough for three long lines.
const KEPT: usize = 16 * 1024;

/// Number of bytes that a talker has heard when everything on the way is full.
const BUSY: usize = 4 << 20;

/// Number of bytes that the first talker hears between two signs of progress.
const STEP: usize = 64 * 1024;

/// A flood that goes on until its clients are disconnected.
#[derive(Debug)]
pub struct Flood {
    listeners: Vec<JoinHandle<Vec<u8>>>,
    /// One message per [`STEP`] that the first talker hears.
    steps: Receiver<()>,
}

impl Flood {
    /// Lets `n_talkers` join and talk, in numbered lines of 4 KiB.
    pub fn start(server: &TestServer, n_talkers: usize) -> Self {
        let (step, steps) = channel();
        let mut step = Some(step);
        let join = |number| {
            let mut client = Client::connect(server);
            client.give_name(&format!("Talker {number}"));
            client.stream
        };
        let streams: Vec<_> = (0..n_talkers).map(join).collect();
        let start = |stream: TcpStream| {
            let talker = stream.try_clone().unwrap();
            thread::spawn(move || talk(talker));
            let step = step.take();
            thread::spawn(move || listen(stream, step.as_ref()))
        };
        let listeners = streams.into_iter().map(start).collect();
        Self { listeners, steps }
    }

    /// Waits until so much is said that everything on the way is full.
    pub fn wait_until_busy(&self) {
        self.wait_until_heard(BUSY);
    }

    /// Waits until `n_bytes` more have been heard.
    pub fn wait_until_heard(&self, n_bytes: usize) {
        self.steps.try_iter().for_each(drop);
        for _ in 0..=n_bytes / STEP {
            let step = self.steps.recv_timeout(WATCHDOG);
            step.expect("too little is heard");
        }
    }

    /// Lets clients join that never read, one after the other. What waits for one has been said
    /// before the next joins, so each keeps other messages.
    pub fn strand(&self, server: &TestServer, n_clients: usize) -> Vec<Client> {
        let join = |number| {
            let mut client = Client::connect(server);
            client.give_name(&format!("Stuck {number}"));
            self.wait_until_heard(MAX_BYTES);
            client
        };
        (0..n_clients).map(join).collect()
    }

    /// Waits until everyone is disconnected. Returns who said what last, for each client that heard
    /// the goodbye right after it.
    pub fn last_lines(self) -> Vec<Option<String>> {
        let ends = self.listeners.into_iter().map(|it| it.join().unwrap());
        ends.map(|end| last_line(&end)).collect()
    }
}

fn talk(mut stream: TcpStream) {
    let padding = "x".repeat(4000);
    for number in 0_u64.. {
        let line = format!("{number} {padding}\n");
        if stream.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads until the end, and returns the last bytes.
fn listen(mut stream: TcpStream, step: Option<&Sender<()>>) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    let mut end = Vec::new();
    let mut n_heard = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return end,
            Ok(n_bytes) => {
                let n_steps = (n_heard + n_bytes) / STEP - n_heard / STEP;
                n_heard += n_bytes;
                for step in std::iter::repeat_n(step, n_steps).flatten() {
                    // At the end, nobody waits for it any more.
                    let _ = step.send(());
                }
                end.extend_from_slice(&buffer[..n_bytes]);
                end.drain(..end.len().saturating_sub(KEPT));
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return end,
            Err(error) => panic!("{error} after {n_heard} bytes"),
        }
    }
}

fn last_line(end: &[u8]) -> Option<String> {
    let end = String::from_utf8_lossy(end);
    let mut lines = end.lines().rev();
    let goodbye = lines.next()?;
    let line = lines.next()?;
    if goodbye != Notice::Goodbye.to_string() || n_missed(line).is_some() {
        return None;
    }
    Some(line.trim_end_matches('x').to_owned())
}
