//! What newcomers are told: who comes and goes, what was said before, and the message of the day.

use crate::support::{Client, Netcat, TestServer, trio_chat};
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::PathBuf;
use std::thread;
use trio_chat::protocol::notice::Notice;

/// A file in the system's folder for such files, which is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn with(name: &str, text: &str) -> Self {
        let name = format!("trio-chat-it-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_netcat_gets_the_message_of_the_day_then_the_history_then_what_is_said() {
    let motd = Scratch::with("motd", "Welcome to the lab.\n\n\x1b[1mBe kind.\n");
    let server = TestServer::with(&["--motd", motd.path(), "--history", "2", "--announce"]);
    let mut ada = Netcat::join(&server, "Ada");
    for text in ["one", "two", "three"] {
        ada.asks(text, &format!("Ada> {text}"));
    }
    let mut bob = Netcat::join(&server, "Bob");
    bob.asks("hello", "Bob> hello");
    bob.asks("/nick Robert", "* You are \"Robert\".");
    let told = ["* Welcome to the lab.", "*", "* [1mBe kind."];
    let expected = [
        &["Welcome to Trio Chat! Enter your name:"],
        &told[..],
        &["* The last 2 messages:", "Ada> two", "Ada> three"],
        &["* You are up to date.", "* Bob joined.", "Bob> hello"],
        &["* Bob is now Robert.", "* You are \"Robert\"."],
    ];
    assert_eq!(bob.leaves(), expected.concat());
    ada.output.wait_for("* Robert left.");
}

#[test]
fn between_history_and_what_follows_nothing_is_lost_or_heard_twice() {
    let server = TestServer::with(&["--history", "50", "--rate", "0", "--queue", "4096"]);
    let mut talker = Client::join(&server, "Talker");
    for number in 0..100 {
        talker.mark(&number.to_string());
    }
    // It ends when its connection does, also when the test fails.
    let stream = talker.stream.try_clone().unwrap();
    let talking = thread::spawn(move || {
        let mut number = 100;
        loop {
            if writeln!(&talker.stream, "{number}").is_err() {
                return;
            }
            let echo = format!("Talker> {number}");
            while talker.next().is_some_and(|line| line != echo) {}
            number += 1;
        }
    });
    for round in 0..100 {
        let mut newcomer = Client::connect(&server);
        newcomer.give_name(&format!("Newcomer {round}"));
        newcomer.expect("* The last 50 messages:");
        newcomer.mark("here");
        newcomer.mark("and now");
        let heard = newcomer.heard.iter();
        let numbers: Vec<u32> = heard
            .clone()
            .filter_map(|line| line.strip_prefix("Talker> ")?.parse().ok())
            .collect();
        let expected: Vec<u32> = (numbers[0]..).take(numbers.len()).collect();
        assert_eq!(numbers, expected);
        let up_to_date = Notice::UpToDate.to_string();
        let n_before = heard.take_while(|line| **line != up_to_date).count();
        assert_eq!(n_before, 50 + 2, "a greeting, a notice and the history");
    }
    stream.shutdown(Shutdown::Both).unwrap();
    talking.join().unwrap();
}

#[test]
fn a_storm_of_joins_is_announced_in_a_few_lines_and_counts_everybody() {
    let server = TestServer::with(&["--announce", "--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    let storm: Vec<_> = (0..500)
        .map(|number| {
            let mut client = Client::silent(&server);
            client.send(format!("Guest {number}\n"));
            client
        })
        .collect();
    let mut n_joined = 0;
    let mut n_lines = 0;
    while n_joined < storm.len() {
        let line = ada.next().unwrap();
        let Some(names) = line.strip_suffix(" joined.") else {
            panic!("{line}");
        };
        n_lines += 1;
        n_joined += match names.rsplit_once(" and ") {
            None => 1,
            Some((_, others)) => match others.split_once(" other") {
                None => 2,
                Some((number, _)) => 2 + number.parse::<usize>().unwrap(),
            },
        };
    }
    assert_eq!(n_joined, storm.len());
    // Five alone, and then one a second for as long as it takes to join.
    assert!(n_lines < 50, "{n_lines} lines");
}

#[test]
fn bots_get_in_whatever_a_newcomer_is_told_first() {
    let motd = Scratch::with("motd-bots", "Welcome!\n");
    for options in [
        &["--motd", motd.path()][..],
        &["--announce"],
        &["--history", "9"],
    ] {
        let server = TestServer::with(options);
        let mut ada = Client::join(&server, "Ada");
        for _ in 0..2 {
            let bot = trio_chat()
                .args(["spam", &server.address.to_string(), "--count", "1"])
                .output()
                .unwrap();
            assert!(bot.status.success(), "{bot:?}");
        }
        let is_spam = |line: &String| line.starts_with("SpamBot 5000> ");
        while ada.heard.iter().filter(|line| is_spam(line)).count() < 2 {
            ada.next().unwrap();
        }
    }
}

#[test]
fn r7_a_message_of_the_day_that_cannot_be_shown_is_named() {
    let long = Scratch::with("motd-long", &"x\n".repeat(33));
    for (path, part) in [
        ("/nowhere", "/nowhere: "),
        (long.path(), "at most 32 lines"),
    ] {
        let refused = trio_chat().args(["--motd", path, "0"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains(part), "{message}");
    }
}
