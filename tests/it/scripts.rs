//! Every script, run as a user would run it.

use crate::support::{Client, Output, Process, TestServer, until};
use rustix::process::{Pid, Signal, test_kill_process};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use trio_chat::protocol::notice::Notice;

/// Held by each test whose script builds the program, since they build it with and without Redis in one
/// place.
static BUILDS: Mutex<()> = Mutex::new(());

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
    for path in fs::read_dir(scripts)
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
    let _build = BUILDS.lock();
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
    let _build = BUILDS.lock();
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
    let paced = |line: &String| line.starts_with("SpamBot 5000 ") && line.contains("paced");
    assert!(lines.iter().any(paced), "{lines:#?}");
    let lines = lines.iter().map(String::as_str);
    let last: Vec<_> = lines.skip_while(|it| !it.starts_with("Seen: ")).collect();
    assert!(last.iter().all(|line| line.len() <= 80), "{last:?}");
    let last = last.concat();
    assert!(last.contains("(backpressure)"), "{last}");
    assert!(last.contains("(slow consumer)"), "{last}");
    assert_eq!(error.wait_for_end(), Vec::<String>::new());
    // The server's port is closed, so it is gone, and no bot outlives it.
    assert!(TcpStream::connect(address).is_err());
}

/// Starts `cluster.sh` with its temporary files in a folder of its own.
fn cluster(test: &str, arguments: &[&str]) -> (Process, PathBuf) {
    let folder = std::env::temp_dir().join(format!("trio-{test}-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let mut script = script("cluster.sh");
    script.args(arguments).env("TMPDIR", &folder);
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    (Process::spawn(&mut script), folder)
}

#[test]
fn the_cluster_demo_shows_that_redis_is_away_and_nothing_is_lost() {
    let _build = BUILDS.lock();
    let (mut demo, folder) = cluster("demo", &["--demo"]);
    let error = Output::of(demo.child().stderr.take().unwrap());
    let output = Output::of(demo.child().stdout.take().unwrap());
    let status = demo.wait();
    assert_eq!(error.wait_for_end(), Vec::<String>::new());
    let lines = output.wait_for_end();
    assert!(status.success(), "{lines:#?}");
    for person in [
        "Ada, on server 1",
        "Grace, on server 2",
        "Alan, on server 3",
    ] {
        assert!(lines[0].contains(person), "{}", lines[0]);
    }
    let columns = |part: &str| lines.iter().map(|line| line.matches(part).count()).sum();
    for (part, n_times) in [
        ("Redis is killed.", 1),
        ("* Cut off from the rest", 3),
        ("Redis is started again.", 1),
        ("* The room is back.", 3),
        ("Ada> Anybody there?", 3),
        ("Grace> Hello? Hello?", 3),
        ("Alan> Loud and clear.", 3),
    ] {
        let n_seen: usize = columns(part);
        assert_eq!(n_seen, n_times, "{part} in {lines:#?}");
    }
    let last = lines.last().unwrap();
    assert!(last.starts_with("Seen: Redis was away for 5 s."), "{last}");
    assert!(last.ends_with("the same 6 lines in one order."), "{last}");
    // It fails if something is left there.
    fs::remove_dir(folder).unwrap();
}

#[test]
fn the_cluster_is_one_room_and_leaves_nothing_behind() {
    let _build = BUILDS.lock();
    let (mut script, folder) = cluster("cluster", &[]);
    let output = Output::of(script.child().stdout.take().unwrap());
    let redis = output.wait_for("To take Redis (process ");
    let (_, pid) = redis.split_once("(process ").unwrap();
    let pid = pid.split(')').next().unwrap().parse().unwrap();
    let redis = Pid::from_raw(pid).unwrap();
    let lines = output.lines();
    let ports: Vec<u16> = lines
        .iter()
        .filter_map(|line| line.trim().strip_prefix("nc 127.0.0.1 "))
        .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let mut people: Vec<_> = ports
        .iter()
        .map(|port| {
            let mut client = Client::at((Ipv4Addr::LOCALHOST, *port));
            client.expect_notice(&Notice::Welcome);
            client.give_name(&format!("Guest {port}"));
            client.mark("here");
            client
        })
        .collect();
    people[0].say("Is this one room?");
    let line = format!("Guest {}> Is this one room?", ports[0]);
    for person in &mut people {
        until("the line from another server", || {
            (person.next()? == line).then_some(())
        });
    }

    script.signal(Signal::TERM);
    assert_eq!(script.wait().code(), Some(143));
    assert!(test_kill_process(redis).is_err());
    for port in ports {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
    // It fails if something is left there.
    fs::remove_dir(folder).unwrap();
}

#[test]
fn scripts_refuse_wrong_options_in_one_sentence() {
    for arguments in [&["--frobnicate"][..], &["--seconds"], &["--seconds", "x"]] {
        let output = script("demo.sh").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    }
    for name in ["spam_client.sh", "cluster.sh", "pictures.sh"] {
        let output = script(name).arg("--frobnicate").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn a_program_that_was_built_without_redis_says_so() {
    let _build = BUILDS.lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--release", "--quiet", "--", "--redis", "redis://h"]);
    let output = cargo.current_dir(root).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("--features redis"), "{complaint}");
}
