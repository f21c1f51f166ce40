//! A well-behaved client, which reads and writes whole lines. What it does badly, a test does with
//! its `stream`.

use super::{TestServer, WATCHDOG, until};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;
use trio_chat::protocol::notice::Notice;

/// A connection to the server, with everything that was heard on it.
#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
    pub name: String,
    pub heard: Vec<String>,
}

impl Client {
    /// Connects, and is welcomed.
    pub fn connect(server: &TestServer) -> Self {
        let mut client = Self::silent(server);
        client.expect_notice(&Notice::Welcome);
        client
    }

    /// Connects, and reads nothing yet.
    pub fn silent(server: &TestServer) -> Self {
        Self::at(server.address)
    }

    /// Connects to any address, and reads nothing yet.
    pub fn at(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.set_write_timeout(Some(WATCHDOG)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self {
            stream,
            reader,
            name: String::new(),
            heard: Vec::new(),
        }
    }

    /// Connects again and again until it is welcomed, which is when the server has noticed that
    /// others have left.
    pub fn connect_when_there_is_a_seat(server: &TestServer) -> Self {
        until("a seat", || {
            let mut client = Self::silent(server);
            let welcomed = client.next()?.parse() == Ok(Notice::Welcome);
            welcomed.then_some(client)
        })
    }

    /// Connects and gives a name. The client is in the room when its own line comes back.
    pub fn join(server: &TestServer, name: &str) -> Self {
        let mut client = Self::connect(server);
        client.give_name(name);
        client.mark("here");
        client
    }

    pub fn give_name(&mut self, name: &str) {
        self.send(format!("{name}\n"));
        name.clone_into(&mut self.name);
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn say(&mut self, text: &str) {
        self.send(format!("{text}\n"));
    }

    /// Says `text`, and returns everything heard before it comes back: all earlier lines are
    /// through.
    pub fn mark(&mut self, text: &str) -> Vec<String> {
        self.say(text);
        let line = format!("{}> {text}", self.name);
        self.hear_until(&line)
    }

    /// Returns the next line, or none at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                let line = String::from_utf8(line).expect("what the server sends is UTF-8");
                let line = line.trim_end_matches('\n').to_owned();
                self.heard.push(line.clone());
                Some(line)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!(
                "{error}; the last lines {} heard are {:#?}",
                self.name,
                self.last_heard()
            ),
        }
    }

    /// Fails unless `line` comes next.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        let heard = self.next();
        assert_eq!(
            heard.as_deref(),
            Some(line),
            "the last lines {} heard are {:#?}",
            self.name,
            self.last_heard()
        );
    }

    /// Fails unless `notice` comes next, whatever its words are.
    #[track_caller]
    pub fn expect_notice(&mut self, notice: &Notice) {
        self.expect(&notice.to_string());
    }

    /// Returns enough of what was heard to see what led to a failure.
    fn last_heard(&self) -> &[String] {
        &self.heard[self.heard.len().saturating_sub(8)..]
    }

    /// Returns everything heard before `line`.
    #[track_caller]
    pub fn hear_until(&mut self, line: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.next() {
                Some(heard) if heard == line => return before,
                Some(heard) => before.push(heard),
                None => panic!(
                    "the end came before {line:?}; the last lines heard are {:#?}",
                    self.last_heard()
                ),
            }
        }
    }

    /// Returns everything heard until the end.
    pub fn hear_all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Tells the server that nothing more will come, as `nc -N` does.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset instead of an orderly end.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Returns how many messages the server says that a client missed, if `line` says so.
pub fn n_missed(line: &str) -> Option<u64> {
    match line.parse() {
        Ok(Notice::Missed(n_messages)) => Some(n_messages),
        _ => None,
    }
}
