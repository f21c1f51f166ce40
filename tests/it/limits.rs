//! The limits of the host and of the room: clients beyond them are refused politely, and nobody
//! else notices.

use crate::support::{Client, TestServer, n_missed, rust_files, until};
use rustix::process::{Resource, Rlimit, prlimit};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use trio_chat::protocol::notice::Notice;

#[test]
fn l1_silent_connections_cannot_occupy_the_room() {
    let server = TestServer::with(&["-v", "--max-clients", "40"]);
    let mut ada = Client::join(&server, "Ada");
    // There are more silent clients than seats, and some trickle bytes: the oldest are evicted.
    let mut silent: Vec<_> = (0..60).map(|_| Client::connect(&server)).collect();
    for client in &mut silent[50..] {
        client.send("x");
    }
    for client in &mut silent[..21] {
        client.expect("* Others want to come in, and you gave no name. Goodbye!");
        assert_eq!(client.next(), None);
    }
    server
        .log
        .wait_for("Connection #1: closed, it gave no name and others needed its seat");
    let newcomer = Client::join(&server, "Newcomer");
    ada.expect("Newcomer> here");
    newcomer.finish();
    // The silent clients that remain can still give a name.
    let last = silent.last_mut().unwrap();
    last.give_name("yes");
    last.name = "xyes".to_owned();
    last.mark("in at last");
}

#[test]
fn l1_bad_names_do_not_keep_newcomers_out_either() {
    let server = TestServer::with(&["--max-clients", "40", "--rate", "0.2"]);
    let mut attackers = Vec::new();
    for number in 0..20 {
        for _ in 0..10 {
            let mut attacker = Client::silent(&server);
            // This fails if the attacker has been evicted already.
            let _ = attacker.stream.write_all(b">\n>\n>\n");
            attackers.push(attacker);
        }
        let mut newcomer = Client::connect(&server);
        newcomer.give_name(&format!("Newcomer {number}"));
        newcomer.finish();
        assert!(newcomer.hear_all().is_empty(), "the name is refused");
    }
}

#[test]
fn l1_trickled_bytes_do_not_extend_the_time_to_give_a_name() {
    let server = TestServer::with(&["--name-timeout", "1"]);
    let mut trickling = Client::connect(&server);
    let mut witness = Client::join(&server, "Witness");
    // It sends a byte for each message of the witness, which is five a second.
    until("the end", || {
        witness.mark("tick");
        trickling.stream.write_all(b"x").err()
    });
    trickling.expect("* That took too long. Goodbye!");
}

