//! The protocol and the log, to the byte.

use crate::support::{Client, TestServer, log_text, trio_chat};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use trio_chat::protocol::notice::Notice;

#[test]
fn a_session_looks_exactly_as_the_design_shows_it() {
    let server = TestServer::start();
    let mut grace = Client::join(&server, "Grace");
    let mut ada = TcpStream::connect(server.address).unwrap();
    ada.write_all(b"Ada\n").unwrap();
    // Ada is in the room once Grace hears her.
    ada.write_all(b"hello\n").unwrap();
    grace.expect("Ada> hello");
    grace.say("The moth is out of relay 70.");
    grace.expect("Grace> The moth is out of relay 70.");
    ada.write_all(b"Tape it into the log book!\n").unwrap();
    ada.shutdown(Shutdown::Write).unwrap();
    let mut transcript = String::new();
    ada.read_to_string(&mut transcript).unwrap();
    assert_eq!(
        transcript,
        "Welcome to Trio Chat! Enter your name:\n\
         Ada> hello\n\
         Grace> The moth is out of relay 70.\n\
         Ada> Tape it into the log book!\n"
    );
}

#[test]
fn white_space_around_a_line_is_trimmed_and_an_empty_line_is_no_message() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut ada = Client::connect(&server);
    ada.give_name("  Ada\t");
    ada.name = "Ada".to_owned();
    ada.send("  two  spaces \t\n\n   \n\u{a0}\n");
    assert_eq!(ada.mark("marker"), ["Ada> two  spaces"]);
}

#[test]
fn a_client_whose_name_is_refused_is_told_why_and_may_give_another() {
    let server = TestServer::start();
    let _rick = Client::join(&server, "Rick");
    let mut client = Client::connect(&server);
    for (name, reason) in [
        ("rick", "* \"rick\" is taken. Try \"rick 2\"."),
        (
            "* Rick",
            "* A name cannot contain \">\" or start with \"*\".",
        ),
        ("", "* A name needs at least one visible character."),
        (
            "a name of more than thirty-two characters",
            "* A name has at most 32 characters.",
        ),
    ] {
        client.give_name(name);
        client.expect(reason);
        client.expect("Enter your name:");
    }
    client.give_name("rick 2");
    assert!(client.mark("in at the fifth try").is_empty());
}

#[test]
fn b5_a_name_that_is_made_to_look_like_another_is_refused() {
    let server = TestServer::start();
    let _first = Client::join(&server, "Zoë O'Neil");
    let mut client = Client::connect(&server);
    for (name, reason) in [
        (
            "Zoё O'Neil",
            "* Letters of Latin and Cyrillic look alike. Use one alphabet.",
        ),
        (
            "Zoë O\u{2019}Neil",
            "* \"Zoë O\u{2019}Neil\" is taken. Try \"Zoë O\u{2019}Neil 2\".",
        ),
    ] {
        client.give_name(name);
        client.expect(reason);
        client.expect("Enter your name:");
    }
    client.give_name("Зоя");
    assert!(client.mark("in with one alphabet").is_empty());
}

#[test]
fn after_five_refused_names_a_client_is_told_so_and_disconnected() {
    let server = TestServer::start();
    let mut client = Client::connect(&server);
    for _ in 0..4 {
        client.give_name(">");
        client.expect("* A name cannot contain \">\" or start with \"*\".");
        client.expect("Enter your name:");
    }
    client.give_name(">");
    client.expect("* A name cannot contain \">\" or start with \"*\".");
    client.expect("* That was the last try. Goodbye!");
    assert_eq!(client.next(), None);
    server
        .log
        .wait_for("Connection #0: closed, too many of its names were refused");
}

#[test]
fn a_client_that_gives_no_name_in_time_is_told_so_and_disconnected() {
    let server = TestServer::with(&["--name-timeout", "1"]);
    let mut silent = Client::connect(&server);
    silent.expect("* That took too long. Goodbye!");
    assert_eq!(silent.next(), None);
    server
        .log
        .wait_for("Connection #0: closed, it gave no name in time");
}

#[test]
fn a_client_with_a_name_may_be_silent_for_longer_than_the_name_timeout() {
    let server = TestServer::with(&["--name-timeout", "0.5"]);
    let mut named = Client::join(&server, "Ada");
    let mut unnamed = Client::connect(&server);
    unnamed.expect("* That took too long. Goodbye!");
    assert!(named.mark("still here").is_empty());
}

