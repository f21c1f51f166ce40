//! Redis that forgets everything while people talk, again and again. What was on its way may be counted
//! as missed and be heard nevertheless, but nothing else.

use super::{Heard, Listener, hear_to, join_each, say_lines, servers};
use crate::support::{Client, Redis};
use std::collections::HashMap;

/// Number of times that each one talks, and of lines each time.
const N_ROUNDS: usize = 40;
const N_LINES: usize = 5;

/// Returns the lines that two have heard in different orders: what was on its way to Redis is said
/// again after a loss, and somebody may have heard it before.
fn moved<'a>(one: &Heard, other: &'a Heard) -> Vec<&'a str> {
    let places = one.said.iter().enumerate();
    let places: HashMap<_, _> = places.map(|(place, line)| (line, place)).collect();
    let mut furthest = 0;
    let mut moved = Vec::new();
    for line in &other.said {
        let Some(place) = places.get(line) else {
            continue;
        };
        if *place < furthest {
            moved.push(line.as_str());
        }
        furthest = furthest.max(*place);
    }
    moved
}

/// Lets people on three servers talk while Redis is hurt now and then. Fails unless they hear
/// nothing twice, and everything is heard or counted.
fn assert_nothing_is_lost_uncounted(redis: &mut Redis, mut hurt: impl FnMut(&mut Redis)) {
    let servers = servers::<3>(redis);
    let join = |number: usize| Client::join(&servers[number], &format!("Talker {number}"));
    let mut talkers = [0, 1, 2].map(join);
    let mut clients = join_each(&servers);
    hear_to("the last one before", &mut clients);
    let listeners = clients.into_iter();
    let listeners = listeners.map(|client| Listener::start(client, "Talker 0> the end"));
    let listeners: Vec<_> = listeners.collect();
    for round in 0..N_ROUNDS {
        for talker in &mut talkers {
            say_lines(talker, round * N_LINES..(round + 1) * N_LINES);
        }
        // Each server has to have met the last loss: two at once can't be counted.
        if round % 5 == 4 {
            hurt(redis);
            let line = format!("round {round}");
            talkers[0].say(&line);
            let line = format!("Talker 0> {line}");
            for listener in &listeners {
                listener.wait_until(&line, |heard| heard.said.contains(&line));
            }
        }
    }
    let n_said = (talkers.len() * N_ROUNDS * N_LINES + N_ROUNDS / 5) as u64;
    for listener in &listeners {
        listener.wait_for(n_said);
    }
    talkers[0].say("the end");
    let heard: Vec<_> = listeners.into_iter().map(Listener::end).collect();
    for heard in &heard {
        println!(
            "{n_said} said, {} heard, {} missed",
            heard.said.len(),
            heard.n_missed
        );
        heard.assert_in_order();
        assert!(heard.n_accounted() >= n_said);
        heard.assert_pauses();
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0)] {
        let moved = moved(&heard[one], &heard[other]);
        println!("in another order for {one} than for {other}: {moved:?}");
        // A batch of each talker at most, at each loss.
        assert!((moved.len() as u64) < n_said / 4);
    }
}

#[test]
fn c7_a_redis_that_keeps_nothing_may_be_killed_while_all_talk() {
    assert_nothing_is_lost_uncounted(&mut Redis::start(), |redis| {
        redis.kill();
        redis.restart();
    });
}

#[test]
fn c7_a_redis_that_is_emptied_while_all_talk_loses_nothing_uncounted() {
    assert_nothing_is_lost_uncounted(&mut Redis::start(), |redis| {
        redis.cli(&["FLUSHALL"]);
    });
}

#[test]
fn c7_a_redis_that_goes_back_while_all_talk_loses_nothing_uncounted() {
    let mut n_hurt = 0;
    assert_nothing_is_lost_uncounted(&mut Redis::start(), |redis| {
        n_hurt += 1;
        if n_hurt % 2 == 1 {
            redis.cli(&["SAVE"]);
        } else {
            redis.kill();
            redis.restart();
        }
    });
}
