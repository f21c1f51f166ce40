//! Whoever runs the server can ask anybody to leave: in whatever state they are, and told why.

use crate::support::{
    Client, Process, TestServer, Tmux, ask, clients, status_path, trio_chat, until,
};
use std::fs::{self, Permissions};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

/// Runs `kick` with these words for this server. Returns its exit code and what it prints.
fn kick(server: &TestServer, words: &[&str]) -> (i32, String) {
    let output = trio_chat()
        .arg("kick")
        .args(&words[..1])
        .arg(server.address.port().to_string())
        .args(&words[1..])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[track_caller]
fn assert_kicked(server: &TestServer, words: &[&str]) {
    let (code, said) = kick(server, words);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("was asked to leave."), "{said}");
}

/// Lets `talker` talk until the first client in the room has missed something.
fn talk_until_missed(server: &TestServer, talker: &mut Client) {
    let text = "x".repeat(4000);
    while clients(server)[0].number("missed") == 0 {
        talker.mark(&text);
        talker.heard.clear();
    }
}

#[test]
fn who_is_asked_to_leave_is_told_why_after_all_that_was_said() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    let mut rick = Client::join(&server, "Rick");
    ada.mark("Bye, Rick");
    assert_kicked(
        &server,
        &["rick", "--why", "no \x1b[31mspam.", "--for", "10m"],
    );
    let why = Notice::AskedToLeaveFor("no  [31mspam".to_owned());
    let heard = rick.hear_all();
    assert_eq!(heard, ["Ada> Bye, Rick", &why.to_string()]);
    server
        .log
        .wait_for("Connection #1, \"Rick\", was asked to leave.");
    server
        .log
        .wait_for("Connection #1: closed, it was asked to leave");
    // The name is free again, and loopback is never barred.
    Client::join(&server, "Rick");
    let (code, said) = kick(&server, &["Rick 2"]);
    assert_eq!(code, 1);
    assert!(
        said.starts_with("trio-chat: Nobody here is Rick 2;"),
        "{said}"
    );
    ada.mark("still here");
}

#[test]
fn nobody_hides_behind_the_number_of_another_or_is_removed_for_no_name() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    let mut rick = Client::join(&server, "#0");
    let (code, said) = kick(&server, &["#0"]);
    assert_eq!(code, 1);
    assert!(
        said.contains("It can be * #0 \"Ada\" or * #1 \"#0\";"),
        "{said}"
    );
    let (code, said) = kick(&server, &["~"]);
    assert_eq!(code, 1, "{said}");
    let socket = status_path(&server);
    for time in ["0", "18446744073709551615", "soon"] {
        let said = ask(&socket, &format!("kick Ada\t{time}\t"));
        assert!(said.starts_with("no\tWrite kick NAME"), "{said}");
    }
    for words in [&["", "--why", "Ada"][..], &["\t", "--for", "10m"]] {
        assert_eq!(kick(&server, words).0, 2);
    }
    ada.mark("still here");
    assert_kicked(&server, &["#1"]);
    assert_eq!(
        rick.hear_all().last(),
        Some(&Notice::AskedToLeave.to_string())
    );
}

#[test]
fn a_flooder_that_has_renamed_itself_is_removed_at_once_with_what_it_sent() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    let mut eve = Client::join(&server, "Eve");
    eve.say("/nick Mallory");
    // Lines for a minute.
    eve.send("spam\n".repeat(300));
    until("a flood under another name", || {
        (clients(&server).last()?.text("name") == "Mallory").then_some(())
    });
    let start = Instant::now();
    assert_kicked(&server, &["Mallory"]);
    assert!(eve.hear_all().contains(&Notice::AskedToLeave.to_string()));
    until("a free seat", || {
        (clients(&server).len() == 1).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(5));
    ada.mark("quiet");
}

