//! What one client is answered, where newcomers stand, and that rooms are apart.

use super::{hear_to, join_each, say_lines, server, servers};
use crate::support::{Client, Redis, TestServer};
use trio_chat::protocol::notice::Notice;

/// The telnet command to which the server answers with the name.
const ARE_YOU_THERE: &[u8] = &[0xff, 0xf6];

/// Tells an answer from other lines.
type IsAnswer = fn(&str) -> bool;

#[test]
fn answers_come_after_what_the_one_who_asks_has_said() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let mut ada = Client::join(&servers[0], "Ada");
    let lines = |text: &str| format!("{text}\n").repeat(50).into_bytes();
    let asked = [
        &lines("one")[..],
        ARE_YOU_THERE,
        &lines("two"),
        b"/who\n",
        &lines("three"),
        b"/quit\n",
    ];
    ada.send(asked.concat());
    let heard = ada.hear_all();
    let answers: [(&str, IsAnswer); 3] = [
        ("one", |line| line == "* You are \"Ada\"."),
        ("two", |line| {
            line.starts_with("* ") && line.contains("Guest 0")
        }),
        ("three", |line| line == "* Goodbye!"),
    ];
    for (text, is_answer) in answers {
        let answer = heard.iter().position(|line| is_answer(line));
        let before = &heard[..answer.unwrap_or_else(|| panic!("no answer to {text}"))];
        let n_lines = before
            .iter()
            .filter(|line| **line == format!("Ada> {text}"));
        assert_eq!(n_lines.count(), 50, "before the answer to {text}");
    }
    for heard in hear_to("the end", &mut clients) {
        // Everyone hears what she has said before she left.
        let n_heard = |text: &str| {
            let line = format!("Ada> {text}");
            heard.said.iter().filter(|other| **other == line).count()
        };
        assert_eq!(["one", "two", "three"].map(n_heard), [50; 3]);
    }
}

#[test]
fn one_who_leaves_while_redis_is_away_gives_up_the_seat() {
    let redis = Redis::start();
    let server = server(&redis.url());
    let mut clients = ["Ada", "Bob"].map(|name| Client::join(&server, name));
    hear_to("the start", &mut clients);
    let [mut ada, bob] = clients;
    redis.freeze();
    // Her last words wait.
    say_lines(&mut ada, 0..3);
    ada.hear_until(&Notice::CutOff.to_string());
    drop(ada);
    server.log.wait_for("Connection #0: closed by peer");
    redis.thaw();
    let mut bob = bob;
    let heard = bob.hear_until("Ada> line 2");
    assert_eq!(
        heard
            .iter()
            .filter(|line| line.starts_with("Ada> "))
            .count(),
        2
    );
}

#[test]
fn two_rooms_on_one_redis_do_not_hear_each_other() {
    let redis = Redis::start();
    let in_room =
        |name: &str| TestServer::with(&["--redis", &redis.url(), "--room", name, "--rate", "0"]);
    let rooms = [
        in_room("main"),
        in_room("main"),
        in_room("attic"),
        in_room("attic-2"),
    ];
    let join = |number: usize| Client::join(&rooms[number], &format!("Guest {number}"));
    let mut clients = [0, 1, 2, 3].map(join);
    let (downstairs, upstairs) = clients.split_at_mut(2);
    hear_to("the start", downstairs);
    for client in &mut *upstairs {
        say_lines(client, 0..20);
        let before = client.hear_until(&format!("{}> line 19", client.name));
        assert_eq!(before.len(), 19);
    }
    for heard in hear_to("the end", downstairs) {
        assert_eq!(heard.said, [""; 0]);
    }
    for client in upstairs {
        assert_eq!(client.mark("the end"), [""; 0]);
    }
}

#[test]
fn a_new_server_knows_what_was_said_last() {
    let redis = Redis::start();
    let first = server(&redis.url());
    let mut ada = Client::join(&first, "Ada");
    for number in 0..8 {
        ada.mark(&number.to_string());
    }
    let url = redis.url();
    let second = TestServer::with(&["--redis", &url, "--rate", "0", "--history", "5"]);
    ada.mark("8");
    let mut bob = Client::connect(&second);
    bob.give_name("Bob");
    // The last one may be heard by now, or is about to be.
    let told = bob.hear_until("Ada> 8");
    let expected = ["Ada> 3", "Ada> 4", "Ada> 5", "Ada> 6", "Ada> 7"];
    let lines = told.iter().filter(|line| !line.starts_with('*'));
    let lines: Vec<_> = lines.map(String::as_str).collect();
    assert!(expected.ends_with(&lines) && lines.len() >= 4, "{told:?}");
    // It has the history as long as the stream does, not as long as a server.
    drop((ada, bob));
    assert!(first.stop().success());
    assert!(second.stop().success());
    let third = TestServer::with(&["--redis", &url, "--rate", "0", "--history", "3"]);
    let mut cy = Client::connect(&third);
    cy.give_name("Cy");
    for line in ["* The last 3 messages:", "Ada> 6", "Ada> 7", "Ada> 8"] {
        cy.expect(line);
    }
    cy.expect_notice(&Notice::UpToDate);
}
