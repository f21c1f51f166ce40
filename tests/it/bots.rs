//! The bots: they print what they do, and so make backpressure and dropped messages visible.

use crate::support::{Client, Output, Process, TestServer, has_log_shape, log_text, trio_chat};
use rustix::process::Signal;
use std::process::Stdio;

struct Bot {
    process: Process,
    output: Output,
}

impl Bot {
    fn start(kind: &str, server: &TestServer, options: &[&str]) -> Self {
        let mut process = Process::spawn(
            trio_chat()
                .args([kind, &server.address.to_string()])
                .args(options)
                .stdout(Stdio::piped()),
        );
        let output = Output::of(process.child().stdout.take().unwrap());
        Self { process, output }
    }

    /// Waits for the bot to end, and returns the texts of all its lines.
    fn texts(&mut self) -> Vec<String> {
        assert!(self.process.wait().success());
        let lines = self.output.wait_for_end();
        assert!(lines.iter().all(|line| has_log_shape(line)), "{lines:?}");
        lines.iter().map(|line| log_text(line).to_owned()).collect()
    }
}

#[test]
fn the_spam_bot_sends_its_lines_and_prints_each() {
    let server = TestServer::start();
    let mut witness = Client::join(&server, "Witness");
    let mut bot = Bot::start("spam", &server, &["--count", "4"]);
    let texts = bot.texts();
    assert_eq!(
        texts[..3],
        [
            format!("Spam client connecting to {}", server.address),
            "Connected".to_owned(),
            "Sending name".to_owned(),
        ]
    );
    assert_eq!(texts.len(), 7);
    for (number, text) in texts[3..].iter().enumerate() {
        let time = text.strip_prefix(&format!("Sent #{number} in ")).unwrap();
        let (seconds, fraction) = time.strip_suffix('s').unwrap().split_once('.').unwrap();
        assert!(
            seconds.parse::<u32>().is_ok() && fraction.len() == 3,
            "{text}"
        );
    }
    // Everyone hears what it sent: 500 words of four letters with a space between them.
    let line = format!("SpamBot 5000> {}", vec!["spam"; 500].join(" "));
    assert_eq!(line.len() - "SpamBot 5000> ".len(), 2499);
    for _ in 0..4 {
        witness.expect(&line);
    }
}

#[test]
fn the_spam_bot_feels_backpressure() {
    let server = TestServer::start();
    let bot = Bot::start("spam", &server, &[]);
    // After many lines that went at once, one has to wait for the rate limit.
    let lines = bot.output.wait_until("a stall", |lines| {
        lines
            .iter()
            .filter_map(|line| sent(line))
            .any(|(_, seconds)| seconds > 0.15)
    });
    let stalled = lines
        .iter()
        .filter_map(|line| sent(line))
        .find(|(_, seconds)| *seconds > 0.15);
    let (number, _) = stalled.unwrap();
    assert!(
        (5..60).contains(&number),
        "the first stall is at line {number}"
    );
    bot.process.signal(Signal::TERM);
    let mut process = bot.process;
    assert_eq!(
        process.wait().code(),
        Some(0),
        "being told to stop is not a failure"
    );
}

/// Parses what the spam bot prints: `Sent #33 in 4.152s` is 33 and 4.152.
pub fn sent(line: &str) -> Option<(u32, f64)> {
    let (number, time) = log_text(line).strip_prefix("Sent #")?.split_once(" in ")?;
    Some((number.parse().ok()?, time.strip_suffix('s')?.parse().ok()?))
}

#[test]
fn the_slow_bot_reads_little_and_misses_what_is_said_meanwhile() {
    let server = TestServer::with(&["--queue", "4"]);
    let mut slow = Bot::start("slow", &server, &["--count", "3"]);
    server.log.wait_for("name set to \"SlowBot 0.0.1a\"");
    let _spam = Bot::start("spam", &server, &[]);
    server
        .log
        .wait_for("Connection #0: queue is full! (dropping ");
    let texts = slow.texts();
    assert_eq!(
        texts[..3],
        [
            format!("SlowBot 0.0.1a connecting to {}", server.address),
            "Connected".to_owned(),
            "Sending name".to_owned(),
        ]
    );
    assert_eq!(texts.len(), 6);
    for text in &texts[3..] {
        let n_bytes = text
            .strip_prefix("Received ")
            .unwrap()
            .strip_suffix(" bytes")
            .unwrap();
        assert!(
            (1..=2600).contains(&n_bytes.parse::<u32>().unwrap()),
            "{text}"
        );
    }
}

