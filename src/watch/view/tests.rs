//! What the view shows, at any width, of any room.

use super::*;
use crate::watch::queues::{End, Queues};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

const PLAIN: Looks = Looks {
    colored: false,
    ascii: false,
};

const HEADING: &str = "id\tname\tpeer\there\tdoing\tsaid\tpaced_ms\tframes\tbytes\twritten_bytes\t\
                       missed\tsince_s\n";

fn size(n_columns: usize, n_rows: usize) -> Size {
    Size { n_columns, n_rows }
}

fn snapshot(clients: &str, room: &str, ends: &[(&str, &str, u64, u64)], at: Instant) -> Snapshot {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let queues = ends.iter().map(|(own, other, sending, received)| {
        let (sending, received) = (*sending, *received);
        (address(own), address(other), End { sending, received })
    });
    let clients = format!("{HEADING}{clients}");
    let mut snapshot = Snapshot::parse(&clients, room, at);
    snapshot.add(&Queues::of(queues));
    snapshot
}

/// Returns a room with a flooder, a slow reader, and somebody on another host, half a second apart.
fn busy() -> [Snapshot; 2] {
    let start = Instant::now();
    [0, 1].map(|later| {
        let clients = format!(
            "0\tAda\t192.0.2.1:5\t127.0.0.1:1\tlistens\t7\t0\t0\t0\t0\t0\t9\n\
             1\tSpam\t127.0.0.1:6\t127.0.0.1:1\tpaced\t{}\t{}\t0\t0\t0\t0\t9\n\
             2\tSlow\t127.0.0.1:7\t127.0.0.1:1\tlistens\t0\t0\t32\t80000\t0\t{}\t9\n",
            100 + 3 * later,
            1000 + 490 * later,
            1200 + 3 * later
        );
        let room = format!(
            "pid\t1\nup_s\t240\nclients\t3\nseats\t8025\nqueue\t32\nrcvbuf\t32768\ninbox_max\t1024\n\
             messages\t{}\nmissed\t{}\n",
            500 + 3 * later,
            1200 + 3 * later
        );
        let ends = [
            ("127.0.0.1:6", "127.0.0.1:1", 22_500, 0),
            ("127.0.0.1:1", "127.0.0.1:6", 0, 39_308),
            ("127.0.0.1:7", "127.0.0.1:1", 0, 3_560),
            ("127.0.0.1:1", "127.0.0.1:7", 44_000, 0),
        ];
        snapshot(&clients, &room, &ends, start + Duration::from_millis(500) * later)
    })
}

fn view(looks: Looks, size: Size) -> Vec<String> {
    let [before, now] = busy();
    lines(&now, Some(&before), "1234", looks, size)
}

/// Returns the words of a row.
fn words(line: &str) -> Vec<&str> {
    let is_bar = |word: &&str| word.chars().all(|it| "▏▎▍▌▋▊▉█".contains(it));
    line.split_whitespace()
        .filter(|word| !is_bar(word))
        .collect()
}

