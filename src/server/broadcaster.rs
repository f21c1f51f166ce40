//! Runs the room: applies the events in its inbox, and decides when the current frame goes out. It
//! owns the room, so the room needs no lock. Writing to sockets is left to the writers.
//!
//! It MUST wait only for its inbox and its own pace. It MUST NOT wait for a socket, the log, or a
//! lock that is held across a blocking call.

use super::drops::Drops;
use super::gauges::Totals;
use super::shared::Stop;
use crate::faults::panic_if_told;
use crate::room::Room;
use crate::room::event::Event;
use crate::room::frame::FULL_FRAME;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of events in flight to the room. Readers block when it is reached.
pub const INBOX: usize = 1024;

/// Maximum interval that pacing imposes between the starts of two fan-outs.
const MAX_FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// Duration above which fan-outs are expensive enough to make fewer of them.
const LONG_FAN_OUT: Duration = Duration::from_millis(10);

/// Size of a frame, in bytes, above which its fan-out is expensive however long it takes.
const LARGE_FRAME: usize = FULL_FRAME / 4;

/// Minimum interval between the starts of two expensive fan-outs, per member.
const SAVING_INTERVAL_PER_MEMBER: Duration = Duration::from_micros(50);

/// While a frame waits, this thread sleeps, so that events gather in the inbox instead of waking it
/// one by one. This is the maximum time of one sleep: in a longer one the inbox of a large room would
/// be full.
const MAX_SLEEP: Duration = Duration::from_millis(20);

/// How often we retry the "You missed" notice in a quiet room.
const TELL_MISSED_INTERVAL: Duration = Duration::from_millis(100);

/// How often drops are logged.
const LOG_DROPS_INTERVAL: Duration = Duration::from_secs(1);

/// The time in which few changes of who is here are announced one by one.
const SECOND: Duration = Duration::from_secs(1);

/// Maximum time that a stop gives the room to say what waits in the inbox. A busy room can't say
/// all of it before clients that don't read are cut.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Discards all events when it is dropped, until every sender is gone. When the room has failed, an
/// outbox that stayed in the inbox would keep its writer waiting, and with it a session that holds a
/// sender.
#[derive(Debug)]
pub struct DiscardRest<'a>(pub &'a Receiver<Event>);

impl Drop for DiscardRest<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(drop);
    }
}

