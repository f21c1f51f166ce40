//! The limits of the host and of the room, at length.

use super::{measure_for, mebibytes, percent, row};
use crate::support::{Client, TestServer, WATCHDOG, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn l1_silent_connections_cannot_occupy_the_room() {
    let server = TestServer::with(&["--max-clients", "400"]);
    let silent: Vec<_> = (0..300).map(|_| Client::silent(&server)).collect();
    let mut trickling: Vec<_> = (0..300).map(|_| Client::silent(&server)).collect();
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        for client in &mut trickling {
            // This fails for most of them, since they have been evicted.
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
fn l1_a_person_has_the_time_to_type_a_name() {
    let server = TestServer::with(&["--max-clients", "40"]);
    let over = AtomicBool::new(false);
    let typing = Duration::from_secs(5);
    let n_in: usize = thread::scope(|scope| {
        scope.spawn(|| {
            let mut silent = Vec::new();
            while !over.load(Ordering::Relaxed) {
                silent.push(Client::silent(&server));
                measure_for(Duration::from_millis(200));
            }
        });
        // Until the silent ones have all seats.
        measure_for(Duration::from_secs(9));
        let people = (0..20).map(|number| {
            measure_for(Duration::from_secs(1));
            let server = &server;
            scope.spawn(move || {
                let mut person = Client::connect(server);
                measure_for(typing);
                person.give_name(&format!("Person {number}"));
                person.say("hello");
                person.finish();
                let hello = format!("Person {number}> hello");
                person.hear_all().contains(&hello)
            })
        });
        let people: Vec<_> = people.collect();
        let n_in = people.into_iter().filter_map(|person| person.join().ok());
        let n_in = n_in.filter(|is_in| *is_in).count();
        over.store(true, Ordering::Relaxed);
        n_in
    });
    row(
        "L1",
        "5 s to type a name, 5 silent connects a second, 40 seats",
        &format!("{n_in} of 20 people got in"),
        n_in == 20,
    );
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
    let before = server.process.cpu();
    let start = Instant::now();
    let others: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    while start.elapsed() < Duration::from_secs(5) {
        ada.mark("still here");
    }
    let share = percent(server.process.cpu() - before, start.elapsed());
    drop(others);
    let released = Instant::now();
    Client::connect_when_there_is_a_seat(&server);
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
    let figure = format!(
        "{n_in} in, {n_full} refused, {} threads, {} mappings, {}, {} B per client",
        server.process.n_threads(),
        server.process.n_mappings(),
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
    let count = || (server.process.n_threads(), server.process.n_descriptors());
    let before = count();
    let storm = |from: usize, to: usize| {
        for number in from..to {
            let mut client = Client::silent(&server);
            client.send(format!("Guest {number}\n"));
            if number % 2 == 0 {
                client.reset();
            }
        }
        until("the threads and descriptors of before", || {
            let now = count();
            (now.0.abs_diff(before.0) <= 2 && now.1.abs_diff(before.1) <= 2).then_some(())
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
