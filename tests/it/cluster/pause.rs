//! Redis that is away, frozen or full is a pause: people are told, and stay, and what they say waits.

use super::{Heard, Listener, hear_all_of, hear_to, join_each, say_lines, server, servers};
use crate::support::{Client, Redis, WATCHDOG};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

/// Time without progress after which a sender counts as blocked.
const BLOCKED: Duration = Duration::from_secs(1);

/// Lets people talk on three servers, then Redis be gone from `stop` until `start`. Fails unless
/// each hears two notices, and everything that was said.
fn assert_pause(redis: &mut Redis, stop: impl FnOnce(&mut Redis), start: impl FnOnce(&mut Redis)) {
    let servers = servers::<3>(redis);
    let mut clients = join_each(&servers);
    for client in &mut clients {
        say_lines(client, 0..100);
    }
    let names: Vec<_> = clients.iter().map(|client| client.name.clone()).collect();
    let last = |number| {
        names
            .iter()
            .map(move |name| format!("{name}> line {number}"))
    };
    let mut heard: Vec<Vec<String>> = Vec::new();
    for client in &mut clients {
        let before = client.heard.len();
        hear_all_of(client, &last(99).collect::<Vec<_>>());
        heard.push(client.heard[before..].to_vec());
    }
    let stopped = Instant::now();
    stop(redis);
    for client in &mut clients {
        say_lines(client, 100..120);
    }
    let cut_off = Notice::CutOff.to_string();
    let mut noticed = Vec::new();
    for client in &mut clients {
        assert_eq!(client.hear_until(&cut_off), [""; 0]);
        noticed.push(stopped.elapsed());
    }
    let started = Instant::now();
    start(redis);
    let back = [Notice::Back.to_string()];
    let wanted: Vec<_> = last(119).chain(back).collect();
    let mut caught_up = Vec::new();
    for (client, heard) in clients.iter_mut().zip(&mut heard) {
        let before = client.heard.len();
        let after = hear_all_of(client, &wanted);
        assert_eq!(after.notices, [Notice::Back]);
        heard.extend(client.heard[before..].iter().cloned());
        caught_up.push(started.elapsed());
    }
    println!("noticed after {noticed:.2?}, all was heard after {caught_up:.2?}");
    for heard in heard.into_iter().map(Heard::from) {
        heard.assert_whole(names.iter().map(String::as_str), 120);
    }
    for rest in hear_to("the end", &mut clients) {
        assert_eq!(rest, Heard::default());
    }
}

#[test]
fn c3_a_redis_that_is_killed_and_starts_again_is_a_pause() {
    assert_pause(&mut Redis::lasting(), Redis::kill, Redis::restart);
}

#[test]
fn c4_a_redis_that_is_frozen_is_noticed_and_loses_nothing() {
    let freeze = |redis: &mut Redis| redis.freeze();
    assert_pause(&mut Redis::start(), freeze, |redis| redis.thaw());
}

#[test]
fn c4_a_flood_waits_in_its_sender_and_not_in_the_server() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let flooder = Client::join(&servers[0], "Flooder");
    let mut guest = Client::join(&servers[0], "Guest");
    hear_to("the start", &mut clients);
    let listeners = clients.into_iter();
    let listeners = listeners.map(|client| Listener::start(client, "Guest> the end"));
    let listeners: Vec<_> = listeners.collect();
    let is_over = AtomicBool::new(false);
    let (blocked, blocks) = channel();
    thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&flooder.stream, &is_over, &blocked));
        // A server that has never been busy would grow anyway.
        listeners[0].wait_for(4000);
        let frozen = Instant::now();
        redis.freeze();
        let has_notice = |notice| move |heard: &Heard| heard.notices.contains(&notice);
        listeners[0].wait_until("the notice", has_notice(Notice::CutOff));
        let noticed = frozen.elapsed();
        let before = servers[0].process.memory();
        blocks.try_iter().for_each(drop);
        let is_blocked = blocks.recv_timeout(WATCHDOG);
        is_blocked.expect("the flooder is not blocked");
        let after = servers[0].process.memory();
        redis.thaw();
        listeners[0].wait_until("the end of it", has_notice(Notice::Back));
        is_over.store(true, Ordering::SeqCst);
        let n_said = flood.join().unwrap();
        println!(
            "noticed after {noticed:.2?}; {} KiB then, {} KiB with a blocked flood",
            before >> 10,
            after >> 10,
        );
        assert!(after < before + (8 << 20));
        for listener in &listeners {
            listener.wait_for(n_said);
        }
        guest.say("the end");
        for listener in listeners {
            let heard = listener.end();
            println!(
                "{} heard, {} missed, {n_said} said",
                heard.said.len(),
                heard.n_missed
            );
            assert_eq!(heard.n_accounted(), n_said);
            heard.assert_in_order();
        }
    });
}

/// Says numbered lines until it is over. Reports when it is blocked. Returns how many lines that
/// were.
pub fn flood(mut stream: &TcpStream, is_over: &AtomicBool, blocked: &Sender<()>) -> u64 {
    stream.set_write_timeout(Some(BLOCKED)).unwrap();
    let padding = "x".repeat(1000);
    let mut n_said = 0;
    while !is_over.load(Ordering::SeqCst) {
        let line = format!("line {n_said} {padding}\n");
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(n_bytes) => rest = &rest[n_bytes..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = blocked.send(());
                }
                Err(error) => panic!("{error}"),
            }
        }
        n_said += 1;
    }
    n_said
}

#[test]
fn c9_a_redis_that_is_full_is_a_pause() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let limit = redis.info("used_memory") + (1 << 20);
    redis.cli(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let padding = "x".repeat(4000);
    let full = Notice::EngineFull.to_string();
    let mut n_said = 0;
    let mut last = String::new();
    while last != full {
        clients[0].say(&format!("{n_said} {padding}"));
        n_said += 1;
        last = clients[0].next().unwrap();
    }
    println!("full after {n_said} lines of 4 KB in 1 MiB");
    // The other server's people are told when they have something to say.
    clients[1].say(&padding);
    clients[1].hear_until(&full);
    for client in &mut clients {
        say_lines(client, 0..100);
    }
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    let last = ["Guest 0> line 99".to_owned(), "Guest 1> line 99".to_owned()];
    let after: Vec<_> = clients
        .iter_mut()
        .map(|it| hear_all_of(it, &last))
        .collect();
    for heard in &after {
        assert_eq!((heard.said.len(), heard.n_missed), (202, 0));
        assert_eq!(heard.notices, []);
        assert_eq!(heard.said, after[0].said);
    }
    let third = server(&redis.url());
    Client::join(&third, "Newcomer");
}
