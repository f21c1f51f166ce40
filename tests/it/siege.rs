//! People who want to spoil the room on purpose: those who send what is no text, hold seats, flood
//! before a stop, or speak other protocols.

use crate::support::{Client, Flood, Output, Process, TestServer, WATCHDOG, trio_chat};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

/// A telnet command without a meaning here.
const NO_OPERATION: [u8; 2] = [0xff, 0xf1];

/// Number of connections that one attacker serves in turn without a pause. Each has its turn well
/// within a millisecond, which is the server's pause after a few bytes.
const N_ATTACKERS: usize = 36;

/// Number of times that a newcomer tries to get in. At each, the server waits for an evicted
/// client to end, but on a busy host that may take longer.
const N_TRIES: usize = 20;

#[test]
fn s4_telnet_commands_cost_as_much_as_text_before_and_after_the_name() {
    let server = TestServer::with(&["--rate", "0"]);
    let commands = NO_OPERATION.repeat(10_000);
    let mut client = Client::connect(&server);
    let start = Instant::now();
    client.send(&commands);
    client.give_name("Ada");
    client.mark("here");
    // A second's worth, of which the last read is paid for only before the next one.
    assert!(start.elapsed() >= Duration::from_millis(500), "unnamed");
    let start = Instant::now();
    client.send(&commands);
    client.mark("and now");
    assert!(start.elapsed() >= Duration::from_millis(500), "named");
}

#[test]
fn s4_reconnecting_is_no_way_around_the_pace() {
    let server = TestServer::start();
    for number in 0..5 {
        let mut client = Client::connect(&server);
        let start = Instant::now();
        client.give_name(&format!("Hasty {number}"));
        client.mark("my only line");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(200), "{took:?}");
    }
}

#[test]
fn s3_clients_that_get_stuck_one_after_the_other_keep_no_more_than_is_stated() {
    let Some(server) = TestServer::on_a_small_host(&["--rate", "0"]) else {
        return;
    };
    let flood = Flood::start(&server, 1);
    flood.wait_until_busy();
    let stuck = flood.strand(&server, 200);
    let memory = server.process.memory();
    assert!(memory <= server.stated_memory(stuck.len()), "{memory} B");
    server.stop();
    flood.last_lines();
}

#[test]
fn l1_the_unnamed_may_use_every_seat_that_nobody_else_wants() {
    let server = TestServer::with(&["--max-clients", "40"]);
    let mut person = Client::connect(&server);
    let _silent: Vec<_> = (0..39).map(|_| Client::connect(&server)).collect();
    person.give_name("Ada");
    person.mark("typed slowly");
}

#[test]
fn l1_clients_that_never_pause_do_not_keep_newcomers_out() {
    let server = TestServer::with(&["--max-clients", "8"]);
    thread::scope(|scope| {
        let (attack, attackers) = mpsc::channel::<TcpStream>();
        let (done, first_turn) = mpsc::channel();
        // Each gets its next two bytes before the server has paused for the last two, so a read
        // always finds some, and never the end that an eviction makes.
        scope.spawn(move || {
            let mut streams = Vec::new();
            loop {
                let n_before = streams.len();
                match attackers.try_recv() {
                    Ok(stream) => streams.push(stream),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return,
                }
                for stream in &mut streams {
                    // This fails for those that have been evicted.
                    let _ = stream.write(&NO_OPERATION);
                }
                if streams.len() > n_before {
                    let _ = done.send(());
                }
            }
        });
        let _attackers: Vec<_> = (0..N_ATTACKERS)
            .map(|_| {
                let attacker = Client::silent(&server);
                attack.send(attacker.stream.try_clone().unwrap()).unwrap();
                first_turn.recv_timeout(WATCHDOG).unwrap();
                attacker
            })
            .collect();
        let try_once = || {
            let mut newcomer = Client::silent(&server);
            let greeting = newcomer.next()?;
            (greeting.parse() == Ok(Notice::Welcome)).then_some(newcomer)
        };
        let mut newcomers = Vec::new();
        for number in 0..8 {
            let newcomer = (0..N_TRIES).find_map(|_| try_once());
            let mut newcomer = newcomer.expect("the room is shut");
            newcomer.give_name(&format!("Newcomer {number}"));
            newcomer.mark("here");
            newcomers.push(newcomer);
        }
    });
}

#[test]
fn l3_the_seats_are_counted_with_the_kernels_defaults_where_it_does_not_tell() {
    let Some(server) = TestServer::on_a_small_host(&[]) else {
        return;
    };
    assert!(n_seats(&server) <= 8_100);
}

