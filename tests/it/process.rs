//! Starting, stopping, and what a signal or a crash leaves behind.

use crate::support::{Client, GOODBYE, TestServer, trio_chat};
use rustix::process::Signal;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn r1_a_signal_ends_it_in_order_though_some_are_stuck() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = TestServer::with(&["--rate", "20"]);
        let readers: Vec<_> = (0..80)
            .map(|n| Client::join(&server, &format!("Reader {n}")))
            .collect();
        let stuck: Vec<_> = (0..10)
            .map(|n| Client::join(&server, &format!("Stuck {n}")))
            .collect();
        let spammers: Vec<_> = (0..10)
            .map(|n| Client::join(&server, &format!("Spammer {n}")))
            .collect();
        let text = format!("{}\n", "x".repeat(2500));
        let n_heard = thread::scope(|scope| {
            for spammer in spammers {
                let (mut from, mut to) = (spammer.stream.try_clone().unwrap(), spammer.stream);
                scope.spawn(move || std::io::copy(&mut from, &mut std::io::sink()));
                let text = &text;
                scope.spawn(
                    move || while std::io::Write::write_all(&mut to, text.as_bytes()).is_ok() {},
                );
            }
            let heard: Vec<_> = readers
                .into_iter()
                .map(|mut reader| {
                    scope.spawn(move || {
                        reader.hear_all();
                        reader.heard
                    })
                })
                .collect();
            server.log.wait_for("queue is full!");
            let start = Instant::now();
            server.process.signal(signal);
            assert_eq!(server.process.wait().code(), Some(0));
            let took = start.elapsed();
            assert!(took < Duration::from_secs(3), "it took {took:?}");
            let heard: Vec<_> = heard
                .into_iter()
                .map(|heard| heard.join().unwrap())
                .collect();
            let common = &heard[79];
            for heard in &heard {
                assert_eq!(heard.last().map(String::as_str), Some(GOODBYE));
                assert!(
                    heard.ends_with(&common[common.len() - 50..]),
                    "all heard the last lines"
                );
            }
            common.len()
        });
        assert!(n_heard > 50);
        drop(stuck);
    }
}

#[test]
fn r1_a_second_signal_ends_it_at_once() {
    let mut server = TestServer::with(&["--rate", "0"]);
    let mut sender = Client::join(&server, "Sender");
    let stuck = Client::join(&server, "Stuck");
    let text = "x".repeat(4000);
    while !server.log.lines().concat().contains("queue is full!") {
        sender.mark(&text);
    }
    // The stuck one would hold it up for two seconds.
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
fn r2_it_starts_again_at_once_after_kill_9() {
    let first = TestServer::start();
    let address = first.address.to_string();
    let mut servers = vec![first];
    for _ in 0..20 {
        let mut server = servers.pop().unwrap();
        let clients: Vec<_> = (0..3)
            .map(|n| Client::join(&server, &format!("Guest {n}")))
            .collect();
        server.process.child().kill().unwrap();
        server.process.wait();
        std::mem::forget(server);
        let again = TestServer::spawn(trio_chat().arg(&address));
        assert_eq!(again.address.to_string(), address);
        Client::join(&again, "First");
        drop(clients);
        servers.push(again);
    }
}

#[test]
fn threads_are_named_for_what_they_do_and_for_whom() {
    let server = TestServer::start();
    let _client = Client::join(&server, "Ada");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.process.pid())).unwrap();
    let mut names: Vec<_> = tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept-0",
            "broadcaster",
            "log",
            "reader-0",
            "signals",
            "trio-chat",
            "writer-0"
        ]
    );
}
