//! A server: what it wants to say, what it hears, and its two connections to Redis.

use super::redis::{Answer, Ask, name};
use crate::server::link::entry::{Entry, Id};
use crate::server::link::ledger::{Hello, Ledger, News};

/// A line: the server that said it, and its number there.
pub type Line = (usize, u64);

/// A connection to Redis.
#[derive(Default)]
pub struct Link {
    /// The process at its end.
    pub run: Option<u64>,
    /// The request that waits for its reply.
    pub waiting: Option<u64>,
    /// Whether it was connected to the new process of a split. It never goes back.
    pub has_moved: bool,
}

/// Lines that wait to be said. They keep their numbers until it is certain that they were.
struct Batch {
    first: u64,
    n: u64,
    /// The epoch in which they were last said.
    epoch: String,
}

pub struct Server {
    number: usize,
    ledger: Option<Ledger>,
    pub up: Link,
    pub down: Link,
    batch: Option<Batch>,
    n_lines: u64,
    /// The highest total that Redis answered in this epoch. Messages up to it were certainly said.
    promise: u64,
    /// Whether the process at the end of `down` knows this server.
    pub has_greeted: bool,
    /// How many messages to hear that were said before it came in.
    n_history: u64,
    /// The position up to which messages were said before it came in.
    born: Id,
    pub heard: Vec<Line>,
    /// How many of them were said before it came in.
    pub n_old: u64,
    pub n_missed: u64,
    /// How often it was told that it may have missed messages.
    pub n_unsure: u64,
    /// How many messages it is to hear or to miss. `None` before it comes in.
    pub n_due: Option<u64>,
    /// Whether it came in on the new side of a split, so that it is to hear nothing of the old.
    pub is_stranger: bool,
    /// How many messages were in the entries about losses that it slept through.
    pub n_lost_trimmed: u64,
    /// Whether it slept through a marker.
    pub slept: bool,
}

impl Server {
    pub fn new(number: usize, n_history: u64) -> Self {
        Self {
            number,
            ledger: None,
            up: Link::default(),
            down: Link::default(),
            batch: None,
            n_lines: 0,
            promise: 0,
            has_greeted: false,
            n_history,
            born: Id::default(),
            heard: Vec::new(),
            n_old: 0,
            n_missed: 0,
            n_unsure: 0,
            n_due: None,
            is_stranger: false,
            n_lost_trimmed: 0,
            slept: false,
        }
    }

    pub fn is_born(&self) -> bool {
        self.ledger.is_some()
    }

    /// Whether a hello is on its way. What is answered to the uplink meanwhile may be lost: the mark
    /// that the hello names may be from before.
    fn is_greeting(&self) -> bool {
        self.down.waiting.is_some() && !self.has_greeted
    }

    pub fn think(&mut self, n: u64) {
        if self.batch.is_none() {
            let first = self.n_lines + 1;
            let epoch = String::new();
            self.batch = Some(Batch { first, n, epoch });
            self.n_lines += n;
        }
    }

    /// What the uplink asks next.
    pub fn say(&mut self) -> Option<Ask> {
        let epoch = self.ledger.as_ref()?.epoch();
        let batch = self.batch.as_mut()?;
        epoch.clone_into(&mut batch.epoch);
        Some(Ask::Say {
            epoch: epoch.to_owned(),
            server: self.number,
            first: batch.first,
            n: batch.n,
        })
    }

    /// What the downlink asks next.
    pub fn listen(&self, fresh: usize) -> Ask {
        match &self.ledger {
            Some(ledger) if self.has_greeted => Ask::Read {
                after: ledger.cursor(),
            },
            Some(ledger) => Ask::Hello {
                epoch: ledger.epoch().to_owned(),
                mark: ledger.cursor().total.max(self.promise),
                fresh: name(fresh),
            },
            None => Ask::Hello {
                epoch: String::new(),
                mark: 0,
                fresh: name(fresh),
            },
        }
    }

    /// Takes a reply, if it is still waited for.
    pub fn take(&mut self, ticket: u64, answer: Answer) {
        if self.up.waiting == Some(ticket) {
            if let Answer::Said(total) = answer {
                self.said(total);
            }
            self.up.waiting = None;
        } else if self.down.waiting == Some(ticket) {
            self.down.waiting = None;
            match answer {
                Answer::Hello(hello) => self.greet(&hello),
                Answer::Read {
                    epoch,
                    entries,
                    trimmed,
                } => {
                    let ledger = self.ledger.as_mut().unwrap();
                    if epoch.as_deref() != Some(ledger.epoch()) {
                        self.has_greeted = false;
                    } else if !entries.is_empty() {
                        for entry in trimmed {
                            self.sleep(&entry);
                        }
                        for (id, entry) in entries {
                            let n_before = self.heard.len();
                            self.hear(|ledger, news| ledger.hear(id, (*entry).clone(), news));
                            if id <= self.born {
                                self.n_old += (self.heard.len() - n_before) as u64;
                            }
                        }
                    }
                }
                Answer::Said(_) | Answer::Refused => unreachable!(),
            }
        }
    }

    fn said(&mut self, total: u64) {
        let epoch = self.ledger.as_ref().unwrap().epoch();
        let is_certain = !self.is_greeting();
        if self
            .batch
            .take_if(|batch| is_certain && batch.epoch == epoch)
            .is_some()
        {
            self.promise = self.promise.max(total);
        }
    }

    fn greet(&mut self, hello: &Hello) {
        self.has_greeted = true;
        let end = hello.end.total;
        match &mut self.ledger {
            None => {
                self.ledger = Some(Ledger::new(hello, self.n_history));
                self.born = hello.end;
                self.promise = end;
            }
            Some(ledger) if ledger.epoch() == hello.epoch => {
                self.promise = self.promise.max(end);
            }
            Some(_) => {
                self.hear(|ledger, news| ledger.greet(hello, news));
                self.born = hello.base.map_or(hello.end, |base| base.min(self.born));
                self.promise = end;
            }
        }
    }

    fn hear(&mut self, tell: impl FnOnce(&mut Ledger, &mut dyn FnMut(News))) {
        let ledger = self.ledger.as_mut().unwrap();
        tell(ledger, &mut |news| match news {
            News::Line(line) => {
                let (server, number) = line.trim_end().split_once(' ').unwrap();
                let line = (server.parse().unwrap(), number.parse().unwrap());
                self.heard.push(line);
            }
            News::Missed(n) => self.n_missed += n,
            News::MayHaveMissed => self.n_unsure += 1,
            News::Changed(_) => {}
        });
    }

    fn sleep(&mut self, trimmed: &Entry) {
        match trimmed {
            Entry::Lost { n, .. } => self.n_lost_trimmed += n,
            _ => self.slept = true,
        }
    }

    /// Whether there is nothing left to say, and to hear up to `end`.
    pub fn is_done(&self, end: Id) -> bool {
        let cursor = self.ledger.as_ref().map(Ledger::cursor);
        self.batch.is_none() && self.has_greeted && cursor == Some(end)
    }
}
