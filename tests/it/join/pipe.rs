//! A pipe loses no line without saying so.

use super::pipe;
use crate::support::{Impostor, Process, TestServer, trio_chat};
use rustix::process::Signal;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, Stdio};

/// Starts a pipe, and returns it with its ends.
fn start(address: SocketAddr, name: &str) -> (Process, ChildStdin, BufReader<ChildStdout>) {
    let mut child = Process::spawn(
        trio_chat()
            .args(["join", &address.to_string(), "--name", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    let input = child.child().stdin.take().unwrap();
    let output = child.child().stdout.take().unwrap();
    (child, input, BufReader::new(output))
}

/// Returns what it said to standard error, until the end.
fn errors(child: &mut Process) -> String {
    let mut errors = String::new();
    let mut stderr = child.child().stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    errors
}

#[test]
fn lines_of_a_megabyte_wait_for_space() {
    let server = TestServer::with(&["--rate", "0"]);
    let line = "x".repeat((1 << 20) - 1);
    let input = [line.as_str(); 8].join("\n");
    let (code, output, error) = pipe(server.address, &["--name", "Big"], &input);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.contains("Big> x"));
}

#[test]
fn it_says_that_a_line_is_too_long_to_be_sent_whole() {
    let server = TestServer::with(&["--rate", "0"]);
    let line = "x".repeat((1 << 20) + 1);
    let (code, _, error) = pipe(server.address, &["--name", "Big"], &line);
    assert_eq!((code, error.lines().count()), (0, 1), "{error}");
    assert!(error.contains("has more than 1 MiB"), "{error}");
}

#[test]
fn lines_after_quit_did_not_come_back() {
    let server = TestServer::start();
    for (input, code, error) in [
        ("a\n/quit\n", 0, ""),
        ("/quit\nb\n", 1, "trio-chat: 1 line did not come back.\n"),
        (
            "a\n/quit\nb\nc\n",
            1,
            "trio-chat: 2 lines did not come back.\n",
        ),
    ] {
        // Each has its own name, since the server may need a while to see that the last has gone.
        let name = format!("Ada {}", input.len());
        let (ended, _, said) = pipe(server.address, &["--name", &name], input);
        assert_eq!((ended, said.as_str()), (code, error), "{input:?}");
    }
}

#[test]
fn every_line_is_counted_when_the_server_dies() {
    for has_ended in [true, false] {
        let server = TestServer::start();
        let (mut child, mut input, mut output) = start(server.address, "seq");
        for number in 0..100 {
            writeln!(input, "{number}").unwrap();
        }
        let _input = (!has_ended).then_some(input);
        let mut line = String::new();
        while !line.ends_with("seq> 2\n") {
            assert_ne!(output.read_line(&mut line).unwrap(), 0);
        }
        server.kill();
        output.read_to_string(&mut line).unwrap();
        let n_lost = 100 - line.matches("seq> ").count();
        let error = errors(&mut child);
        let wanted = if has_ended {
            format!(" {n_lost} lines did not come back.\n")
        } else {
            format!(
                " {n_lost} lines that were read did not come back, and the rest was not read.\n"
            )
        };
        assert!(error.ends_with(&wanted), "{error}");
        assert_eq!(child.wait().code(), Some(1));
    }
}

#[test]
fn a_signal_ends_it_and_it_says_what_did_not_come_back() {
    let server = Impostor::room(|mut stream, mut reader| {
        for number in 0..3 {
            reader.read_until(b'\n', &mut Vec::new()).unwrap();
            writeln!(stream, "Ada> {number}").unwrap();
        }
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    });
    let (mut child, mut input, mut output) = start(server.address, "Ada");
    let numbers: Vec<_> = (0..10).map(|number| format!("{number}\n")).collect();
    input.write_all(numbers.concat().as_bytes()).unwrap();
    drop(input);
    let mut heard = String::new();
    while !heard.ends_with("Ada> 2\n") {
        assert_ne!(output.read_line(&mut heard).unwrap(), 0);
    }
    child.signal(Signal::TERM);
    let error = errors(&mut child);
    assert_eq!(error, "trio-chat: 7 lines did not come back.\n");
    assert_eq!(child.wait().code(), Some(0));
}

#[test]
fn input_and_output_that_fail_are_told() {
    let server = TestServer::start();
    for (name, input, output, wanted) in [
        (
            "Ada 1",
            "/dev/null",
            "/dev/full",
            "Cannot write to standard output: ",
        ),
        (
            "Ada 2",
            "/",
            "/dev/null",
            "Cannot read from standard input: ",
        ),
    ] {
        let output = File::options().write(true).open(output).unwrap();
        let ended = trio_chat()
            .args(["join", &server.address.to_string(), "--name", name])
            .stdin(File::open(input).unwrap())
            .stdout(output)
            .output()
            .unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), error.lines().count()), (Some(1), 1));
        assert!(error.contains(wanted), "{error}");
    }
}
