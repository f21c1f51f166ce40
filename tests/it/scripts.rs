//! Every script, run as a user would run it.

use crate::support::{Client, Output, Process, TestServer, until};
use std::path::Path;
use std::process::{Command, Stdio};

fn script(name: &str) -> Command {
    Command::new(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts")
            .join(name),
    )
}

#[test]
fn every_script_explains_itself() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for path in std::fs::read_dir(scripts)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let output = Command::new(&path).arg("--help").output().unwrap();
        assert!(output.status.success(), "{path:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            text.starts_with(&format!("Usage: scripts/{name}")),
            "{text}"
        );
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn the_bot_scripts_start_the_bots_and_pass_options_on() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let address = server.address.to_string();
    let output = script("spam_client.sh")
        .args([&address, "--count", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("Sent #0 in ")
    );
    assert!(
        witness
            .next()
            .unwrap()
            .starts_with("SpamBot 5000> spam spam")
    );

    let mut slow = Process::spawn(
        script("slow_client.sh")
            .args([&address, "--count", "1", "--name", "Sloth"])
            .stdout(Stdio::piped()),
    );
    let output = Output::of(slow.child().stdout.take().unwrap());
    // The bot hears only what is said after it has joined, so the witness goes on talking.
    until("the slow bot to read something", || {
        witness.mark("something to read");
        output
            .lines()
            .iter()
            .any(|line| line.contains("Received "))
            .then_some(())
    });
    assert!(slow.wait().success());
}

#[test]
fn the_demo_shows_server_and_bots_side_by_side_and_leaves_nothing_running() {
    let mut demo = Process::spawn(
        script("demo.sh")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    let error = Output::of(demo.child().stderr.take().unwrap());
    let output = Output::of(demo.child().stdout.take().unwrap());
    let address = output.wait_for("listening on ");
    let address = address.rsplit(' ').next().unwrap();
    assert!(demo.wait().success(), "{:?}", error.wait_for_end());
    let lines = output.wait_for_end();
    assert!(
        lines[0].contains("spam bot") && lines[0].contains("slow bot"),
        "{}",
        lines[0]
    );
    for part in ["Sent #0 in ", "Received ", "queue is full! (dropping"] {
        assert!(
            lines.iter().any(|line| line.contains(part)),
            "{part} is not in {lines:#?}"
        );
    }
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("Seen: ") && last.contains("(backpressure)"),
        "{last}"
    );
    assert!(last.contains("(slow consumer)"), "{last}");
    assert_eq!(error.wait_for_end(), Vec::<String>::new());
    // The server's port is closed, so it is gone, and no bot outlives it.
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn scripts_refuse_wrong_options_in_one_sentence() {
    for arguments in [&["--frobnicate"][..], &["--seconds"], &["--seconds", "x"]] {
        let output = script("demo.sh").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    }
    let output = script("spam_client.sh")
        .arg("--frobnicate")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