/// Starts a server under these limits, and not as root, who is exempt from the limit on threads.
fn limited(descriptors: u64, threads: u64) -> TestServer {
    // That user may read this folder, unlike perhaps the one the program was built in.
    let folder =
        std::env::temp_dir().join(format!("trio-chat-{}-{descriptors}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("trio-chat");
    std::fs::copy(env!("CARGO_BIN_EXE_trio-chat"), &program).unwrap();
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--nofile={descriptors}"))
        .arg(format!("--nproc={threads}"))
        .arg("--")
        .arg(&program)
        .args(["-v", "127.0.0.1:0"]);
    if rustix::process::geteuid().is_root() {
        // No other process runs as this user, not even in another run of the tests at the same
        // time, so all its threads are the server's.
        let number = std::process::id() * 256 + u32::try_from(descriptors).unwrap();
        command.uid(50_000 + number % 10_007);
    }
    let server = TestServer::spawn(&mut command);
    std::fs::remove_dir_all(folder).unwrap();
    server
}

#[test]
fn l2_at_the_descriptor_limit_the_chat_goes_on_and_the_server_recovers() {
    let server = limited(64, 10_000);
    server.log.wait_for("open files");
    let mut ada = Client::join(&server, "Ada");
    let others: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    assert!(ada.mark("still here").is_empty());
    drop(others);
    let mut bob = join_when_there_is_a_seat(&server, "Bob");
    ada.hear_until("Bob> in");
    bob.mark("and well");
    let trouble: Vec<_> = server
        .log
        .lines()
        .into_iter()
        .filter(|line| line.contains("[WARN]"))
        .collect();
    assert!(trouble.len() <= 12, "{trouble:#?}");
}

#[test]
fn l2_when_no_descriptor_is_left_the_server_waits_and_recovers() {
    let server = TestServer::start();
    let mut ada = Client::join(&server, "Ada");
    // This takes even the descriptors that the server keeps in reserve.
    let pid = Some(server.process.pid());
    let limit = |current| Rlimit {
        current: Some(current),
        maximum: Some(20_000),
    };
    let before = prlimit(pid, Resource::Nofile, limit(0)).unwrap();
    let mut waiting = Client::silent(&server);
    server.log.wait_for("Nobody can join for now");
    assert!(ada.mark("still here").is_empty());
    prlimit(pid, Resource::Nofile, before).unwrap();
    waiting.expect_notice(&Notice::Welcome);
}

#[test]
fn l3_seats_are_computed_from_the_host_and_the_process_never_aborts() {
    // There are fewer threads than the seats need: some clients are refused, and no others notice.
    let server = limited(200, 60);
    let room = server.log.wait_for("Room for ");
    let n_seats: usize = room
        .split("Room for ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(n_seats <= 30 && room.contains("threads"), "{room}");
    let mut ada = Client::join(&server, "Ada");
    let mut n_welcome = 0;
    let mut n_full = 0;
    let others: Vec<_> = (0..100)
        .map(|number| {
            let mut client = Client::silent(&server);
            client.send(format!("Guest {number}\nhello\n"));
            if client.next().unwrap().parse() == Ok(Notice::Welcome) {
                n_welcome += 1;
                // Each is in before the next comes, so that none is evicted.
                client.next().unwrap();
            } else {
                n_full += 1;
            }
            client
        })
        .collect();
    assert_eq!(n_welcome + n_full, 100);
    assert!(
        n_full >= 100 - n_seats && n_welcome > 0,
        "{n_welcome} clients are in, {n_full} were refused"
    );
    ada.mark("still here");
    drop(others);
    join_when_there_is_a_seat(&server, "Bob");
}

/// Tries to join until the client that had the name before is gone.
fn join_when_the_name_is_free(server: &TestServer, name: &str) -> Client {
    until("the name to be free", || {
        let mut client = Client::connect(server);
        client.give_name(name);
        client.say("in");
        let is_answer = |line: &String| line.starts_with("* ") || line.ends_with("> in");
        let answer = std::iter::from_fn(|| client.next()).find(is_answer);
        answer
            .is_some_and(|line| line.ends_with("> in"))
            .then_some(client)
    })
}

/// Joins as soon as the server has noticed that others have left.
fn join_when_there_is_a_seat(server: &TestServer, name: &str) -> Client {
    let mut client = Client::connect_when_there_is_a_seat(server);
    client.give_name(name);
    client.mark("in");
    client
}

#[test]
fn l5_connection_storms_leave_nothing_behind() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    let count = || (server.process.n_threads(), server.process.n_descriptors());
    let storm = |n_clients| {
        for number in 0..n_clients {
            let mut client = Client::silent(&server);
            match number % 4 {
                // Some say nothing, some leave in the middle of a line, and half end by a reset.
                0 => client.reset(),
                1 => {
                    client.send("Guest");
                    client.reset();
                }
                2 => client.send(format!("Guest {number}\nhello\n")),
                _ => {
                    client.send(format!("Guest {number}\nhello\n"));
                    client.finish();
                    client.hear_all();
                }
            }
        }
    };
    // The storm is over when as many threads and descriptors are left as before it.
    let before = count();
    let settle = || {
        until("the threads and descriptors of before", || {
            (count() == before).then_some(())
        });
    };
    storm(400);
    settle();
    let memory = server.process.memory();
    storm(1600);
    settle();
    let later = server.process.memory();
    assert!(
        later <= memory + (5 << 20),
        "from {memory} to {later} bytes"
    );
    // Names are free again, and so are seats.
    Client::join(&server, "Guest 2");
    ada.mark("well");
}

#[test]
fn r4_a_panic_in_one_clients_threads_costs_that_client_only() {
    for name in ["reader-1", "writer-1"] {
        let mut command = crate::support::trio_chat();
        command
            .args(["127.0.0.1:0", "--rate", "0"])
            .env("TRIO_CHAT_PANIC_WHEN_TOLD", "1");
        let server = TestServer::spawn(&mut command);
        let mut ada = Client::join(&server, "Ada");
        let mut victim = Client::join(&server, "Victim");
        ada.expect("Victim> here");
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Others talk all the while, and miss no message.
            for name in ["One", "Two"] {
                let mut talker = Client::join(&server, name);
                let over = &over;
                scope.spawn(move || {
                    for number in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                        let heard = talker.mark(&format!("{number}"));
                        assert!(heard.iter().all(|line| n_missed(line).is_none()));
                    }
                });
            }
            victim.say(&format!("panic {name}"));
            victim.hear_all();
            server.log.wait_for(&format!("[ERROR] {name} panicked"));
            // The victim's seat, its place in the room and its name are free again.
            join_when_the_name_is_free(&server, "Victim").mark("again");
            over.store(true, Ordering::Relaxed);
        });
        ada.mark("well");
        server.stop_after_a_panic();
    }
}

#[test]
fn r5_only_the_log_knows_the_wall_clock() {
    let files = rust_files("src");
    for (path, text) in &files {
        assert!(!text.contains("SystemTime"), "{path:?}");
    }
    assert!(files.len() > 20, "only {} files were read", files.len());
}

#[test]
fn b5_when_two_clients_ask_for_one_name_at_once_exactly_one_gets_it() {
    let server = TestServer::with(&["--rate", "0"]);
    for round in 0..1000 {
        let mut twins = [Client::connect(&server), Client::connect(&server)];
        twins[0].send(format!("Twin {round}\nme\n"));
        twins[1].send(format!("tWіn {round}\nme\n"));
        let answers = twins.each_mut().map(|twin| twin.next().unwrap());
        let n_in = answers
            .iter()
            .filter(|answer| !answer.starts_with("* "))
            .count();
        assert_eq!(n_in, 1, "{answers:?}");
        // Both are gone before the next round.
        for mut twin in twins {
            twin.finish();
            twin.hear_all();
        }
    }
}

#[test]
fn b5_names_that_look_alike_count_as_one() {
    let server = TestServer::start();
    let _rick = Client::join(&server, "Rick");
    for name in ["rick", "Ｒick", "Ri\u{307}ck", "Ri\u{200d}ck"] {
        let mut client = Client::connect(&server);
        client.give_name(name);
        let answer = client.next().unwrap();
        assert!(answer.contains("is taken. Try \""), "{answer}");
        let free = answer
            .split("Try \"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        client.expect("Enter your name:");
        client.give_name(free);
        client.mark("in");
    }
    let mut filler = Client::connect(&server);
    filler.give_name("\u{3164}");
    filler.expect("* A name needs at least one visible character.");
}
