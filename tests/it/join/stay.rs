//! A stay in the room: names, looks, lost connections.

use super::room;
use crate::support::{Client, Impostor, TestServer, Tmux, trio_chat, until};
use std::fs;
use std::io::{BufRead, Write};
use std::net::TcpListener;
use trio_chat::protocol::notice::Notice;

#[test]
fn a_name_that_is_taken_is_refused_with_a_suggestion_filled_in() {
    let server = TestServer::start();
    let mut grace = Client::join(&server, "Grace");
    let terminal = Tmux::open(80);
    terminal.launch(server.address, "");
    terminal.wait_for_row("Your name: Grace");
    terminal.keys(&["Enter"]);
    let lines = terminal.wait_for_row("Your name: Grace 2");
    assert!(lines.contains(&"\"Grace\" is taken. Try \"Grace 2\".".to_owned()));
    terminal.keys(&["Enter"]);
    terminal.wait_for_row("Grace 2>");
    terminal.says("/nick Hopper");
    terminal.types("dra");
    terminal.wait_for_row("Hopper> dra");
    terminal.says("ft");
    grace.hear_until("Hopper> draft");
}

#[test]
fn j4_a_lost_connection_keeps_the_draft_and_comes_back() {
    let server = TestServer::start();
    let address = server.address;
    let terminal = Tmux::join(80, address, "--name Ada");
    terminal.says("before");
    terminal.wait_for("Ada> before");
    terminal.types("a dra");
    server.kill();
    terminal.wait_for("* The connection is lost.");
    terminal.wait_for("* Not connected; trying again.");
    terminal.types("ft");
    let lines = terminal.wait_for_row("Ada> a draft");
    assert!(lines[lines.len() - 2].starts_with("* Not connected"));
    let server = TestServer::spawn(trio_chat().arg(address.to_string()));
    terminal.wait_until("both stays", |lines| {
        lines
            .iter()
            .filter(|line| line.as_str() == "* You are \"Ada\".")
            .count()
            == 2
    });
    let mut bob = Client::join(&server, "Bob");
    terminal.wait_for_row("Ada> a draft");
    terminal.keys(&["Enter"]);
    bob.hear_until("Ada> a draft");
    let lines = terminal.wait_for_row("Ada>");
    assert!(!lines.concat().contains("Not connected"), "{lines:#?}");
}

#[test]
fn j4_lines_that_were_not_heard_are_named_and_not_sent_again() {
    let server = Impostor::room(|_stream, mut reader| {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        while !line.ends_with(b"two\n") {
            reader.read_until(b'\n', &mut line).unwrap();
        }
    });
    let address = server.address;
    let terminal = Tmux::join(80, address, "--name Ada");
    terminal.says("one");
    terminal.wait_for("* sending…");
    terminal.says("two");
    terminal.wait_for("* This was sent and not heard: one");
    terminal.wait_for("* This was sent and not heard: two");
    drop(server);
    let listener = TcpListener::bind(address).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .write_all(b"Welcome to Trio Chat! Enter your name:\n")
        .unwrap();
    let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).unwrap();
    stream.write_all(b"* You are \"Ada\".\n").unwrap();
    terminal.wait_until("the second stay", |lines| {
        lines
            .iter()
            .filter(|line| line.as_str() == "* You are \"Ada\".")
            .count()
            == 2
    });
    terminal.says("three");
    line.clear();
    reader.read_until(b'\n', &mut line).unwrap();
    assert_eq!(line, b"\xff\xf6three\n");
}