#[test]
fn a_name_is_free_again_once_its_client_has_left() {
    let server = TestServer::start();
    for _ in 0..3 {
        let mut rick = Client::join(&server, "Rick");
        rick.finish();
        assert!(rick.hear_all().is_empty());
    }
}

#[test]
fn the_log_of_a_session_is_exact_and_contains_no_message() {
    let server = TestServer::start();
    let mut client = Client::connect(&server);
    client.give_name("SlowBot 0.0.1a");
    client.mark("a secret");
    client.finish();
    server.log.wait_for("closed by peer");
    let lines = server.log.lines();
    let texts: Vec<_> = lines
        .iter()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        texts[0],
        format!("[INFO] Trio chat server listening on {}", server.address)
    );
    assert_eq!(
        texts[3..],
        [
            "[INFO] Connection #0 from 127.0.0.1",
            "[INFO] Connection #0: name set to \"SlowBot 0.0.1a\"",
            "[INFO] Connection #0: closed by peer",
        ]
    );
    assert!(log_text(&lines[1]).starts_with("Room for "));
    assert!(
        log_text(&lines[2])
            .ends_with(" MiB of memory for messages that slow clients have not read")
    );
    assert!(!lines.concat().contains("secret"));
}

#[test]
fn the_server_listens_on_every_address_given() {
    let server = TestServer::spawn(trio_chat().args(["127.0.0.1:0", "[::1]:0", "localhost:0"]));
    let lines = server.log.wait_until("three addresses", |lines| {
        lines
            .iter()
            .filter(|line| line.contains("listening on "))
            .count()
            >= 3
    });
    let mut first = Client::join(&server, "First");
    for line in lines.iter().filter(|line| line.contains("listening on ")) {
        let address = line.rsplit(' ').next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        writeln!(stream, "Guest\nfrom {address}").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        first.expect(&format!("Guest> from {address}"));
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert!(heard.starts_with(&Notice::Welcome.line()), "{heard}");
    }
}

#[test]
fn a_wildcard_address_brings_one_warning_and_serves_ipv4_and_ipv6() {
    let server = TestServer::spawn(trio_chat().args(["[::]:0"]));
    server.log.wait_for("Room for");
    let warnings: Vec<_> = server
        .log
        .lines()
        .into_iter()
        .filter(|line| line.contains("[WARN]"))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("Anyone who can reach"), "{warnings:?}");
    for host in ["127.0.0.1", "::1"] {
        let mut client = Client::at((host, server.address.port()));
        client.expect_notice(&Notice::Welcome);
        server.log.wait_for(&format!("from {host}"));
    }
}

#[test]
fn a_client_without_a_seat_reads_a_polite_line_and_then_the_end() {
    let server = TestServer::with(&["--max-clients", "2"]);
    let mut ada = Client::join(&server, "Ada");
    let bob = Client::join(&server, "Bob");
    for _ in 0..20 {
        let mut refused = TcpStream::connect(server.address).unwrap();
        refused.write_all(b"Eve\nhello\n").unwrap();
        let mut heard = String::new();
        refused
            .read_to_string(&mut heard)
            .expect("an end, not a reset");
        assert_eq!(heard, "* The room is full. Try again later.\n");
    }
    assert_eq!(ada.mark("undisturbed"), ["Bob> here"]);
    bob.finish();
    server.log.wait_for("Connection #1: closed by peer");
    // The seat is given back a moment after the line is logged.
    let mut eve = Client::connect_when_there_is_a_seat(&server);
    eve.give_name("Eve");
    eve.mark("in");
}

#[test]
fn everyone_is_told_goodbye_when_the_server_stops() {
    let server = TestServer::start();
    let mut named = Client::join(&server, "Ada");
    let mut unnamed = Client::connect(&server);
    assert!(server.stop().success());
    named.expect("* The server is stopping. Goodbye!");
    assert_eq!(named.next(), None);
    unnamed.expect("* The server is stopping. Goodbye!");
    assert_eq!(unnamed.next(), None);
}

#[test]
fn the_name_timeout_covers_all_tries_even_at_a_low_rate() {
    let server = TestServer::with(&["--name-timeout", "1", "--rate", "0.01"]);
    let mut client = Client::connect(&server);
    client.send("*\nA");
    client.expect("* A name cannot contain \">\" or start with \"*\".");
    client.expect("Enter your name:");
    client.expect("* That took too long. Goodbye!");
    assert_eq!(client.next(), None);
}
