//! A room with a password: who is let in, who is not, and where the password never appears.

use crate::support::{Client, TestServer, Tmux, trio_chat};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

const PASSWORD: &str = "relay 70";

/// A file with a password, which is removed in the end.
struct Secret(PathBuf);

impl Secret {
    fn new(mode: u32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("trio-chat-secret-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, format!("{PASSWORD}\nand more\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Returns a server whose room has a password.
fn room(secret: &Secret) -> TestServer {
    TestServer::with(&["-v", "--announce", "--password-file", secret.path()])
}

/// Fails if the password is in the server's log.
fn assert_secret(server: TestServer) {
    let log = server.log.clone();
    assert!(server.stop().success());
    let log = log.wait_for_end().join("\n");
    assert!(log.contains("Stopping") && !log.contains(PASSWORD), "{log}");
}

/// Runs a client with `input` to its end.
fn run(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut client = trio_chat()
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    // A client that is not let in does not read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    client.wait_with_output().unwrap()
}

#[test]
fn l6_only_those_who_know_the_password_are_let_in() {
    let secret = Secret::new(0o600);
    let server = room(&secret);
    let mut ada = Client::silent(&server);
    ada.expect_notice(&Notice::EnterPassword);
    ada.say(PASSWORD);
    ada.expect_notice(&Notice::Welcome);
    ada.give_name("Ada");
    ada.mark("here");

    let start = Instant::now();
    let mut eve = Client::silent(&server);
    for guess in ["Eve", "relay 7", "relay 700"] {
        eve.expect_notice(&Notice::EnterPassword);
        eve.say(guess);
        eve.expect_notice(&Notice::WrongPassword);
    }
    eve.expect_notice(&Notice::LastTry);
    assert_eq!(eve.next(), None);
    assert!(start.elapsed() >= Duration::from_secs(3));
    server.log.wait_for("closed, it did not know the password");

    // Nobody heard of that.
    assert!(ada.mark("alone?").is_empty());
    ada.say("/who");
    ada.expect("* Nobody else is here.");
    ada.say("/help");
    ada.mark("helped");
    assert!(!ada.heard.concat().contains(PASSWORD));
    assert_secret(server);
}

#[test]
fn l6_silence_instead_of_a_password_ends_with_the_time_for_a_name() {
    let secret = Secret::new(0o600);
    let options = ["--password-file", secret.path(), "--name-timeout", "0.5"];
    let server = TestServer::with(&options);
    let mut silent = Client::silent(&server);
    silent.expect_notice(&Notice::EnterPassword);
    silent.expect_notice(&Notice::TooSlow);
    assert_eq!(silent.next(), None);
}

#[test]
fn r7_a_password_that_cannot_be_read_or_kept_is_one_sentence_and_exit_1() {
    let open = Secret::new(0o644);
    for (path, part) in [
        (open.path(), "Everyone on this host can read or change the"),
        ("/nowhere/secret", "Cannot read the password from /nowhere"),
        ("/dev/null", "it is not a file"),
    ] {
        for command in [&["127.0.0.1:0"][..], &["join", "1", "--name", "Ada"]] {
            let output = run(&[command, &["--password-file", path]].concat(), &[], "");
            assert_eq!(output.status.code(), Some(1));
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(error.contains(part) && !error.contains(PASSWORD), "{error}");
        }
    }
}

#[test]
fn l6_bots_and_the_crowd_say_that_the_room_has_a_password() {
    let secret = Secret::new(0o600);
    let server = room(&secret);
    let address = server.address.to_string();
    for bot in ["spam", "slow", "crowd"] {
        let output = run(&[bot, &address], &[], "");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(": The room has a password, "), "{error}");
    }
    assert_secret(server);
}

#[test]
fn l6_a_pipe_takes_the_password_from_a_file_or_the_environment() {
    let secret = Secret::new(0o600);
    let server = room(&secret);
    let address = server.address.to_string();
    let join = ["join", &*address, "--name", "Ada"];
    let with_file = [&join[..], &["--password-file", secret.path()]].concat();
    let known = [("TRIO_CHAT_PASSWORD", PASSWORD)];
    for (arguments, environment) in [(&with_file[..], &[][..]), (&join, &known)] {
        let output = run(arguments, environment, "hello\n");
        let heard = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && heard.contains("Ada> hello\n"),
            "{heard}"
        );
        // Only then is the name free again.
        server.log.wait_for("closed by peer");
    }
    let wrong = [("TRIO_CHAT_PASSWORD", "relay 71")];
    for (environment, part) in [
        (&wrong[..], "That is not the password of the room."),
        (&[], "The room has a password. Give it with --password-file"),
    ] {
        let output = run(&join, environment, "hello\n");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
    }
    assert_secret(server);
}

#[test]
fn l6_join_asks_for_the_password_without_showing_it_and_comes_back_with_it() {
    let secret = Secret::new(0o600);
    let server = room(&secret);
    let terminal = Tmux::open(80);
    terminal.launch(server.address, "--name Ada");
    terminal.wait_for_row("The password of the room:");
    terminal.types("relay 71");
    terminal.wait_for_row("The password of the room: ********");
    terminal.keys(&["Enter"]);
    terminal.wait_for("That is not the password of the room.");
    terminal.wait_for_row("The password of the room:");
    terminal.says(PASSWORD);
    terminal.wait_for("* You are \"Ada\".");
    let address = server.address.to_string();
    server.kill();
    terminal.wait_for("The connection is lost.");
    let options = [address.as_str(), "--password-file", secret.path()];
    let server = TestServer::spawn(trio_chat().args(options));
    terminal.wait_until("the room again", |lines| {
        let is_in = |line: &&String| line.contains("* You are \"Ada\".");
        lines.iter().filter(is_in).count() == 2
    });
    let shown = terminal.lines().join("\n");
    assert!(
        !shown.contains("relay") && !shown.contains("****"),
        "{shown}"
    );
    server.kill();
    fs::write(&secret.0, "relay 72\n").unwrap();
    let server = TestServer::spawn(trio_chat().args(options));
    terminal.wait_for("The room has another password now: leave, and join again.");
    terminal.keys(&["C-c"]);
    assert_eq!(terminal.end(), 0);
    assert_secret(server);
}

#[test]
fn l6_a_plain_terminal_does_not_show_the_password_and_is_as_before() {
    let secret = Secret::new(0o600);
    let server = room(&secret);
    let terminal = Tmux::open(80);
    let ask = |keys: &[&str]| {
        terminal.launch(server.address, "--plain --name Ada");
        terminal.wait_for("The room has a password. Enter it; it is not shown:");
        terminal.types(PASSWORD);
        terminal.keys(keys);
    };
    ask(&["C-c"]);
    assert_eq!(terminal.end(), 0);
    // A name that was asked for is asked for again, even after a password.
    let mut ada = Client::silent(&server);
    ada.say(PASSWORD);
    ada.give_name("Ada");
    ada.hear_until("* Ada joined.");
    terminal.launch(server.address, "--plain");
    terminal.wait_for("Your name?");
    terminal.says("Ada");
    terminal.wait_for("it is not shown:");
    terminal.says(PASSWORD);
    terminal.wait_for("is taken.");
    terminal.keys(&["C-c"]);
    assert_eq!(terminal.end(), 0);
    ada.say("/quit");
    ada.hear_until("* Goodbye!");
    ada.finish();
    server.log.wait_for("its client quit");
    ask(&["Enter"]);
    terminal.wait_for("* You are \"Ada\".");
    terminal.says("/quit");
    assert_eq!(terminal.end(), 0);
    let shown = terminal.lines().join("\n");
    assert!(!shown.contains("relay"), "{shown}");
    assert_secret(server);
}
