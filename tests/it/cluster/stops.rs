//! A server that stops says what it can, and counts what it can't.

use super::{hear_to, join_each, say_lines, servers};
use crate::support::{Client, Redis};
use rustix::process::Signal;
use std::time::Instant;
use trio_chat::protocol::notice::Notice;

#[test]
fn c11_a_stop_without_redis_counts_what_was_not_said() {
    let redis = Redis::start();
    let [mut stopping, staying] = servers::<2>(&redis);
    let mut ada = Client::join(&stopping, "Ada");
    let mut bob = Client::join(&stopping, "Bob");
    redis.freeze();
    say_lines(&mut ada, 0..7);
    say_lines(&mut bob, 0..5);
    // By now the server has read them, seconds ago.
    for client in [&mut ada, &mut bob] {
        client.hear_until(&Notice::CutOff.to_string());
    }
    let start = Instant::now();
    stopping.process.signal(Signal::TERM);
    for client in [&mut ada, &mut bob] {
        client.expect_notice(&Notice::NotSaid(12));
        client.expect_notice(&Notice::Goodbye);
        assert_eq!(client.next(), None);
    }
    assert_eq!(stopping.process.wait().code(), Some(0));
    println!("stopped after {:.2?}, with a frozen Redis", start.elapsed());
    stopping
        .log
        .wait_for("[WARN] 12 messages of this server were not said");
    assert!(stopping.stop().success());
    redis.thaw();
    Client::join(&staying, "Cy");
}

#[test]
fn c11_a_stop_tells_everyone_everywhere_what_was_said() {
    let redis = Redis::start();
    let [stopping, staying] = servers::<2>(&redis);
    let mut clients = vec![
        Client::join(&stopping, "Ada"),
        Client::join(&staying, "Bob"),
    ];
    hear_to("the start", &mut clients);
    let mut bob = clients.pop().unwrap();
    let mut ada = clients.pop().unwrap();
    say_lines(&mut ada, 0..5000);
    // Half of them are out, and others on their way.
    let mut heard = ada.hear_until("Ada> line 2500");
    heard.push("Ada> line 2500".to_owned());
    let start = Instant::now();
    assert!(stopping.stop().success());
    println!("stopped after {:.2?}", start.elapsed());
    heard.extend(ada.hear_all());
    assert_eq!(heard.pop().unwrap().parse(), Ok(Notice::Goodbye));
    let expected: Vec<_> = (0..heard.len())
        .map(|it| format!("Ada> line {it}"))
        .collect();
    assert_eq!(heard, expected);
    let elsewhere = bob.mark("the end");
    assert_eq!(elsewhere, heard);
    println!("{} of 5000 lines were said before the stop", heard.len());
}

#[test]
fn c11_a_server_that_is_killed_harms_nobody_elsewhere() {
    let redis = Redis::start();
    let [first, others @ ..] = servers::<3>(&redis);
    let mut clients = join_each(&others);
    let mut ada = Client::join(&first, "Ada");
    say_lines(&mut ada, 0..1000);
    ada.hear_until("Ada> line 200");
    first.kill();
    let heard = hear_to("the end", &mut clients);
    let n_said = heard[0].said.len();
    assert!(n_said > 200);
    assert_eq!(heard[0], heard[1]);
    assert_eq!((heard[0].n_missed, heard[0].notices.len()), (0, 0));
}
