//! Names are one over all servers, and nobody speaks under a name that another has.

use super::{hear_to, server, servers};
use crate::support::{Client, Proxy, Redis, TestServer, until};
use std::thread;
use trio_chat::protocol::notice::Notice;

/// The telnet command to which the server answers with the name.
const ARE_YOU_THERE: &[u8] = b"\xff\xf6";

/// Number of times that two clients want the same name at once.
const N_ROUNDS: usize = 250;

/// Lets a client give a name, and returns whether it has it then.
fn wins(client: &mut Client, name: &str) -> bool {
    client.give_name(name);
    client.send(ARE_YOU_THERE);
    match client.next().unwrap().parse() {
        Ok(Notice::YouAre(given)) => given == name,
        Ok(Notice::TakenName { wanted, free }) => {
            assert!(wanted == name && free != name);
            false
        }
        other => panic!("{other:?}"),
    }
}

/// Lets a client join under a name that may be held for a few seconds more, and returns the refusals.
fn join_at_last(server: &TestServer, name: &str) -> (Client, Vec<Notice>) {
    let mut refusals = Vec::new();
    let client = until("the name", || {
        let mut client = Client::connect(server);
        client.give_name(name);
        client.send(ARE_YOU_THERE);
        match client.next()?.parse() {
            Ok(Notice::YouAre(_)) => Some(client),
            Ok(refusal) => {
                refusals.push(refusal);
                None
            }
            Err(_) => None,
        }
    });
    (client, refusals)
}

#[test]
fn c8_of_two_servers_that_give_a_name_at_once_one_does() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    for round in 0..N_ROUNDS {
        let name = format!("Guest {round}");
        let mut clients = [0, 1].map(|number| Client::connect(&servers[number]));
        let won = thread::scope(|scope| {
            let name = &name;
            let tries = clients
                .each_mut()
                .map(|client| scope.spawn(move || wins(client, name)));
            tries.map(|it| it.join().unwrap())
        });
        assert!(won[0] != won[1], "{name}: {won:?}");
    }
}

#[test]
fn c8_names_that_look_alike_and_new_names_are_one_over_all_servers_too() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut ada = Client::join(&servers[0], "Ada");
    let mut bob = Client::join(&servers[1], "Bob");
    for name in ["ADA", "Аda", "Bob"] {
        bob.say(&format!("/nick {name}"));
        if name == "Bob" {
            bob.expect_notice(&Notice::YouAre("Bob".to_owned()));
        } else {
            let refusal = bob.next().unwrap();
            assert!(refusal.starts_with("* "), "{refusal}");
        }
    }
    ada.say("/nick Grace");
    ada.hear_until(&Notice::YouAre("Grace".to_owned()).to_string());
    ada.name = "Grace".to_owned();
    // Her former name is free when she has spoken under the new one.
    hear_to("I am Grace", &mut [ada, bob]);
    let (_, refusals) = join_at_last(&servers[1], "Ada");
    assert!(
        refusals
            .iter()
            .all(|it| matches!(it, Notice::TakenName { .. }))
    );
}

#[test]
fn c8_the_names_of_a_server_that_stops_are_free_at_once() {
    let redis = Redis::start();
    let [first, second] = servers::<2>(&redis);
    let _ada = Client::join(&first, "Ada");
    assert!(first.stop().success());
    let mut client = Client::connect(&second);
    assert!(wins(&mut client, "Ada"));
}

#[test]
fn c8_the_names_of_a_server_that_is_killed_are_free_in_the_end() {
    let redis = Redis::start();
    let [first, second] = servers::<2>(&redis);
    let _ada = Client::join(&first, "Ada");
    first.kill();
    let (_, refusals) = join_at_last(&second, "Ada");
    assert!(
        refusals
            .iter()
            .any(|it| matches!(it, Notice::LostName { .. })),
        "{refusals:?}"
    );
}

#[test]
fn c8_nothing_is_said_under_a_name_that_another_has_got() {
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    let mut sleeper = Client::join(&servers[0], "Ada");
    let mut witness = Client::join(&servers[2], "Witness");
    sleeper.mark("awake");
    servers[0].process.freeze();
    // These wait in the socket of the frozen server.
    sleeper.say("from the first Ada");
    let (mut heir, _) = join_at_last(&servers[1], "Ada");
    heir.mark("from the second Ada");
    servers[0].process.thaw();
    let lost = Notice::NameLost("Ada 2".to_owned()).to_string();
    let before = sleeper.hear_until(&lost);
    assert!(
        before.iter().all(|line| !line.contains("from the first")),
        "{before:?}"
    );
    sleeper.name = "Ada 2".to_owned();
    sleeper.mark("awake again");
    let heard = witness.hear_until("Ada 2> awake again");
    let mut said = heard.iter().filter(|line| line.contains("from the"));
    assert_eq!(said.next().unwrap(), "Ada> from the second Ada");
    assert_eq!(said.next().unwrap(), "Ada 2> from the first Ada");
}

