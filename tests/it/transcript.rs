//! The transcript: complete when it can be, counted when it can't, and never felt in the room.

use crate::support::{Client, Netcat, Output, Process, TestServer, trio_chat, until};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A folder of its own for the files of a test, which is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("trio-chat-it-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the lines of a transcript without their stamps, which it checks.
fn lines_in(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let line = |line: &str| {
        let (stamp, line) = line.split_once(' ').unwrap();
        let shape = stamp.replace(|digit: char| digit.is_ascii_digit(), "0");
        assert_eq!(shape, "0000-00-00T00:00:00Z");
        line.to_owned()
    };
    whole.lines().map(line).collect()
}

fn wait_for_line(path: &str, wanted: &str) {
    until(wanted, || {
        let text = fs::read_to_string(path).ok()?;
        text.lines()
            .any(|line| line.ends_with(wanted))
            .then_some(())
    });
}

#[test]
fn it_has_what_everyone_heard_and_a_restart_takes_the_history_from_it() {
    let folder = Folder::new("restart");
    let path = folder.file("said.txt");
    let options = ["--transcript", &path, "--history", "2", "--announce"];
    let server = TestServer::with(&options);
    let mut ada = Netcat::join(&server, "Ada");
    for text in ["one", "two", "three"] {
        ada.asks(text, &format!("Ada> {text}"));
    }
    ada.asks("/msg ada secret", "* To Ada: secret");
    assert!(server.stop().success());
    let expected = ["* Ada joined.", "Ada> one", "Ada> two", "Ada> three"];
    assert_eq!(lines_in(&path)[..4], expected);

    let server = TestServer::with(&options);
    let mut bob = Client::connect(&server);
    bob.give_name("Bob");
    for line in [
        "* The last 2 messages:",
        "Ada> two",
        "Ada> three",
        "* You are up to date.",
        "* Bob joined.",
    ] {
        bob.expect(line);
    }
    bob.mark("four");
    wait_for_line(&path, "Bob> four");
}

#[test]
fn r1_it_has_the_last_lines_that_everyone_heard() {
    let folder = Folder::new("last-lines");
    for round in 0..10 {
        let path = folder.file(&format!("said{round}.txt"));
        let server = TestServer::with(&["--transcript", &path, "--rate", "0", "--queue", "4096"]);
        // Its queue is long, so that Bob misses nothing.
        let mut bob = Client::join(&server, "Bob");
        let mut ada = Client::join(&server, "Ada");
        let lines: String = (0..2000).map(|number| format!("{number}\n")).collect();
        ada.send(lines);
        ada.hear_until("Ada> 10");
        assert!(server.stop().success());
        let heard = bob.hear_all();
        let last_said = heard.iter().rev().find(|line| !line.starts_with('*'));
        assert_eq!(lines_in(&path).last(), last_said);
    }
}

#[test]
fn it_goes_on_in_a_new_file_when_told_or_when_the_old_one_is_gone() {
    let folder = Folder::new("rotated");
    let (path, old) = (folder.file("said.txt"), folder.file("old.txt"));
    let server = TestServer::with(&["--transcript", &path]);
    let mut ada = Client::join(&server, "Ada");
    wait_for_line(&path, "Ada> here");
    fs::rename(&path, &old).unwrap();
    ada.mark("not told yet");
    wait_for_line(&old, "Ada> not told yet");
    server.process.signal(Signal::USR1);
    until("a new file", || {
        ada.mark("told");
        fs::exists(&path).unwrap().then_some(())
    });
    fs::remove_file(&path).unwrap();
    ada.mark("gone");
    wait_for_line(&path, "Ada> gone");
}

#[test]
fn sigusr1_does_nothing_to_a_server_without_one() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    server.process.signal(Signal::USR1);
    ada.mark("still here");
}

