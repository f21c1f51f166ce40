//! The status socket: whom it answers, what it says, and that its file comes and goes.

use crate::support::{
    Client, Process, TestServer, ask, clients, n_missed, number, status_path, trio_chat, until,
};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns a path in a folder that everybody may enter.
fn path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("trio-{test}-{}", std::process::id()))
}

fn with_status(path: &Path) -> TestServer {
    TestServer::with(&["--status", path.to_str().unwrap()])
}

#[test]
fn a_client_is_shown_from_its_first_moment_to_its_last() {
    let server = TestServer::start();
    let mut client = Client::connect(&server);
    let rows = clients(&server);
    assert_eq!(rows.len(), 1);
    let own = client.stream.local_addr().unwrap().to_string();
    assert_eq!((rows[0].number("id"), rows[0].text("name")), (0, "*"));
    assert_eq!(rows[0].text("peer"), own);
    assert_eq!(rows[0].text("here"), server.address.to_string());
    assert_eq!(rows[0].text("doing"), "names");
    assert_eq!(number(&server, "unnamed"), 1);

    client.give_name("Ada");
    client.mark("one");
    client.say("/nick Ada Lovelace");
    client.name = "Ada Lovelace".to_owned();
    client.mark("two");
    client.say("/me waves");
    client.mark("three");
    let rows = clients(&server);
    assert_eq!(rows[0].text("name"), "Ada Lovelace");
    assert_eq!(rows[0].number("said"), 4);
    assert_eq!(number(&server, "messages"), 4);
    assert_eq!(
        (number(&server, "clients"), number(&server, "unnamed")),
        (1, 0)
    );
    drop(client);
    until("an empty room", || {
        clients(&server).is_empty().then_some(())
    });
}

#[test]
fn a_spammer_is_shown_as_paced_and_what_it_said_is_what_others_heard() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let address = server.address.to_string();
    let mut spam = Process::spawn(
        trio_chat()
            .args(["spam", &address, "--name", "Spam", "--count", "8"])
            .stdout(Stdio::null()),
    );
    let row = until("a paced spammer", || {
        let mut rows = clients(&server).into_iter();
        rows.find(|row| row.text("name") == "Spam" && row.text("doing") == "paced")
    });
    assert_eq!(row.number("id"), 1);
    let mut n_heard = 0;
    while n_heard < 7 {
        n_heard += usize::from(witness.next().unwrap().starts_with("Spam> "));
    }
    let row = clients(&server).pop().unwrap();
    assert!((7..=8).contains(&row.number("said")), "{row:?}");
    assert!(row.number("paced_ms") >= 1000, "{row:?}");
    witness.next();
    assert!(spam.wait().success());
}

#[test]
fn what_a_client_was_sent_and_has_missed_is_what_was_said() {
    let server = TestServer::with(&["--rate", "0", "--queue", "4"]);
    let mut slow = Client::join(&server, "Slow");
    let mut talker = Client::join(&server, "Talker");
    let text = "x".repeat(4000);
    let mut n_said = 1;
    // One at a time, so that each is a frame of its own.
    while clients(&server)[0].number("missed") < 10 {
        talker.mark(&text);
        talker.heard.clear();
        n_said += 1;
    }
    let row = &clients(&server)[0];
    assert_eq!(row.number("frames"), 4, "{row:?}");
    assert!(row.number("bytes") >= 16_000, "{row:?}");

    let (mut n_delivered, mut n_told) = (0, 0);
    while n_delivered + n_told < n_said {
        let line = slow.next().unwrap();
        n_told += n_missed(&line).unwrap_or(0);
        n_delivered += u64::from(line.starts_with("Talker> "));
    }
    assert_eq!(slow.mark("end"), Vec::<String>::new());
    let row = &clients(&server)[0];
    assert_eq!(row.number("missed"), n_told);
    let n_bytes: usize = slow.heard.iter().map(|line| line.len() + 1).sum();
    assert!(row.number("written_bytes") > n_bytes as u64 / 2);
    until("an empty outbox", || {
        (clients(&server)[0].number("bytes") == 0).then_some(())
    });
    assert_eq!(number(&server, "missed"), n_told);
}