#[test]
fn c8_names_survive_a_redis_that_forgets_everything() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = [
        Client::join(&servers[0], "Ada"),
        Client::join(&servers[1], "Bob"),
    ];
    redis.cli(&["FLUSHALL"]);
    hear_to("still here", &mut clients);
    for (server, name) in [(&servers[1], "Ada"), (&servers[0], "Bob")] {
        let mut client = Client::connect(server);
        assert!(!wins(&mut client, name));
    }
}

#[test]
fn c8_a_name_is_held_once_and_free_again_whatever_answers_are_lost() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.socket());
    let server = server(&proxy.url());
    let me = until("a server that lives", || {
        let keys = redis.cli(&["KEYS", "trio1:{main}:lease:*"]);
        Some(keys.rsplit_once(':')?.1.to_owned())
    });
    let count =
        |command: &str, kind: &str| redis.cli(&[command, &format!("trio1:{{main}}:{kind}:{me}")]);
    let n_here = || count("ZCARD", "here");
    let n_texts = || count("HLEN", "names");
    let mut witness = Client::join(&server, "Al");
    let n_of_one = n_texts();
    // Answers to claims, and to what gives names free.
    for bait in [&b"$5\r\ntaken\r\n"[..], b":1\r\n"] {
        for round in 0..20 {
            proxy.eat(1, bait);
            // This one shares looks with the witness.
            let mut guest = Client::connect(&server);
            guest.give_name("AI");
            guest.mark("here");
            guest.say(&format!("/nick Guest {round}"));
            guest.name = format!("Guest {round}");
            guest.hear_until(&Notice::YouAre(guest.name.clone()).to_string());
        }
    }
    assert!(proxy.n_eaten() > 20);
    until("one name", || (n_here() == "1").then_some(()));
    assert_eq!(n_texts(), n_of_one);
    drop(witness.mark("the end"));
    drop(witness);
    until("no name", || (n_here() == "0").then_some(()));
    assert_eq!(n_texts(), "0");
}

#[test]
fn c8_many_names_are_all_taken_again_while_other_servers_look() {
    const N_NAMES: usize = 450;
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    let join = |number: usize| {
        let mut client = Client::connect(&servers[0]);
        client.give_name(&format!("Guest {number}"));
        client
    };
    let mut clients: Vec<_> = (0..N_NAMES).map(join).collect();
    for client in &mut clients {
        client.send(ARE_YOU_THERE);
        client.expect_notice(&Notice::YouAre(client.name.clone()));
    }
    for _ in 0..3 {
        redis.cli(&["FLUSHALL"]);
        until("all names", || {
            let keys = redis.cli(&["KEYS", "trio1:{main}:here:*"]);
            let counts = keys.lines().map(|key| redis.cli(&["ZCARD", key]));
            let counts: Vec<_> = counts.collect();
            counts.contains(&N_NAMES.to_string()).then_some(())
        });
        for number in [0, 199, 200, N_NAMES - 1] {
            let mut client = Client::connect(&servers[2]);
            assert!(!wins(&mut client, &format!("Guest {number}")));
        }
    }
}

#[test]
fn a_newcomer_waits_at_the_door_while_redis_is_away() {
    let mut redis = Redis::lasting();
    let server = server(&redis.url());
    let mut ada = Client::join(&server, "Ada");
    redis.kill();
    ada.hear_until(&Notice::CutOff.to_string());
    let mut bob = Client::connect(&server);
    bob.give_name("Bob");
    bob.expect_notice(&Notice::CutOffAtDoor);
    ada.say("/nick Grace");
    ada.expect_notice(&Notice::CutOff);
    ada.say("/msg Bob hi");
    ada.expect_notice(&Notice::NotDelivered);
    ada.say("/who");
    ada.expect_notice(&Notice::NobodyElse);
    redis.restart();
    bob.say("in at last");
    bob.hear_until("Bob> in at last");
    ada.hear_until("Bob> in at last");
}
