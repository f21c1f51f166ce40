//! Everyone has the same share of the room, sees the same order, and is heard to the last line.

use crate::bots::sent;
use crate::support::{Client, Output, Process, TestServer, n_missed, trio_chat};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn s4_everyone_has_five_messages_a_second_and_more_are_delayed_never_refused() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let n_lines = 16;
    let start = Instant::now();
    let senders: Vec<_> = (0..10)
        .map(|n| {
            let mut sender = Client::connect(&server);
            sender.give_name(&format!("Sender {n}"));
            let lines: String = (0..n_lines).map(|number| format!("{number}\n")).collect();
            sender.send(lines);
            sender
        })
        .collect();
    let mut next = [0; 10];
    while next != [n_lines; 10] {
        let line = witness.next().unwrap();
        let (name, number) = line.split_once("> ").unwrap();
        let sender: usize = name.strip_prefix("Sender ").unwrap().parse().unwrap();
        assert_eq!(number, next[sender].to_string());
        // The first line after a pause goes at once, and each later one waits for its slot.
        let earliest = Duration::from_millis(200) * next[sender];
        assert!(
            start.elapsed() >= earliest,
            "{line} came after {:?}",
            start.elapsed()
        );
        next[sender] += 1;
    }
    drop(senders);
}

#[test]
fn s4_an_empty_line_and_a_piece_of_a_long_one_cost_the_same() {
    let server = TestServer::with(&["--rate", "10"]);
    for (name, flood) in [
        ("Empty", "\n".repeat(10)),
        ("Blank", " \t\r\n".repeat(10)),
        ("Long", "x".repeat(40_960)),
    ] {
        let mut client = Client::connect(&server);
        client.give_name(name);
        let start = Instant::now();
        client.send(flood);
        client.send("\n");
        client.mark("last");
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "{name}: {:?}",
            start.elapsed()
        );
        client.finish();
    }
}

/// Each client pastes 100 lines in its own way. They are heard in order, and none is missing.
#[test]
fn s5_a_paste_is_delayed_never_lost_or_reordered() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let port = server.address.port();
    let pastes: Vec<_> = [
        "nc.openbsd -N 127.0.0.1 PORT",
        "nc.traditional -q 60 127.0.0.1 PORT",
        "ncat 127.0.0.1 PORT",
        "ncat --send-only 127.0.0.1 PORT",
        "socat -t 60 - TCP:127.0.0.1:PORT",
    ]
    .iter()
    .enumerate()
    .map(|(number, command)| {
        let command = command.replace("PORT", &port.to_string());
        let script = format!("(echo Paste {number}; seq 1 100) | {command}");
        Process::spawn(
            Command::new("bash")
                .args(["-c", &script])
                .stdout(Stdio::null()),
        )
    })
    .collect();
    let mut next = [1; 5];
    while next != [101; 5] {
        let line = witness.next().unwrap();
        let (name, number) = line.split_once("> ").unwrap();
        let paste: usize = name.strip_prefix("Paste ").unwrap().parse().unwrap();
        assert_eq!(number, next[paste].to_string(), "{name}");
        next[paste] += 1;
    }
    for mut paste in pastes {
        assert!(paste.wait().success());
    }
}

#[test]
fn s6_everyone_sees_one_order() {
    let server = TestServer::with(&["--rate", "0", "--queue", "4096"]);
    let mut readers: Vec<_> = (0..4)
        .map(|n| Client::join(&server, &format!("Reader {n}")))
        .collect();
    let n_senders = 8;
    let n_lines = 300;
    thread::scope(|scope| {
        for number in 0..n_senders {
            let mut sender = Client::join(&server, &format!("Sender {number}"));
            scope.spawn(move || {
                let lines: String = (0..n_lines).map(|number| format!("{number}\n")).collect();
                sender.send(lines);
                sender.mark("done");
            });
        }
    });
    readers[0].say("end");
    let heard: Vec<_> = readers
        .iter_mut()
        .map(|reader| reader.hear_until("Reader 0> end"))
        .collect();
    let said = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter(|line| line.starts_with("Sender "))
            .cloned()
            .collect()
    };
    let first = said(&heard[0]);
    assert_eq!(first.len(), n_senders * (n_lines + 2));
    for other in &heard[1..] {
        assert!(said(other) == first, "two readers saw different orders");
    }
}

