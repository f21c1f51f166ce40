//! The terminal is as before, however the client ends.

use super::room;
use crate::support::{Client, Impostor, TestServer, Tmux};
use rustix::process::{Signal, kill_process};
use std::io;

#[test]
fn j2_the_terminal_is_as_before_on_every_way_out() {
    for draft in ["", "a draft"] {
        let server = TestServer::start();
        let terminal = Tmux::open(80);
        let mut n_ended = 0;
        // Only when the server knows that the last one has gone is the name free again.
        let mut until_gone = || {
            n_ended += 1;
            server.log.wait_until("the end of the connection", |lines| {
                let ended =
                    |line: &&String| [": closed", ": reset"].iter().any(|it| line.contains(it));
                lines.iter().filter(ended).count() == n_ended
            });
        };
        for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
            terminal.start(server.address, "--name Ada");
            terminal.types(draft);
            terminal.wait_for_row(format!("Ada> {draft}").trim_end());
            kill_process(terminal.client(), signal).unwrap();
            assert_eq!(terminal.end(), 0, "{signal:?}");
            until_gone();
        }
        for keys in [&["C-u", "C-c"][..], &["C-c", "C-c"], &["C-u", "C-d"]] {
            terminal.start(server.address, "--name Ada");
            let keys = if draft.is_empty() { &keys[1..] } else { keys };
            terminal.types(draft);
            terminal.keys(keys);
            assert_eq!(terminal.end(), 0, "{keys:?}");
            until_gone();
        }
        terminal.start(server.address, "--name Ada");
        terminal.says("/quit");
        assert_eq!(terminal.end(), 0);
        until_gone();
        terminal.start(server.address, "--name Ada --no-reconnect");
        terminal.types(draft);
        drop(server);
        let lines = terminal.wait_for("closed the connection");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("* The server is stopping."))
        );
        assert_eq!(terminal.end(), 1);
    }
}

#[test]
fn j2_a_panic_in_any_thread_leaves_the_terminal_as_before() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let terminal = Tmux::open(80);
    for thread in ["reader", "session", "printer", "main"] {
        // The server may not know yet that the last one has gone.
        let name = format!("to-{thread}");
        terminal.start(server.address, &format!("--name {name}"));
        terminal.types("a draft");
        terminal.wait_for_row(&format!("{name}> a draft"));
        match thread {
            "main" => terminal.says(" and panic main"),
            // The server has a thread of that name too, for each client.
            "reader" => bob.mark(&format!("a {thread}: panic {thread}")).clear(),
            _ => bob.say(&format!("panic {thread}")),
        }
        assert_eq!(terminal.end(), 1, "{thread}");
        let lines = terminal.lines().concat();
        assert!(lines.contains("as it was told"), "{lines}");
    }
}

#[test]
fn j2_a_client_that_was_suspended_goes_on_where_it_was() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.types("a draft");
    terminal.wait_for_row("Ada> a draft");
    terminal.keys(&["C-z"]);
    terminal.wait_for("Stopped");
    bob.mark("meanwhile");
    terminal.says("fg");
    terminal.wait_for("Bob> meanwhile");
    terminal.wait_for_row("Ada> a draft");
    terminal.says(" sent");
    bob.hear_until("Ada> a draft sent");
}

#[test]
fn j2_a_client_that_was_stopped_from_outside_goes_on_where_it_was() {
    let (_server, mut bob, terminal) = room(80, &[]);
    for (number, signal) in [Signal::TSTP, Signal::STOP].into_iter().enumerate() {
        let draft = format!("draft {number}");
        terminal.types(&draft);
        terminal.wait_for_row(&format!("Ada> {draft}"));
        kill_process(terminal.client(), signal).unwrap();
        terminal.wait_until("the shell", |lines| {
            lines.last().is_some_and(|line| line == "$")
        });
        terminal.says("fg");
        terminal.wait_for_row(&format!("Ada> {draft}"));
        bob.mark(&format!("hello {number}"));
        terminal.wait_for(&format!("Bob> hello {number}"));
        terminal.types("x");
        terminal.wait_for_row(&format!("Ada> {draft}x"));
        terminal.keys(&["Home", "a", "Enter"]);
        let said = format!("Ada> a{draft}x");
        bob.hear_until(&said);
        terminal.wait_for(&said);
        let lines = terminal.wait_for_row("Ada>");
        // A terminal that echoes shows what is typed once more.
        let n_shown = lines
            .iter()
            .filter(|line| line.contains(&said[5..]))
            .count();
        assert_eq!(n_shown, 1, "{lines:#?}");
    }
}

