//! The loop at the centre: takes what waits in the inbox into the room, and decides when the frame
//! under way goes out. It owns the room, so the room needs no lock.
//!
//! It MUST NOT wait for anything but its inbox and its own pace: not for a socket, not for a lock
//! that somebody holds over a wait, not for the log.

use super::room::{ClientId, Event, Room};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Most events under way to the room; the readers wait when it is full.
pub const INBOX: usize = 1024;

/// The shortest time from one frame to the next, for each client in the room: about what the
/// fan-out to one client costs, so that a busy room pays it once per frame, not once per message.
const FRAME_INTERVAL_PER_CLIENT: Duration = Duration::from_micros(50);

/// A frame waits no longer than this, in a room of any size.
const MAX_FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// How often those who missed messages are tried, while nothing else is said.
const TELL_MISSED_INTERVAL: Duration = Duration::from_millis(100);

/// How often drops are logged, and of how many clients at a time.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const REPORT_CLIENTS: usize = 20;

/// Runs the room until every sender of events is gone.
pub fn run(inbox: &Receiver<Event>) {
    let mut room = Room::default();
    let mut due = Due::at(Instant::now());
    loop {
        let event = match due.next(&room) {
            Some(deadline) => inbox.recv_deadline(deadline),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(event) => {
                room.hear(event);
                if room.has_frame() {
                    // Events wait in the inbox meanwhile, instead of waking this thread one by one.
                    thread::sleep(due.frame.saturating_duration_since(Instant::now()));
                }
                while !room.frame_is_full()
                    && let Ok(event) = inbox.try_recv()
                {
                    room.hear(event);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        due.work(&mut room, Instant::now());
    }
    report(room.take_drops(REPORT_CLIENTS));
    if let (n_clients @ 1.., n_dropped) = room.remaining_drops() {
        log::error!("{n_clients} more connections: queue is full! (dropping {n_dropped} messages)");
    }
}

/// When each thing that is not done at once may be done next.
struct Due {
    frame: Instant,
    tell_missed: Instant,
    report: Instant,
}

impl Due {
    fn at(now: Instant) -> Self {
        Self {
            frame: now,
            tell_missed: now,
            report: now,
        }
    }

    /// When there will be something to do without another event.
    fn next(&self, room: &Room) -> Option<Instant> {
        let frame = room.has_frame().then_some(self.frame);
        let tell_missed = room.has_lagging().then_some(self.tell_missed);
        let report = room.has_drops().then_some(self.report);
        [frame, tell_missed, report].into_iter().flatten().min()
    }

    /// Does what may be done by `now`.
    fn work(&mut self, room: &mut Room, now: Instant) {
        if room.has_frame() && now >= self.frame {
            room.flush();
            self.frame = now + frame_interval(room.n_members());
        }
        if room.has_lagging() && now >= self.tell_missed {
            room.tell_missed();
            self.tell_missed = now + TELL_MISSED_INTERVAL;
        }
        if room.has_drops() && now >= self.report {
            report(room.take_drops(REPORT_CLIENTS));
            self.report = now + REPORT_INTERVAL;
        }
    }
}

fn frame_interval(n_members: usize) -> Duration {
    let n_members = u32::try_from(n_members).unwrap_or(u32::MAX);
    FRAME_INTERVAL_PER_CLIENT
        .saturating_mul(n_members)
        .min(MAX_FRAME_INTERVAL)
}

fn report(drops: Vec<(ClientId, u64)>) {
    for (id, n_dropped) in drops {
        if n_dropped == 1 {
            log::error!("Connection #{id}: queue is full! (dropping message)");
        } else {
            log::error!("Connection #{id}: queue is full! (dropping {n_dropped} messages)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_paced_by_the_size_of_the_room() {
        assert_eq!(frame_interval(0), Duration::ZERO);
        assert_eq!(frame_interval(100), Duration::from_millis(5));
        assert_eq!(frame_interval(2_000), Duration::from_millis(100));
        assert_eq!(frame_interval(usize::MAX), Duration::from_millis(100));
    }

    #[test]
    fn an_empty_room_waits_for_its_inbox_alone() {
        assert_eq!(Due::at(Instant::now()).next(&Room::default()), None);
    }
}
