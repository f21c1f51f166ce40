//! What is typed stays whole, whatever else happens on the screen.

use super::room;
use crate::support::{Client, TestServer, Tmux};
use std::thread;

/// Returns the lines that Bob has said, as the screen has them.
fn of_bob(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| line.starts_with("Bob> ")).collect()
}

/// Returns how many lines contain `part`.
fn count(lines: &[String], part: &str) -> usize {
    lines.iter().filter(|line| line.contains(part)).count()
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range
        .map(|number| format!("Bob> message {number}"))
        .collect()
}

#[test]
fn j1_a_long_line_edited_in_the_middle_of_a_stream_of_messages_is_sent_whole() {
    let (server, mut bob, terminal) = room(80, &["--rate", "200"]);
    let mut eve = Client::join(&server, "Eve");
    // 300 columns: wide, combining and joined characters.
    let part = "明日は雨 e\u{301}te\u{301} 👩\u{200d}👩\u{200d}👧 ok ";
    let (left, right) = (part.repeat(7), part.repeat(6));
    // 200 a second, which is what the server takes.
    let talker = thread::spawn(move || {
        for number in 0..400 {
            bob.mark(&format!("message {number}"));
        }
        bob
    });
    terminal.types(&left);
    terminal.types("ac");
    terminal.keys(&["Left"]);
    terminal.types("b");
    terminal.keys(&["End", "Space"]);
    terminal.types(&right);
    terminal.keys(&["Home"]);
    terminal.types("start ");
    terminal.keys(&["C-e"]);
    terminal.types("end");
    let mut bob = talker.join().unwrap();
    terminal.wait_for("Bob> message 399");
    terminal.keys(&["Enter"]);
    let expected = format!("Ada> start {left}abc {right}end");
    let before = eve.hear_until(&expected.replace("c  ", "c "));
    assert_eq!(count(&before, "Bob> message"), 400);
    bob.mark("over");
    let lines = terminal.wait_for("Bob> over");
    let mut said = numbered(0..400);
    said.push("Bob> over".to_owned());
    assert_eq!(of_bob(&lines), said);
}

#[test]
fn j1_a_draft_at_the_edge_of_the_screen_spoils_nothing() {
    let (_server, mut bob, terminal) = room(40, &[]);
    for (turn, n_columns) in (38..=41).enumerate() {
        let draft = "x".repeat(n_columns - "Ada> ".len());
        terminal.types(&draft);
        bob.mark(&format!("message {turn}"));
        terminal.wait_until("the draft below the message", |lines| {
            let row = format!("Ada> {draft}");
            let lines = lines.concat();
            lines.ends_with(&row) && lines.contains(&format!("Bob> message {turn}"))
        });
        terminal.keys(&["Enter"]);
        bob.hear_until(&format!("Ada> {draft}"));
        terminal.wait_for_row("Ada>");
    }
    bob.mark("message 4");
    let lines = terminal.wait_for("Bob> message 4");
    assert_eq!(of_bob(&lines), numbered(0..5), "{lines:#?}");
    assert_eq!(count(&lines, "Ada> x"), 4, "{lines:#?}");
}

#[test]
fn j1_a_draft_of_three_rows_stays_whole_when_the_terminal_is_resized() {
    let (_server, mut bob, terminal) = room(40, &[]);
    // A space at the end of a row could not be seen.
    let draft = format!("{}end", "word-".repeat(22));
    terminal.types(&draft);
    let row = format!("Ada> {draft}");
    for (number, n_columns) in [40, 90, 33, 60].into_iter().enumerate() {
        terminal.resize(n_columns);
        // The client has followed when a key has moved the cursor to the end.
        terminal.keys(&["Home", "End"]);
        bob.mark(&format!("message {number}"));
        terminal.wait_until("the message and the draft", |lines| {
            lines.concat().ends_with(&row) && count(lines, &format!("message {number}")) == 1
        });
    }
    terminal.keys(&["Enter"]);
    bob.hear_until(&row);
    bob.mark("over");
    terminal.wait_for("Bob> over");
    let mut lines = terminal.wait_for_row("Ada>");
    lines.retain(|line| line != "Bob> over");
    assert_eq!(of_bob(&lines), numbered(0..4), "{lines:#?}");
    assert_eq!(count(&lines, "Ada> word"), 1, "{lines:#?}");
}

/// Returns all 26 letters again and again, in `n_columns`.
fn letters(n_columns: usize) -> String {
    ('a'..='z').cycle().take(n_columns).collect()
}

/// Waits until the client has drawn the prompt and draft `row` for `n_columns`, of which the last
/// row tells.
#[track_caller]
fn wait_for_drawn(terminal: &Tmux, row: &str, n_columns: u16) {
    let last = row.len() % usize::from(n_columns);
    terminal.wait_for_row(&row[row.len() - last..]);
}

