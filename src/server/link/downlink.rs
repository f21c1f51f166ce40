//! Hears what is said on all servers, in the order of the stream, and passes it to this server's room
//! line by line. It greets the engine whenever that may be another one, and never gives up. What was
//! heard and missed is counted by the `ledger`.

use super::answers::{Entries, Failure, Fields};
use super::connector::Connector;
use super::engine::Engine;
use super::entry::{Entry, Id};
use super::health::Direction;
use super::ledger::{Ledger, News};
use super::letters::{self, Mail};
use super::shared::{Shared, fresh_id};
use super::uplink::{FIRST_RETRY, LONGEST_RETRY};

use crate::backoff::Backoff;
use crate::protocol::notice::Notice;
use crate::random;
use crate::room::event::Event;
use crossbeam_channel::Sender;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Minimum time between two reads, if the first had something and did not leave more.
const PACE: Duration = Duration::from_millis(5);

/// Number of entries that one read asks for: few, since each may have 64 KiB, and up to many while
/// they are small.
pub const FEW_ENTRIES: usize = 16;
const MANY_ENTRIES: usize = 128;
const SMALL: usize = 1 << 20;

/// Maximum time of one sleep, so that a stop need not wait for a longer one.
const MAX_NAP: Duration = Duration::from_millis(50);

/// The way from the engine to this server's room.
pub struct Downlink {
    link: Arc<Shared>,
    connector: Connector,
    engine: Option<Engine>,
    ledger: Ledger,
    /// The last letter that was read.
    letters: Id,
    /// How many entries to read next.
    n_entries: usize,
    events: Sender<Event>,
    /// Takes a message when something was heard.
    news: Sender<()>,
    backoff: Backoff,
    outage: Option<Outage>,
}

/// A time without the engine.
struct Outage {
    since: Instant,
    n_heard: u64,
    n_missed: u64,
}

impl Downlink {
    /// Returns a downlink that goes on after what the `ledger` has heard. `events` leads to this
    /// server's room. `news` takes a message whenever something was heard.
    pub fn new(
        link: Arc<Shared>,
        engine: Engine,
        ledger: Ledger,
        events: Sender<Event>,
        news: Sender<()>,
    ) -> Self {
        Self {
            link,
            connector: Connector::default(),
            engine: Some(engine),
            ledger,
            letters: Id::default(),
            n_entries: FEW_ENTRIES,
            events,
            news,
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            outage: None,
        }
    }

    /// Hears what is said until the link is over.
    pub fn run(mut self) {
        while !self.link.is_over() {
            let began = Instant::now();
            let heard = catch_unwind(AssertUnwindSafe(|| self.listen()));
            let pause = match heard.unwrap_or_else(|_| Err(Failure::misunderstood())) {
                Ok(pace) => pace.saturating_sub(began.elapsed()),
                Err(failure) => self.lose(&failure),
            };
            self.tell_notice();
            self.pause(pause);
        }
    }

    /// Hears the next entries, and returns how long after the last read the next one may be.
    fn listen(&mut self) -> Result<Duration, Failure> {
        let mut engine = if let Some(engine) = self.engine.take() {
            engine
        } else {
            let connected = self.connector.connect(&self.link.place, &self.link.me);
            self.greet(connected?)?
        };
        let n_entries = self.n_entries;
        let heard = engine.read(self.ledger.cursor(), self.letters, n_entries)?;
        let n_heard = heard.entries.len().max(heard.letters.len());
        let has_all = (1..n_entries).contains(&n_heard);
        let pause = if has_all { PACE } else { Duration::ZERO };
        self.n_entries = next_n_entries(n_entries, &heard.entries);
        for (id, fields) in heard.letters {
            self.letters = id;
            self.pass_mail(&fields);
        }
        let is_ours = heard.epoch.as_deref() == Some(self.ledger.epoch())
            && heard.run.as_ref() == Some(&engine.about().run);
        if is_ours {
            for (id, fields) in heard.entries {
                self.hear(|ledger, news| ledger.hear(id, Entry::parse(&fields), news));
            }
        } else {
            // The numbers of these entries may be those of others.
            engine = self.greet(engine)?;
        }
        self.engine = Some(engine);
        self.note_progress();
        Ok(pause)
    }

    /// Tells the engine what was heard and promised so far. Returns the engine, which has told then
    /// where to go on.
    fn greet(&mut self, mut engine: Engine) -> Result<Engine, Failure> {
        let heard = self.ledger.cursor().total;
        let mark = self.link.advance(|progress| {
            progress.is_greeting = true;
            progress.promised.max(heard)
        });
        let epoch = self.ledger.epoch().to_owned();
        let greeted = engine.hello(&epoch, mark, &fresh_id());
        self.link.advance(|progress| {
            progress.is_greeting = false;
            if let Ok(hello) = &greeted {
                let is_known = progress.epoch == hello.epoch;
                let promised = if is_known { progress.promised } else { 0 };
                progress.promised = promised.max(hello.end.total);
                progress.epoch.clone_from(&hello.epoch);
            }
        });
        let hello = greeted?;
        if hello.epoch != epoch {
            for warning in &engine.about().warnings {
                log::warn!("{warning}");
            }
        }
        self.hear(|ledger, news| ledger.greet(&hello, news));
        Ok(engine)
    }

