//! The loop at the centre: takes what waits in the inbox into the room, and decides when the current
//! frame goes out. It owns the room, so the room needs no lock.
//!
//! It MUST NOT wait for anything but its inbox and its own pace: not for a socket, not for a lock
//! that somebody holds over a wait, not for the log.

use super::drops::Drops;
use crate::room::Room;
use crate::room::event::Event;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of events in flight to the room; the readers wait when it is full.
pub const INBOX: usize = 1024;

/// A frame waits no longer than this, in a room of any size.
const MAX_FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// Minimum time between two frames, per member.
const FRAME_INTERVAL_PER_MEMBER: Duration = Duration::from_micros(50);

/// How often we retry the "You missed" notice in a quiet room.
const TELL_MISSED_INTERVAL: Duration = Duration::from_millis(100);

/// How often drops are logged.
const LOG_DROPS_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the room until every sender of events is gone.
pub fn run(inbox: &Receiver<Event>) {
    let mut room = Room::default();
    let mut drops = Drops::default();
    let mut due = Due::at(Instant::now());
    loop {
        let event = match due.next(&room, &drops) {
            Some(deadline) => inbox.recv_deadline(deadline),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(event) => {
                room.apply(event);
                if room.has_frame() {
                    // Events wait in the inbox meanwhile, instead of waking this thread one by one.
                    thread::sleep(due.frame.saturating_duration_since(Instant::now()));
                }
                while !room.frame_is_full()
                    && let Ok(event) = inbox.try_recv()
                {
                    room.apply(event);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        due.work(&mut room, &mut drops, Instant::now);
    }
    drops.log_all();
}

/// When each thing that is not done at once may be done next.
struct Due {
    frame: Instant,
    tell_missed: Instant,
    log_drops: Instant,
}

impl Due {
    fn at(now: Instant) -> Self {
        Self {
            frame: now,
            tell_missed: now,
            log_drops: now,
        }
    }

    /// Returns when there will be something to do without another event.
    fn next(&self, room: &Room, drops: &Drops) -> Option<Instant> {
        let frame = room.has_frame().then_some(self.frame);
        let tell_missed = room.has_lagging().then_some(self.tell_missed);
        let log_drops = (!drops.is_empty()).then_some(self.log_drops);
        [frame, tell_missed, log_drops].into_iter().flatten().min()
    }

    /// Does what may be done by now, as `clock` tells it.
    fn work(&mut self, room: &mut Room, drops: &mut Drops, mut clock: impl FnMut() -> Instant) {
        let now = clock();
        if room.has_frame() && now >= self.frame {
            let n_members = room.n_members();
            room.flush(|id, n_messages| drops.add(id, n_messages));
            self.frame = now + frame_interval(n_members);
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

/// Returns the minimum time from one frame to the next.
fn frame_interval(n_members: usize) -> Duration {
    let n_members = u32::try_from(n_members).unwrap_or(u32::MAX);
    FRAME_INTERVAL_PER_MEMBER
        .saturating_mul(n_members)
        .min(MAX_FRAME_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_paced_by_the_size_of_the_room() {
        assert_eq!(frame_interval(0), Duration::ZERO);
        assert_eq!(frame_interval(100), Duration::from_millis(5));
        assert_eq!(frame_interval(usize::MAX), Duration::from_millis(100));
    }
}
