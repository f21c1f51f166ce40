//! What a server's status socket says.

use super::{TestServer, WATCHDOG};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use trio_chat::net::status_socket::place::candidates;

/// The numbers of one client, by their heading.
#[derive(Debug)]
pub struct Row(HashMap<String, String>);

impl Row {
    pub fn text(&self, heading: &str) -> &str {
        &self.0[heading]
    }

    pub fn number(&self, heading: &str) -> u64 {
        self.text(heading).parse().unwrap()
    }
}

/// Returns where the server has its status socket by default.
pub fn status_path(server: &TestServer) -> PathBuf {
    let mut candidates = candidates(server.address.port()).into_iter();
    let found = candidates.find(|path| path.exists());
    found.expect("there is no status socket")
}

/// Returns the whole answer to `request`.
pub fn ask(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Returns the numbers of all clients, oldest first.
pub fn clients(server: &TestServer) -> Vec<Row> {
    let answer = ask(&status_path(server), "clients");
    let mut lines = answer.lines().map(|line| line.split('\t'));
    let heading: Vec<_> = lines.next().unwrap().map(str::to_owned).collect();
    let row = |values: std::str::Split<'_, char>| {
        let values: Vec<_> = values.map(str::to_owned).collect();
        assert_eq!(values.len(), heading.len(), "{values:?}");
        Row(heading.iter().cloned().zip(values).collect())
    };
    lines.map(row).collect()
}

/// Returns a number of the room.
pub fn number(server: &TestServer, key: &str) -> u64 {
    let answer = ask(&status_path(server), "room");
    let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
    let found = lines.find(|(found, _)| *found == key);
    found.expect("there is no such number").1.parse().unwrap()
}