#[test]
fn j1_a_resize_leaves_no_copy_of_a_draft_that_was_typed_across_the_edge() {
    let (_server, mut bob, terminal) = room(60, &[]);
    let mut number = 0;
    // The cursor at the end, and on what becomes the first character of a row.
    for (n_columns, n_left) in [
        (45, 0),
        (75, 0),
        (100, 0),
        (33, 0),
        (59, 0),
        (45, 25),
        (75, 9),
    ] {
        terminal.resize(60);
        let draft = letters(65);
        // rustyline has seen the new size when it waits for the second key.
        terminal.types(&draft[..1]);
        terminal.wait_for_row("Ada> a");
        terminal.types(&draft[1..]);
        let row = format!("Ada> {draft}");
        wait_for_drawn(&terminal, &row, 60);
        terminal.keys(&vec!["Left"; n_left]);
        bob.mark(&format!("message {number}"));
        terminal.wait_for(&format!("Bob> message {number}"));
        terminal.resize(n_columns);
        wait_for_drawn(&terminal, &row, n_columns);
        bob.mark(&format!("message {}", number + 1));
        number += 2;
        let lines = terminal.wait_for(&format!("Bob> message {}", number - 1));
        assert_eq!(of_bob(&lines), numbered(0..number), "{lines:#?}");
        assert_eq!(count(&lines, "Ada> "), 1, "{n_columns}: {lines:#?}");
        assert!(lines.concat().ends_with(&row), "{n_columns}: {lines:#?}");
        terminal.keys(&["C-c"]);
        terminal.wait_for_row("Ada>");
    }
}

#[test]
fn j1_a_draft_whose_last_row_has_just_been_typed_leaves_no_copy_when_resized() {
    for n_columns in [45, 75] {
        let (_server, mut bob, terminal) = room(60, &[]);
        let draft = letters(65);
        terminal.types(&draft);
        let row = format!("Ada> {draft}");
        terminal.wait_until("the draft", |lines| lines.concat().ends_with(&row));
        terminal.resize(n_columns);
        wait_for_drawn(&terminal, &row, n_columns);
        bob.mark("hello");
        let lines = terminal.wait_for("Bob> hello");
        assert_eq!(count(&lines, "Ada> "), 1, "{n_columns}: {lines:#?}");
        assert!(lines.concat().ends_with(&row), "{n_columns}: {lines:#?}");
    }
}

#[test]
fn j1_a_message_between_a_resize_and_the_news_of_it_removes_none() {
    let (_server, mut bob, terminal) = room(60, &[]);
    let draft = letters(140);
    terminal.types(&draft);
    let row = format!("Ada> {draft}");
    for number in 0..4 {
        bob.mark(&format!("message {number}"));
    }
    terminal.wait_for("Bob> message 3");
    // tmux tells of the first at once, and of the second later.
    terminal.resize(61);
    wait_for_drawn(&terminal, &row, 61);
    terminal.rewrap(120);
    bob.mark("message 4");
    terminal.wait_for("Bob> message 4");
    terminal.wait_for_size(120);
    wait_for_drawn(&terminal, &row, 120);
    bob.mark("message 5");
    let lines = terminal.wait_for("Bob> message 5");
    assert_eq!(of_bob(&lines), numbered(0..6), "{lines:#?}");
    assert_eq!(count(&lines, "Ada> "), 1, "{lines:#?}");
    assert!(lines.concat().ends_with(&row), "{lines:#?}");
}

#[test]
fn j1_characters_that_terminals_measure_differently_spoil_nothing_at_the_edge() {
    for part in [
        "👍🏽",
        "☁\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        "👩\u{200d}👩\u{200d}👧",
    ] {
        let (_server, mut bob, terminal) = room(40, &[]);
        bob.mark("one");
        bob.mark("two");
        terminal.wait_for("Bob> two");
        // Key by key, to the edge and beyond.
        let draft = format!("{}{part}yz{part}z{part} end", letters(26));
        terminal.types(&draft);
        terminal.wait_until("the draft", |lines| {
            lines.last().is_some_and(|line| line.ends_with("end"))
        });
        bob.mark("three");
        let lines = terminal.wait_for("Bob> three");
        let said = ["Bob> one", "Bob> two", "Bob> three"];
        assert_eq!(of_bob(&lines), said, "{lines:#?}");
        assert_eq!(count(&lines, "abc"), 1, "{lines:#?}");
        terminal.keys(&["Enter"]);
        bob.hear_until(&format!("Ada> {draft}"));
    }
}

#[test]
fn messages_within_the_same_moment_as_enter_come_once_and_in_order() {
    let (server, mut bob, terminal) = room(80, &["--rate", "0"]);
    let mut eve = Client::join(&server, "Eve");
    for number in 0..200 {
        thread::scope(|scope| {
            scope.spawn(|| terminal.says(&format!("mine {number}")));
            for part in 0..3 {
                bob.mark(&format!("{number}.{part}"));
            }
        });
    }
    let mut heard = eve.hear_until("Ada> mine 199");
    heard.push("Ada> mine 199".to_owned());
    heard.extend(eve.mark("over"));
    heard.push("Eve> over".to_owned());
    let start = heard
        .iter()
        .position(|line| line.starts_with("Bob> 0."))
        .unwrap();
    let lines = terminal.wait_for("Eve> over");
    let is_said = |line: &&String| line.contains("> ");
    let shown: Vec<_> = lines.iter().filter(is_said).collect();
    let heard: Vec<_> = heard[start.min(1)..].iter().filter(is_said).collect();
    let from = shown.iter().position(|line| *line == heard[0]).unwrap();
    assert_eq!(shown[from..], heard);
}

