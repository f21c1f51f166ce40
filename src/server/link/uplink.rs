//! Says what the people of this server say: in batches, one at a time, and never twice. Nothing of it
//! reaches this server's room here; that is left to `downlink`, so that everyone hears one order.
//!
//! Whatever else a session sends must not overtake what it has said. So it waits here until that was
//! heard, unless the link is cut off. Names and letters are left to the files below.

mod freed;
mod names;
mod mail;

use super::answers::{Failure, Outcome};
use super::batch::Batch;
use super::connector::Connector;
use super::deferred::{Deferred, Place};
use super::engine::Engine;
use super::health::Direction;
use super::registry::{Lost, Registry};
use super::shared::Shared;
use crate::backoff::Backoff;
use crate::random;
use crate::room::event::{ClientId, Event, Outgoing};
use crate::server::elsewhere::{Present, Question};
use crate::server::session::roster::Roster;
use crossbeam_channel::{Receiver, Sender, after, never, select};
use freed::Freed;
use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Minimum time between two batches. A line in a quiet room goes at once.
const PACE: Duration = Duration::from_millis(5);

/// Time before the first try to reach an engine again, and the longest time between two tries.
pub const FIRST_RETRY: Duration = Duration::from_millis(50);
pub const LONGEST_RETRY: Duration = Duration::from_millis(500);

/// How often this server tells the engine that it lives.
const BEAT: Duration = Duration::from_secs(3);

/// Maximum number of letters that are sent together.
const MAX_LETTERS: usize = 64;

/// The other ends of an uplink's channels.
pub struct Ends<'a> {
    /// What sessions send.
    pub said: Receiver<Event>,
    /// What sessions ask of all servers.
    pub questions: Receiver<Question>,
    /// What the room has for other servers.
    pub outgoing: Receiver<Outgoing>,
    /// Has a message when something was heard, a name is free, or the link is over.
    pub woken: Receiver<()>,
    /// This server's room.
    pub events: Sender<Event>,
    /// The names in use on this server.
    pub roster: &'a Roster,
}

/// The way from this server's people to the engine.
pub struct Uplink<'a> {
    link: Arc<Shared>,
    ends: Ends<'a>,
    connector: Connector,
    engine: Option<Engine>,
    backoff: Backoff,
    next_try: Instant,
    /// The epoch that the downlink has greeted, as far as this direction has seen.
    known_epoch: String,
    next_beat: Instant,
    in_flight: Option<Batch>,
    waiting: Batch,
    deferred: Deferred,
    /// Where the last batch stands that was said.
    answered: Place,
    registry: Registry,
    freed: Freed,
    /// Names that somebody else has got, and that were not replaced yet.
    lost: Vec<Lost>,
    /// Clients whose name somebody else has got, with what their lines began with and should.
    renamed: HashMap<ClientId, (String, String)>,
    /// What a session has asked, and waits for.
    asked: Option<Question>,
    /// Who was here, and when that was asked.
    present: Option<(Instant, Present)>,
}

impl<'a> Uplink<'a> {
    /// Returns an uplink that passes on what comes out of its `ends`.
    pub fn new(link: Arc<Shared>, ends: Ends<'a>) -> Self {
        let now = Instant::now();
        Self {
            link,
            ends,
            connector: Connector::default(),
            engine: None,
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            next_try: now,
            known_epoch: String::new(),
            next_beat: now,
            in_flight: None,
            waiting: Batch::new(1),
            deferred: Deferred::default(),
            answered: Place::default(),
            registry: Registry::default(),
            freed: Freed::default(),
            lost: Vec::new(),
            renamed: HashMap::new(),
            asked: None,
            present: None,
        }
    }

    /// Passes everything on until the link is over.
    pub fn run(mut self) {
        while !self.link.is_over() {
            if catch_unwind(AssertUnwindSafe(|| self.turn())).is_err() {
                // As if the connection were lost.
                self.engine = None;
            }
        }
        // Sessions must not wait for answers that will not come.
        self.ends.questions = never();
        self.asked = None;
        self.depart();
        // Sessions must not wait for a link that is over.
        self.ends.said.iter().for_each(drop);
    }

    /// Does what is due, or waits for the next thing to happen.
    fn turn(&mut self) {
        self.note_freed();
        // A name that is free is given free before somebody else may ask for it. Whatever was free
        // when the question came is noted only now.
        if self.freed.is_empty()
            && let Some(question) = self.asked.take()
        {
            return self.answer(question);
        }
        self.pass_deferred();
        let due = self.due().saturating_duration_since(Instant::now());
        if due.is_zero() {
            return self.work();
        }
        let (no_events, no_questions) = (never(), never());
        let said = Some(&self.ends.said).filter(|_| !self.is_full());
        let questions = Some(&self.ends.questions).filter(|_| self.asked.is_none());
        select! {
            recv(said.unwrap_or(&no_events)) -> event => if let Ok(event) = event {
                self.take(event);
            } else {
                // Every session has ended.
                self.link.end();
            },
            recv(questions.unwrap_or(&no_questions)) -> question => self.asked = question.ok(),
            recv(self.ends.outgoing) -> outgoing => if let Ok(outgoing) = outgoing {
                self.send_out(outgoing);
            } else {
                // The room is gone.
                self.ends.outgoing = never();
            },
            recv(self.ends.woken) -> _ => self.look_again(),
            recv(after(due)) -> _ => {}
        }
    }