#[test]
fn j4_why_it_cannot_come_back_is_told_once() {
    let server = TestServer::start();
    let address = server.address;
    let terminal = Tmux::join(80, address, "--name Ada");
    server.kill();
    // The other has the address before the client tries again, or soon after that.
    let listener = TcpListener::bind(address).unwrap();
    let answers = [
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 400 Bad Request",
        "* You are a guest.",
    ];
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        writeln!(stream, "{answer}").unwrap();
    }
    let lines = terminal.wait_for("it says \"* You are a guest.\".");
    let n_told = lines.concat().matches("it speaks HTTP.").count();
    assert_eq!(n_told, 1, "{lines:#?}");
    let (mut stream, _) = listener.accept().unwrap();
    let (welcome, refusal) = (Notice::Welcome.line(), Notice::ReservedName);
    stream.write_all(welcome.as_bytes()).unwrap();
    stream.write_all(refusal.line().as_bytes()).unwrap();
    terminal.wait_for(&refusal.to_string());
    terminal.wait_for_row("Ada>");
}

#[test]
fn lines_look_like_what_they_are_and_no_color_means_none() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let terminal = Tmux::join(80, server.address, "--name Ada --time");
    bob.mark("hello Ada!");
    terminal.wait_for("Bob> hello Ada!");
    let looks = terminal.looks();
    assert!(looks.contains("hello \x1b[7mAda"), "{looks:?}");
    assert!(looks.contains("\x1b[38;5;"), "{looks:?}");
    let lines = terminal.lines();
    let line = lines
        .iter()
        .find(|line| line.ends_with("hello Ada!"))
        .unwrap();
    assert_eq!(line.find(':'), Some(2), "{line}");
    terminal.keys(&["C-d"]);
    terminal.end();
    let terminal = Tmux::open(80);
    terminal.says("export NO_COLOR=1");
    terminal.start(server.address, "--name Eve");
    bob.mark("hello Eve!");
    terminal.wait_for("hello Eve!");
    assert!(!terminal.looks().contains('\x1b'), "{:?}", terminal.looks());
}

#[test]
fn plain_moves_no_cursor() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let terminal = Tmux::open(80);
    terminal.launch(server.address, "--name Ada --plain --color never | cat -v");
    terminal.wait_for("* You are \"Ada\".");
    bob.mark("hello");
    terminal.wait_for("Bob> hello");
    terminal.says("hi");
    bob.hear_until("Ada> hi");
    let lines = terminal.wait_for("Ada> hi");
    assert!(!lines.concat().contains("^["), "{lines:#?}");
    terminal.keys(&["C-d"]);
    terminal.end();
}

/// Returns the resident memory of a process, in bytes.
fn memory(pid: rustix::process::Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes.unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_fast_room_is_shown_whole_or_what_was_missed_is_told() {
    const MESSAGES: u64 = 40_000;
    const BLOCK: usize = 200;
    let (_server, mut bob, terminal) = room(80, &["--rate", "0", "--queue", "4096"]);
    let draft = "a draft that stays";
    terminal.types(draft);
    for start in (0..MESSAGES).step_by(BLOCK) {
        let block = start..start + BLOCK as u64;
        let lines: Vec<_> = block.map(|it| format!("message {it}\n")).collect();
        bob.send(lines.concat());
        // As fast as the room passes them on.
        bob.hear_until(&format!("Bob> message {}", start + BLOCK as u64 - 1));
    }
    let memory = memory(terminal.client());
    assert!(memory < 32 << 20, "{memory}");
    let lines = until("the end", || {
        // It may be missed too.
        bob.mark("over");
        let lines = terminal.lines();
        lines.contains(&"Bob> over".to_owned()).then_some(lines)
    });
    assert_eq!(lines.last().unwrap(), &format!("Ada> {draft}"));
    let numbers: Vec<u64> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("Bob> message ")?.parse().ok())
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next));
    let n_missed: u64 = lines
        .iter()
        .filter_map(|line| crate::support::n_missed(line))
        .sum();
    assert!(numbers.len() as u64 + n_missed >= MESSAGES);
}

#[test]
fn the_bell_rings_only_if_it_is_wanted() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    for (options, rings) in [("--name Ada", "0"), ("--name Ada --bell", "1")] {
        let terminal = Tmux::join(80, server.address, options);
        bob.mark("look, Ada");
        terminal.wait_for("Bob> look, Ada");
        assert_eq!(terminal.has_rung(), rings, "{options}");
        terminal.keys(&["C-d"]);
        terminal.end();
    }
}