#[test]
fn s6_a_client_that_misses_messages_still_sees_the_same_order() {
    let server = TestServer::with(&["--rate", "0", "--queue", "2"]);
    let mut quick = Client::join(&server, "Quick");
    let mut slow = Client::join(&server, "Slow");
    quick.expect("Slow> here");
    for number in 0..500 {
        quick.mark(&format!("{number} {}", "x".repeat(2000)));
    }
    let quick_heard: Vec<_> = quick.heard.split_off(3);
    let mut place = 0;
    while place < quick_heard.len() {
        let line = slow.next().unwrap();
        if let Some(n_missed) = n_missed(&line) {
            place += usize::try_from(n_missed).unwrap();
        } else {
            assert_eq!(line, quick_heard[place]);
            place += 1;
        }
    }
    assert_eq!(place, quick_heard.len());
}

#[test]
fn s7_the_last_line_is_delivered_with_or_without_a_newline() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    for (number, last) in ["b", "b\n", "b\r\n", "b\r"].iter().enumerate() {
        let mut client = Client::connect(&server);
        let name = format!("Leaver {number}");
        client.send(format!("{name}\na\n{last}"));
        client.finish();
        for text in ["a", "b"] {
            witness.expect(&format!("{name}> {text}"));
            client.expect(&format!("{name}> {text}"));
        }
        assert_eq!(client.next(), None, "the end comes after the last line");
    }
}

#[test]
fn s7_lines_sent_before_a_reset_are_heard() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut client = Client::join(&server, "Leaver");
    witness.expect("Leaver> here");
    client.send(
        (0..20)
            .map(|number| format!("{number}\n"))
            .collect::<String>(),
    );
    client.hear_until("Leaver> 0");
    client.reset();
    for number in 0..20 {
        witness.expect(&format!("Leaver> {number}"));
    }
    server.log.wait_for("Connection #1: reset by peer");
}

#[test]
fn s7_a_killed_spammer_falls_silent_within_a_second() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut spammer = Process::spawn(
        trio_chat()
            .args(["spam", &server.address.to_string()])
            .stdout(Stdio::piped()),
    );
    let output = Output::of(spammer.child().stdout.take().unwrap());
    // A line that had to wait shows that every buffer on the way is full.
    output.wait_until("a stall", |lines| {
        lines
            .iter()
            .filter_map(|line| sent(line))
            .any(|(_, seconds)| seconds > 0.15)
    });
    spammer.child().kill().unwrap();
    let n_heard = witness.mark("now").len();
    assert!(n_heard > 0);
    server.log.wait_for("Connection #1: reset by peer");
    let since = witness.mark("silence").len();
    assert!(since <= 6, "{since} lines came after it was killed");
}

#[test]
fn s7_the_last_words_of_a_reset_connection_are_not_heard_for_ever() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut ghost = Client::join(&server, "Ghost");
    witness.expect("Ghost> here");
    // Lines for eight minutes, in fewer bytes than what counts as a flood.
    ghost.send("a\n".repeat(2400));
    ghost.hear_until("Ghost> a");
    ghost.reset();
    let start = Instant::now();
    server.log.wait_for("Connection #1: reset by peer");
    assert!(
        start.elapsed() >= Duration::from_secs(20),
        "it ended too soon for a paste of 100 lines to be heard"
    );
    let n_heard = witness.mark("now").len();
    assert!((100..=160).contains(&n_heard), "{n_heard} lines");
}
