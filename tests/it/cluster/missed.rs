//! What a server cannot hear any more is counted: what was trimmed away while it was away, and what
//! Redis has forgotten. What was said is heard or missed, exactly.

use super::{Listener, hear_to, join_each, say_lines, server, servers};
use crate::support::{Client, Proxy, Redis, TestServer};
use std::cell::RefCell;
use std::thread;
use trio_chat::protocol::notice::Notice;

#[test]
fn c6_what_was_trimmed_away_meanwhile_is_counted() {
    const N_TALKERS: usize = 4;
    const N_LINES: usize = 4600;
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut guest = Client::join(&servers[0], "Guest");
    let mut talkers: Vec<_> = (0..N_TALKERS)
        .map(|number| Client::join(&servers[0], &format!("Talker {number}")))
        .collect();
    let mut clients = join_each(&servers);
    hear_to("the last one before", &mut clients);
    let listeners = clients.into_iter();
    let listeners = listeners.map(|client| Listener::start(client, "Guest> the end"));
    let listeners: Vec<_> = listeners.collect();
    servers[1].process.freeze();
    let padding = "x".repeat(3900);
    let n_said = (N_TALKERS * N_LINES) as u64;
    thread::scope(|scope| {
        for talker in &mut talkers {
            let padding = &padding;
            scope.spawn(move || {
                for number in 0..N_LINES {
                    talker.say(&format!("line {number} {padding}"));
                }
            });
        }
        listeners[0].wait_for(n_said);
    });
    println!(
        "{n_said} lines of 4 KB: the stream has {} entries, Redis {} MiB",
        redis.cli(&["XLEN", "trio1:{main}:said"]),
        redis.memory() >> 20
    );
    servers[1].process.thaw();
    listeners[1].wait_for(n_said);
    guest.say("the end");
    let heard: Vec<_> = listeners.into_iter().map(Listener::end).collect();
    for heard in &heard {
        println!("{} heard, {} missed", heard.said.len(), heard.n_missed);
        assert_eq!(heard.n_accounted(), n_said);
        heard.assert_in_order();
        heard.assert_pauses();
    }
    assert!(heard[1].n_missed > 0 && !heard[1].said.is_empty());
    if heard[0].n_missed == 0 {
        heard[1].assert_part_of(&heard[0]);
    }
}

/// Who greets a Redis that has forgotten something first: who has heard everything, or who has
/// slept.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Awake,
    Asleep,
}

/// Lets people talk on three servers of which one falls asleep, and then Redis forget what was said
/// since `keep`. Fails unless all that was said is heard or missed, on each server.
fn assert_counted(
    servers: &[TestServer; 3],
    first: First,
    keep: impl FnOnce(),
    forget: impl FnOnce(),
) {
    let join = |number: usize| Client::join(&servers[number], &format!("Talker {number}"));
    let mut talkers = [0, 1, 2].map(join);
    let mut clients = join_each(servers);
    hear_to("the last one before", &mut clients);
    let listeners = clients.into_iter();
    let listeners = listeners.map(|client| Listener::start(client, "Talker 0> the end"));
    let listeners: Vec<_> = listeners.collect();
    let [awake @ .., asleep] = servers;
    let wait_for = |n_messages, listeners: &[Listener]| {
        for listener in listeners {
            listener.wait_for(n_messages);
        }
    };
    say_lines(&mut talkers[0], 0..20);
    wait_for(20, &listeners);
    keep();
    say_lines(&mut talkers[0], 20..40);
    wait_for(40, &listeners);
    asleep.process.freeze();
    // An answer with the first of these lines may wait for it already.
    say_lines(&mut talkers[0], 40..41);
    wait_for(41, &listeners[..2]);
    say_lines(&mut talkers[0], 41..70);
    wait_for(70, &listeners[..2]);
    // If Redis's answer to the last line is lost too, that is said again, and counts twice. After
    // what is no line the server answers only when it has that.
    talkers[0].say("/what");
    talkers[0].hear_until(&Notice::NoSuchCommand.to_string());
    if first == First::Asleep {
        for server in awake {
            server.process.freeze();
        }
        forget();
        asleep.process.thaw();
        say_lines(&mut talkers[2], 70..80);
        // Whether anything is missed by now is not known yet.
        listeners[2].wait_until("its own lines", |heard| heard.said.len() >= 50);
        for server in awake {
            server.process.thaw();
        }
    } else {
        forget();
        say_lines(&mut talkers[1], 70..80);
        wait_for(80, &listeners[..2]);
        asleep.process.thaw();
    }
    wait_for(80, &listeners);
    say_lines(&mut talkers[0], 80..90);
    wait_for(90, &listeners);
    talkers[0].say("the end");
    let heard: Vec<_> = listeners.into_iter().map(Listener::end).collect();
    for heard in &heard {
        println!(
            "{} heard, {} missed, {:?}",
            heard.said.len(),
            heard.n_missed,
            heard.notices
        );
    }
    for heard in &heard {
        assert_eq!(heard.n_accounted(), 90);
        heard.assert_pauses();
    }
    let n_missed = heard.iter().map(|heard| heard.n_missed);
    assert!(matches!(n_missed.collect::<Vec<_>>()[..], [0, 0, 29..=30]));
    assert_eq!(heard[1].said, heard[0].said);
    heard[2].assert_part_of(&heard[0]);
}

fn assert_rollback_is_counted(first: First) {
    let redis = RefCell::new(Redis::start());
    let servers = servers::<3>(&redis.borrow());
    let keep = || drop(redis.borrow().cli(&["SAVE"]));
    assert_counted(&servers, first, keep, || {
        redis.borrow_mut().kill();
        redis.borrow_mut().restart();
    });
}

fn assert_flush_is_counted(first: First) {
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    assert_counted(&servers, first, || {}, || drop(redis.cli(&["FLUSHALL"])));
}

/// Promotes a replica that lacks the last lines, and lets the servers find it in the place of its
/// master.
fn assert_failover_is_counted(first: First) {
    let master = RefCell::new(Redis::on_a_port(&[]));
    let port = master.borrow().port().to_string();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &port]);
    let proxy = Proxy::to(master.borrow().socket());
    let servers = [(); 3].map(|()| server(&proxy.url()));
    let keep = || {
        let n_replicas = master.borrow().cli(&["WAIT", "1", "60000"]);
        assert_eq!(n_replicas, "1");
        replica.cli(&["REPLICAOF", "NO", "ONE"]);
    };
    assert_counted(&servers, first, keep, || {
        proxy.hold();
        master.borrow_mut().kill();
        proxy.leads_to(replica.socket());
        proxy.cut();
        proxy.pass();
    });
}

#[test]
fn c7_a_memory_that_went_back_is_counted() {
    assert_rollback_is_counted(First::Awake);
}

#[test]
fn c7_a_memory_that_went_back_is_counted_when_the_slowest_greets_it_first() {
    assert_rollback_is_counted(First::Asleep);
}

#[test]
fn c7_a_memory_that_is_lost_is_counted() {
    assert_flush_is_counted(First::Awake);
}

#[test]
fn c7_a_memory_that_is_lost_is_counted_when_the_slowest_greets_it_first() {
    assert_flush_is_counted(First::Asleep);
}

#[test]
fn c7_what_a_promoted_replica_lacks_is_counted() {
    assert_failover_is_counted(First::Awake);
}

#[test]
fn c7_what_a_promoted_replica_lacks_is_counted_when_the_slowest_greets_it_first() {
    assert_failover_is_counted(First::Asleep);
}