#[test]
fn ipv4_clients_of_an_ipv6_server_have_their_own_address() {
    let server = TestServer::spawn(trio_chat().args(["serve", "[::]:0"]));
    let client = TcpStream::connect(("127.0.0.1", server.address.port())).unwrap();
    let row = until("the client", || clients(&server).pop());
    assert_eq!(row.text("peer"), client.local_addr().unwrap().to_string());
}

#[test]
fn only_its_user_may_look_in() {
    let path = path("rights");
    let server = with_status(&path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let by_default = TestServer::start();
    let folder = status_path(&by_default).parent().unwrap().to_owned();
    let mode = fs::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let other = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "socat", "-"])
        .arg(format!("UNIX-CONNECT:{}", path.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!other.status.success());
    if rustix::process::geteuid().is_root() {
        let error = String::from_utf8_lossy(&other.stderr);
        assert!(error.contains("Permission denied"), "{error}");
    }
    drop(server);
}

#[test]
fn its_file_is_gone_after_a_stop_and_replaced_after_a_kill() {
    let path = path("stale");
    with_status(&path).kill();
    assert!(path.exists());
    let server = with_status(&path);
    assert!(ask(&path, "room").contains("up_s\t"));
    assert!(server.stop().success());
    assert!(!path.exists());
}

#[test]
fn a_server_takes_nobody_elses_socket_and_runs_without_its_own() {
    let path = path("live");
    let first = with_status(&path);
    let second = with_status(&path);
    second.log.wait_for("Another server has the status socket");
    Client::join(&second, "Ada");
    assert!(second.stop().success());
    let pid = format!("pid\t{}\n", first.process.pid());
    assert!(ask(&path, "room").contains(&pid));
    let none = TestServer::with(&["--status", "none"]);
    Client::join(&none, "Ada");
}

#[test]
fn who_asks_badly_or_does_not_listen_holds_up_nobody() {
    let server = TestServer::start();
    let path = status_path(&server);
    let mut ada = Client::join(&server, "Ada");
    let mut large = UnixStream::connect(&path).unwrap();
    // This may fail: the answer comes after the first kilobyte.
    let _ = large.write_all(&vec![b'x'; 1 << 20]);
    let silent = UnixStream::connect(&path).unwrap();
    ada.mark("still here");
    assert!(ask(&path, "nonsense").contains("GET /metrics"));
    let mut nothing = Vec::new();
    let mut silent = silent;
    assert_eq!(silent.read_to_end(&mut nothing).unwrap(), 0);
    // One that never reads is waiting when the server stops.
    let mut deaf = UnixStream::connect(&path).unwrap();
    deaf.write_all(b"clients\n").unwrap();
    assert!(server.stop().success());
}

#[test]
fn prometheus_reads_the_totals() {
    let server = TestServer::with(&["--max-clients", "7"]);
    Client::join(&server, "Ada");
    let mut crowd: Vec<_> = (0..4).map(|_| Client::connect(&server)).collect();
    crowd[0].give_name("Grace");
    crowd[0].mark("hello");
    let answer = ask(&status_path(&server), "GET /metrics HTTP/1.1");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    for line in [
        "trio_chat_seats 7",
        "trio_chat_messages_total 2",
        "trio_chat_connections_total 5",
        "trio_chat_turned_away_total{reason=\"full\"} 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
    assert!(
        !body.contains("Grace"),
        "who is here is nobody's time series"
    );
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = promtool.stdin.take().unwrap();
    { input }.write_all(body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    // curl and Prometheus ask for it in this way.
    let curl = Command::new("curl")
        .args(["--silent", "--fail", "--unix-socket"])
        .arg(status_path(&server))
        .args(["--header", &format!("Cookie: {}", "x".repeat(8000))])
        .arg("http://trio-chat/metrics?all")
        .output()
        .unwrap();
    assert!(curl.status.success(), "{curl:?}");
    assert!(String::from_utf8_lossy(&curl.stdout).contains("trio_chat_clients "));
    let other = ask(&status_path(&server), "GET / HTTP/1.1");
    assert!(other.starts_with("HTTP/1.0 404 "), "{other}");
}