    fn is_full(&self) -> bool {
        self.waiting.is_full() || self.deferred.is_full()
    }

    /// Returns when there is something to do without another event.
    fn due(&self) -> Instant {
        let has_work = self.engine.is_none()
            || self.in_flight.is_some()
            || self.waiting.n_lines() > 0
            || self.registry.has_changes()
            || !self.freed.due(self.first_unsaid()).is_empty();
        if has_work {
            self.next_try
        } else {
            self.next_beat.max(self.next_try)
        }
    }

    /// Returns the number of the first line that was not said.
    fn first_unsaid(&self) -> u64 {
        self.in_flight.as_ref().unwrap_or(&self.waiting).first
    }

    /// Takes what a session has sent, and all that waits behind it.
    fn take(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next {
            match event {
                Event::Said { from, line } => {
                    let line = self.under_the_right_name(from, line);
                    self.waiting.push(from, line);
                }
                event => {
                    if let Event::Leave(id) = event {
                        self.freed.note_leave(id);
                    }
                    self.deferred.push(event, self.waiting.next() - 1);
                }
            }
            next = if self.is_full() {
                None
            } else {
                self.ends.said.try_recv().ok()
            };
        }
        self.count_unsaid();
    }

    fn count_unsaid(&self) {
        let in_flight = self.in_flight.as_ref().map_or(0, Batch::n_lines);
        let n_unsaid = in_flight + self.waiting.n_lines();
        self.link.advance(|progress| progress.n_unsaid = n_unsaid);
    }

    /// Tries again at once if the downlink has found the engine meanwhile.
    fn look_again(&mut self) {
        let epoch = self.link.progress().epoch;
        if self.engine.is_none() && epoch != self.known_epoch {
            self.known_epoch = epoch;
            self.next_try = Instant::now();
        }
    }

    /// Passes on what waits for nothing any more.
    fn pass_deferred(&mut self) {
        self.deferred.note_said(self.first_unsaid(), &self.answered);
        let (progress, is_cut_off) = (self.link.progress(), self.link.is_cut_off());
        let mut letters = Vec::new();
        // Lines must not wait for many letters.
        while letters.len() < MAX_LETTERS {
            match self.deferred.next(&progress, is_cut_off) {
                Some(Event::SaidTo { from, letter }) => letters.push((from, letter)),
                Some(event) => {
                    self.mail(mem::take(&mut letters));
                    self.tell_room(event);
                }
                None => break,
            }
        }
        self.mail(letters);
    }

    fn tell_room(&self, event: Event) {
        // If the room is gone, there is nobody to tell.
        let _ = self.ends.events.send(event);
    }

    /// Does what is due.
    fn work(&mut self) {
        let done = self.try_to_work();
        let now = Instant::now();
        match done {
            Ok(()) => {
                let mut health = self.link.health.lock();
                health.answered(Direction::Up, now);
                health.set_full(false);
                drop(health);
                self.backoff.reset();
                self.next_try = now + PACE;
            }
            Err(failure) => self.fail(&failure),
        }
        if let Some(notice) = self.link.notice() {
            self.tell_room(Event::Notified(notice));
        }
    }

    fn fail(&mut self, failure: &Failure) {
        if let Failure::Away(_) = failure {
            self.engine = None;
        }
        self.link.failed(Direction::Up, failure);
        self.next_try = Instant::now() + self.backoff.wait(random::fraction());
    }

    fn try_to_work(&mut self) -> Result<(), Failure> {
        self.live()?;
        // Those who came before they speak, and those who leave after that.
        self.announce()?;
        self.say()?;
        self.free()?;
        self.announce()
    }

    /// Says the batch in flight, or the next one.
    fn say(&mut self) -> Result<(), Failure> {
        if self.in_flight.is_none() && self.waiting.n_lines() > 0 {
            self.in_flight = Some(self.waiting.take());
        }
        let (Some(batch), Some(engine)) = (&self.in_flight, &mut self.engine) else {
            return Ok(());
        };
        let epoch = self.link.progress().epoch;
        match engine.say(&epoch, batch.first, batch.n_lines(), &batch.text())? {
            Outcome::Done(total) => {
                let is_promised = self.link.advance(|progress| {
                    let is_current = progress.epoch == epoch && !progress.is_greeting;
                    if is_current {
                        progress.promised = progress.promised.max(total);
                    }
                    is_current
                });
                // If another epoch has begun meanwhile, nobody may ever hear this batch.
                if is_promised {
                    self.answered = Place { epoch, total };
                    self.in_flight = None;
                    self.count_unsaid();
                }
                Ok(())
            }
            // The downlink has to greet it first, or this connection leads to another engine.
            Outcome::OtherEpoch => {
                self.known_epoch = epoch;
                Err(Failure::Away("it was restarted".to_owned()))
            }
            Outcome::Lapsed => {
                self.next_beat = Instant::now();
                Ok(())
            }
        }
    }
}
