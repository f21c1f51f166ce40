//! The README tells the truth: its figures are those of the source, and each promise has a test.

use crate::support::{project_folder, rust_files};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;
use trio_chat::protocol::notice::Notice;
use trio_chat::protocol::{MAX_LINE, MAX_NAME};
use trio_chat::room::frame::FULL_FRAME;
use trio_chat::room::{history, outbox};
use trio_chat::server::shared::Config;

/// Returns the cells of the table in a section of the README, row by row, without the head.
fn table(section: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string(project_folder().join("README.md")).unwrap();
    let (_, text) = readme
        .split_once(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("the README has no section {section:?}"));
    let text = text.split("\n## ").next().unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let row = row.trim_matches('|');
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{section:?} has no table");
    rows
}

/// Returns the figures in `text`, in bytes and seconds: `32 frames or 512 KiB` is 32 and 524,288.
fn figures(text: &str) -> Vec<u64> {
    let mut words = text
        .split_whitespace()
        .map(|word| word.trim_matches(|character| "/,;.".contains(character)))
        .peekable();
    let mut figures = Vec::new();
    while let Some(word) = words.next() {
        let Ok(figure) = word.replace(',', "").parse::<u64>() else {
            continue;
        };
        let unit = match words.peek() {
            Some(&"ms") => panic!("this test does not understand milliseconds: {text}"),
            Some(&"min" | &"minutes") => 60,
            Some(&"KiB") => 1024,
            Some(&"MiB") => 1024 * 1024,
            _ => 1,
        };
        figures.push(figure * unit);
    }
    figures
}

/// Returns the value of a constant that only its own file can name. A duration is in seconds, or in
/// milliseconds if the source says so.
fn constant(file: &str, name: &str) -> u64 {
    let source = fs::read_to_string(project_folder().join("src").join(file)).unwrap();
    let start = format!("const {name}: ");
    let mut lines = source.lines().map(str::trim_start);
    let line = lines
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("src/{file} has no constant {name}"));
    let value = line.split_once(" = ").unwrap().1.trim_end_matches(';');
    let (factor, number) = match value.trim_end_matches(')').split_once('(') {
        None => (1, value),
        Some(("Duration::from_secs" | "Duration::from_millis", number)) => (1, number),
        Some(("Duration::from_mins", number)) => (60, number),
        Some(_) => panic!("{name} is {value}, which this test does not understand"),
    };
    let number = number.replace('_', "");
    let numbers = number.split(" * ").map(str::parse::<u64>);
    let product: Result<u64, _> = numbers.product();
    factor * product.unwrap_or_else(|error| panic!("{name} is {value}: {error}"))
}

/// Returns how many lines a client may say in a second.
fn rate(config: &Config) -> u64 {
    let second = Duration::from_secs(1).as_micros();
    let interval = config.line_interval.as_micros();
    assert_eq!(second % interval, 0, "the rate is not a whole number");
    (second / interval).try_into().unwrap()
}