#[test]
fn r3_a_transcript_on_a_full_disk_is_counted_and_not_felt() {
    let server = TestServer::with(&["--transcript", "/dev/full", "--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    for number in 0..100 {
        assert!(ada.mark(&number.to_string()).is_empty());
    }
    server.log.wait_for("(messages lost: ");
    assert!(server.stop().success());
}

#[test]
fn r3_after_a_full_disk_the_file_says_how_many_messages_it_lacks() {
    let folder = Folder::new("small-disk");
    let disk = folder.0.to_str().unwrap();
    // The disk has room for a few lines, and a file that can be deleted to make more.
    let mount =
        format!("mount -t tmpfs -o size=128k tmpfs {disk} && head -c 90000 /dev/zero >{disk}/big");
    let path = folder.file("said.txt");
    let Some(server) = TestServer::after(&mount, &["--rate", "0", "--transcript", &path]) else {
        return;
    };
    let seen = format!("/proc/{}/root{disk}", server.process.pid());
    let path = format!("{seen}/said.txt");
    let mut ada = Client::join(&server, "Ada");
    let mut n_said = 1;
    let mut say = || {
        ada.mark(&format!("{n_said} {}", "x".repeat(1000)));
        n_said += 1;
    };
    while !is_losing(&server) {
        say();
    }
    fs::remove_file(format!("{seen}/big")).unwrap();
    let n_lost = until("the count", || {
        say();
        let lines = lines_in(&path);
        let mut counts = lines
            .iter()
            .map(|line| line.strip_prefix("* Messages lost here: "));
        counts.find_map(|count| count?.parse::<usize>().ok())
    });
    until("the rest", || {
        (lines_in(&path).len() - 1 + n_lost == n_said).then_some(())
    });
    assert!(n_lost > 0);
}

/// Whether the server has logged that the transcript loses messages.
fn is_losing(server: &TestServer) -> bool {
    let lines = server.log.lines();
    let is_loss = |line: &String| line.contains("Transcript: ") && line.contains("messages");
    lines.iter().any(is_loss)
}

#[test]
fn r7_a_transcript_that_cannot_be_written_is_named() {
    let folder = Folder::new("refused");
    let letter = folder.file("letter.txt");
    fs::write(&letter, "Dear friend\n").unwrap();
    for (path, part) in [
        (
            "/nowhere/said.txt",
            "Cannot write the transcript to /nowhere/said.txt: ",
        ),
        ("/", "Cannot write the transcript to /: "),
        (&letter, "does not end like a transcript"),
    ] {
        let refused = trio_chat()
            .args(["--transcript", path, "0"])
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(1), "{path}");
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(fs::read(&letter).unwrap(), b"Dear friend\n");
}

#[test]
fn r7_a_transcript_on_a_disk_that_is_read_only_is_named() {
    let folder = Folder::new("read-only");
    let script = "mount -t tmpfs -o ro tmpfs \"$1\" && exec \"$0\" --transcript \"$1/said\" 0";
    let refused = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(trio_chat().get_program())
        .arg(&folder.0)
        .output()
        .unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    if refused.status.code() != Some(1) || message.contains("unshare") {
        eprintln!("not tested: it takes root, and a kernel that lets it mount");
        return;
    }
    assert!(message.contains("Read-only file system"), "{message}");
}

#[test]
fn after_kill_9_in_a_flood_there_are_whole_lines_only() {
    let folder = Folder::new("killed");
    let path = folder.file("said.txt");
    let line = "x".repeat(4000);
    let mut n_lines = 0;
    for _ in 0..5 {
        let server = TestServer::with(&["--transcript", &path, "--rate", "0"]);
        let ada = Client::join(&server, "Ada");
        let mut sink = ada.stream.try_clone().unwrap();
        let hearing = std::thread::spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
        let mut stream = ada.stream.try_clone().unwrap();
        let text = format!("{line}\n");
        let flood = std::thread::spawn(move || while stream.write_all(text.as_bytes()).is_ok() {});
        until("lines", || {
            (fs::metadata(&path).unwrap().len() > n_lines * 4000 + 400_000).then_some(())
        });
        server.kill();
        flood.join().unwrap();
        let _ = hearing.join().unwrap();
        n_lines = lines_in(&path).len() as u64;
    }
    // The next start removes what the last write had not completed.
    assert!(TestServer::with(&["--transcript", &path]).stop().success());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n'));
    let expected = format!("Ada> {line}");
    for line in lines_in(&path) {
        assert!(
            line == expected || line == "Ada> here" || line.starts_with("* Messages lost"),
            "{line}"
        );
    }
}

#[test]
fn r1_a_pipe_that_nobody_reads_is_not_felt_and_does_not_hold_up_a_stop() {
    let folder = Folder::new("pipe");
    let path = folder.file("said.pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let mut reader = Process::spawn(Command::new("cat").arg(&path).stdout(Stdio::piped()));
    let read = Output::of(reader.child().stdout.take().unwrap());
    let server = TestServer::with(&["--transcript", &path, "--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    read.wait_for("Ada> here");
    reader.signal(Signal::STOP);
    let text = "x".repeat(4000);
    while !is_losing(&server) {
        assert!(ada.mark(&text).is_empty());
    }
    // When it reads again, it gets the count.
    reader.signal(Signal::CONT);
    read.wait_until("the count", |lines| {
        lines
            .iter()
            .any(|line| line.contains("* Messages lost here: "))
    });
    reader.signal(Signal::STOP);
    for _ in 0..200 {
        ada.mark(&text);
    }
    let start = Instant::now();
    assert!(server.stop().success());
    assert!(start.elapsed() < Duration::from_secs(3));
}
