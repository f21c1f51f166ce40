//! Trouble with the log never touches the chat, and the log never becomes a flood.

use crate::support::{
    Client, Output, Process, TestServer, WATCHDOG, has_log_shape, log_text, trio_chat, until,
};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// Returns an address that was free a moment ago. These servers can't log which one they got.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

/// Makes more connections than the log's queue holds lines, and chats on some of them.
fn chats(address: &str) {
    let connect = || until("a listener", || TcpStream::connect(address).ok());
    for number in 0..1500 {
        let stream = connect();
        if number % 100 == 0 {
            stream.set_read_timeout(Some(WATCHDOG)).unwrap();
            (&stream)
                .write_all(format!("Guest {number}\nhello\n").as_bytes())
                .unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let expected = format!("Guest {number}> hello");
            assert!(lines.take(1000).any(|line| line == expected));
        }
    }
}

#[test]
fn r3_the_chat_goes_on_when_standard_error_is_full_closed_stuck_or_gone() {
    let serve = |address: &str| {
        let mut command = trio_chat();
        command.args(["-v", address]);
        command
    };

    let address = free_address();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut server = Process::spawn(serve(&address).stderr(full));
    chats(&address);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().success(), "the server failed on a full disk");

    // This pipe is held open and never read.
    let address = free_address();
    let mut server = Process::spawn(serve(&address).stderr(Stdio::piped()));
    chats(&address);
    server.signal(rustix::process::Signal::TERM);
    assert!(
        server.wait().success(),
        "the server failed with a pipe that nobody reads"
    );

    let address = free_address();
    let mut server = Process::spawn(serve(&address).stderr(Stdio::piped()));
    drop(server.child().stderr.take());
    chats(&address);
    server.signal(rustix::process::Signal::TERM);
    assert!(
        server.wait().success(),
        "the server failed with a pipe whose reader has gone"
    );

    let address = free_address();
    let script = format!("exec {} {address} 2>&-", env!("CARGO_BIN_EXE_trio-chat"));
    let mut server = Process::spawn(Command::new("bash").args(["-c", &script]));
    chats(&address);
    server.signal(rustix::process::Signal::TERM);
    assert!(
        server.wait().success(),
        "the server failed with standard error closed"
    );
}

#[test]
fn r3_log_lines_that_are_lost_are_counted() {
    let address = free_address();
    let mut server = Process::spawn(trio_chat().args(["-v", &address]).stderr(Stdio::piped()));
    // This is more than the pipe and the queue can hold.
    for _ in 0..3 {
        chats(&address);
    }
    let log = Output::of(server.child().stderr.take().unwrap());
    let line = log.wait_for("log lines were lost");
    assert!(line.contains("[WARN] "), "{line}");
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().success());
}

#[test]
fn r3_drops_are_logged_with_counts_and_in_bounded_volume() {
    let server = TestServer::with(&["--rate", "0", "--queue", "1"]);
    let mut sender = Client::join(&server, "Sender");
    let stuck: Vec<_> = (0..60)
        .map(|n| Client::join(&server, &format!("Stuck {n}")))
        .collect();
    sender.hear_until("Stuck 59> here");
    let text = "x".repeat(4000);
    let reported = || -> HashSet<String> {
        let lines = server.log.lines();
        let reports = lines.iter().filter(|line| line.contains("queue is full!"));
        reports
            .map(|line| log_text(line).split(':').next().unwrap().to_owned())
            .collect()
    };
    // Every stuck client has its turn.
    until("a report about each client", || {
        sender.mark(&text);
        (reported().len() >= 60).then_some(())
    });
    drop(stuck);
    let mut per_second: HashMap<String, usize> = HashMap::new();
    for line in server
        .log
        .lines()
        .iter()
        .filter(|line| line.contains("queue is full!"))
    {
        *per_second.entry(line[..8].to_owned()).or_default() += 1;
        let (_, text) = log_text(line).split_once(": ").unwrap();
        let count = text.strip_prefix("queue is full! (dropping ").unwrap();
        let count = count
            .strip_suffix(" messages)")
            .map(|count| count.parse::<u64>().unwrap());
        assert!(count.is_none_or(|count| count > 1) || text.ends_with("(dropping message)"));
    }
    // Two rounds of 20 lines can fall into one second of the clock, at its beginning and its end.
    assert!(
        per_second.values().all(|n_lines| *n_lines <= 40),
        "{per_second:?}"
    );
}

/// Runs a server with standard error in a pipe that `JOURNAL_STREAM` names, as systemd does, or names
/// another. Returns the lines of a stop, or of a start that failed.
fn journal_lines(is_journal: bool, address: &str) -> Vec<String> {
    let (reader, writer) = std::io::pipe().unwrap();
    let pipe = fs::metadata(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
    let inode = pipe.ino() + u64::from(!is_journal);
    let mut command = trio_chat();
    command.args(["--queue", "1", address]).stderr(writer);
    command.env("JOURNAL_STREAM", format!("{}:{inode}", pipe.dev()));
    let mut server = Process::spawn(&mut command);
    // It holds the other end of the pipe, which would never end.
    drop(command);
    let log = Output::of(reader);
    log.wait_until("a line", |lines| !lines.is_empty());
    if server.child().try_wait().unwrap().is_none() {
        server.signal(rustix::process::Signal::TERM);
    }
    server.wait();
    log.wait_for_end()
}

#[test]
fn r3_where_the_journal_reads_each_line_has_a_priority_and_no_time() {
    let lines = journal_lines(true, "127.0.0.1:0");
    assert!(lines[0].starts_with("<6>Trio chat server listening on "));
    assert!(
        lines.iter().all(|line| line.starts_with("<6>")),
        "{lines:?}"
    );
    let lines = journal_lines(true, "0.0.0.0:0");
    assert!(
        lines[1].starts_with("<4>Anyone who can reach "),
        "{lines:?}"
    );
    let lines = journal_lines(false, "127.0.0.1:0");
    assert!(lines.iter().all(|line| has_log_shape(line)), "{lines:?}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let lines = journal_lines(true, &address);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("<3>Cannot listen on "), "{lines:?}");
}