#[test]
fn the_limits_in_the_readme_are_those_of_the_source() {
    let config = Config::default();
    let bytes = |n_bytes: usize| n_bytes as u64;
    let name_tries = constant("server/session/handshake.rs", "NAME_TRIES");
    let password_tries = constant("server/session/handshake.rs", "PASSWORD_TRIES");
    let wrong_password = constant("server/session/handshake.rs", "WRONG_PASSWORD");
    let min_share = constant("server/admission/seats.rs", "MIN_SHARE");
    let join_interval = constant("server/admission/origins.rs", "JOIN_INTERVAL");
    let last_words = constant("server/session/reader.rs", "LAST_WORDS");
    let drops = constant("server/drops.rs", "CLIENTS_AT_A_TIME");
    let drops_interval = constant("server/broadcaster.rs", "LOG_DROPS_INTERVAL");
    let connections = constant("server/connection_log.rs", "LINES");
    let connections_period = constant("server/throttle.rs", "PERIOD");
    let keepalive = |part| constant("net/connection.rs", &format!("KEEPALIVE{part}"));
    let expected = [
        ("rate", vec![rate(&config)]),
        ("telnet commands", vec![]),
        ("line", vec![bytes(MAX_LINE)]),
        (
            "name",
            vec![bytes(MAX_NAME), name_tries, config.name_timeout.as_secs()],
        ),
        ("password", vec![password_tries, wrong_password]),
        (
            "outbox",
            vec![bytes(config.queue_frames), bytes(outbox::MAX_BYTES)],
        ),
        ("frame", vec![bytes(FULL_FRAME)]),
        (
            "unread messages",
            vec![constant("server/admission/host.rs", "MIN_FRAME_MEMORY")],
        ),
        ("seats", vec![]),
        ("without a name", vec![]),
        // The unit tests of `seats` hold the source to the /64.
        ("one address", vec![min_share, 64]),
        ("private messages, answers", vec![]),
        ("history", vec![bytes(history::MAX_BYTES)]),
        (
            "transcript",
            vec![
                constant("server/transcript.rs", "QUEUE_FRAMES"),
                bytes(outbox::MAX_BYTES),
            ],
        ),
        ("joins", vec![1000 / join_interval]),
        ("last words", vec![last_words]),
        (
            "log",
            vec![
                constant("logging.rs", "QUEUE"),
                drops / drops_interval,
                connections / connections_period,
            ],
        ),
        (
            "removal",
            vec![
                constant("server/session/writer.rs", "DRAIN_AT_REMOVAL"),
                constant("server/admission/barred.rs", "MAX_ADDRESSES"),
            ],
        ),
        (
            "status socket",
            vec![
                constant("server/status.rs", "MAX_REQUEST"),
                constant("server/status.rs", "PATIENCE"),
                constant("server/status.rs", "PATIENCE"),
            ],
        ),
        ("goodbye", vec![constant("server.rs", "GOODBYE")]),
        (
            "vanished peers",
            vec![keepalive(""), keepalive("_PROBES"), keepalive("_PROBE")],
        ),
    ];
    let table = table("Limits");
    let found: Vec<_> = table
        .iter()
        .map(|row| (row[0].as_str(), figures(&row[1])))
        .collect();
    assert_eq!(
        found, expected,
        "the README (left) does not have the limits of the source (right)"
    );

    let row = |name: &str| table.iter().find(|row| row[0] == name).unwrap();
    assert_eq!(constant("server/admission/seats.rs", "SHARE"), 4);
    assert!(row("one address")[1].contains("a quarter of the seats"));
    let part = constant("server/admission/host.rs", "FRAME_MEMORY_PART");
    assert_eq!(part, 200, "half a percent");
    assert!(row("seats")[2].contains(&Notice::Full.to_string()));
}

#[test]
fn the_defaults_in_the_readme_are_those_of_the_server() {
    let config = Config::default();
    let table = table("Options");
    for (option, expected) in [
        ("`--rate ", rate(&config)),
        ("`--queue ", config.queue_frames as u64),
        ("`--name-timeout ", config.name_timeout.as_secs()),
    ] {
        let row = table.iter().find(|row| row[0].starts_with(option));
        let row = row.unwrap_or_else(|| panic!("the README has no {option}"));
        assert_eq!(row[2], expected.to_string(), "{}", row[0]);
    }
}

/// Returns the promise that a test bears in its name: `s1_one_stuck_reader_…` is `S1`, and
/// `c10_…` is `C10`.
fn promise(test: &str) -> Option<String> {
    let (number, _) = test.split_once('_')?;
    let mut characters = number.chars();
    let is_promise = characters.next()?.is_ascii_lowercase()
        && !characters.as_str().is_empty()
        && characters.all(|character| character.is_ascii_digit());
    is_promise.then(|| number.to_uppercase())
}

#[test]
fn each_promise_in_the_readme_has_a_test_and_each_numbered_test_a_promise() {
    let promises: BTreeSet<_> = table("Promises")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let files = rust_files("tests/it");
    let tested: BTreeSet<_> = files
        .iter()
        // These run against ncat, which promises nothing.
        .filter(|(path, _)| !path.ends_with("control.rs"))
        .flat_map(|(_, text)| text.split("#[test]").skip(1))
        .filter_map(|text| text.split_once("fn ")?.1.split('(').next())
        .filter_map(promise)
        .collect();
    assert_eq!(
        promises, tested,
        "the promises (left) are not those with a test (right)"
    );
}
