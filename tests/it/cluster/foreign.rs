//! The stream is not trusted: whatever others write into it, people hear clean lines of somebody with
//! a name, and the server's own notices, and go on talking.

mod entries;

use super::{Heard, hear_all_of, hear_to, join_each, say_lines, servers};
use crate::support::{Client, Redis};
use entries::{SERVER, bytes, entry};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use trio_chat::protocol::notice::Notice;
use trio_chat::protocol::{names, text};

const SAID: &str = "trio1:{main}:said";

/// Number of entries that are made up.
const N_ENTRIES: usize = 2000;

/// Returns a command that adds an entry at `id`.
fn add(id: &str, fields: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut words = ["XADD", SAID, id].map(bytes).to_vec();
    words.extend(fields);
    words
}

/// Fails unless each line is clean and somebody's, or a notice that may come in such a room.
#[track_caller]
fn assert_clean(heard: &Heard) {
    for line in &heard.said {
        let (name, said) = line.split_once("> ").unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(names::check(name).as_deref(), Ok(name), "{line:?}");
        assert_eq!(text::clean(said), said, "{line:?}");
    }
    for notice in &heard.notices {
        let may_come = [Notice::MayHaveMissed, Notice::CutOff, Notice::Back];
        assert!(may_come.contains(notice), "{notice}");
    }
}

/// Lets the clients go on talking, and fails unless all of that is heard.
fn assert_goes_on(clients: &mut [Client]) {
    for client in &mut *clients {
        say_lines(client, 0..20);
    }
    let last = clients
        .iter()
        .map(|client| format!("{}> line 19", client.name));
    let last: Vec<_> = last.collect();
    for client in &mut *clients {
        let heard = hear_all_of(client, &last);
        assert_clean(&heard);
        for start in ["Guest 0> line ", "Guest 1> line "] {
            let numbers = heard
                .said
                .iter()
                .filter_map(|line| line.strip_prefix(start));
            let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
            assert_eq!(numbers.collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn c10_what_others_write_into_the_stream_is_clean_or_missed() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let total = redis.cli(&["HGET", "trio1:{main}", "total"]);
    let entry = entry();
    let mut runner = TestRunner::deterministic();
    let entries = (0..N_ENTRIES).map(|_| {
        let fields = entry.new_tree(&mut runner).unwrap().current();
        add(&format!("{total}-*"), fields)
    });
    redis.tell(&entries.collect::<Vec<_>>());
    let n_entries: usize = redis.cli(&["XLEN", SAID]).parse().unwrap();
    assert!(n_entries > N_ENTRIES / 2);
    for heard in hear_to("the end", &mut clients) {
        let notices = heard.notices.len();
        println!(
            "{n_entries} entries: {} lines, {notices} notices",
            heard.said.len()
        );
        assert!(heard.said.contains(&"Eve> a good line".to_owned()));
        assert_clean(&heard);
    }
    assert_goes_on(&mut clients);
}

#[test]
fn c10_huge_entries_stop_nobody() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let total = redis.cli(&["HGET", "trio1:{main}", "total"]);
    let before = servers[0].process.memory();
    let entry = |text: Vec<u8>, n: usize| {
        let n = n.to_string();
        let fields = [("p", SERVER), ("f", "1"), ("n", &n), ("t", "1")];
        let fields = fields
            .iter()
            .flat_map(|(name, value)| [bytes(name), bytes(value)]);
        let fields = fields.chain([bytes("x"), text]);
        add(&format!("{total}-*"), fields.collect())
    };
    let many = (0..20_000).map(|number| bytes(&number.to_string()));
    redis.tell(&[
        entry(b"Eve> x\n".repeat(300_000), 300_000),
        entry([&b"x".repeat(16 << 20)[..], b"\n"].concat(), 1),
        entry(b"\n".repeat(16 << 20), 16 << 20),
        add(&format!("{total}-*"), many.collect()),
    ]);
    for heard in hear_to("the end", &mut clients) {
        assert_eq!(heard.said, [""; 0]);
        assert_clean(&heard);
    }
    assert_goes_on(&mut clients);
    let after = servers[0].process.memory();
    println!("{} MiB before, {} MiB after", before >> 20, after >> 20);
}

#[test]
fn c10_an_entry_that_takes_a_position_of_ours_stops_nobody() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    let total = redis.cli(&["HGET", "trio1:{main}", "total"]);
    let next = total.parse::<u64>().unwrap() + 1000;
    redis.cli(&["XADD", SAID, &format!("{next}-0"), "hello", "world"]);
    assert_goes_on(&mut clients);
}

#[test]
fn c10_an_entry_with_a_clock_for_its_position_stops_nobody() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    redis.cli(&["XADD", SAID, "*", "hello", "world"]);
    assert_goes_on(&mut clients);
}

#[test]
fn c10_a_stream_that_is_something_else_is_a_pause() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    redis.cli(&["SET", SAID, "something else"]);
    for client in &mut clients {
        client.hear_until(&Notice::CutOff.to_string());
    }
    redis.cli(&["DEL", SAID]);
    assert_goes_on(&mut clients);
}

#[test]
fn c10_scripts_and_keys_that_others_remove_stop_nobody() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut clients = join_each(&servers);
    redis.cli(&["SCRIPT", "FLUSH"]);
    assert_goes_on(&mut clients);
    redis.cli(&["DEL", "trio1:{main}"]);
    assert_goes_on(&mut clients);
    redis.cli(&["DEL", SAID]);
    assert_goes_on(&mut clients);
    for words in [
        ["HSET", "trio1:{main}", "total", "many"],
        ["HSET", "trio1:{main}", "bytes", "many"],
    ] {
        redis.cli(&words);
        redis.cli(&["DEL", "trio1:{main}"]);
        assert_goes_on(&mut clients);
    }
}
