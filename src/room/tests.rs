//! Tests of the room, with channels alone.

use super::outbox::Frames;
use super::outbox::testing::{heard, outbox};
use super::*;
use crate::protocol::MAX_LINE;

pub fn join(room: &mut Room, id: ClientId, n_frames: usize) -> Frames {
    join_as(room, id, &format!("Guest {id}"), n_frames)
}

pub fn join_as(room: &mut Room, id: ClientId, name: &str, n_frames: usize) -> Frames {
    let (outbox, frames) = outbox(n_frames);
    let name = Some(name.into());
    room.apply(Event::Join { id, name, outbox });
    frames
}

pub fn say(room: &mut Room, from: ClientId, text: &str) {
    let line = format!("{text}\n");
    room.apply(Event::Said { from, line });
}

pub fn flush(room: &mut Room) -> Vec<(ClientId, u64)> {
    let mut drops = Vec::new();
    room.flush(|id, n_dropped| drops.push((id, n_dropped)));
    drops
}

#[test]
fn everyone_hears_one_order_in_one_frame() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 4);
    let bob = join(&mut room, 1, 4);
    say(&mut room, 0, "a");
    say(&mut room, 1, "b");
    assert_eq!(heard(&ada).0, "", "nothing goes out before the flush");
    assert_eq!(flush(&mut room), []);
    assert_eq!(heard(&ada).0, "a\nb\n");
    assert_eq!(heard(&bob).0, "a\nb\n");
    assert!(!room.has_unsent());
}

#[test]
fn a_newcomer_hears_only_what_is_said_after_it_joined() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 4);
    say(&mut room, 0, "before");
    let bob = join(&mut room, 1, 4);
    let eve = join(&mut room, 2, 4);
    flush(&mut room);
    assert_eq!(heard(&eve).0, "");
    say(&mut room, 0, "between");
    let joe = join(&mut room, 3, 4);
    say(&mut room, 0, "after");
    flush(&mut room);
    assert_eq!(heard(&ada).0, "before\nbetween\nafter\n");
    assert_eq!(heard(&bob).0, "between\nafter\n");
    assert_eq!(heard(&joe).0, "after\n");
}

#[test]
fn nobody_hears_one_who_is_not_in_the_room() {
    let mut room = Room::default();
    let _ada = join(&mut room, 0, 4);
    say(&mut room, 1, "before I came");
    let bob = join(&mut room, 1, 4);
    room.apply(Event::Leave(1));
    say(&mut room, 1, "after I left");
    assert!(!room.has_unsent());
    assert_eq!(heard(&bob), (String::new(), true));
}

#[test]
fn a_leaver_hears_what_was_said_before_it_left() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 4);
    say(&mut room, 0, "last words");
    room.apply(Event::Leave(0));
    assert_eq!(room.n_members(), 1);
    flush(&mut room);
    assert_eq!(room.n_members(), 0);
    assert_eq!(heard(&ada), ("last words\n".to_owned(), true));
}

#[test]
fn in_a_quiet_room_a_leaver_leaves_at_once() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 4);
    room.apply(Event::Leave(0));
    assert_eq!(room.n_members(), 0);
    assert!(heard(&ada).1);
}

#[test]
fn members_have_names_and_listeners_have_none() {
    let mut room = Room::default();
    let _guests = [7, 3].map(|id| join(&mut room, id, 4));
    let (outbox, listener) = outbox(4);
    let name = None;
    room.apply(Event::Join {
        id: 5,
        name,
        outbox,
    });
    let names: Vec<&str> = room.names().map(|name| &**name).collect();
    assert_eq!(names, ["Guest 3", "Guest 7"]);
    assert_eq!(room.n_members(), 3);
    say(&mut room, 3, "hello");
    flush(&mut room);
    assert_eq!(heard(&listener).0, "hello\n");
}

