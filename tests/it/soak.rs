//! The long forms of the promises: each prints one row for the table of `scripts/soak.sh`, which
//! runs them. They are left out of an ordinary test run.

#![allow(
    clippy::cast_precision_loss,
    clippy::unchecked_time_subtraction,
    reason = "these are measurements, and a clock that runs backwards should be seen"
)]

use crate::support::{
    Client, GOODBYE, Output, Process, TestServer, WATCHDOG, WELCOME, n_missed, trio_chat, until,
};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A row of the table; it fails the test when the promise is not kept.
fn row(promise: &str, done: &str, figure: &str, kept: bool) {
    println!(
        "SOAK|{promise}|{done}|{figure}|{}",
        if kept { "pass" } else { "FAIL" }
    );
    assert!(kept, "{promise}: {figure}");
}

/// What a pause is here: the length of a measurement, never a wait for something.
fn measure_for(duration: Duration) {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(duration);
}

/// Processor time that a process has used.
fn cpu(process: &Process) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64()
}

fn mebibytes(n_bytes: u64) -> String {
    format!("{:.1} MiB", n_bytes as f64 / f64::from(1 << 20))
}

/// The 99th percentile of how long lines of four senders took to twenty others, in 20 s.
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
                    // A slot ahead, so that what is measured is not the pace.
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
    let beside_stuck = p99(&server);
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
fn s2_a_slow_client_is_kept_and_loses_only_what_it_is_told_of() {
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
    // 520 bytes a second, for as long as the spammer talks.
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
    until("the rest", || {
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
fn s3_memory_is_bounded_however_many_are_stuck() {
    let server = TestServer::start();
    let stuck: Vec<_> = (0..500)
        .map(|n| {
            let mut client = Client::connect(&server);
            client.give_name(&format!("Stuck {n}"));
            client
        })
        .collect();
    let stop = AtomicBool::new(false);
    let (full, later) = thread::scope(|scope| {
        for number in 0..5 {
            let mut spammer = Client::connect(&server);
            spammer.give_name(&format!("Spammer {number}"));
            let mut sink = spammer.stream.try_clone().unwrap();
            scope.spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
            let stop = &stop;
            scope.spawn(move || {
                let line = format!("{}\n", "x".repeat(4095));
                while !stop.load(Ordering::Relaxed)
                    && spammer.stream.write_all(line.as_bytes()).is_ok()
                {}
            });
        }
        measure_for(Duration::from_secs(40));
        let full = server.process.memory();
        measure_for(Duration::from_secs(30));
        let later = server.process.memory();
        stop.store(true, Ordering::Relaxed);
        server.process.signal(Signal::TERM);
        (full, later)
    });
    let figure = format!(
        "{} after 40 s, {} after 70 s",
        mebibytes(full),
        mebibytes(later)
    );
    let kept = later <= 200 << 20 && later <= full + (4 << 20);
    row(
        "S3",
        "500 stuck clients, 5 spammers of 4 KiB lines",
        &figure,
        kept,
    );
    drop(stuck);
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

    let mut flooder = Client::join(&server, "Flooder");
    let before = cpu(&server.process);
    let start = Instant::now();
    flooder
        .stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    while start.elapsed() < Duration::from_secs(10) {
        // It is stuck most of the time: that is the point.
        let _ = flooder.stream.write(&[b'\n'; 16384]);
    }
    let share = percent(cpu(&server.process) - before, start.elapsed());
    row(
        "S4",
        "a flood of newlines for 10 s",
        &format!("{share:.1} % of a core"),
        share < 2.0,
    );
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
            // What was on its way at that moment came before the kill.
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
fn l1_silent_connections_cannot_occupy_the_room() {
    let server = TestServer::with(&["--max-clients", "400"]);
    let silent: Vec<_> = (0..300).map(|_| Client::silent(&server)).collect();
    let mut trickling: Vec<_> = (0..300).map(|_| Client::silent(&server)).collect();
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        for client in &mut trickling {
            // Most have been pushed out.
            let _ = client.stream.write(b"x");
        }
        let start = Instant::now();
        Client::join(&server, &format!("Newcomer {round}"));
        longest = longest.max(start.elapsed());
        measure_for(Duration::from_millis(500));
    }
    let figure = format!("a newcomer was in after {longest:.1?} at most");
    let done = "300 silent and 300 trickling connections, 400 seats, 20 newcomers";
    row("L1", done, &figure, longest < Duration::from_secs(1));
    drop(silent);
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn l2_at_the_descriptor_limit_the_chat_goes_on() {
    let server = TestServer::spawn(Command::new("prlimit").args([
        "--nofile=64",
        "--",
        env!("CARGO_BIN_EXE_trio-chat"),
        "127.0.0.1:0",
    ]));
    let mut ada = Client::join(&server, "Ada");
    let n_lines_before = server.log.lines().len();
    let before = cpu(&server.process);
    let start = Instant::now();
    let others: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    while start.elapsed() < Duration::from_secs(5) {
        ada.mark("still here");
    }
    let share = percent(cpu(&server.process) - before, start.elapsed());
    drop(others);
    let released = Instant::now();
    until("a seat", || {
        (Client::silent(&server).next().as_deref() == Some(WELCOME)).then_some(())
    });
    let recovered = released.elapsed();
    let lines = server.log.lines().split_off(n_lines_before);
    let n_trouble = lines.iter().filter(|line| line.contains("[WARN]")).count();
    let figure = format!(
        "{share:.1} % of a core, {n_trouble} lines about it, a join {recovered:.1?} after release"
    );
    let kept = share <= 5.0 && n_trouble <= 12 && recovered < Duration::from_secs(2);
    row("L2", "64 descriptors, 200 connects, 5 s", &figure, kept);
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn l3_the_process_never_aborts() {
    let server = TestServer::start();
    let room = server.log.wait_for("Room for ");
    let mut n_in = 0;
    let mut n_full = 0;
    let mut clients = Vec::new();
    for number in 0..10_000 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream
            .write_all(format!("Guest {number}\n").as_bytes())
            .unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        if first == *b"W" {
            n_in += 1;
        } else {
            n_full += 1;
        }
        clients.push(stream);
    }
    let memory = server.process.memory();
    let n_threads = std::fs::read_dir(format!("/proc/{}/task", server.process.pid()))
        .unwrap()
        .count();
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.process.pid())).unwrap();
    let figure = format!(
        "{n_in} in, {n_full} turned away, {n_threads} threads, {} mappings, {}, {} B per client",
        maps.lines().count(),
        mebibytes(memory),
        memory / n_in
    );
    let seats = room.split("] ").nth(1).unwrap().to_owned();
    row(
        "L3",
        &format!("10,000 connects; {seats}"),
        &figure,
        n_in > 1000 && n_full > 0,
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn l5_connection_storms_leave_nothing_behind() {
    let server = TestServer::start();
    let _ada = Client::join(&server, "Ada");
    let pid = server.process.pid();
    let count = |what| {
        std::fs::read_dir(format!("/proc/{pid}/{what}"))
            .unwrap()
            .count()
    };
    let before = (count("task"), count("fd"));
    let storm = |from: usize, to: usize| {
        for number in from..to {
            let mut client = Client::silent(&server);
            client.send(format!("Guest {number}\n"));
            if number % 2 == 0 {
                client.reset();
            }
        }
        until("those of before", || {
            (count("task").abs_diff(before.0) <= 2 && count("fd").abs_diff(before.1) <= 2)
                .then_some(())
        });
    };
    storm(0, 1000);
    let memory = server.process.memory();
    let start = Instant::now();
    storm(1000, 20_000);
    let rate = 19_000.0 / start.elapsed().as_secs_f64();
    let later = server.process.memory();
    let figure = format!(
        "{} threads and {} descriptors as before ± 2, {} after 1,000, {} after 20,000, {rate:.0}/s",
        before.0,
        before.1,
        mebibytes(memory),
        mebibytes(later)
    );
    row(
        "L5",
        "20,000 connect, name, leave, half by reset",
        &figure,
        later <= memory + (5 << 20),
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn b4_memory_does_not_grow_with_a_line() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut sender = Client::connect(&server);
    sender.give_name("Sender");
    let mut sink = sender.stream.try_clone().unwrap();
    let text = "x".repeat(1 << 20);
    let (before, after) = thread::scope(|scope| {
        scope.spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
        // The first of it fills what is there to be filled: buffers, frames and one outbox.
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
fn r1_a_signal_ends_it_within_three_seconds() {
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
            .map(|reader| scope.spawn(|| reader.hear_all().last().is_some_and(|l| l == GOODBYE)))
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

/// Two hosts of our own, as network namespaces with a cable between them. Needs root.
struct TwoHosts {
    here: String,
    there: String,
}

impl TwoHosts {
    fn new() -> Self {
        let number = std::process::id();
        let hosts = Self {
            here: format!("trio-here-{number}"),
            there: format!("trio-there-{number}"),
        };
        ip(&["netns", "add", &hosts.here]);
        ip(&["netns", "add", &hosts.there]);
        ip(&[
            "-n",
            &hosts.here,
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &hosts.there,
        ]);
        for (host, number) in [(&hosts.here, 1), (&hosts.there, 2)] {
            ip(&[
                "-n",
                host,
                "addr",
                "add",
                &format!("10.77.0.{number}/24"),
                "dev",
                "cable",
            ]);
            ip(&[
                "-n",
                host,
                "addr",
                "add",
                &format!("fd77::{number}/64"),
                "dev",
                "cable",
                "nodad",
            ]);
            ip(&["-n", host, "link", "set", "cable", "up"]);
        }
        hosts
    }

    /// The server on the one host.
    fn server(&self, options: &[&str]) -> TestServer {
        TestServer::spawn(
            Command::new("ip")
                .args([
                    "netns",
                    "exec",
                    &self.here,
                    env!("CARGO_BIN_EXE_trio-chat"),
                    "[::]:0",
                ])
                .args(options),
        )
    }

    /// A netcat on the other, which gives a name if it is let in.
    fn netcat(&self, address: &str, server: &TestServer, name: &str) -> (Process, Output) {
        let port = server.address.port().to_string();
        let mut netcat = Process::spawn(
            Command::new("ip")
                .args(["netns", "exec", &self.there, "nc.openbsd", address, &port])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let _ = writeln!(netcat.child().stdin.as_mut().unwrap(), "{name}\nhello");
        let output = Output::of(netcat.child().stdout.take().unwrap());
        (netcat, output)
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        // The cable goes with them.
        ip(&["netns", "del", &self.here]);
        ip(&["netns", "del", &self.there]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn l4_one_address_holds_at_most_a_quarter() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&["--max-clients", "40"]);
    let mut seated = Vec::new();
    for number in 0..10 {
        let (netcat, output) = hosts.netcat("10.77.0.1", &server, &format!("Guest {number}"));
        output.wait_for("hello");
        seated.push(netcat);
    }
    let (_refused, output) = hosts.netcat("10.77.0.1", &server, "Eleventh");
    let refusal = output.wait_for("* ");
    let (_other, output) = hosts.netcat("fd77::1", &server, "Other address");
    output.wait_for("Other address> hello");
    let kept = refusal == "* Too many come from your address. Try again later.";
    row(
        "L4",
        "10 of 40 seats for one host, then an eleventh, then by IPv6",
        &refusal,
        kept,
    );
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn r6_peers_that_vanish_without_a_word_are_found() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&[]);
    let (_netcat, output) = hosts.netcat("10.77.0.1", &server, "Vanishing");
    output.wait_for("Vanishing> hello");
    ip(&["-n", &hosts.there, "link", "set", "cable", "down"]);
    let start = Instant::now();
    // Longer than any other wait.
    while start.elapsed() < Duration::from_mins(2)
        && !server
            .log
            .lines()
            .iter()
            .any(|line| line.contains("Connection #0: lost"))
    {
        measure_for(Duration::from_millis(100));
    }
    let took = start.elapsed();
    let figure = format!("found after {:.0} s", took.as_secs_f64());
    row(
        "R6",
        "the cable of a quiet client is pulled",
        &figure,
        took < Duration::from_secs(100),
    );
}
