//! The clients that our users have: each joins, says three lines and leaves, and what it printed is
//! compared with the exact transcript.

use crate::support::{Client, Output, Process, TestServer};
use std::io::Write;
use std::process::{Command, Stdio};
use trio_chat::protocol::notice::Notice;

/// Talks with a server of its own, and ends the input.
fn chat(script: &str) -> Vec<String> {
    talk(&TestServer::start(), script, "")
}

/// Runs `script` in bash, types a name, three lines and what is `last`, and returns everything it
/// printed. Each line is typed once the one before has come back, as a person would.
pub fn talk(server: &TestServer, script: &str, last: &str) -> Vec<String> {
    let mut witness = Client::join(server, "Witness");
    let n_ended = |lines: &[String]| lines.iter().filter(|it| it.contains(": closed")).count();
    let n_ended_before = n_ended(&server.log.lines());
    let script = script.replace("PORT", &server.address.port().to_string());
    let mut client = Process::spawn(
        Command::new("bash")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    );
    let output = Output::of(client.child().stdout.take().unwrap());
    let mut stdin = client.child().stdin.take().unwrap();
    output.wait_for(WELCOME);
    stdin.write_all(b"Ada\n").unwrap();
    for text in ["one", "zwei drei", "čtyři"] {
        writeln!(stdin, "{text}").unwrap();
        output.wait_for(&format!("Ada> {text}"));
        witness.expect(&format!("Ada> {text}"));
    }
    if !last.is_empty() {
        writeln!(stdin, "{last}").unwrap();
        output.wait_for(&Notice::Bye.to_string());
    }
    drop(stdin);
    let transcript = output.wait_for_end();
    client.wait();
    drop(witness);
    server.log.wait_until("the end of both sessions", |lines| {
        n_ended(lines) == n_ended_before + 2
    });
    transcript
}

const WELCOME: &str = "Welcome to Trio Chat! Enter your name:";
pub const TRANSCRIPT: [&str; 4] = [WELCOME, "Ada> one", "Ada> zwei drei", "Ada> čtyři"];

#[test]
fn openbsd_netcat_chats() {
    assert_eq!(chat("exec nc.openbsd -N 127.0.0.1 PORT"), TRANSCRIPT);
}

#[test]
fn traditional_netcat_chats() {
    assert_eq!(chat("exec nc.traditional -q 1 127.0.0.1 PORT"), TRANSCRIPT);
}

#[test]
fn ncat_chats() {
    assert_eq!(chat("exec ncat 127.0.0.1 PORT"), TRANSCRIPT);
    assert_eq!(chat("exec ncat --crlf 127.0.0.1 PORT"), TRANSCRIPT);
}

#[test]
fn socat_chats() {
    assert_eq!(chat("exec socat - TCP:127.0.0.1:PORT"), TRANSCRIPT);
}

#[test]
fn curl_chats() {
    // Without `-T .` it hears nothing while it waits for a line. It does not end with its input.
    let script = "exec curl -N --no-progress-meter -T . telnet://127.0.0.1:PORT";
    let transcript = talk(&TestServer::start(), script, "/quit");
    let (last, said) = transcript.split_last().unwrap();
    assert_eq!(
        (said, last.parse()),
        (&TRANSCRIPT.map(str::to_owned)[..], Ok(Notice::Bye))
    );
}

#[test]
fn telnet_chats() {
    let transcript = chat("exec telnet 127.0.0.1 PORT");
    let from = transcript.iter().position(|line| line == WELCOME).unwrap();
    assert_eq!(transcript[from..], TRANSCRIPT);
}

#[test]
fn bash_alone_chats() {
    let script = "exec 3<>/dev/tcp/127.0.0.1/PORT; cat <&3 & cat >&3; exec 3>&-; kill $!; wait";
    assert_eq!(chat(script), TRANSCRIPT);
}
