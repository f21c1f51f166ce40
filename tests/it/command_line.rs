//! The command line: help, version, and one plain sentence for each error.

use crate::support::{Client, TestServer, trio_chat, until};
use std::net::{TcpListener, TcpStream};

/// Runs the program to its end, and returns its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = trio_chat().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Fails unless the last line of standard error is a sentence of ours with `part` in it, and all
/// others are log lines.
fn assert_complains(arguments: &[&str], code: i32, part: &str) {
    let (found, output, error) = run(arguments);
    assert_eq!(found, code, "{arguments:?}: {error}");
    assert_eq!(output, "", "{arguments:?}");
    let lines: Vec<_> = error.lines().collect();
    let complaint = lines.last().unwrap();
    assert!(
        complaint.starts_with("trio-chat: ") && complaint.contains(part),
        "{error}"
    );
    let others = &lines[..lines.len() - 1];
    assert!(
        others.iter().all(|line| line.contains("[INFO] ")),
        "{error}"
    );
}

#[test]
fn help_names_every_option_and_fits_a_screen() {
    let server = [
        "--rate",
        "--queue",
        "--max-clients",
        "--name-timeout",
        "--announce",
        "--history",
        "--password-file",
        "--motd",
        "--transcript",
        "--status",
        "-v",
        "-q",
    ];
    let bot = ["--name", "--count", "--seconds"];
    let crowd = [
        "--clients",
        "--talkers",
        "--ask",
        "--size",
        "--pid",
        "--protocol",
        "--json",
    ];
    let join = [
        "--name",
        "--password-file",
        "--time",
        "--bell",
        "--color",
        "--plain",
        "--no-reconnect",
    ];
    for (command, options) in [
        (&[][..], &["--help", "--version"][..]),
        (&["serve"], &server),
        (&["join"], &join),
        (&["watch"], &["--socket", "--seconds"]),
        (&["kick"], &["--for", "--why", "--forgive", "--socket"]),
        (&["spam"], &bot),
        (&["slow"], &bot),
        (&["crowd"], &crowd),
    ] {
        let asked = [
            [command, &["-h"]].concat(),
            [command, &["--help"]].concat(),
            [&["help"], command].concat(),
        ];
        for words in asked {
            let (code, output, error) = run(&words);
            assert_eq!((code, error.as_str()), (0, ""));
            for option in options {
                assert!(output.contains(option), "{option} is not in {output}");
            }
            assert!(output.lines().all(|line| line.len() <= 80), "{output}");
            assert!(output.lines().count() <= 24, "{output}");
        }
    }
    let (_, output, _) = run(&["--help"]);
    for word in ["serve", "join", "watch", "kick", "spam", "slow", "crowd"] {
        assert!(output.contains(word), "{word} is not in {output}");
    }
}

#[test]
fn version_prints_the_version_whatever_else_is_given() {
    for arguments in [
        &["-V"][..],
        &["--version"],
        &["spam", "--version", "--rate", "x"],
    ] {
        let (code, output, _) = run(arguments);
        let version = format!("trio-chat {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((code, output), (0, version));
    }
}

#[test]
fn r7_wrong_usage_is_one_sentence_and_exit_2() {
    for (arguments, part) in [
        (
            &["--frobnicate"][..],
            "there is no option --frobnicate here",
        ),
        (
            &["spma"],
            "there is no command \"spma\" (see trio-chat --help)",
        ),
        (&["spam", "x"], "\"x\" is not an address"),
        (
            &["kick", "SpamBot", "0.1a"],
            "(A name with spaces needs quotes.) (see trio-chat kick --help)",
        ),
        (
            &["watch", "192.0.2.7:1234"],
            "192.0.2.7:1234 is not on this host",
        ),
        (&["127.0.0.1:99999"], "is not an address"),
        (&["--rate", "fast"], "--rate fast"),
        (&["--queue", "0"], "--queue 0"),
        (&["--max-clients"], "--max-clients needs a value"),
        (&["slow", "--rate", "1"], "--rate"),
        (&["spam", "1", "2"], "takes one address"),
    ] {
        assert_complains(arguments, 2, part);
    }
}

#[test]
fn r7_a_port_in_use_is_one_sentence_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_complains(&[&address], 1, "is another server running there?");
    assert_complains(&["127.0.0.1:0", &address], 1, &address);
}

#[test]
fn r7_a_foreign_or_unknown_address_is_one_sentence_and_exit_1() {
    assert_complains(&["192.0.2.1:1234"], 1, "not one of this host's");
    assert_complains(
        &["no-such-host.invalid:1234"],
        1,
        "Cannot find no-such-host.invalid:1234",
    );
}

#[test]
fn r7_a_bot_that_finds_no_server_says_so_and_exits_1() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    for bot in ["spam", "slow"] {
        let (code, output, error) = run(&[bot, &free]);
        assert_eq!(code, 1);
        assert!(output.contains("connecting to"), "{output}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let sentence = format!("Nothing listens on {free}; is the server running?\n");
        assert!(error.ends_with(&sentence), "{error}");
    }
}

#[test]
fn quiet_logs_no_joins_and_verbose_works_too() {
    let server = TestServer::spawn(trio_chat().args(["-v", "127.0.0.1:0"]));
    Client::join(&server, "Ada");
    server.log.wait_for("closed by peer");
    // A quiet server doesn't log its port, so it is given one that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut quiet = crate::support::Process::spawn(
        trio_chat()
            .args(["-q", &free])
            .stderr(std::process::Stdio::piped()),
    );
    let log = crate::support::Output::of(quiet.child().stderr.take().unwrap());
    until("a listener", || TcpStream::connect(&free).ok());
    quiet.signal(rustix::process::Signal::TERM);
    assert!(quiet.wait().success());
    assert_eq!(log.wait_for_end(), Vec::<String>::new());
}
