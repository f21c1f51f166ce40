//! How the server stops, how it starts again after a crash, and how its threads are named.

use crate::support::{Client, TestServer, trio_chat};
use rustix::process::Signal;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

#[test]
fn r1_a_signal_stops_the_server_in_order_even_with_stuck_clients() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = TestServer::with(&["--rate", "20"]);
        let join = |kind: &str, number: usize| Client::join(&server, &format!("{kind} {number}"));
        let readers: Vec<_> = (0..80).map(|number| join("Reader", number)).collect();
        let stuck: Vec<_> = (0..10).map(|number| join("Stuck", number)).collect();
        let spammers: Vec<_> = (0..10).map(|number| join("Spammer", number)).collect();
        let (took, heard) = thread::scope(|scope| {
            for spammer in &spammers {
                let mut stream = spammer.stream.try_clone().unwrap();
                scope.spawn(move || {
                    let lines = (0..).map(|number| format!("{number} {}\n", "x".repeat(2500)));
                    lines
                        .map_while(|line| stream.write_all(line.as_bytes()).ok())
                        .count()
                });
            }
            // The spammers read too, since they must hear the goodbye as well.
            let heard: Vec<_> = readers
                .into_iter()
                .chain(spammers)
                .map(|mut client| scope.spawn(move || client.hear_all()))
                .collect();
            server.log.wait_for("queue is full!");
            let start = Instant::now();
            server.process.signal(signal);
            assert_eq!(server.process.wait().code(), Some(0));
            let took = start.elapsed();
            let heard: Vec<_> = heard
                .into_iter()
                .map(|heard| heard.join().unwrap())
                .collect();
            (took, heard)
        });
        assert!(took < Duration::from_secs(3), "the stop took {took:?}");
        let tail = heard[79][heard[79].len() - 50..].to_vec();
        assert_eq!(tail.last().unwrap().parse(), Ok(Notice::Goodbye));
        for (number, heard) in heard.iter().enumerate() {
            assert!(
                heard.ends_with(&tail),
                "client {number} did not hear the last lines"
            );
        }
        drop(stuck);
    }
}

#[test]
fn r1_what_was_said_before_the_signal_is_heard_before_the_goodbye() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut readers: Vec<_> = (0..10)
        .map(|n| Client::join(&server, &format!("Reader {n}")))
        .collect();
    let mut sender = Client::join(&server, "Sender");
    let n_lines = 5000;
    sender.send(
        (0..n_lines)
            .map(|number| format!("{number}\n"))
            .collect::<String>(),
    );
    // Half of the lines are out, and the others in flight.
    sender.hear_until(&format!("Sender> {}", n_lines / 2));
    assert!(server.stop().success());
    let numbers = |heard: &[String]| -> Vec<usize> {
        let said = heard
            .iter()
            .filter_map(|line| line.strip_prefix("Sender> "));
        said.filter_map(|text| text.parse().ok()).collect()
    };
    sender.hear_all();
    let said = numbers(&sender.heard);
    assert!(said.len() > n_lines / 2 && said == (0..said.len()).collect::<Vec<_>>());
    for reader in &mut readers {
        reader.hear_all();
        assert_eq!(reader.heard.last().unwrap().parse(), Ok(Notice::Goodbye));
        assert_eq!(numbers(&reader.heard), said);
    }
}

#[test]
fn r1_a_second_signal_ends_the_server_at_once() {
    let mut server = TestServer::with(&["--rate", "0"]);
    let mut sender = Client::join(&server, "Sender");
    let stuck = Client::join(&server, "Stuck");
    let text = "x".repeat(4000);
    while !server.log.lines().concat().contains("queue is full!") {
        sender.mark(&text);
    }
    // The stuck client would delay an orderly stop by two seconds.
    let start = Instant::now();
    server.process.signal(Signal::INT);
    server.log.wait_for("Stopping");
    server.process.signal(Signal::INT);
    assert_eq!(server.process.wait().code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );
    drop(stuck);
}

#[test]
fn r2_the_server_starts_again_at_once_after_kill_9() {
    let first = TestServer::start();
    let address = first.address.to_string();
    let mut servers = vec![first];
    for _ in 0..20 {
        let server = servers.pop().unwrap();
        let clients: Vec<_> = (0..3)
            .map(|n| Client::join(&server, &format!("Guest {n}")))
            .collect();
        server.kill();
        let again = TestServer::spawn(trio_chat().arg(&address));
        assert_eq!(again.address.to_string(), address);
        Client::join(&again, "First");
        drop(clients);
        servers.push(again);
    }
}

#[test]
fn threads_are_named_for_their_function_and_their_client() {
    let server = TestServer::start();
    let _client = Client::join(&server, "Ada");
    assert_eq!(
        server.process.thread_names(),
        [
            "accept-0",
            "broadcaster",
            "log",
            "reader-0",
            "signals",
            "status",
            "trio-chat",
            "writer-0"
        ]
    );
}