#[test]
fn l3_a_longer_queue_leaves_fewer_seats_where_memory_is_short() {
    let memory = "mount -t tmpfs none /mnt && echo 'MemTotal: 262144 kB' >/mnt/meminfo \
                  && mount --bind /mnt/meminfo /proc/meminfo";
    let server = |queue| TestServer::after(memory, &["--queue", queue]);
    let (Some(short), Some(long)) = (server("32"), server("4096")) else {
        return;
    };
    // Each client takes 290 KiB with the short queue, and 544 KiB with the long one.
    let (short, long) = (n_seats(&short), n_seats(&long));
    assert!(long < short * 2 / 3, "{long} and {short}");
}

fn n_seats(server: &TestServer) -> u32 {
    let line = server.log.wait_for("Room for ");
    let (_, rest) = line.split_once("Room for ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn b7_a_program_that_is_not_a_chat_client_never_becomes_a_user() {
    let server = TestServer::start();
    for (bytes, protocol) in [
        (
            &b"PASS secret\r\nNICK ada\r\nUSER ada 0 * :Ada\r\n"[..],
            "IRC",
        ),
        (b"CAP LS 302\r\nNICK ada\r\n", "IRC"),
        (b"NICK ada\r\nUSER ada 0 * :Ada\r\n", "IRC"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis"),
        (b"EHLO mail.example.org\r\n", "SMTP"),
        (b"OPTIONS rtsp://host/ RTSP/1.0\r\n\r\n", "RTSP"),
        (b"OPTIONS sip:host SIP/2.0\r\n\r\n", "SIP"),
        (b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01", "RDP"),
        (b"get /index.html http/1.0\r\n\r\n", "HTTP"),
    ] {
        let mut client = Client::connect(&server);
        client.send(bytes);
        client.expect_notice(&Notice::Foreign);
        assert_eq!(client.next(), None, "{protocol}");
        server
            .log
            .wait_for(&format!("closed, not a chat client: it speaks {protocol}"));
    }
}

#[test]
fn r1_a_closed_terminal_says_goodbye_unless_nohup_has_it_ignored() {
    let mut server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    server.process.signal(Signal::HUP);
    ada.expect("* The server is stopping. Goodbye!");
    assert_eq!(server.process.wait().code(), Some(0));

    let server = TestServer::spawn(
        Command::new("nohup")
            .arg(trio_chat().get_program())
            .arg("127.0.0.1:0"),
    );
    let mut ada = Client::join(&server, "Ada");
    server.process.signal(Signal::HUP);
    assert!(ada.mark("still here").is_empty());
}

#[test]
fn r1_a_flooded_room_stops_in_time_and_talkers_hear_the_same_end_as_everyone() {
    for (options, n_talkers) in [(&[][..], 100), (&["--rate", "0"], 400)] {
        let mut server = TestServer::with(options);
        let flood = Flood::start(&server, n_talkers);
        flood.wait_until_busy();
        let start = Instant::now();
        server.process.signal(Signal::TERM);
        assert_eq!(server.process.wait().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(3));
        // The others have missed messages at the end, or could not read before they were reset.
        let heard: BTreeSet<_> = flood.last_lines().into_iter().flatten().collect();
        assert_eq!(heard.len(), 1, "{n_talkers} talkers: {heard:#?}");
    }
}

#[test]
fn r4_a_room_that_fails_ends_the_process_and_nobody_hangs() {
    let mut process = Process::spawn(
        trio_chat()
            .args(["127.0.0.1:0", "--rate", "0"])
            .env("TRIO_CHAT_PANIC_WHEN_TOLD", "1")
            .stderr(Stdio::piped()),
    );
    let log = Output::of(process.child().stderr.take().unwrap());
    let line = log.wait_for("listening on ");
    let address: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    let greeted = || {
        let mut client = Client::at(address);
        client.expect_notice(&Notice::Welcome);
        client
    };
    // The more are in the room, the longer a frame takes, and events are queued meanwhile.
    let mut members: Vec<_> = (0..200).map(|_| greeted()).collect();
    let mut joining: Vec<_> = (0..200).map(|_| greeted()).collect();
    for (number, member) in members.iter_mut().enumerate() {
        member.give_name(&format!("Member {number}"));
        member.mark("here");
    }
    let mut ada = members.remove(0);
    for (number, guest) in joining.iter_mut().enumerate() {
        guest.send(format!("Guest {number}\nhello\n"));
        if number == 50 {
            ada.say("panic broadcaster");
        }
    }
    assert_eq!(process.wait().code(), Some(1));
    log.wait_for("The server has failed");
}