#[test]
fn the_one_who_waits_most_is_first_with_each_place_where_its_bytes_wait() {
    let lines = view(PLAIN, size(80, 24));
    let rows: Vec<_> = lines[6..9].iter().map(|it| words(it)).collect();
    let slow = [
        "Slow", "0.0", "0", "0", "listens", "32", "44K", "3.5K", "1,203",
    ];
    let spam = [
        "Spam", "6.0", "22K", "39K", "paced", "98%", "0", "0", "0", "0",
    ];
    // Its own end is on another host, and the kernel has lost sight of ours.
    let ada = ["Ada", "0.0", "–", "–", "listens", "0", "–", "–", "0"];
    assert_eq!(rows, [&slow[..], &spam, &ada]);
    assert!(
        lines[0].contains("3 of 8,025 here   up 4 min"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("61KB wait, 1 paced"), "{}", lines[1]);
    assert!(lines[1].ends_with("6.0 lines/s"), "{}", lines[1]);
    assert!(lines[2].contains("1 slow") && lines[2].contains("1,203 in all, 6.0/s"));
}

#[test]
fn every_line_fits_and_the_columns_stand_below_their_headings() {
    let plain = |line: &str| {
        let mut parts = line.split("\x1b[");
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    };
    for ascii in [false, true] {
        for colored in [false, true] {
            for n_columns in [80, 100, 137, 200] {
                let lines = view(Looks { colored, ascii }, size(n_columns, 24));
                let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
                let width = |line: &String| line.width();
                assert!(
                    lines.iter().all(|line| width(line) <= n_columns),
                    "{lines:#?}"
                );
                let of_rows: Vec<_> = lines[5..9].iter().map(width).collect();
                assert!(of_rows.iter().all(|it| *it == of_rows[0]), "{lines:#?}");
                assert!(of_rows[0] + N_BARS > n_columns, "{lines:#?}");
                assert!(
                    !ascii || lines.iter().all(|line| line.is_ascii()),
                    "{lines:#?}"
                );
            }
        }
    }
    let lines = view(PLAIN, size(80, 24));
    assert!(lines.iter().all(|line| !line.contains('\x1b')));
}

#[test]
fn names_cannot_move_anything() {
    let names = [
        "漢字漢字漢字漢字漢字",
        "👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
        "\x1b[2J\x07",
        "e\u{301}e\u{301}",
        "*",
        "",
    ];
    let clients: String = names
        .iter()
        .enumerate()
        .map(|(id, name)| format!("{id}\t{name}\t-\t-\tlistens\t1\t0\t0\t0\t0\t0\t9\n"))
        .collect();
    let now = snapshot(&clients, "", &[], Instant::now());
    let lines = lines(&now, None, "\x1b[31m", PLAIN, size(80, 24));
    let rows = &lines[6..6 + names.len()];
    assert!(
        rows.iter().all(|line| line.width() == rows[0].width()),
        "{rows:#?}"
    );
    assert!(lines.iter().all(|line| !line.contains('\x1b')));
    assert!(rows.iter().any(|line| line.starts_with("* #4 ")));
}

#[test]
fn as_many_rows_are_shown_as_fit_and_the_others_are_counted() {
    let clients: String = (0..10_000)
        .map(|id| {
            format!(
                "{id}\tGuest {id}\t-\t-\tlistens\t0\t0\t0\t{}\t0\t0\t9\n",
                id % 2
            )
        })
        .collect();
    let now = snapshot(&clients, "", &[], Instant::now());
    let shown = lines(&now, None, "1234", PLAIN, size(80, 24));
    assert_eq!(shown.len(), 24);
    assert_eq!(shown[23], "… and 9,983 more");
    let everybody = lines(&now, None, "1234", PLAIN, size(80, usize::MAX));
    assert_eq!(everybody.len(), 10_006);
    // There is always a line, and never one too many.
    for n_rows in 0..12 {
        let n_lines = lines(&now, None, "1234", PLAIN, size(80, n_rows)).len();
        assert_eq!(n_lines, n_rows.max(1));
    }
}

#[test]
fn free_rows_explain_the_figures() {
    let nobody = snapshot("", "", &[], Instant::now());
    for n_rows in 0..24 {
        let lines = lines(&nobody, None, "1234", PLAIN, size(80, n_rows));
        assert!(lines.len() <= n_rows.max(1));
        let has_legend = lines.iter().any(|line| line.starts_with("outbox: frames"));
        assert_eq!(has_legend, n_rows >= 10, "{n_rows}");
    }
    // A table is perhaps read by a program.
    let table = lines(&nobody, None, "1234", PLAIN, size(80, usize::MAX));
    assert_eq!(table.len(), 6);
}

#[test]
fn a_narrow_screen_shows_no_half_figures() {
    let nobody = snapshot("", "", &[], Instant::now());
    for n_columns in 1..80 {
        let lines = lines(&nobody, None, "1234", PLAIN, size(n_columns, 24));
        assert_eq!((lines.len(), lines[0].width()), (1, n_columns));
        assert!("This takes 80 columns,".starts_with(&lines[0][..n_columns.min(15) - 1]));
    }
}

#[test]
fn a_newcomer_has_its_rates_at_once() {
    let start = Instant::now();
    let empty = snapshot("", "", &[], start);
    let client = "1\tEve\t-\t-\tpaced\t10\t1000\t0\t0\t0\t3\t2\n";
    let now = snapshot(client, "", &[], start + Duration::from_secs(2));
    let shown = lines(&now, Some(&empty), "1234", PLAIN, size(80, 24));
    assert_eq!(words(&shown[6])[1..4], ["5.0", "–", "–"]);
    assert!(shown[6].contains("paced 50%"), "{}", shown[6]);
    assert!(shown[2].contains("1 slow"), "{}", shown[2]);
}

#[test]
fn a_long_title_leaves_the_facts_where_they_are() {
    let now = snapshot("", "clients\t3\nseats\t40\nup_s\t9\n", &[], Instant::now());
    let shown = lines(&now, None, &"/x".repeat(50), PLAIN, size(80, 24));
    assert_eq!(shown[0].width(), 80);
    let facts = "/x/…   3 of 40 here   up 9 s   Ctrl-C leaves";
    assert!(shown[0].ends_with(facts), "{}", shown[0]);
}

#[test]
fn idle_clients_that_do_not_fit_are_said_to_be_so() {
    let clients: String = (0..30)
        .map(|id| format!("{id}\tGuest {id}\t-\t-\tlistens\t0\t0\t0\t0\t0\t0\t9\n"))
        .collect();
    let now = snapshot(&clients, "", &[], Instant::now());
    let shown = lines(&now, None, "1234", PLAIN, size(80, 24));
    assert_eq!(shown[23], "… and 13 more, nothing waits there");
}

#[test]
fn a_server_that_was_started_again_has_no_rates_yet() {
    let [before, now] = busy();
    // The counters go backwards.
    let shown = lines(&before, Some(&now), "1234", PLAIN, size(80, 24));
    assert!(shown[1].ends_with("0.0 lines/s"), "{}", shown[1]);
    let other = snapshot("", "pid\t2\nmessages\t900\n", &[], now.at);
    let shown = lines(&other, Some(&before), "1234", PLAIN, size(80, 24));
    assert!(shown[1].ends_with("0.0 lines/s"), "{}", shown[1]);
}

#[test]
fn a_link_has_a_line_that_says_how_it_is() {
    let room = "link\tcut off\nlink_behind\t12\nlink_unsaid\t1034\n";
    let now = snapshot("", room, &[], Instant::now());
    let shown = lines(&now, None, "1234", PLAIN, size(80, 24));
    assert_eq!(
        shown[3],
        "link cut off 12 messages behind, 1,034 wait to be said"
    );
}
