//! Clients may send any bytes, split in any way: lines stay bounded, text is clean, and no chat
//! client is disconnected for it.

use crate::support::{Client, TestServer, n_missed};
use std::thread;
use trio_chat::protocol::notice::Notice;

#[test]
fn b2_lines_do_not_depend_on_how_bytes_arrive() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut witness = Client::join(&server, "Witness");
    let bytes = "lf\ncrlf\r\ncrnul\r\0cr\rsmörgåsbord 😀\n\r\nlast\n".as_bytes();
    let expected = ["lf", "crlf", "crnul", "cr", "smörgåsbord 😀", "last"];
    for n_at_once in [1, 2, 3, 5, 7, bytes.len()] {
        let name = format!("By {n_at_once}");
        let mut client = Client::connect(&server);
        client.give_name(&name);
        for (number, piece) in bytes.chunks(n_at_once).enumerate() {
            client.send(piece);
            // A round trip in between keeps the pieces apart on the wire.
            witness.mark(&format!("{number}"));
        }
        client.finish();
        client.hear_until(&format!("{name}> last"));
        let own = |line: &String| line.strip_prefix(&format!("{name}> ")).map(str::to_owned);
        let heard: Vec<_> = client.heard.iter().filter_map(own).collect();
        assert_eq!(heard, expected, "{name}");
        // The witness has to hear all of that before the next client comes.
        witness.mark("next");
    }
}

#[test]
fn b3_bad_utf8_costs_a_replacement_character_never_the_connection() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut client = Client::join(&server, "Client");
    for (bytes, text) in [
        (&b"caf\xe9"[..], "caf\u{fffd}"),
        (b"\xff\xfe\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"cut \xf0\x9f\x98", "cut \u{fffd}"),
        (b"\xc0\xaf overlong", "\u{fffd}\u{fffd} overlong"),
        (
            b"\xed\xa0\x80 surrogate",
            "\u{fffd}\u{fffd}\u{fffd} surrogate",
        ),
    ] {
        client.send(bytes);
        client.send("\n");
        client.expect(&format!("Client> {text}"));
    }
    // Half of a character, and the other half only when the first has arrived for sure.
    client.send(b"\xf0\x9f");
    let mut other = Client::join(&server, "Other");
    client.expect("Other> here");
    client.send(b"\x98\x80\n");
    client.expect("Client> \u{1f600}");
    other.expect("Client> \u{1f600}");
}

#[test]
fn b1_nothing_a_client_sends_reaches_another_terminal_unescaped() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut witness = Client::join(&server, "Witness");
    let mut attacker = Client::connect(&server);
    attacker.give_name("\u{1b}[31mEve\u{7}");
    attacker.send("\u{1b}[2J\u{9b}H\u{202e}evil\u{2028}\0\u{8}\n");
    witness.expect("[31mEve> [2JHevil");
    // Every character of Unicode, 500 on a line.
    let every: Vec<char> = ('\0'..=char::MAX)
        .filter(|it| !"\r\n".contains(*it))
        .collect();
    for characters in every.chunks(500) {
        attacker.send(format!("{}.\n", characters.iter().collect::<String>()));
        attacker.next().unwrap();
        let line = witness.next().unwrap();
        assert!(line.starts_with("[31mEve> "), "{line:?}");
        let bad = line.chars().find(|character| {
            character.is_control()
                || matches!(
                    character,
                    '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}'
                    | '\u{e0000}'..='\u{e007f}'
                )
        });
        assert_eq!(bad, None, "{line:?}");
    }
    server.log.wait_for("name set to \"[31mEve\"");
}

#[test]
fn b4_an_endless_line_is_delivered_in_pieces_and_memory_does_not_grow() {
    let n_bytes: usize = 64 << 20;
    let server = TestServer::with(&["--rate", "0"]);
    let mut witness = Client::join(&server, "Witness");
    let before = server.process.memory();
    let mut sender = Client::connect(&server);
    sender.give_name("Sender");
    let mut sink = sender.stream.try_clone().unwrap();
    let n_heard = thread::scope(|scope| {
        scope.spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
        scope.spawn(|| {
            // At three bytes a character, no piece can have exactly 4,096 bytes.
            let text = "€".repeat(1 << 20);
            for _ in 0..n_bytes / text.len() {
                sender.send(&text);
            }
            sender.send("\nend\n");
            sender.finish();
        });
        let mut n_heard = 0;
        loop {
            let line = witness.next().unwrap();
            if let Some(n_missed) = n_missed(&line) {
                n_heard += n_missed;
                continue;
            }
            let text = line.strip_prefix("Sender> ").unwrap();
            if text == "end" {
                break n_heard;
            }
            assert!(text.len() <= 4096 && text.chars().all(|character| character == '€'));
            n_heard += 1;
            witness.heard.clear();
        }
    });
    let n_sent = (n_bytes / (3 << 20)) * (3 << 20);
    assert_eq!(
        n_heard,
        n_sent.div_ceil(4095) as u64,
        "every piece is heard or announced as missed"
    );
    let after = server.process.memory();
    // This allows for both clients' outboxes and the frames in flight.
    assert!(
        after <= before + (3 << 20),
        "from {before} to {after} bytes"
    );
}

#[test]
fn b6_telnet_negotiation_is_stripped_however_it_is_split_and_ctrl_c_leaves() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut witness = Client::join(&server, "Witness");
    let bytes = b"\xff\xfb\x18\xff\xfd\x03Te\xff\xfd\x01l\xff\xfa\x18\0xterm\r\n\xff\xf0\r\n\
                  hello\xff\xf1 there\r\0\xff\xf4\xff\xfd\x06unsaid\r\n";
    for n_at_once in [1, 2, 3, bytes.len()] {
        let mut client = Client::connect(&server);
        for (number, piece) in bytes.chunks(n_at_once).enumerate() {
            // The server may close before the last piece is sent.
            let _ = std::io::Write::write_all(&mut client.stream, piece);
            witness.say(&format!("tick {n_at_once} {number}"));
        }
        // By the end of the connection, everything it said is through.
        client.hear_all();
        let heard = witness.mark(&format!("done {n_at_once}"));
        let said: Vec<_> = heard
            .iter()
            .filter(|line| line.starts_with("Tel> "))
            .collect();
        assert_eq!(said, ["Tel> hello there"], "{n_at_once} at once");
        server.log.wait_for("closed by peer");
    }
}

#[test]
fn b7_a_program_that_is_not_a_chat_client_never_becomes_a_user() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    for (number, (bytes, protocol)) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "TLS"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH"),
        (b"GET /\r\nHost: localhost\r\n\r\n", "HTTP"),
    ]
    .iter()
    .enumerate()
    {
        let mut client = Client::connect(&server);
        client.send(bytes);
        client.expect_notice(&Notice::Foreign);
        assert_eq!(client.next(), None, "the connection is closed");
        server.log.wait_for(&format!(
            "Connection #{}: closed, not a chat client: it speaks {protocol}",
            number + 1
        ));
    }
    assert!(witness.mark("alone").is_empty());
}

#[test]
fn b7_an_overlong_first_line_is_not_a_name_and_nothing_after_it_is_said() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let long = "a".repeat(5000);
    let blank = " ".repeat(5000);
    for first in [
        format!("GET /{long} HTTP/1.1"),
        format!("Ada{blank}secret"),
        long.clone(),
    ] {
        let mut client = Client::connect(&server);
        client.send(format!(
            "{first}\r\nHost: localhost\r\nCookie: secret\r\n\r\n"
        ));
        client.hear_all();
    }
    assert!(witness.mark("alone").is_empty());
}
