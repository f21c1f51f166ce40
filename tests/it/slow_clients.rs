//! Slow and stuck clients cost the others nothing, and lose only what they are told about.

use crate::support::{Client, Process, TestServer, n_missed};
use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::thread;

/// Returns a line as long as the spam bot's, with a number to tell it from others.
fn long_line(number: usize) -> String {
    format!("{number} {}", "x".repeat(2490))
}

#[test]
fn s1_one_stuck_reader_delays_nobody() {
    let server = TestServer::with(&["--rate", "50"]);
    let mut witness = Client::join(&server, "Witness");
    let mut stuck = Process::spawn(
        Command::new("nc")
            .args([
                &server.address.ip().to_string(),
                &server.address.port().to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    );
    let mut stdin = stuck.child().stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"Stuck\nhere\n").unwrap();
    witness.expect("Stuck> here");
    stuck.signal(Signal::STOP);

    let n_lines = 200;
    let mut senders: Vec<_> = (0..4)
        .map(|n| Client::join(&server, &format!("Sender {n}")))
        .collect();
    witness.hear_until("Sender 3> here");
    thread::scope(|scope| {
        for sender in &mut senders {
            scope.spawn(move || {
                for number in 0..n_lines {
                    // Each sender waits for its own line, so a delay would stop it.
                    let heard = sender.mark(&long_line(number));
                    assert!(
                        heard.iter().all(|line| n_missed(line).is_none()),
                        "{heard:?}"
                    );
                }
            });
        }
        scope.spawn(|| hear_everything(&mut witness, n_lines));
        server.log.wait_for("queue is full!");
        // Newcomers can still join.
        for number in 0..5 {
            Client::join(&server, &format!("Newcomer {number}"));
        }
    });
}

/// Hears every line of four senders. Fails if any is missing or out of order.
fn hear_everything(witness: &mut Client, n_lines: usize) {
    let mut next = [0; 4];
    while next != [n_lines; 4] {
        let line = witness.next().unwrap();
        let (name, text) = line.split_once("> ").expect("no loss is announced");
        let Some(sender) = name.strip_prefix("Sender ") else {
            continue;
        };
        let next = &mut next[sender.parse::<usize>().unwrap()];
        assert_eq!(text, long_line(*next));
        *next += 1;
    }
}

/// Counts of the numbered lines that a client has heard, and of those it was told it missed.
#[derive(Debug, Default)]
struct Tally {
    n_delivered: u64,
    n_missed: u64,
    n_notices: u64,
    next: usize,
}

impl Tally {
    fn add(&mut self, line: &str) {
        if let Some(n_missed) = n_missed(line) {
            self.n_missed += n_missed;
            self.n_notices += 1;
            self.next += usize::try_from(n_missed).unwrap();
            return;
        }
        let text = line.split_once("> ").unwrap().1;
        assert_eq!(
            text,
            long_line(self.next),
            "every line is whole, in order, and announced where it is missing"
        );
        self.next += 1;
        self.n_delivered += 1;
    }
}

#[test]
fn s2_a_slow_client_is_kept_and_told_of_every_message_it_misses() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut slow = Client::join(&server, "Slow");
    let mut sender = Client::join(&server, "Sender");
    slow.expect("Sender> here");
    let n_lines = 2000;
    let mut tally = Tally::default();
    for number in 0..n_lines {
        sender.mark(&long_line(number));
        // The slow client reads now and then, and much less than is sent.
        if number % 400 == 399 {
            for _ in 0..60 {
                tally.add(&slow.next().unwrap());
            }
        }
    }
    // Nothing more is said, and still it is told of the last messages it missed.
    while tally.n_delivered + tally.n_missed < n_lines as u64 {
        tally.add(&slow.next().unwrap());
    }
    assert_eq!(tally.n_delivered + tally.n_missed, n_lines as u64);
    assert!(tally.n_missed > 0 && tally.n_notices > 1, "{tally:?}");
    sender.mark("marker");
    slow.expect("Sender> marker");
    server
        .log
        .wait_for("Connection #0: queue is full! (dropping ");
}

#[test]
fn s3_memory_is_bounded_however_many_are_stuck() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut sender = Client::join(&server, "Sender");
    let stuck: Vec<_> = (0..50)
        .map(|n| Client::join(&server, &format!("Stuck {n}")))
        .collect();
    sender.hear_until("Stuck 49> here");
    let mut flood = |n_lines| {
        for number in 0..n_lines {
            sender.mark(&long_line(number));
        }
    };
    // This is twice what all their queues and sockets hold.
    flood(2000);
    let full = server.process.memory();
    flood(4000);
    let later = server.process.memory();
    assert!(later <= full + (4 << 20), "from {full} to {later} bytes");
    assert!(later < 64 << 20, "{later} bytes");
    drop(stuck);
}