#[test]
fn delivered_and_missed_add_up_to_what_was_sent() {
    let mut room = Room::default();
    let slow = join(&mut room, 0, 2);
    let quick = join(&mut room, 1, 100);
    let mut n_dropped = 0;
    for n in 0..10 {
        say(&mut room, 1, &format!("{n}a"));
        say(&mut room, 1, &format!("{n}b"));
        n_dropped += flush(&mut room).iter().map(|(_, n)| n).sum::<u64>();
    }
    assert_eq!(n_dropped, 16);
    assert_eq!(heard(&slow).0, "0a\n0b\n1a\n1b\n");
    assert!(room.has_lagging());
    say(&mut room, 1, "now");
    assert_eq!(flush(&mut room), []);
    assert_eq!(heard(&slow).0, "[missed 16]now\n");
    assert!(!room.has_lagging());
    assert_eq!(heard(&quick).0.lines().count(), 21);
}

#[test]
fn in_a_quiet_room_the_slow_are_told_as_soon_as_they_can_be() {
    let mut room = Room::default();
    let slow = join(&mut room, 0, 1);
    for _ in 0..3 {
        say(&mut room, 0, "x");
        flush(&mut room);
    }
    room.tell_missed();
    assert!(room.has_lagging(), "its outbox is still full");
    assert_eq!(heard(&slow).0, "x\n");
    room.tell_missed();
    assert!(!room.has_lagging());
    assert_eq!(heard(&slow).0, "[missed 2]");
}

#[test]
fn a_slow_client_that_leaves_is_told_at_the_end_what_it_missed() {
    let mut room = Room::default();
    let slow = join(&mut room, 0, 1);
    for _ in 0..3 {
        say(&mut room, 0, "x");
        flush(&mut room);
    }
    room.apply(Event::Leave(0));
    assert!(!room.has_lagging());
    assert_eq!(heard(&slow), ("x\n[missed 2]".to_owned(), true));
}

fn tell(room: &mut Room, id: ClientId, text: &str) {
    let lines = format!("{text}\n");
    room.apply(Event::Told { id, lines });
}

#[test]
fn an_answer_goes_with_the_next_flush_and_to_nobody_else() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 1);
    let bob = join(&mut room, 1, 1);
    tell(&mut room, 0, "* 1");
    tell(&mut room, 9, "* there is nobody to be told");
    assert!(room.has_unsent());
    assert_eq!(flush(&mut room), []);
    tell(&mut room, 0, "* 2");
    assert_eq!(flush(&mut room), [(0, 1)], "its queue is full");
    assert!(room.has_lagging());
    assert_eq!(heard(&ada).0, "* 1\n");
    assert_eq!(heard(&bob).0, "");
}

#[test]
fn answers_ride_behind_the_current_frame() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 1);
    let bob = join(&mut room, 1, 1);
    tell(&mut room, 0, "* 1");
    say(&mut room, 1, "hello");
    tell(&mut room, 0, "* 2");
    flush(&mut room);
    assert_eq!(heard(&ada).0, "hello\n* 1\n* 2\n");
    assert_eq!(heard(&bob).0, "hello\n");
}

#[test]
fn an_answer_that_was_taken_is_not_missed_however_full_the_frame_gets() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 1);
    let _bob = join(&mut room, 1, 9);
    let letter = "x".repeat(MAX_LINE);
    let mut n_taken = 0;
    while room.tell(0, &format!("{letter}\n")) {
        n_taken += 1;
    }
    room.tell_missed();
    while !room.frame_is_full() {
        say(&mut room, 1, &letter);
    }
    assert_eq!(flush(&mut room), [(0, 1)]);
    let (heard, _) = heard(&ada);
    assert!(heard.len() > FULL_FRAME + n_taken * MAX_LINE);
}

#[test]
fn a_leaver_hears_its_last_answer() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 1);
    tell(&mut room, 0, "* Goodbye!");
    room.apply(Event::Leave(0));
    assert_eq!(room.names().count(), 0, "it is gone for everyone else");
    flush(&mut room);
    assert_eq!(heard(&ada), ("* Goodbye!\n".to_owned(), true));
}

