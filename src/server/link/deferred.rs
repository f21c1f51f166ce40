//! Keeps what a session has sent besides lines, until everyone could hear the lines before it. Passing
//! it on is left to `uplink`.

use super::shared::Progress;
use crate::room::event::Event;
use std::collections::VecDeque;

/// Maximum number of events that wait. Then nothing more is taken from sessions.
const MAX: usize = 1024;

/// A place in the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The epoch.
    pub epoch: String,
    /// How many messages there were then.
    pub total: u64,
}

/// Events that wait, in order.
#[derive(Debug, Default)]
pub struct Deferred {
    events: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    /// Number of the last line before it.
    after: u64,
    /// Where that line stands, if it was said.
    place: Option<Place>,
}

impl Deferred {
    /// Adds an event that comes after the line of this number.
    pub fn push(&mut self, event: Event, after: u64) {
        let place = None;
        self.events.push_back(Waiting {
            event,
            after,
            place,
        });
    }

    /// Whether nothing more should be added.
    pub fn is_full(&self) -> bool {
        self.events.len() >= MAX
    }

    /// Notes that all lines before the one of the number `first_unsaid` were said, the last of them
    /// at `place`.
    pub fn note_said(&mut self, first_unsaid: u64, place: &Place) {
        let events = self.events.iter_mut();
        for event in events.take_while(|event| event.after < first_unsaid) {
            event.place.get_or_insert_with(|| place.clone());
        }
    }

    /// Returns the next event, if the lines before it were heard. While the link is cut off, events wait
    /// for no lines.
    pub fn next(&mut self, progress: &Progress, is_cut_off: bool) -> Option<Event> {
        let first = self.events.front()?;
        let was_heard = |place: &Place| {
            // If another epoch has begun, these lines were heard, or never will be.
            place.epoch != progress.epoch || place.total <= progress.heard
        };
        let may_pass = is_cut_off || first.place.as_ref().is_some_and(was_heard);
        may_pass
            .then(|| self.events.pop_front())?
            .map(|it| it.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(epoch: &str, total: u64) -> Place {
        let epoch = epoch.to_owned();
        Place { epoch, total }
    }

    fn progress(epoch: &str, heard: u64) -> Progress {
        Progress {
            epoch: epoch.to_owned(),
            heard,
            ..Progress::default()
        }
    }

    fn next(deferred: &mut Deferred, progress: &Progress, is_cut_off: bool) -> Option<u64> {
        match deferred.next(progress, is_cut_off) {
            Some(Event::Leave(id)) => Some(id),
            _ => None,
        }
    }

    #[test]
    fn an_event_waits_until_the_lines_before_it_were_said_and_heard() {
        let mut deferred = Deferred::default();
        for id in [1, 2, 3] {
            deferred.push(Event::Leave(id), id);
        }
        assert_eq!(next(&mut deferred, &progress("e", 99), false), None);
        // The lines 1 and 2 were said, the last at 42.
        deferred.note_said(3, &place("e", 42));
        deferred.note_said(3, &place("e", 50));
        assert_eq!(next(&mut deferred, &progress("e", 41), false), None);
        assert_eq!(next(&mut deferred, &progress("e", 42), false), Some(1));
        assert_eq!(next(&mut deferred, &progress("e", 42), false), Some(2));
        assert_eq!(next(&mut deferred, &progress("e", 99), false), None);
    }

    #[test]
    fn it_waits_no_longer_in_another_epoch_or_cut_off() {
        let mut deferred = Deferred::default();
        deferred.push(Event::Leave(1), 1);
        deferred.push(Event::Leave(2), 2);
        deferred.note_said(2, &place("e", 42));
        assert_eq!(next(&mut deferred, &progress("f", 0), false), Some(1));
        assert_eq!(next(&mut deferred, &progress("f", 0), false), None);
        assert_eq!(next(&mut deferred, &progress("f", 0), true), Some(2));
    }
}
