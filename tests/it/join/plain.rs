//! A terminal whose cursor must not move.

use crate::support::{Client, Impostor, TestServer, Tmux};
use crossbeam_channel::{Sender, bounded};
use std::io::{Read, Write};
use trio_chat::protocol::notice::Notice;

/// Removes colours from what was written to the terminal, and how they end.
fn without_colors(written: &str) -> String {
    let mut parts = written.split("\x1b[");
    let mut rest = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part.find(|it: char| !it.is_ascii_digit() && it != ';');
        let is_color = end.is_some_and(|end| part[end..].starts_with('m'));
        let after = if is_color { end.unwrap() + 1 } else { 0 };
        rest += if is_color { "" } else { "\x1b[" };
        rest += &part[after..];
    }
    rest
}

#[test]
fn a_plain_terminal_gets_no_byte_that_moves_its_cursor() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    for (number, (environment, options, is_colored)) in [
        ("NO_COLOR=1", "--plain", false),
        ("NO_COLOR=", "--plain", true),
        ("TERM=dumb", "", false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Ada {number}");
        let terminal = Tmux::open(80);
        terminal.launch_in(environment, server.address, options);
        terminal.wait_for("trio-chat: Your name? Press Enter for \"Grace\".");
        terminal.says("Bob");
        terminal.wait_for("trio-chat: \"Bob\" is taken. Try \"Bob 2\".");
        terminal.says(&name);
        terminal.wait_for(&format!("* You are \"{name}\"."));
        bob.mark(&format!("hello {name}"));
        terminal.wait_for(&format!("Bob> hello {name}"));
        terminal.says("hi");
        terminal.wait_for(&format!("{name}> hi"));
        terminal.keys(&["C-d"]);
        assert_eq!(terminal.end(), 0);
        let written = terminal.written_between("trio-chat: Your name?", "ended with ");
        assert_eq!(written.contains("\x1b["), is_colored, "{written:?}");
        let written = without_colors(&written).replace("\r\n", "\n");
        // The terminal itself writes an end of input and takes it back.
        let written = written.replace("^D\x08\x08", "");
        assert!(
            !written.contains(|it: char| it.is_control() && it != '\n'),
            "{written:?}"
        );
    }
}

#[test]
fn whoever_has_no_user_name_is_asked_plainly_and_told_what_takes_so_long() {
    let (go, may_go) = bounded::<()>(1);
    let server = Impostor::once(move |mut stream| {
        may_go.recv().unwrap_or_default();
        stream.write_all(Notice::Full.line().as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let go: Sender<()> = go;
    let terminal = Tmux::open(80);
    terminal.launch_in("-u USER", server.address, "--plain");
    terminal.wait_for_row("trio-chat: Your name?");
    terminal.says("Ada");
    terminal.wait_for_row(&format!("Connecting to {}…", server.address));
    drop(go);
    terminal.wait_for("The room is full.");
    assert_eq!(terminal.end(), 1);
}
