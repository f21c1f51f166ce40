//! The control: inflicts some faults of `soak` on `ncat --chat`, which does not promise what Trio
//! Chat does. It shows that the faults are real, and that the tests can fail.

use crate::support::{Output, Process, WATCHDOG};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Prints a row of the table. ncat is expected to break the promises, so this fails no test.
fn row(promise: &str, done: &str, figure: &str, kept: bool) {
    println!(
        "SOAK|{promise}|ncat --chat: {done}|{figure}|{}",
        if kept { "pass" } else { "FAIL" }
    );
}

/// Starts ncat's chat server, with a first client. It asks for no name, and sends nobody their own
/// lines.
fn ncat() -> (Process, TcpStream) {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Process::spawn(
        Command::new("ncat")
            .args(["--chat", "-l", "127.0.0.1", &free.port().to_string()])
            .stderr(Stdio::null()),
    );
    let first = crate::support::until("ncat", || TcpStream::connect(free).ok());
    first.set_read_timeout(Some(WATCHDOG)).unwrap();
    (server, first)
}

/// Reads until `part` has come, or until nothing has come for five seconds.
fn hears(stream: &TcpStream, part: &str) -> Vec<u8> {
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut heard = Vec::new();
    let mut reader = BufReader::new(stream);
    while !String::from_utf8_lossy(&heard).contains(part) {
        match reader.read_until(b'\n', &mut heard) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    heard
}

#[test]
#[ignore = "long: run by scripts/soak.sh --against ncat"]
fn s1_one_stuck_reader() {
    let (_server, witness) = ncat();
    let address = witness.peer_addr().unwrap();
    let mut stuck = Process::spawn(
        Command::new("nc")
            .args(["127.0.0.1", &address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    );
    let output = Output::of(stuck.child().stdout.take().unwrap());
    output.wait_for("connected");
    stuck.signal(Signal::STOP);
    let mut sender = TcpStream::connect(address).unwrap();
    sender
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut sink = witness.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
    // This is more than all sockets on the way to the stuck client can hold.
    let line = format!("{}\n", "x".repeat(2499));
    let n_sent = (0..8000)
        .take_while(|_| sender.write_all(line.as_bytes()).is_ok())
        .count();
    let figure = format!("{n_sent} of 8000 lines got through before all stood still");
    row(
        "S1",
        "a netcat under SIGSTOP, one sender",
        &figure,
        n_sent == 8000,
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh --against ncat"]
fn s4_five_messages_a_second() {
    let (_server, witness) = ncat();
    let mut spammer = TcpStream::connect(witness.peer_addr().unwrap()).unwrap();
    let start = Instant::now();
    spammer.write_all("x\n".repeat(500).as_bytes()).unwrap();
    spammer.write_all(b"end\n").unwrap();
    hears(&witness, "end");
    let took = start.elapsed();
    let figure = format!("500 lines of one client in {took:.1?}, 100 s wanted");
    row("S4", "a spammer", &figure, took > Duration::from_secs(90));
}

#[test]
#[ignore = "long: run by scripts/soak.sh --against ncat"]
fn l5_a_storm_of_resets() {
    let (_server, witness) = ncat();
    let address = witness.peer_addr().unwrap();
    let reset = |stream: TcpStream| {
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    };
    let n_reset = (0..500)
        .map_while(|_| TcpStream::connect(address).ok().map(reset))
        .count();
    let alive = TcpStream::connect(address).is_ok();
    let state = if alive {
        "runs on"
    } else {
        "is gone, with everyone in it"
    };
    row(
        "L5",
        "500 connect and reset",
        &format!("after {n_reset} the server {state}"),
        alive,
    );
}

#[test]
#[ignore = "long: run by scripts/soak.sh --against ncat"]
fn b1_text_in_any_script_stays_whole() {
    let (_server, witness) = ncat();
    let mut speaker = TcpStream::connect(witness.peer_addr().unwrap()).unwrap();
    let text = "smörgåsbord Привет 你好 😀";
    speaker
        .write_all(format!("{text} end\n").as_bytes())
        .unwrap();
    let heard = String::from_utf8_lossy(&hears(&witness, " end")).into_owned();
    let line = heard
        .lines()
        .find(|line| line.contains(" end"))
        .unwrap_or_default()
        .to_owned();
    let shown: String = line.chars().take(40).collect();
    row(
        "B1",
        "a line in four scripts",
        &format!("{shown}…"),
        line.contains(text),
    );
}