#[test]
fn newcomers_hear_the_history_in_one_order_with_what_follows() {
    let mut room = Room::new(&Rules {
        n_history: 2,
        ..Rules::default()
    });
    room.remember("earlier\n".to_owned());
    let ada = join(&mut room, 0, 4);
    say(&mut room, 0, "sent");
    flush(&mut room);
    say(&mut room, 0, "on its way");
    let bob = join(&mut room, 1, 4);
    say(&mut room, 0, "next");
    flush(&mut room);
    let history = "* The last message:\nearlier\n* You are up to date.\n";
    assert_eq!(heard(&ada).0, format!("{history}sent\non its way\nnext\n"));
    assert_eq!(
        heard(&bob).0,
        "* The last 2 messages:\nsent\non its way\n* You are up to date.\nnext\n"
    );
}

#[test]
fn who_comes_and_goes_is_announced_if_asked_for() {
    let mut room = Room::new(&Rules {
        announces: true,
        ..Rules::default()
    });
    let ada = join_as(&mut room, 0, "Ada", 4);
    let bob = join_as(&mut room, 1, "Bob", 4);
    let name = "Robert".into();
    room.apply(Event::Renamed { id: 1, name });
    flush(&mut room);
    room.apply(Event::Leave(1));
    flush(&mut room);
    assert!(room.has_arrivals());
    assert_eq!(
        heard(&ada).0,
        "* Ada joined.\n* Bob joined.\n* Bob is now Robert.\n* Robert left.\n"
    );
    assert!(heard(&bob).0.starts_with("* Bob joined.\n"));
    for id in 2..20 {
        drop(join(&mut room, id, 4));
    }
    flush(&mut room);
    assert_eq!(heard(&ada).0, "* Guest 2 joined.\n");
    room.end_second();
    flush(&mut room);
    assert_eq!(heard(&ada).0, "* Guest 3, Guest 4 and 15 others joined.\n");
}

#[test]
fn when_memory_is_short_those_furthest_behind_lose_what_waits() {
    let mut room = Room::new(&Rules {
        frame_memory: 3 * MAX_FRAME,
        ..Rules::default()
    });
    let line = |letter: &str| letter.repeat(MAX_FRAME - 1);
    let far_behind = join(&mut room, 0, 99);
    say(&mut room, 0, &line("x"));
    flush(&mut room);
    let behind = join(&mut room, 1, 99);
    let quick = join(&mut room, 2, 99);
    for letter in ["y", "z"] {
        say(&mut room, 0, &line(letter));
        assert_eq!(flush(&mut room), [], "all frames fit");
    }
    heard(&quick);
    say(&mut room, 0, "a");
    say(&mut room, 0, "b");
    assert_eq!(flush(&mut room), [(0, 5)]);
    let two = format!("{}\n{}\na\nb\n", line("y"), line("z"));
    assert_eq!(heard(&behind).0, two);
    assert_eq!(heard(&quick).0, "a\nb\n");
    room.tell_missed();
    assert_eq!(heard(&far_behind).0, "[missed 5]");
}

#[test]
fn when_stuck_writers_take_all_memory_healthy_members_lose_nothing() {
    let mut room = Room::new(&Rules {
        frame_memory: 0,
        ..Rules::default()
    });
    let healthy = join(&mut room, 0, 9);
    // The second waits while the first is being written.
    for letter in ["x", "y"] {
        say(&mut room, 0, &letter.repeat(MAX_FRAME - 1));
        assert_eq!(flush(&mut room), []);
    }
    assert_eq!(heard(&healthy).0.len(), 2 * MAX_FRAME);
}

#[test]
fn closing_ends_every_outbox_after_the_last_message() {
    let mut room = Room::default();
    let ada = join(&mut room, 0, 4);
    say(&mut room, 0, "last words");
    room.apply(Event::Close);
    assert_eq!(heard(&ada), ("last words\n".to_owned(), true));
    let bob = join(&mut room, 1, 4);
    say(&mut room, 1, "too late");
    assert!(heard(&bob).1);
    assert!(!room.has_unsent());
}

#[test]
fn a_full_frame_says_so_and_several_fit_an_outbox() {
    let mut room = Room::default();
    let _ada = join(&mut room, 0, 32);
    for _ in 0..3 {
        while !room.frame_is_full() {
            say(&mut room, 0, &"x".repeat(4096));
        }
        assert_eq!(flush(&mut room), []);
    }
    assert!(!room.frame_is_full());
}
