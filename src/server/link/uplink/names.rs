//! Keeps the names of this server's people as long as this server lives, and answers what sessions ask
//! of all servers.

use super::{BEAT, Uplink};
use crate::protocol::notice::Notice;
use crate::room::commands::{MANY, N_LISTED};
use crate::room::event::{ClientId, Event};
use crate::server::elsewhere::{Claim, Present, Question, Wanted};
use crate::server::link::answers::Failure;
use crate::server::link::engine::Engine;
use crate::server::link::health::Direction;
use crate::server::link::registry::{self, Lost};
use std::time::{Duration, Instant};

/// Number of names to try in place of one that was lost.
const REPLACEMENTS: usize = 8;

/// Time for which the answer to who is here is used again.
const WHO_AGAIN: Duration = Duration::from_millis(500);

impl Uplink<'_> {
    /// Connects to the engine if need be, and tells it now and then that this server lives.
    pub(super) fn live(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let epoch = self.link.progress().epoch;
        let is_in = now < self.next_beat && self.registry.is_in(&epoch);
        let engine = match &mut self.engine {
            Some(_) if is_in => return Ok(()),
            Some(engine) => engine,
            none => none.insert(self.connector.connect(&self.link.place, &self.link.me)?),
        };
        if let Some(lost) = self.registry.keep(engine, &epoch)? {
            self.lost = lost;
        }
        // Nothing is said before each of them has another name.
        while let Some(lost) = self.lost.last() {
            let lost = lost.clone();
            self.replace(&lost)?;
            self.lost.pop();
        }
        self.next_beat = now + BEAT;
        self.link.health.lock().answered(Direction::Up, now);
        Ok(())
    }

    /// Gives somebody another name whose own somebody else has got.
    fn replace(&mut self, lost: &Lost) -> Result<(), Failure> {
        let Some(engine) = &mut self.engine else {
            return Ok(());
        };
        let similar = self.ends.roster.similar(&lost.shown).take(REPLACEMENTS);
        let wanted: Vec<_> = similar.map(|name| Wanted::new(&name)).collect();
        let name = self.registry.replace(engine, lost, &wanted)?;
        self.ends.roster.replace(lost.number, name.clone());
        let id = lost.id;
        let prefixes = (format!("{}> ", lost.shown), format!("{name}> "));
        self.renamed.insert(id, prefixes.clone());
        let batches = self.in_flight.iter_mut().chain([&mut self.waiting]);
        batches.for_each(|batch| batch.change(id, |line| *line = renamed(line, &prefixes)));
        let lines = Notice::NameLost(name.to_string()).line();
        self.tell_room(Event::Told { id, lines });
        self.tell_room(Event::Renamed { id, name });
        Ok(())
    }

    /// Returns a line under the name that its client has, if its session does not know that yet.
    pub(super) fn under_the_right_name(&self, from: ClientId, line: String) -> String {
        match self.renamed.get(&from) {
            Some(prefixes) => renamed(&line, prefixes),
            None => line,
        }
    }

    /// Notes which names are free.
    pub(super) fn note_freed(&mut self) {
        let numbers = self.ends.roster.take_freed();
        // An owner that left while the link was cut off has not left by this way.
        let is_drained = self.ends.said.is_empty();
        let after = self.waiting.next() - 1;
        let owner = |number| self.registry.owner(number);
        self.freed.note(numbers, after, is_drained, owner);
    }

    /// Gives names free whose owners have nothing more to say.
    pub(super) fn free(&mut self) -> Result<(), Failure> {
        let first_unsaid = self.first_unsaid();
        let numbers = self.freed.due(first_unsaid);
        let Some(engine) = self.engine.as_mut().filter(|_| !numbers.is_empty()) else {
            return Ok(());
        };
        for id in numbers.iter().filter_map(|it| self.registry.owner(*it)) {
            self.renamed.remove(&id);
        }
        self.present = None;
        self.registry.free(engine, &numbers)?;
        self.freed.forget(first_unsaid);
        Ok(())
    }

    /// Announces who came and went.
    pub(super) fn announce(&mut self) -> Result<(), Failure> {
        match &mut self.engine {
            Some(engine) if self.registry.has_changes() => {
                let epoch = self.link.progress().epoch;
                self.registry.announce(engine, &epoch)
            }
            _ => Ok(()),
        }
    }

    /// Answers a session, if it still waits for that.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Claim {
                id,
                name,
                earlier,
                wanted,
                answer,
            } => {
                let claimed = self.claim(id, name, earlier, &wanted);
                let claimed = claimed.unwrap_or_else(|failure| {
                    self.fail(&failure);
                    Claim::Away
                });
                if claimed == Claim::Taken {
                    self.renamed.remove(&id);
                    self.present = None;
                }
                if answer.send(claimed.clone()).is_err() && claimed == Claim::Taken {
                    self.freed.push(name, self.waiting.next() - 1);
                }
            }
            Question::Who(answer) => match self.who() {
                // If this fails, the client has left meanwhile.
                Ok(present) => drop(answer.send(present)),
                Err(failure) => self.fail(&failure),
            },
        }
    }

    fn claim(
        &mut self,
        id: ClientId,
        name: u64,
        earlier: Option<u64>,
        wanted: &[Wanted],
    ) -> Result<Claim, Failure> {
        self.lively_engine()?;
        if earlier.is_some() {
            // What the client has said so far stands before the news of its other name.
            if let Ok(event) = self.ends.said.try_recv() {
                self.take(event);
            }
            self.say()?;
        }
        match &mut self.engine {
            Some(engine) => {
                let claimed = self.registry.claim(engine, id, name, earlier, wanted)?;
                if claimed == Claim::Away {
                    // This server must enter again.
                    self.next_beat = Instant::now();
                }
                Ok(claimed)
            }
            None => Ok(Claim::Away),
        }
    }

    fn who(&mut self) -> Result<Present, Failure> {
        if let Some((asked, present)) = &self.present
            && asked.elapsed() < WHO_AGAIN
        {
            return Ok(present.clone());
        }
        let engine = self.lively_engine()?;
        let engine = engine.ok_or_else(|| Failure::Away("not connected".to_owned()))?;
        let present = registry::who(engine, N_LISTED, MANY)?;
        self.present = Some((Instant::now(), present.clone()));
        Ok(present)
    }

    /// Returns the engine, unless it must not be tried yet.
    pub(super) fn lively_engine(&mut self) -> Result<Option<&mut Engine>, Failure> {
        if self.engine.is_none() && Instant::now() < self.next_try {
            return Ok(None);
        }
        self.live()?;
        Ok(self.engine.as_mut())
    }

    /// Gives all names free, if the engine is there.
    pub(super) fn depart(&mut self) {
        if let Some(engine) = &mut self.engine {
            // If this fails, they are free in a few seconds.
            let _ = self.registry.depart(engine);
        }
    }
}

/// Returns `line` with another name in front.
fn renamed(line: &str, (from, to): &(String, String)) -> String {
    match line.strip_prefix(from) {
        Some(text) => format!("{to}{text}"),
        None => line.to_owned(),
    }
}