/// Runs `room` until every sender of events is gone.
pub fn run(mut room: Room, inbox: &Receiver<Event>, stop: &Stop, totals: &Totals) {
    let mut drops = Drops::default();
    let mut due = Due::at(Instant::now());
    loop {
        let event = match due.next(&room, &drops) {
            Some(deadline) => inbox.recv_deadline(deadline),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(event) => {
                apply(&mut room, event, stop);
                while room.has_unsent() && !stop.closes_room() {
                    let left = due.frame.saturating_duration_since(Instant::now());
                    thread::sleep(left.min(MAX_SLEEP));
                    if left <= MAX_SLEEP {
                        break;
                    }
                    take_in(&mut room, inbox, stop);
                }
                take_in(&mut room, inbox, stop);
                totals.frame_has(room.n_frame_bytes());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if stop.closes_room() {
            say_last_words(&mut room, inbox, stop, &mut drops, totals);
        }
        due.work(&mut room, &mut drops, totals, Instant::now);
    }
    drops.log_all();
}

/// Applies the events that wait, until the current frame is full. Commands do not fill it, so their
/// number is limited too.
fn take_in(room: &mut Room, inbox: &Receiver<Event>, stop: &Stop) {
    for _ in 0..INBOX {
        if room.frame_is_full() {
            break;
        }
        let Ok(event) = inbox.try_recv() else {
            break;
        };
        apply(room, event, stop);
    }
}

fn apply(room: &mut Room, event: Event, stop: &Stop) {
    match &event {
        Event::Said { line, .. } => panic_if_told(line.as_bytes()),
        // A stop ends readers before the room has said all. Their clients stay until it closes, so
        // that everyone hears the same last lines.
        Event::Leave(_) if stop.has_begun() => return,
        _ => {}
    }
    room.apply(event);
}

/// Closes the room after what waits. It does not wait for its pace, or for the closing event behind
/// a full inbox.
fn say_last_words(
    room: &mut Room,
    inbox: &Receiver<Event>,
    stop: &Stop,
    drops: &mut Drops,
    totals: &Totals,
) {
    let deadline = Instant::now() + LAST_WORDS;
    while room.frame_is_full() && Instant::now() < deadline {
        flush(room, drops, totals);
        take_in(room, inbox, stop);
    }
    room.apply(Event::Close);
}

/// Sends the current frame, and counts it.
fn flush(room: &mut Room, drops: &mut Drops, totals: &Totals) {
    // First, so that whoever hears a message finds it counted.
    totals.flushed(room.n_frame_messages());
    let mut n_missed = 0;
    room.flush(|id, n_dropped| {
        n_missed += n_dropped;
        drops.add(id, n_dropped);
    });
    totals.missed(n_missed);
}

/// The times at which each task may be done next.
struct Due {
    frame: Instant,
    tell_missed: Instant,
    log_drops: Instant,
    /// `None` until somebody comes or goes in a room that announces it.
    end_second: Option<Instant>,
}

impl Due {
    fn at(now: Instant) -> Self {
        Self {
            frame: now,
            tell_missed: now,
            log_drops: now,
            end_second: None,
        }
    }

    /// Returns when there will be something to do without another event.
    fn next(&self, room: &Room, drops: &Drops) -> Option<Instant> {
        let frame = room.has_unsent().then_some(self.frame);
        let tell_missed = room.has_lagging().then_some(self.tell_missed);
        let log_drops = (!drops.is_empty()).then_some(self.log_drops);
        let due = [frame, tell_missed, log_drops, self.end_second];
        due.into_iter().flatten().min()
    }

    /// Does every task that is due by the time of `clock`.
    fn work(
        &mut self,
        room: &mut Room,
        drops: &mut Drops,
        totals: &Totals,
        mut clock: impl FnMut() -> Instant,
    ) {
        let now = clock();
        if self.end_second.is_some_and(|end| now >= end) {
            room.end_second();
            self.end_second = None;
        }
        if self.end_second.is_none() && room.has_arrivals() {
            self.end_second = Some(now + SECOND);
        }
        if room.has_unsent() && now >= self.frame {
            let (n_members, n_bytes) = (room.n_members(), room.n_frame_bytes());
            flush(room, drops, totals);
            self.frame = now + frame_interval(clock() - now, n_members, n_bytes);
        }
        if room.has_lagging() && now >= self.tell_missed {
            room.tell_missed();
            self.tell_missed = now + TELL_MISSED_INTERVAL;
        }
        if !drops.is_empty() && now >= self.log_drops {
            drops.log_some();
            self.log_drops = now + LOG_DROPS_INTERVAL;
        }
    }
}

/// Returns the minimum interval from one fan-out to the next, when the first took `fan_out`.
///
/// The interval runs from the start of one fan-out to the start of the next, and is 1.5 times the
/// fan-out. If a fan-out takes over 10 ms or its frame has 32 KiB, it is at least 50 µs per member:
/// fewer frames cost less, and a flood is slowed to what its hearers can take. It is never more than
/// 100 ms; after a longer fan-out the next frame may go at once.
///
/// Waking the writers is part of the fan-out. They share the cores with this thread, so it takes
/// longer when they have more to write.
fn frame_interval(fan_out: Duration, n_members: usize, n_bytes: usize) -> Duration {
    let n_members = u32::try_from(n_members).unwrap_or(u32::MAX);
    let saving = if fan_out > LONG_FAN_OUT || n_bytes >= LARGE_FRAME {
        SAVING_INTERVAL_PER_MEMBER.saturating_mul(n_members)
    } else {
        Duration::ZERO
    };
    (fan_out + fan_out / 2).max(saving).min(MAX_FRAME_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::outbox::testing::{heard, outbox};

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_next_frame_waits_for_half_as_long_again_as_the_last_one_took() {
        assert_eq!(frame_interval(Duration::ZERO, 1, 0), Duration::ZERO);
        assert_eq!(frame_interval(ms(2), 200, 0), ms(3));
        assert_eq!(frame_interval(ms(10), 1_000, LARGE_FRAME - 1), ms(15));
    }

    #[test]
    fn an_expensive_fan_out_is_saved_on_up_to_a_limit() {
        assert_eq!(frame_interval(ms(11), 1_000, 0), ms(50));
        assert_eq!(frame_interval(ms(40), 1_000, 0), ms(60));
        assert_eq!(frame_interval(ms(1), 100, LARGE_FRAME), ms(5));
        assert_eq!(frame_interval(ms(11), 8_000, 0), ms(100));
        assert_eq!(frame_interval(ms(5_000), usize::MAX, 0), ms(100));
    }

    #[test]
    fn readers_that_end_with_a_stop_take_no_last_line_from_their_clients() {
        let (events, inbox) = crossbeam_channel::unbounded();
        let stop = Stop::default();
        stop.begin();
        stop.close_room();
        let members = [0, 1].map(|id| {
            let (outbox, frames) = outbox(8);
            let name = None;
            events.send(Event::Join { id, name, outbox }).unwrap();
            frames
        });
        let line = |letter: &str| letter.repeat(FULL_FRAME - 1) + "\n";
        for event in [
            Event::Leave(0),
            Event::Said {
                from: 1,
                line: line("x"),
            },
            Event::Leave(1),
            Event::Said {
                from: 1,
                line: line("y"),
            },
        ] {
            events.send(event).unwrap();
        }
        drop(events);
        run(Room::default(), &inbox, &stop, &Totals::default());
        for frames in members {
            assert_eq!(heard(&frames), (line("x") + &line("y"), true));
        }
    }

    #[test]
    fn frames_are_paced_by_the_clock() {
        let start = Instant::now();
        let (mut room, mut drops, mut due) = (Room::default(), Drops::default(), Due::at(start));
        let (outbox, frames) = outbox(8);
        let name = None;
        room.apply(Event::Join {
            id: 0,
            name,
            outbox,
        });
        // Each look at the clock takes 2 ms, and so does every fan-out.
        let mut work = |at: u64, room: &mut Room, due: &mut Due| {
            let line = format!("{at}\n");
            room.apply(Event::Said { from: 0, line });
            let mut ticks = (0..).map(|n| start + ms(at + 2 * n));
            due.work(room, &mut drops, &Totals::default(), || {
                ticks.next().unwrap()
            });
        };
        work(0, &mut room, &mut due);
        assert_eq!(heard(&frames).0, "0\n", "in a quiet room it goes at once");
        assert_eq!(due.next(&room, &Drops::default()), None);
        work(1, &mut room, &mut due);
        work(2, &mut room, &mut due);
        assert_eq!(heard(&frames).0, "");
        assert_eq!(due.next(&room, &Drops::default()), Some(start + ms(3)));
        work(3, &mut room, &mut due);
        assert_eq!(heard(&frames).0, "1\n2\n3\n");
    }
}