#[test]
fn clients_without_a_name_and_such_as_do_not_read_are_removed_too() {
    let server = TestServer::with(&["--rate", "0", "--queue", "2"]);
    let mut unnamed = Client::connect(&server);
    let (_, said) = kick(&server, &["* #0"]);
    assert_eq!(said, "Connection #0 was asked to leave.\n");
    unnamed.expect_notice(&Notice::AskedToLeave);
    assert_eq!(unnamed.next(), None);
    let stuck = Client::join(&server, "Stuck");
    let mut ada = Client::join(&server, "Ada");
    talk_until_missed(&server, &mut ada);
    let start = Instant::now();
    assert_kicked(&server, &["Stuck"]);
    until("a free seat", || {
        (clients(&server).len() == 1).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(5));
    ada.mark("still here");
    drop(stuck);
}

#[test]
fn one_who_leaves_but_does_not_read_is_cut_off_at_once() {
    let server = TestServer::with(&["--rate", "0"]);
    let stuck = Client::join(&server, "Stuck");
    let mut ada = Client::join(&server, "Ada");
    talk_until_missed(&server, &mut ada);
    // It says nothing more. Now it has ten seconds to read what waits.
    stuck.stream.shutdown(Shutdown::Write).unwrap();
    until("a client that leaves", || {
        (clients(&server)[0].text("doing") == "leaves").then_some(())
    });
    assert_kicked(&server, &["Stuck"]);
    server
        .log
        .wait_for("Connection #0, \"Stuck\", was asked to leave.");
    let start = Instant::now();
    until("a free seat", || {
        (clients(&server).len() == 1).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(stuck);
}

#[test]
fn a_long_name_can_be_written_as_the_view_shows_it() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada the first of her name");
    let mut bob = Client::join(&server, "Bob the first of his name");
    let _other = Client::join(&server, "Bob the second");
    let (code, said) = kick(&server, &["Bob the\u{2026}"]);
    assert_eq!(code, 1);
    assert!(said.contains("* #1 \"Bob the first of his"), "{said}");
    assert_kicked(&server, &["bob the firs\u{2026}"]);
    let heard = bob.hear_all();
    assert_eq!(heard.last(), Some(&Notice::AskedToLeave.to_string()));
    assert_kicked(&server, &["Ada the fir~"]);
    let heard = ada.hear_all();
    assert_eq!(heard.last(), Some(&Notice::AskedToLeave.to_string()));
}

#[test]
fn letters_of_another_alphabet_hide_nobody() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    let mut eve = Client::join(&server, "\u{0455}\u{0441}\u{043e}\u{0440}\u{0435}");
    assert_kicked(&server, &["scope"]);
    let heard = eve.hear_all();
    assert_eq!(heard.last(), Some(&Notice::AskedToLeave.to_string()));
    ada.mark("still here");
    assert_eq!(kick(&server, &["scope"]).0, 1);
}

#[test]
fn a_server_of_another_address_is_not_taken_for_it() {
    let server = TestServer::start();
    let other = format!("127.0.0.2:{}", server.address.port());
    let second = TestServer::spawn(trio_chat().args(["serve", &other]));
    let mut ada = Client::join(&server, "Ada");
    let mut double = Client::join(&second, "Ada");
    let output = trio_chat().args(["kick", "Ada", &other]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let part = format!("is another one; it listens on {}.", server.address);
    assert!(said.contains(&part), "{said}");
    ada.mark("still here");
    double.mark("still here");
}

#[test]
fn an_address_that_is_not_barred_needs_no_forgiveness() {
    let server = TestServer::start();
    let socket = status_path(&server);
    let forgive = |address: &str| {
        let output = trio_chat()
            .args(["kick", "--socket"])
            .arg(&socket)
            .args(["--forgive", address])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = forgive("192.0.2.7");
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("trio-chat: 192.0.2.7 is not barred"),
        "{said}"
    );
    assert_eq!(forgive("Rick").0, Some(2));
    assert!(ask(&socket, "forgive Rick").starts_with("no\tRick is no address"));
}

#[test]
fn nobody_else_can_put_a_socket_where_it_is_looked_for() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: it takes root");
        return;
    }
    // Its folder in /tmp belongs to somebody else, who listens there.
    let user = 65_533;
    let folder = PathBuf::from(format!("/tmp/trio-chat-{user}"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("1.sock");
    let _ = fs::remove_file(&path);
    let stranger = UnixListener::bind(&path).unwrap();
    stranger.set_nonblocking(true).unwrap();
    for path in [&folder, &path] {
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    let program = std::env::temp_dir().join(format!("trio-chat-for-all-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_trio-chat"), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args([&format!("--reuid={user}"), "--clear-groups"])
        .arg(&program)
        .args(["kick", "Rick", "1"])
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("RUNTIME_DIRECTORY")
        .output()
        .unwrap();
    fs::remove_file(program).unwrap();
    fs::remove_dir_all(folder).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("There is no status socket for port 1"),
        "{said}"
    );
    assert!(stranger.accept().is_err(), "nobody has connected");
}

#[test]
fn the_terminal_client_does_not_come_back_by_itself() {
    let server = TestServer::start();
    let terminal = Tmux::join(80, server.address, "--name Rick");
    assert_kicked(&server, &["Rick", "--why", "enough"]);
    terminal.wait_for("* You were asked to leave: enough. Goodbye!");
    assert_eq!(terminal.end(), 1);
    assert!(clients(&server).is_empty());
    let mut plain = Process::spawn(
        trio_chat()
            .args(["join", &server.address.to_string(), "--name", "Pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    until("the client", || {
        clients(&server)
            .last()
            .filter(|row| row.text("name") == "Pipe")
            .map(drop)
    });
    assert_kicked(&server, &["Pipe"]);
    assert_eq!(plain.wait().code(), Some(1));
}
