//! Commands over all servers: who is here, what is for one person alone, and who comes and goes.

use super::servers;
use crate::support::{Client, Redis, TestServer, until};
use trio_chat::protocol::notice::Notice;

#[test]
fn who_shows_everybody_on_all_servers_oldest_first() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let names = ["Ada", "Bob", "Cy", "Dee"];
    let join = |(number, name): (usize, &str)| Client::join(&servers[number % 2], name);
    let mut clients: Vec<_> = names.into_iter().enumerate().map(join).collect();
    let last = clients.pop().unwrap();
    for client in &mut clients {
        client.mark("before");
        client.say("/who");
        client.hear_until("* 4 people are here, oldest first:");
        client.expect("* - Ada, Bob, Cy, Dee");
    }
    drop(last);
    let ada = &mut clients[0];
    until("one less", || {
        ada.say("/who");
        let heard = ada.next().unwrap();
        (heard == "* 3 people are here, oldest first:").then(|| ada.expect("* - Ada, Bob, Cy"))
    });
}

#[test]
fn what_is_for_one_alone_reaches_that_one_on_another_server_and_nobody_else() {
    let redis = Redis::start();
    let servers = servers::<3>(&redis);
    let mut ada = Client::join(&servers[0], "Ada");
    let mut bob = Client::join(&servers[1], "Bob");
    let mut guard = Client::join(&servers[0], "Guard");
    let mut other = Client::join(&servers[2], "Guard #1");
    let mut all = [&mut ada, &mut bob, &mut guard, &mut other];
    for client in &mut all {
        client.mark("ready");
    }
    ada.mark("start");
    ada.say("/msg bob psst");
    ada.expect("* To Bob: psst");
    bob.hear_until("* Ada (to you): psst");
    bob.say("/r yes?");
    bob.expect("* To Ada: yes?");
    ada.expect("* Bob (to you): yes?");
    ada.say("/r nothing");
    ada.expect("* To Bob: nothing");
    bob.expect("* Ada (to you): nothing");
    // The longest name counts, wherever it is.
    ada.say("/msg guard #1 hi");
    ada.expect("* To Guard #1: hi");
    other.hear_until("* Ada (to you): hi");
    // One on the same server.
    ada.say("/msg Guard hello");
    ada.expect("* To Guard: hello");
    guard.hear_until("* Ada (to you): hello");
    ada.say("/msg Nobody hello");
    ada.expect_notice(&Notice::NobodyOfThatName);
    ada.say("/msg Bob");
    ada.expect_notice(&Notice::IncompleteCommand);
    for client in [&mut guard, &mut other] {
        let heard = client.mark("the end");
        assert!(
            heard
                .iter()
                .all(|line| !line.contains("psst") && !line.contains("nothing"))
        );
    }
}

#[test]
fn who_answers_one_that_has_left_is_told() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut ada = Client::join(&servers[0], "Ada");
    let mut bob = Client::join(&servers[1], "Bob");
    bob.say("/msg Ada bye");
    bob.hear_until("* To Ada: bye");
    ada.hear_until("* Bob (to you): bye");
    drop(bob);
    servers[1].log.wait_for("closed by peer");
    ada.say("/r wait");
    ada.expect("* To Bob: wait");
    ada.expect_notice(&Notice::NobodyOfThatName);
}

#[test]
fn a_letter_that_does_not_fit_is_told_to_its_writer_on_another_server() {
    let redis = Redis::start();
    let url = redis.url();
    let options = ["--redis", &url, "--rate", "0", "--queue", "1"];
    let [first, second] = [0, 1].map(|_| TestServer::with(&options));
    let mut ada = Client::join(&first, "Ada");
    let mut slow = Client::connect(&second);
    slow.give_name("Slow");
    slow.mark("here");
    // It reads nothing more, so its queue fills.
    let line = "x".repeat(4000);
    until("a letter that is lost", || {
        ada.say(&format!("/msg Slow {line}"));
        let heard = ada.next().unwrap();
        (heard == Notice::TheirQueueIsFull.to_string()).then_some(())
    });
}

#[test]
fn who_comes_and_goes_is_announced_on_all_servers_once() {
    let redis = Redis::start();
    let url = redis.url();
    let options = ["--redis", &url, "--rate", "0", "--announce"];
    let [first, second] = [0, 1].map(|_| TestServer::with(&options));
    let mut ada = Client::join(&first, "Ada");
    let mut bob = Client::join(&second, "Bob");
    let heard = ada.hear_until("Bob> here");
    assert_eq!(
        heard.iter().filter(|line| *line == "* Bob joined.").count(),
        1
    );
    bob.say("/nick Robert");
    bob.hear_until("* Bob is now Robert.");
    ada.hear_until("* Bob is now Robert.");
    bob.say("last words");
    drop(bob);
    let heard = ada.hear_until("* Robert left.");
    assert_eq!(heard, ["Robert> last words"]);
    // Those on a server that stops leave at once, and those on one that is killed in the end.
    for (server, is_killed) in [(second, true), (TestServer::with(&options), false)] {
        let _eve = Client::join(&server, "Eve");
        ada.hear_until("* Eve joined.");
        ada.hear_until("Eve> here");
        if is_killed {
            server.kill();
        } else {
            assert!(server.stop().success());
        }
        assert_eq!(ada.hear_until("* Eve left."), [""; 0]);
    }
    assert_eq!(ada.mark("the end"), [""; 0]);
}

#[test]
fn nobody_seems_to_leave_because_redis_was_away_for_long() {
    let redis = Redis::start();
    let url = redis.url();
    let options = ["--redis", &url, "--rate", "0", "--announce"];
    let servers = [0, 1].map(|_| TestServer::with(&options));
    let mut ada = Client::join(&servers[0], "Ada");
    let mut bob = Client::join(&servers[1], "Bob");
    ada.hear_until("Bob> here");
    // As if it had been away until all leases had ended.
    let leases = redis.cli(&["KEYS", "trio1:{main}:lease:*"]);
    for lease in leases.lines() {
        redis.cli(&["DEL", lease]);
    }
    until("both again", || {
        let leases = redis.cli(&["KEYS", "trio1:{main}:lease:*"]);
        (leases.lines().count() == 2).then_some(())
    });
    bob.say("back");
    assert_eq!(ada.hear_until("Bob> back"), [""; 0]);
}

#[test]
fn a_name_that_goes_to_somebody_else_is_found_under_the_new_owner() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut bob = Client::join(&servers[1], "Bob");
    for round in 0..20 {
        let name = format!("Guest {round}");
        let mut first = Client::join(&servers[0], &name);
        first.send(format!("bye\n/nick Former {round}\n"));
        let mut second = until("the name", || {
            let mut client = Client::connect(&servers[0]);
            client.give_name(&name);
            client.send(b"\xff\xf6");
            matches!(client.next()?.parse(), Ok(Notice::YouAre(_))).then_some(client)
        });
        first.hear_until(&Notice::YouAre(format!("Former {round}")).to_string());
        bob.say(&format!("/msg {name} hi"));
        bob.hear_until(&format!("* To {name}: hi"));
        second.hear_until("* Bob (to you): hi");
    }
}
