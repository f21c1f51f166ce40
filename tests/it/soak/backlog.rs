//! What waits for slow clients, at length: the memory that it takes, and that it is written as soon as
//! it can be.

use super::{measure_for, mebibytes, row};
use crate::support::{Client, Flood, TestServer, WATCHDOG};
use rustix::process::Signal;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::room::frame::FrameMemory;
use trio_chat::room::outbox::{Delivery, Outbox};

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s2_an_outbox_wakes_its_writer_for_every_delivery() {
    let (written, n_written) = std::sync::mpsc::channel();
    let (mut n_sent, start) = (0_u64, Instant::now());
    thread::scope(|scope| {
        let mut outbox = Outbox::new(1, Arc::default(), |frames| {
            let writer = scope.spawn(move || frames.drain(&mut |_: &Delivery| written.send(())));
            Ok(writer.thread().clone())
        })
        .unwrap();
        let frame = FrameMemory::default().frame(b"x");
        while start.elapsed() < Duration::from_secs(10) {
            assert_eq!(outbox.send(&frame, 0, 1, Vec::new()), 0);
            n_written
                .recv_timeout(WATCHDOG)
                .expect("the writer sleeps on");
            n_sent += 1;
        }
    });
    let figure = format!("{n_sent} deliveries, each written before the next");
    row("S2", "two threads on one outbox for 10 s", &figure, true);
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
fn s3_memory_is_bounded_when_clients_get_stuck_one_after_the_other() {
    let options = ["--rate", "0"];
    let server =
        TestServer::on_a_small_host(&options).unwrap_or_else(|| TestServer::with(&options));
    let flood = Flood::start(&server, 1);
    flood.wait_until_busy();
    let stuck = flood.strand(&server, 500);
    let full = server.process.memory();
    measure_for(Duration::from_secs(15));
    let later = server.process.memory();
    let bound = server.stated_memory(stuck.len());
    server.process.signal(Signal::TERM);
    flood.last_lines();
    let figure = format!(
        "{} with all of them, {} 15 s later; stated: {}",
        mebibytes(full),
        mebibytes(later),
        mebibytes(bound)
    );
    row(
        "S3",
        "500 clients that get stuck one after the other, a flood",
        &figure,
        full.max(later) <= bound && later <= full + (4 << 20),
    );
}