#[test]
fn another_bot_of_the_same_kind_takes_the_next_free_number() {
    let server = TestServer::with(&["-v"]);
    let mut witness = Client::join(&server, "Witness");
    let _spam: Vec<_> = ["SpamBot 5000", "SpamBot 5001", "SpamBot 5002"]
        .iter()
        .map(|name| {
            let bot = Bot::start("spam", &server, &[]);
            server.log.wait_for(&format!("name set to \"{name}\""));
            bot
        })
        .collect();
    let _slow: Vec<_> = ["SlowBot 0.0.1a", "SlowBot 0.0.1a 2", "Sloth", "Sloth 2"]
        .iter()
        .map(|name| {
            let options: &[&str] = if name.starts_with("Sloth") {
                &["--name", "Sloth"]
            } else {
                &[]
            };
            let bot = Bot::start("slow", &server, options);
            server.log.wait_for(&format!("name set to \"{name}\""));
            bot
        })
        .collect();
    assert!(
        witness
            .mark("well")
            .iter()
            .all(|line| line.starts_with("SpamBot 500"))
    );
}

#[test]
fn bots_stop_on_time_even_in_a_quiet_room() {
    let server = TestServer::start();
    for kind in ["slow", "spam"] {
        let mut bot = Bot::start(kind, &server, &["--seconds", "0.5"]);
        assert!(bot.texts().len() >= 3);
    }
}

#[test]
fn a_bot_says_so_when_the_server_stops_or_refuses_it() {
    let server = TestServer::start();
    for kind in ["spam", "slow"] {
        let output = trio_chat()
            .args([kind, &server.address.to_string(), "--name", "a > b"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("A name cannot contain \">\""), "{error}");
    }
    let mut bots = ["spam", "slow"].map(|kind| {
        let mut process = Process::spawn(
            trio_chat()
                .args([kind, &server.address.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        );
        let error = Output::of(process.child().stderr.take().unwrap());
        (process, error)
    });
    server.log.wait_for("name set to \"SpamBot 5000\"");
    server.log.wait_for("name set to \"SlowBot 0.0.1a\"");
    assert!(server.stop().success());
    for (process, error) in &mut bots {
        assert_eq!(process.wait().code(), Some(1));
        let lines = error.wait_for_end();
        assert_eq!(lines.len(), 1, "{lines:?}");
        // The goodbye may be the first thing that the slow bot hears.
        assert!(
            lines[0].contains("The server has closed the connection")
                || lines[0].contains("The server says: The server is stopping."),
            "{lines:?}"
        );
    }
}

#[test]
fn bots_started_together_all_get_in() {
    let server = TestServer::with(&["-v"]);
    let bots: Vec<_> = (0..8).map(|_| Bot::start("spam", &server, &[])).collect();
    for number in 5000..5008 {
        server
            .log
            .wait_for(&format!("name set to \"SpamBot {number}\""));
    }
    drop(bots);
}

#[test]
fn a_bot_that_finds_a_full_room_says_so() {
    let server = TestServer::with(&["--max-clients", "1"]);
    let _ada = Client::join(&server, "Ada");
    for kind in ["spam", "slow"] {
        let output = trio_chat()
            .args([kind, &server.address.to_string()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            error,
            "trio-chat: The server says: The room is full. Try again later.\n"
        );
    }
}

#[test]
fn the_crowd_counts_every_message_it_sends_and_hears() {
    let server = TestServer::with(&["-v", "--rate", "0"]);
    let pid = server.process.pid().to_string();
    let address = server.address.to_string();
    let crowd = |options: &[&str]| {
        let output = trio_chat()
            .args(["crowd", &address])
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = crowd(&[
        "--clients",
        "20",
        "--talkers",
        "10",
        "--seconds",
        "1",
        "--pid",
        &pid,
    ]);
    // Ten clients talk five times a second, and twenty hear them.
    for part in [
        "sent       50 messages",
        "delivered  1000 of 1000 (100.0 %)",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // On a busy host the crowd sends late, and must rather say so than believe its own latencies.
    let doubt = "latency    not shown: this crowd was the bottleneck, it sent ";
    assert!(
        text.contains("latency    p50 ") || text.contains(doubt),
        "{text}"
    );
    let json = crowd(&["--clients", "5", "--seconds", "0.4", "--json"]);
    assert!(
        json.contains("\"sent\":10,\"expected\":50,\"delivered\":50,"),
        "{json}"
    );
    assert_eq!(json.lines().count(), 1);
    // Of nine connections, every third stays.
    let churned = crowd(&[
        "--clients",
        "3",
        "--churn",
        "2",
        "--seconds",
        "0.4",
        "--json",
    ]);
    assert!(churned.contains("\"sent\":6,\"expected\":18,\"delivered\":18,"));
    server.log.wait_for("Connection #33: name set to \"c00008");
    let flood = [
        "--clients",
        "9",
        "--talkers",
        "1",
        "--rate",
        "0",
        "--seconds",
        "0.5",
    ];
    let json = crowd(&[&flood[..], &["--json"]].concat());
    let field = |name: &str| -> u64 {
        let (_, value) = json.split_once(&format!("\"{name}\":")).unwrap();
        value.split(',').next().unwrap().parse().unwrap()
    };
    assert_eq!(field("delivered") + field("missed"), field("expected"));
    assert!(field("expected") >= 9 * field("sent") && field("sent") > 0);
    assert!(server.stop().success());
}
