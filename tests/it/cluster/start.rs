//! How a server that shares a room starts, what keeps it from that, and what nobody gets to see.

use super::server;
use crate::support::{Client, Redis, TestServer, project_folder, trio_chat};
use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

/// A password that is nowhere else.
const PASSWORD: &str = "S3cret-of-the-tests";

fn run(options: &[&str]) -> (Output, String) {
    let output = trio_chat().arg("127.0.0.1:0").args(options).output();
    let output = output.unwrap();
    let complaint = String::from_utf8(output.stderr.clone()).unwrap();
    (output, complaint)
}

#[test]
fn a_server_without_its_redis_says_so_and_does_not_start() {
    let gone = Redis::start().url();
    let start = Instant::now();
    let (output, complaint) = run(&["--redis", &gone]);
    println!("gave up after {:.2?}: {complaint}", start.elapsed());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.starts_with("trio-chat: Cannot use Redis at redis+unix:///"));
}

#[test]
fn a_server_with_the_wrong_password_says_so_and_does_not_start() {
    let redis = Redis::on_a_port(&["--requirepass", PASSWORD]);
    let port = redis.port();
    for user in ["", ":wrong-S3cret@"] {
        let (output, complaint) = run(&["--redis", &format!("redis://{user}127.0.0.1:{port}")]);
        println!("{complaint}");
        assert_eq!(output.status.code(), Some(1));
        let last = complaint.lines().last().unwrap();
        assert!(last.starts_with("trio-chat: Cannot use Redis at redis://127.0.0.1:"));
        assert!(!complaint.contains("wrong-S3cret"), "{complaint}");
    }
}

#[test]
fn what_makes_no_sense_on_the_command_line_is_refused() {
    for (options, part) in [
        (&["--redis", "http://localhost"][..], "redis://HOST"),
        (&["--redis", "rediss://localhost"], "stunnel"),
        (&["--redis", "redis://localhost", "--room", "A b"], "a-z"),
        (&["--room", "main"], "--redis"),
    ] {
        let (output, complaint) = run(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {complaint}");
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn c12_a_room_of_one_server_has_no_thread_more() {
    let redis = Redis::start();
    let threads = |server: &TestServer| {
        let _client = Client::join(server, "Ada");
        server.process.thread_names()
    };
    let alone = threads(&TestServer::start());
    let mut linked = threads(&server(&redis.url()));
    linked.retain(|name| !alone.contains(name));
    assert_eq!(linked, ["downlink", "uplink"]);
}

/// Lets a server start that knows the password, talk, be cut off, and come back. Fails if anybody
/// gets to see the password.
fn assert_secret(redis: &Redis, command: &mut Command, warns: bool) {
    let server = TestServer::spawn(command);
    let mut ada = Client::join(&server, "Ada");
    redis.cli(&[
        "--no-auth-warning",
        "-a",
        PASSWORD,
        "CLIENT",
        "KILL",
        "TYPE",
        "normal",
    ]);
    ada.mark("still here");
    let log = server.log.lines().join("\n");
    assert!(!log.contains(PASSWORD), "{log}");
    assert!(log.contains("Room \"main\" on redis"), "{log}");
    let is_warned = log
        .lines()
        .any(|line| line.contains("[WARN]") && line.contains("assword"));
    assert_eq!(is_warned, warns, "{log}");
    let environment = std::fs::read(format!("/proc/{}/cmdline", server.process.pid()));
    let words = String::from_utf8_lossy(&environment.unwrap()).into_owned();
    assert_eq!(words.contains(PASSWORD), warns, "{words}");
}

#[test]
fn c13_a_password_is_shown_to_nobody() {
    let redis = Redis::on_a_port(&["--requirepass", PASSWORD]);
    let port = redis.port();
    for url in [
        format!("redis://:{PASSWORD}@127.0.0.1:{port}"),
        format!("{}?pass={PASSWORD}", redis.url()),
    ] {
        let serve = || {
            let mut command = trio_chat();
            command.args(["serve", "127.0.0.1:0", "-v"]);
            command
        };
        assert_secret(&redis, serve().args(["--redis", &url]), true);
        assert_secret(&redis, serve().env("TRIO_CHAT_REDIS", &url), false);
        let help = trio_chat()
            .arg("--help")
            .env("TRIO_CHAT_REDIS", &url)
            .output();
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        assert!(!help.contains(PASSWORD));
    }
}

#[test]
fn c13_the_rights_of_the_readme_suffice() {
    let redis = Redis::on_a_port(&[]);
    let user = ["ACL", "SETUSER", "trio", "on"];
    let password = format!(">{PASSWORD}");
    let readme = fs::read_to_string(project_folder().join("README.md")).unwrap();
    let rights = readme.split("`user trio on >s3cret ").nth(1).unwrap();
    let rights: Vec<_> = rights.split('`').next().unwrap().split(' ').collect();
    redis.cli(&[&user[..], &[&password], &rights].concat());
    let url = format!("redis://trio:{PASSWORD}@127.0.0.1:{}", redis.port());
    let start = || {
        let mut command = trio_chat();
        command.args(["serve", "127.0.0.1:0", "--rate", "0", "--announce"]);
        TestServer::spawn(command.env("TRIO_CHAT_REDIS", &url))
    };
    let servers = [start(), start()];
    let mut ada = Client::join(&servers[0], "Ada");
    let mut bob = Client::join(&servers[1], "Bob");
    ada.say("/who");
    ada.say("/nick Grace");
    ada.say("/msg bob psst");
    "Grace".clone_into(&mut ada.name);
    ada.mark("here");
    bob.hear_until("Grace> here");
    redis.cli(&["DEL", "trio1:{main}"]);
    ada.mark("there");
    bob.hear_until("Grace> there");
    let refused = redis.cli(&["ACL", "LOG"]);
    assert_eq!(refused, "", "Redis has refused something");
}

#[test]
fn nothing_asynchronous_is_built_in() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--all-features",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
        "--locked",
    ]);
    let output = tree.current_dir(project_folder()).output().unwrap();
    let crates = String::from_utf8(output.stdout).unwrap();
    assert!(crates.contains("redis v"), "{crates}");
    for line in crates.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let runtimes = [
            "tokio", "async", "smol", "futures", "mio", "hyper", "polling",
        ];
        let is_one = |runtime: &&str| name == *runtime || name.starts_with(&format!("{runtime}-"));
        assert!(!runtimes.iter().any(is_one), "{line}");
    }
}
