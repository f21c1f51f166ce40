//! The terminal client: as a pipe here, on a terminal below.

mod draft;
mod ends;
mod hostile;
mod paste;
mod pipe;
mod plain;
mod stay;

use crate::support::{Client, Impostor, TestServer, Tmux, trio_chat, until};
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Starts a server with these options, and lets Bob join, and Ada from a terminal of `n_columns`.
fn room(n_columns: u16, options: &[&str]) -> (TestServer, Client, Tmux) {
    let server = TestServer::with(options);
    let bob = Client::join(&server, "Bob");
    let terminal = Tmux::join(n_columns, server.address, "--name Ada");
    (server, bob, terminal)
}

/// Joins with `input` as standard input, and returns the exit code and what it printed.
fn pipe(address: SocketAddr, options: &[&str], input: &str) -> (i32, String, String) {
    let mut command: Command = trio_chat();
    command.arg("join").arg(address.to_string()).args(options);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has taken everything.
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_pipe_sends_each_line_in_its_turn_and_ends_when_the_last_came_back() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let lines: Vec<String> = (0..10).map(|number| format!("line {number}")).collect();
    let start = Instant::now();
    let (code, output, error) = pipe(server.address, &["--name", "seq"], &lines.join("\n"));
    let took = start.elapsed();
    assert_eq!((code, error.as_str()), (0, ""));
    let said: Vec<String> = lines.iter().map(|line| format!("seq> {line}")).collect();
    let heard: Vec<&str> = output.lines().skip(1).collect();
    assert_eq!(heard, said);
    assert!(took >= Duration::from_millis(1800), "{took:?}");
    assert_eq!(bob.hear_until("seq> line 9").len(), 9);
}

#[test]
fn a_pipe_that_cannot_have_its_name_or_has_none_says_so() {
    let server = TestServer::start();
    let _ada = Client::join(&server, "Ada");
    for (options, wanted, part) in [
        (
            &["--name", "ada"][..],
            1,
            "\"ada\" is taken. Try \"ada 2\".",
        ),
        (&["--name", "*"], 1, "cannot contain"),
        (&[], 2, "--name NAME"),
    ] {
        let (code, output, error) = pipe(server.address, options, "");
        assert_eq!((code, output.as_str()), (wanted, ""));
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_name_with_a_newline_says_nothing_to_the_room() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let (code, output, error) = pipe(server.address, &["--name", "Ada\nhello"], "hi");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.starts_with("* You are \"Adahello\".\n"), "{output}");
    assert_eq!(bob.hear_until("Adahello> hi"), [""; 0]);
}

#[test]
fn a_pipe_says_how_many_lines_did_not_come_back() {
    let server = Impostor::room(|_, mut reader| {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
    });
    let (code, _, error) = pipe(server.address, &["--name", "Ada"], "a\nb\nc\n");
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("did not come back."), "{error}");
}

#[test]
fn a_pipe_whose_reader_has_gone_ends() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob");
    let mut child = trio_chat()
        .args(["join", &server.address.to_string(), "--name", "Ada"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    let status = until("the end", || {
        bob.mark("hello");
        child.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(0));
}

#[test]
fn j3_what_is_no_trio_chat_server_is_told_in_one_sentence() {
    let silent = thread::spawn(|| {
        let server = Impostor::once(|mut stream| drop(stream.read(&mut [0])));
        pipe(server.address, &["--name", "Ada"], "")
    });
    let endless = vec![b'x'; 100_000];
    for (bytes, part) in [
        (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], "it speaks SSH"),
        (b"HTTP/1.1 408 Request Timeout\r\n\r\n", "it speaks HTTP"),
        (b"220 mail.example.org ESMTP\r\n", "220 mail"),
        (
            b"\x15\x03\x01\x00\x02\x02\x46\xff\xfe\n",
            "not a Trio Chat server",
        ),
        (b"\x1b[2J\x1b]0;owned\x07\n", "not a Trio Chat server"),
        (b"", "closed the connection"),
        (
            b"* The room is full. Try again later.\n",
            "The room is full",
        ),
        (&endless, "not a Trio Chat server"),
    ] {
        let server = Impostor::once({
            let bytes = bytes.to_vec();
            move |mut stream| drop(stream.write_all(&bytes))
        });
        let (code, output, error) = pipe(server.address, &["--name", "Ada"], "");
        assert_eq!((code, output.as_str()), (1, ""), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(part), "{error}");
        assert!(!error.trim_end().contains(char::is_control), "{error:?}");
    }
    let (code, _, error) = silent.join().unwrap();
    assert_eq!(code, 1);
    assert!(error.contains("has said nothing for 10 s"), "{error}");
}

#[test]
fn j3_a_name_that_nobody_can_have_is_not_taken_from_a_server() {
    for name in ["", " ", "*", "You> ", &"名".repeat(40)] {
        let server = Impostor::naming(name, |_, _| {});
        let (code, output, error) = pipe(server.address, &["--name", "Ada"], "");
        assert_eq!((code, output.as_str()), (1, ""), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("is not a Trio Chat server"), "{error}");
    }
    let server = Impostor::room(|mut stream, mut reader| {
        reader.read_until(b'\n', &mut Vec::new()).unwrap();
        let lines = b"* You are \"\".\nAda> a\n";
        stream.write_all(lines).unwrap();
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    });
    // Under another name, it would not know its own line.
    let (code, _, error) = pipe(server.address, &["--name", "Ada"], "a");
    assert_eq!((code, error.as_str()), (0, ""));
}

#[test]
fn j3_whatever_a_server_sends_is_cleaned_and_bounded() {
    let server = Impostor::room(|mut stream, _| {
        stream
            .write_all(b"Bob> \x1b[2J\x1b]0;owned\x07\x9b31m hi\n")
            .unwrap();
        stream.write_all(b"Bob> \xff\xfe\xc3\x28 bad\n").unwrap();
        stream
            .write_all("Bob> \u{202e}desrever\u{2066}\n".as_bytes())
            .unwrap();
        let endless = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            stream.write_all(&endless).unwrap();
        }
        stream.write_all(b"\nAda> a\n").unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let (code, output, error) = pipe(server.address, &["--name", "Ada"], "a");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.ends_with("\nAda> a\n"));
    assert!(output.lines().all(|line| line.len() <= 16 * 1024));
    assert!(
        !output.contains(|it: char| it.is_control() && it != '\n'),
        "{output:?}"
    );
    assert!(!output.contains(['\u{202e}', '\u{2066}']));
}

#[test]
fn no_color_never_and_always_are_obeyed_in_a_pipe() {
    let server = TestServer::start();
    for (options, colored) in [
        (&["--name", "Ada 1"][..], false),
        (&["--name", "Ada 2", "--color", "never"], false),
        (&["--name", "Ada 3", "--color", "always"], true),
    ] {
        let (_, output, _) = pipe(server.address, options, "hi");
        assert_eq!(output.contains("\x1b["), colored, "{output:?}");
        assert!(output.starts_with(if colored { "\x1b[2m* You" } else { "* You" }));
    }
}

#[test]
fn a_pipe_that_finds_no_server_says_so_in_one_plain_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let (code, output, error) = pipe(free, &["--name", "Ada"], "hi\n");
    assert_eq!((code, output.as_str()), (1, ""));
    let sentence = format!("trio-chat: Nothing listens on {free}; is the server running?\n");
    assert_eq!(error, sentence);
}
