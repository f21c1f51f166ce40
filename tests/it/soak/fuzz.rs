//! A machine that looks for holes: eight clients at once send arbitrary bytes in arbitrary pieces,
//! half-close, reset and pause, as a seed has it, while two others watch what the room makes of it.

use super::{measure_for, row};
use crate::support::{Client, TestServer, n_missed, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;
use trio_chat::protocol::{MAX_LINE, names};

const N_CLIENTS: u64 = 8;

/// How long to look, unless `TRIO_CHAT_FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 30;

/// A sequence of numbers that looks random and is the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    fn roll(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let n_bytes = self.roll(60);
        (0..n_bytes)
            .map(|_| self.roll(256).to_le_bytes()[0])
            .collect()
    }
}

/// What some client might send next.
fn piece(dice: &mut Dice) -> Vec<u8> {
    let known: [&[u8]; 24] = [
        b"hello\n",
        b"\n",
        b"\r\n",
        b"\r\0",
        b"\r",
        b" \t ",
        b"* You missed 3 messages.\n",
        b"Witness> forged\n",
        b"\xff\xf1",
        b"\xff\xfb\x18",
        b"\xff\xfa\x18",
        b"\xff\xf0",
        b"\xff",
        b"\xf0\x9f",
        b"\x98\x80",
        b"\x1b[2J",
        "\u{202e}".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{3164}".as_bytes(),
        "\u{2028}".as_bytes(),
        b"GET / HTTP/1.1\n",
        b"\x16\x03",
        b">",
        b"*",
    ];
    match dice.roll(12) {
        0..=7 => dice.pick(&known).to_vec(),
        8 | 9 => dice.bytes(),
        10 => vec![b'x'; usize::try_from(dice.roll(3 * MAX_LINE as u64)).unwrap()],
        _ => b" ".repeat(usize::try_from(dice.roll(200)).unwrap()),
    }
}

/// One client from its first byte to its end. It may be closed by the server at any time.
fn play(server: &TestServer, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    if dice.roll(4) > 0 {
        let _ = stream.write_all(format!("Guest {}\n", dice.roll(6)).as_bytes());
    }
    for _ in 0..dice.roll(40) {
        let sent = match dice.roll(10) {
            0 => stream.read(&mut [0; 512]).map(drop).or(Ok(())),
            1 => {
                measure_for(Duration::from_micros(dice.roll(3000)));
                Ok(())
            }
            2 if dice.roll(20) == 0 => stream.shutdown(Shutdown::Write),
            2 if dice.roll(20) == 0 => stream.shutdown(Shutdown::Read),
            _ => stream.write_all(&piece(&mut dice)),
        };
        if sent.is_err() {
            break;
        }
    }
    if dice.roll(3) == 0 {
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Whether the room may say `line`: a message of somebody whose name can be had, or a notice, and
/// nothing that a terminal would obey.
fn is_fit(line: &str) -> bool {
    let is_message = line.split_once("> ").is_some_and(|(name, text)| {
        names::check(name).as_deref() == Ok(name) && text.len() <= MAX_LINE
    });
    let is_control = |character: char| {
        character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2028}')
    };
    (is_message || line.parse::<Notice>().is_ok()) && !line.chars().any(is_control)
}

/// Threads and descriptors of the server.
fn use_of(server: &TestServer) -> (usize, usize) {
    (server.process.n_threads(), server.process.n_descriptors())
}

/// Lets eight clients play, and checks what the witnesses heard. Returns how many lines.
fn round(
    server: &TestServer,
    quiet: (usize, usize),
    witness: &mut Client,
    slow: &mut Client,
    seed: u64,
) -> usize {
    let guest = format!("Guest {}", seed % 6);
    let end = format!("{guest}> end of {seed}");
    let heard = thread::scope(|scope| {
        let listening = scope.spawn(|| witness.hear_until(&end));
        let players: Vec<_> = (0..N_CLIENTS)
            .map(|number| scope.spawn(move || play(server, seed * N_CLIENTS + number)))
            .collect();
        for player in players {
            player.join().unwrap();
        }
        until("the end of every session", || {
            (use_of(server) == quiet).then_some(())
        });
        // The names are free again.
        let mut last = Client::join(server, &guest);
        last.mark(&format!("end of {seed}"));
        listening.join().unwrap()
    });
    for line in &heard {
        assert!(is_fit(line), "seed {seed}: {line:?}");
        assert_eq!(
            n_missed(line),
            None,
            "seed {seed}: the witness reads all the time"
        );
    }
    // One order, and every line is delivered or missed.
    let mut expected = heard.iter();
    let mut n_left = heard.len() as u64 + 1;
    while n_left > 0 {
        let line = slow.next().expect("the slow client is kept");
        if let Some(n_missed) = n_missed(&line) {
            n_left -= n_missed;
            expected.nth(usize::try_from(n_missed).unwrap() - 1);
        } else {
            n_left -= 1;
            assert_eq!(
                &line,
                expected.next().unwrap_or(&end),
                "seed {seed}: one order"
            );
        }
    }
    heard.len()
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn arbitrary_clients_spoil_nothing() {
    let wanted = std::env::var("TRIO_CHAT_FUZZ_SECONDS").ok();
    let seconds = wanted.map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let first_seed = std::env::var("TRIO_CHAT_FUZZ_SEED").map_or(0, |seed| seed.parse().unwrap());
    let start = Instant::now();
    let (mut seed, mut n_lines) = (first_seed, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        // A new server now and then, so that a failure has a short history.
        let server = TestServer::with(&["--rate", "0"]);
        let mut witness = Client::join(&server, "Witness");
        let mut slow = Client::join(&server, "Slow");
        witness.hear_until("Slow> here");
        let quiet = use_of(&server);
        for _ in 0..50 {
            n_lines += round(&server, quiet, &mut witness, &mut slow, seed);
            seed += 1;
        }
    }
    let figure = format!(
        "{} rounds of {N_CLIENTS} clients in {:.0?}, {n_lines} lines heard, each fit and in order",
        seed - first_seed,
        start.elapsed()
    );
    row(
        "all",
        "arbitrary bytes, pieces, half-closes, resets and pauses",
        &figure,
        true,
    );
}
