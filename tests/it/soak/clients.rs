//! Slow, loud and departing clients, at length.

use super::{measure_for, mebibytes, percent, row};
use crate::support::{Client, Output, Process, TestServer, n_missed, trio_chat, until};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

/// Measures for 20 s how long lines from four senders take to reach twenty readers, and returns
/// the 99th percentile.
fn p99(server: &TestServer) -> Duration {
    let start = Instant::now();
    let seconds = Duration::from_secs(20);
    let readers: Vec<_> = (0..20)
        .map(|n| Client::join(server, &format!("Reader {n}")))
        .collect();
    let senders: Vec<_> = (0..4)
        .map(|n| Client::join(server, &format!("Sender {n}")))
        .collect();
    thread::scope(|scope| {
        for mut sender in senders {
            scope.spawn(move || {
                while start.elapsed() < seconds {
                    // Longer than the rate limit asks for, which would otherwise be measured too.
                    measure_for(Duration::from_millis(220));
                    let text = format!("{} {}", start.elapsed().as_micros(), "x".repeat(2480));
                    sender.mark(&text);
                    sender.heard.clear();
                }
                sender.mark("end");
            });
        }
        let latencies: Vec<_> = readers
            .into_iter()
            .map(|mut reader| {
                scope.spawn(move || {
                    let mut latencies = Vec::new();
                    let mut n_ended = 0;
                    while n_ended < 4 {
                        let line = reader.next().unwrap();
                        reader.heard.clear();
                        let text = line.split_once("> ").unwrap().1;
                        n_ended += usize::from(text == "end");
                        if let Ok(sent) = text.split(' ').next().unwrap().parse() {
                            latencies.push(start.elapsed() - Duration::from_micros(sent));
                        }
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies: Vec<_> = latencies
            .into_iter()
            .flat_map(|latencies| latencies.join().unwrap())
            .collect();
        latencies.sort();
        latencies[latencies.len() * 99 / 100]
    })
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s1_one_stuck_reader_delays_nobody() {
    // Such short times are noisy, so each is measured twice, in turn, and the better one counts.
    let calm = p99(&TestServer::start());
    let server = TestServer::start();
    let mut stuck = Process::spawn(
        Command::new("nc")
            .args(["127.0.0.1", &server.address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null()),
    );
    stuck
        .child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"Stuck\n")
        .unwrap();
    server.log.wait_for("name set to \"Stuck\"");
    stuck.signal(Signal::STOP);
    let beside_stuck = p99(&server).min(p99(&server));
    let calm = calm.min(p99(&TestServer::start()));
    server.log.wait_for("Connection #0: queue is full!");
    let ratio = beside_stuck.as_secs_f64() / calm.as_secs_f64();
    let figure = format!("p99 {beside_stuck:.1?} beside it, {calm:.1?} without, ratio {ratio:.2}");
    row(
        "S1",
        "a netcat under SIGSTOP, 4 senders, 20 others, 20 s",
        &figure,
        ratio <= 1.5,
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s2_a_slow_client_is_kept_and_told_of_every_message_it_misses() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut slow = Client::join(&server, "Slow");
    witness.expect("Slow> here");
    let mut spam = Process::spawn(
        trio_chat()
            .args(["spam", &server.address.to_string(), "--count", "300"])
            .stdout(Stdio::null()),
    );
    let start = Instant::now();
    let mut text = Vec::new();
    // It reads 520 bytes a second for as long as the spammer talks.
    while !server
        .log
        .lines()
        .iter()
        .any(|line| line.contains("Connection #2: closed"))
    {
        let mut bytes = [0; 520];
        let n_read = slow.stream.read(&mut bytes).unwrap();
        text.extend_from_slice(&bytes[..n_read]);
        measure_for(Duration::from_secs(1));
    }
    assert!(spam.wait().success());
    let took = start.elapsed();
    let total = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let n_delivered = text[..whole]
            .lines()
            .filter(|line| line.len() == 14 + 2499)
            .count();
        let n_missed: u64 = text[..whole].lines().filter_map(n_missed).sum();
        (n_delivered as u64, n_missed)
    };
    until("the remaining lines", || {
        let mut bytes = [0; 16384];
        let (n_delivered, n_missed) = total(&text);
        if n_delivered + n_missed >= 300 {
            return Some(());
        }
        let n_read = slow.stream.read(&mut bytes).unwrap();
        text.extend_from_slice(&bytes[..n_read]);
        None
    });
    let (n_delivered, n_missed) = total(&text);
    let figure = format!(
        "{n_delivered} delivered + {n_missed} missed = {}",
        n_delivered + n_missed
    );
    let done = format!("520 B/s under a spammer of 300 lines, {} s", took.as_secs());
    row(
        "S2",
        &done,
        &figure,
        n_delivered + n_missed == 300 && n_missed > 0,
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s4_everyone_has_five_messages_a_second() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let spammers: Vec<_> = (0..10)
        .map(|n| {
            let mut spammer = Client::connect(&server);
            spammer.give_name(&format!("Spammer {n}"));
            spammer.send("x\n".repeat(500));
            spammer
        })
        .collect();
    let mut n_heard = [0; 10];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        let line = witness.next().unwrap();
        let spammer = line.strip_prefix("Spammer ").unwrap();
        n_heard[spammer.split('>').next().unwrap().parse::<usize>().unwrap()] += 1;
    }
    let (least, most) = (n_heard.iter().min().unwrap(), n_heard.iter().max().unwrap());
    let figure = format!("{least} to {most} lines each, 150 wanted");
    row(
        "S4",
        "10 spammers for 30 s",
        &figure,
        *least >= 147 && *most <= 153,
    );
    drop(spammers);

    for (what, unit, named) in [
        ("newlines", &b"\n"[..], true),
        ("telnet commands", b"\xff\xf1", true),
        ("telnet commands before a name", b"\xff\xf1", false),
        ("telnet commands between letters", b"a\xff\xf1", true),
    ] {
        let mut flooder = if named {
            Client::join(&server, &format!("Flooder of {}", unit.len()))
        } else {
            Client::connect(&server)
        };
        let flood = unit.repeat(16_384);
        let before = server.process.cpu();
        let start = Instant::now();
        let timeout = Some(Duration::from_secs(1));
        flooder.stream.set_write_timeout(timeout).unwrap();
        while start.elapsed() < Duration::from_secs(10) {
            // This is stuck most of the time, which is the point.
            let _ = flooder.stream.write(&flood);
        }
        let share = percent(server.process.cpu() - before, start.elapsed());
        row(
            "S4",
            &format!("a flood of {what} for 10 s"),
            &format!("{share:.1} % of a core"),
            share < 2.0,
        );
        flooder.reset();
    }
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s7_a_killed_spammer_falls_silent_within_a_second() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let mut spammer = Process::spawn(
            trio_chat()
                .args(["spam", &server.address.to_string()])
                .stdout(Stdio::piped()),
        );
        let output = Output::of(spammer.child().stdout.take().unwrap());
        output.wait_for("Sent #60");
        spammer.child().kill().unwrap();
        let killed = Instant::now();
        let mut last = killed;
        witness
            .stream
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        let mut bytes = [0; 16384];
        while let Ok(n_read) = witness.stream.read(&mut bytes) {
            // Everything read since the kill counts, even what was in flight.
            if n_read > 0 && !bytes[..n_read].starts_with(b"Witness") {
                last = Instant::now();
            }
        }
        longest = longest.max(last - killed);
    }
    let figure = format!("the last line came after {longest:.2?} at most");
    row(
        "S7",
        "5 spam bots killed with SIGKILL",
        &figure,
        longest < Duration::from_secs(1),
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn b4_memory_does_not_grow_with_an_endless_line() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut sender = Client::connect(&server);
    sender.give_name("Sender");
    let mut sink = sender.stream.try_clone().unwrap();
    let text = "x".repeat(1 << 20);
    let (before, after) = thread::scope(|scope| {
        scope.spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
        // The first 32 MiB fill all there is to fill: buffers, frames and one outbox.
        for _ in 0..32 {
            sender.send(&text);
        }
        let before = server.process.memory();
        for _ in 0..1024 {
            sender.send(&text);
        }
        let after = server.process.memory();
        sender.finish();
        (before, after)
    });
    let figure = format!(
        "{} at first, {} at last",
        mebibytes(before),
        mebibytes(after)
    );
    row(
        "B4",
        "1 GiB without a newline",
        &figure,
        after <= before + (1 << 20),
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn r1_a_signal_stops_the_server_within_three_seconds() {
    let mut server = TestServer::start();
    let mut readers: Vec<_> = (0..80)
        .map(|n| Client::join(&server, &format!("Reader {n}")))
        .collect();
    let stuck: Vec<_> = (0..10)
        .map(|n| Client::join(&server, &format!("Stuck {n}")))
        .collect();
    let spammers: Vec<_> = (0..10)
        .map(|_| {
            Process::spawn(
                trio_chat()
                    .args(["spam", &server.address.to_string()])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null()),
            )
        })
        .collect();
    let (took, n_goodbyes) = thread::scope(|scope| {
        let heard: Vec<_> = readers
            .iter_mut()
            .map(|reader| {
                let says_goodbye = |line: &String| line.parse() == Ok(Notice::Goodbye);
                scope.spawn(move || reader.hear_all().last().is_some_and(says_goodbye))
            })
            .collect();
        server.log.wait_for("queue is full!");
        let start = Instant::now();
        server.process.signal(Signal::TERM);
        assert!(server.process.wait().success());
        let took = start.elapsed();
        (
            took,
            heard
                .into_iter()
                .map(|heard| heard.join().unwrap())
                .filter(|it| *it)
                .count(),
        )
    });
    let figure = format!("exit 0 after {took:.2?}, {n_goodbyes} of 80 readers heard goodbye");
    let kept = took < Duration::from_secs(3) && n_goodbyes == 80;
    row(
        "R1",
        "80 readers, 10 stuck, 10 spam bots, SIGTERM",
        &figure,
        kept,
    );
    drop((stuck, spammers));
}