#[test]
fn j2_the_question_for_a_name_survives_a_stop_and_a_paste_without_an_end() {
    let server = TestServer::start();
    let terminal = Tmux::open(80);
    terminal.launch(server.address, "");
    terminal.wait_for_row("Your name: Grace");
    terminal.types(" Ho");
    terminal.wait_for_row("Your name: Grace Ho");
    kill_process(terminal.client(), Signal::TSTP).unwrap();
    terminal.wait_until("the shell", |lines| {
        lines.last().is_some_and(|line| line == "$")
    });
    terminal.says("fg");
    terminal.wait_for_row("Your name: Grace Ho");
    terminal.types("\x1b[200~p");
    terminal.wait_for_row("Your name: Grace Hop");
    terminal.keys(&["Enter"]);
    terminal.wait_for_row("Grace Hop>");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let terminal = Tmux::open(80);
        terminal.launch(server.address, "");
        terminal.wait_for_row("Your name: Grace");
        kill_process(terminal.client(), signal).unwrap();
        assert_eq!(terminal.end(), 0, "{signal:?}");
    }
}

#[test]
fn whoever_gives_no_name_leaves_the_terminal_as_before() {
    let server = TestServer::start();
    for key in ["C-c", "C-d"] {
        let terminal = Tmux::open(80);
        terminal.launch(server.address, "");
        terminal.wait_for_row("Your name: Grace");
        terminal.keys(&["C-u", key]);
        assert_eq!(terminal.end(), 0);
    }
}

#[test]
fn whoever_leaves_at_once_sees_the_last_line_come_back() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.types("bye all");
    terminal.keys(&["Enter", "C-d"]);
    assert_eq!(terminal.end(), 0);
    bob.hear_until("Ada> bye all");
    let lines = terminal.lines();
    assert!(lines.contains(&"Ada> bye all".to_owned()), "{lines:#?}");
}

#[test]
fn whoever_leaves_sees_what_did_not_come_back_and_no_row_stays() {
    let silent = Impostor::room(|_stream, mut reader| {
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    let terminal = Tmux::join(80, silent.address, "--name Ada");
    terminal.says("bye all");
    terminal.wait_for("* sending…");
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.end(), 0);
    let lines = terminal.lines();
    let expected = "* This was sent and not heard: bye all";
    assert!(lines.contains(&expected.to_owned()), "{lines:#?}");
    assert!(lines.contains(&"* You are \"Ada\".".to_owned()));
    assert!(!lines.concat().contains("sending…"), "{lines:#?}");

    let server = TestServer::start();
    let terminal = Tmux::join(80, server.address, "--name Ada");
    server.kill();
    terminal.wait_for("* Not connected");
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.end(), 0);
    let lines = terminal.lines();
    assert!(!lines.concat().contains("Not connected"), "{lines:#?}");
}

#[test]
fn to_quit_while_not_connected_ends_it_at_once() {
    let server = TestServer::start();
    let terminal = Tmux::join(80, server.address, "--name Ada");
    server.kill();
    terminal.wait_for("* Not connected");
    terminal.says("said to nobody");
    terminal.says("/quit");
    assert_eq!(terminal.end(), 1);
    let lines = terminal.lines();
    assert!(lines.contains(&"trio-chat: 1 line was not sent.".to_owned()));
    assert!(!lines.concat().contains("Not connected"), "{lines:#?}");
}
