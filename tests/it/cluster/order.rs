//! What is said on any server is heard on all, once, and in one order.

use super::{Heard, hear_to, say_lines, server, servers};
use crate::support::{Client, Proxy, Redis, TestServer};
use std::thread;

/// Lets clients on all servers talk at the same time, `n_lines` each, and do `disturb` with each line
/// that a client hears which only listens. Returns what all of them have heard, which is the same.
fn all_talk_at_once(
    servers: &[TestServer],
    n_lines: usize,
    mut disturb: impl FnMut(usize) + Send,
) -> (Vec<String>, Heard) {
    let mut clients = Vec::new();
    for number in 0..8 {
        let server = &servers[number % servers.len()];
        clients.push(Client::join(server, &format!("Talker {number}")));
    }
    let names: Vec<_> = clients.iter().map(|client| client.name.clone()).collect();
    for number in 0..4 {
        let server = &servers[number % servers.len()];
        clients.push(Client::join(server, &format!("Reader {number}")));
    }
    hear_to("the start", &mut clients);
    let n_said = n_lines * names.len();
    let (talkers, readers) = clients.split_at_mut(names.len());
    let heard = thread::scope(|scope| {
        let talking = talkers.iter_mut().map(|talker| {
            scope.spawn(move || {
                let mut heard = Vec::new();
                for number in 0..n_lines {
                    // The lines of five come in one batch, or in several.
                    if number % 5 == 0 {
                        say_lines(talker, number..n_lines.min(number + 5));
                    }
                    let echo = format!("{}> line {number}", talker.name);
                    heard.extend(talker.hear_until(&echo));
                    heard.push(echo);
                }
                hear_until_all(talker, heard, n_said)
            })
        });
        let talking: Vec<_> = talking.collect();
        let (witness, others) = readers.split_first_mut().unwrap();
        let others = others
            .iter_mut()
            .map(|reader| scope.spawn(|| hear_until_all(reader, Vec::new(), n_said)));
        let others: Vec<_> = others.collect();
        let mut heard = Vec::new();
        for number in 0..n_said {
            heard.extend(witness.next());
            disturb(number);
        }
        // Its first lines may have been notices.
        let mut all = vec![hear_until_all(witness, heard, n_said)];
        let rest = talking.into_iter().chain(others);
        all.extend(rest.map(|listening| listening.join().unwrap()));
        all
    });
    for other in &heard[1..] {
        assert_eq!(other.said, heard[0].said);
        assert_eq!(other.n_missed, 0);
    }
    // Nothing more comes.
    for rest in hear_to("the end", &mut clients) {
        assert_eq!((rest.said, rest.n_missed), (vec![], 0));
    }
    (names, heard.into_iter().next().unwrap())
}

/// Goes on until `n_lines` that were said are heard.
fn hear_until_all(client: &mut Client, mut heard: Vec<String>, n_lines: usize) -> Heard {
    loop {
        let so_far = Heard::from(heard.clone());
        let n_missing = n_lines.saturating_sub(so_far.said.len());
        if n_missing == 0 {
            return so_far;
        }
        for _ in 0..n_missing {
            heard.push(client.next().expect("nobody is disconnected"));
        }
    }
}

#[test]
fn c1_everyone_on_every_server_hears_one_order() {
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    let (names, heard) = all_talk_at_once(&servers, 100, |_| {});
    heard.assert_whole(names.iter().map(String::as_str), 100);
    assert_eq!(heard.notices, []);
}

#[test]
fn c1_connections_to_redis_that_are_killed_again_and_again_change_nothing() {
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    let mut n_killed = 0;
    let (names, heard) = all_talk_at_once(&servers, 65, |number| {
        if number % 10 == 0 {
            let killed = redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            n_killed += killed.parse::<usize>().unwrap();
        }
    });
    heard.assert_whole(names.iter().map(String::as_str), 65);
    println!("{n_killed} connections killed while 520 lines were said");
    assert!(n_killed > 20);
}

#[test]
fn c2_what_was_said_without_an_answer_is_not_said_twice() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.socket());
    let servers = [&proxy.url(), &proxy.url(), &redis.url()].map(|url| server(url));
    proxy.eat(100, b"$4\r\nsaid\r\n");
    let (names, heard) = all_talk_at_once(&servers, 100, |_| {});
    heard.assert_whole(names.iter().map(String::as_str), 100);
    println!(
        "{} answers eaten while 800 lines were said",
        proxy.n_eaten()
    );
    assert!(proxy.n_eaten() > 10);
}

#[test]
fn c3_a_redis_that_is_killed_while_all_talk_loses_nothing() {
    let mut redis = Redis::lasting();
    let servers = servers::<3>(&redis);
    let mut n_killed = 0;
    let (names, heard) = all_talk_at_once(&servers, 50, |number| {
        if number % 80 == 79 {
            redis.kill();
            redis.restart();
            n_killed += 1;
        }
    });
    heard.assert_whole(names.iter().map(String::as_str), 50);
    heard.assert_pauses();
    println!("{n_killed} kills, {} notices", heard.notices.len());
}
