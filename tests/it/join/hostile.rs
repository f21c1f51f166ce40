//! A server that means no good, seen from a terminal.

use crate::support::{Impostor, Tmux};
use crossbeam_channel::{Sender, bounded};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn j3_nothing_that_a_server_sends_spoils_the_screen_or_the_draft() {
    let (go, may_go) = bounded(1);
    let server = Impostor::room(move |mut stream, mut reader| {
        let mut say = |bytes: &[u8]| stream.write_all(bytes).unwrap();
        may_go.recv().unwrap();
        say(b"Bob> \x1b[2J\x1b[H\x1b]0;owned\x07\x9b31m\x1b[?1049h\x08one\n");
        say("Bob> \u{9b}2J\u{202e}two\n".as_bytes());
        say(b"* You are \"Eve> \".\n* You missed 0 messages.\n* You are \"\x1b\".\n");
        for _ in 0..16 {
            say(&vec![b'x'; 1 << 20]);
        }
        say(b"\nBob> three\n");
        may_go.recv().unwrap();
        say(&vec![b'\n'; 1_000_000]);
        say(b"Bob> four\nBob> without an end");
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    // Dropped first, so that the server waits no longer if this fails.
    let go: Sender<()> = go;
    let terminal = Tmux::join(80, server.address, "--name Ada");
    terminal.types("a draft");
    terminal.wait_for_row("Ada> a draft");
    go.send(()).unwrap();
    terminal.wait_for("Bob> three");
    let lines = terminal.wait_for_row("Ada> a draft");
    let is_long = |line: &&String| line.starts_with('x');
    let (long, mut shown): (Vec<_>, Vec<_>) = lines.iter().partition(is_long);
    assert!(long.len() == 1 && long[0].len() < 16 * 1024);
    shown.retain(|line| !line.starts_with('$'));
    assert_eq!(
        shown,
        [
            "* You are \"Ada\".",
            "Bob> [2J[H]0;owned\u{fffd}31m[?1049hone",
            "Bob> 2Jtwo",
            "* You are \"Eve> \".",
            "* You missed 0 messages.",
            "* You are \"\".",
            "Bob> three",
            "Ada> a draft",
        ]
    );
    go.send(()).unwrap();
    terminal.wait_for("Bob> four");
    terminal.types(" stays");
    terminal.wait_for_row("Ada> a draft stays");
    terminal.keys(&["C-c", "C-c"]);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn j3_ctrl_c_ends_it_however_fast_a_server_talks() {
    for flood in ["Bob> flood\n", "x", "\n"] {
        let (hand_over, to_end) = bounded(1);
        let (go, may_go) = bounded::<()>(0);
        let server = Impostor::room(move |mut stream, _| {
            hand_over.send(stream.try_clone().unwrap()).unwrap();
            // If this fails, so has the test.
            let _ = may_go.recv();
            let block = flood.repeat(10_000);
            while stream.write_all(block.as_bytes()).is_ok() {}
        });
        let terminal = Tmux::join(80, server.address, "--name Ada");
        terminal.types("a draft");
        terminal.wait_for_row("Ada> a draft");
        drop(go);
        terminal.keys(&["C-c", "C-c"]);
        assert_eq!(terminal.end(), 0);
        // Whoever floods a closed window is not told for a minute that nobody is there.
        let stream: TcpStream = to_end.recv().unwrap();
        stream.shutdown(Shutdown::Both).unwrap_or_default();
    }
}