#[test]
fn a_paste_goes_out_line_by_line_and_what_has_not_gone_can_be_taken_back() {
    let (_server, mut bob, terminal) = room(80, &[]);
    let lines: String = (0..100).map(|number| format!("line\t{number}\n")).collect();
    terminal.paste(&format!("{lines}the rest"));
    let lines = terminal.wait_for("Ada> line 3");
    assert_eq!(lines.last().unwrap(), "Ada> the rest");
    let status = &lines[lines.len() - 2];
    assert!(
        status.contains(" lines wait, about 20 s. Ctrl-C takes them back."),
        "{status}"
    );
    terminal.keys(&["C-c"]);
    let lines = terminal.wait_for("lines were taken back.");
    terminal.wait_for_row("Ada> the rest");
    terminal.keys(&["Enter"]);
    let heard = bob.hear_until("Ada> the rest");
    assert!(heard.len() < 20, "{heard:#?}");
    let expected: Vec<_> = (0..heard.len())
        .map(|number| format!("Ada> line {number}"))
        .collect();
    assert_eq!(heard, expected);
    assert!(!lines.concat().contains("line 99"));
}

#[test]
fn what_was_sent_can_be_had_again_and_names_and_commands_are_completed() {
    let server = TestServer::start();
    let mut bob = Client::join(&server, "Bob the Builder");
    let terminal = Tmux::join(80, server.address, "--name Ada");
    bob.mark("hello");
    terminal.wait_for("> hello");
    for line in ["one", "two"] {
        terminal.says(line);
        bob.hear_until(&format!("Ada> {line}"));
    }
    terminal.types("dra");
    terminal.keys(&["Up"]);
    terminal.wait_for_row("Ada> two");
    terminal.keys(&["Up"]);
    terminal.wait_for_row("Ada> one");
    terminal.keys(&["Down", "Down"]);
    terminal.wait_for_row("Ada> dra");
    terminal.keys(&["C-u", "o", "C-r"]);
    terminal.wait_for_row("Ada> two");
    terminal.keys(&["C-r"]);
    terminal.wait_for_row("Ada> one");
    terminal.keys(&["C-u", "b", "Tab"]);
    terminal.types("x");
    terminal.wait_for_row("Ada> Bob the Builder: x");
    terminal.keys(&["C-u"]);
    terminal.types("/m");
    terminal.keys(&["Tab"]);
    terminal.wait_for("* /me, /msg");
    terminal.types("sg b");
    terminal.keys(&["Tab"]);
    terminal.types("psst");
    terminal.keys(&["Enter"]);
    bob.hear_until("* Ada (to you): psst");
    terminal.wait_for("* To Bob the Builder: psst");
}

#[test]
fn alt_and_a_digit_neither_hold_messages_back_nor_spoil_the_draft() {
    let (_server, mut bob, terminal) = room(40, &[]);
    bob.mark("first");
    terminal.wait_for("Bob> first");
    // With the other prompt this draft takes one row more.
    let mut draft = "x".repeat(40 - "Ada> ".len() - 1);
    terminal.types(&draft);
    for (number, key) in ["M-1", "M--", "M-0"].into_iter().enumerate() {
        terminal.wait_for_row(&format!("Ada> {draft}"));
        terminal.keys(&[key]);
        bob.mark(&format!("message {number}"));
        terminal.wait_for(&format!("Bob> message {number}"));
        let lines = terminal.wait_for_row(&format!("Ada> {draft}"));
        assert_eq!(of_bob(&lines)[0], "Bob> first", "{lines:#?}");
        assert_eq!(of_bob(&lines)[1..], numbered(0..number + 1), "{lines:#?}");
        assert_eq!(count(&lines, "arg: "), 0, "{lines:#?}");
        terminal.keys(&["y", "BSpace"]);
    }
    draft.push('z');
    terminal.says("z");
    bob.hear_until(&format!("Ada> {draft}"));
}

#[test]
fn names_are_completed_that_have_only_come_and_until_they_go() {
    let server = TestServer::with(&["--announce"]);
    let _zoe = Client::join(&server, "Zoe");
    let mut bob = Client::join(&server, "Bob");
    let terminal = Tmux::join(80, server.address, "--name Ada");
    terminal.says("/who");
    terminal.wait_for("* - Zoe, Bob, Ada");
    terminal.types("z");
    terminal.keys(&["Tab"]);
    terminal.wait_for_row("Ada> Zoe:");
    terminal.keys(&["C-u"]);
    bob.say("/nick Mallory");
    terminal.wait_for("* Bob is now Mallory.");
    terminal.types("b");
    terminal.keys(&["Tab"]);
    terminal.types("m");
    terminal.keys(&["Tab"]);
    terminal.wait_for_row("Ada> bm");
    terminal.keys(&["C-u", "m", "Tab"]);
    terminal.wait_for_row("Ada> Mallory:");
}