    /// Passes on what came for one person here.
    fn pass_mail(&self, fields: &Fields) {
        let event = match letters::parse(fields) {
            Some(Mail::Letter { to, writer, text }) => Event::Letter { to, writer, text },
            Some(Mail::Undelivered { to, was_full }) => {
                let full = Notice::TheirQueueIsFull;
                let notice = if was_full {
                    full
                } else {
                    Notice::NobodyOfThatName
                };
                Event::Told {
                    id: to,
                    lines: notice.line(),
                }
            }
            None => return,
        };
        // If the room is gone, there is nobody to tell.
        let _ = self.events.send(event);
    }

    /// Lets the ledger do something, and passes what comes of it to the room.
    fn hear(&mut self, entry: impl FnOnce(&mut Ledger, &mut dyn FnMut(News))) {
        let (events, outage) = (&self.events, &mut self.outage);
        entry(&mut self.ledger, &mut |news| {
            if let Some(outage) = outage {
                match &news {
                    News::Line(_) => outage.n_heard += 1,
                    News::Missed(n_messages) => outage.n_missed += n_messages,
                    News::Changed(_) | News::MayHaveMissed => {}
                }
            }
            let event = match news {
                News::Line(line) => Event::Relayed(line),
                News::Missed(n_messages) => Event::Missed(n_messages),
                News::Changed(change) => Event::Changed(change),
                News::MayHaveMissed => Event::Notified(Notice::MayHaveMissed),
            };
            // If the room is gone, there is nobody to tell.
            let _ = events.send(event);
        });
    }

    fn note_progress(&mut self) {
        let heard = self.ledger.cursor().total;
        let has_caught_up = self.link.advance(|progress| {
            progress.heard = heard;
            heard >= progress.promised
        });
        self.link
            .health
            .lock()
            .answered(Direction::Down, Instant::now());
        self.backoff.reset();
        // If a message waits there already, that will do.
        let _ = self.news.try_send(());
        if let Some(outage) = self.outage.take_if(|_| has_caught_up) {
            log::info!(
                "Back with Redis after {:.1} s: {} messages caught up, {} missed",
                outage.since.elapsed().as_secs_f64(),
                outage.n_heard,
                outage.n_missed
            );
        }
    }

    /// Notes that the engine is away, and returns how long to wait before the next try.
    fn lose(&mut self, failure: &Failure) -> Duration {
        self.engine = None;
        self.link.failed(Direction::Down, failure);
        self.outage.get_or_insert_with(|| Outage {
            since: Instant::now(),
            n_heard: 0,
            n_missed: 0,
        });
        self.backoff.wait(random::fraction())
    }

    fn tell_notice(&self) {
        if let Some(notice) = self.link.notice() {
            // If the room is gone, there is nobody to tell.
            let _ = self.events.send(Event::Notified(notice));
            let _ = self.news.try_send(());
        }
    }

    /// Sleeps, but tells people meanwhile what they are to be told.
    fn pause(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.link.is_over() {
            let now = Instant::now();
            let left = end.saturating_duration_since(now);
            if left.is_zero() {
                break;
            }
            let due = self.link.health.lock().due();
            let until_due = due.map_or(MAX_NAP, |due| due.saturating_duration_since(now));
            thread::sleep(left.min(until_due).min(MAX_NAP));
            self.tell_notice();
        }
    }
}

/// Returns how many entries to ask for after a read that asked for `n_entries` and got `entries`.
fn next_n_entries(n_entries: usize, entries: &Entries) -> usize {
    let size = |fields: &Fields| fields.iter().map(|(_, value)| value.len()).sum::<usize>();
    let n_bytes: usize = entries.iter().map(|(_, fields)| size(fields)).sum();
    if entries.len() < n_entries || 2 * n_bytes > SMALL {
        FEW_ENTRIES
    } else {
        (2 * n_entries).min(MANY_ENTRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(n_entries: usize, n_bytes: usize) -> Entries {
        let fields = vec![(b"x".to_vec(), vec![b'x'; n_bytes])];
        vec![(Id::default(), fields); n_entries]
    }

    #[test]
    fn many_entries_are_read_at_once_only_while_they_are_small_and_more_wait() {
        assert_eq!(next_n_entries(16, &entries(16, 100)), 32);
        assert_eq!(next_n_entries(128, &entries(128, 100)), 128);
        assert_eq!(next_n_entries(128, &entries(127, 100)), FEW_ENTRIES);
        assert_eq!(next_n_entries(16, &entries(16, 64 * 1024)), FEW_ENTRIES);
        // Even if the next entries were suddenly large, an answer would be bounded.
        assert_eq!(next_n_entries(64, &entries(64, 9000)), FEW_ENTRIES);
    }
}
