//! A Redis process with one room. The scripts do what those in Lua do, line by line.

use super::dice::Dice;
use crate::server::link::entry::{Entry, Id};
use crate::server::link::ledger::Hello;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// How many entries one read returns at most.
const COUNT: usize = 4;

/// How many of its last states a process may fall back to when it crashes.
const MAX_RECENT: usize = 8;

/// Returns the ID of a server or an epoch.
pub fn name(number: usize) -> String {
    format!("{number:016x}")
}

/// What a request asks for.
pub enum Ask {
    Say {
        epoch: String,
        server: usize,
        first: u64,
        n: u64,
    },
    Hello {
        epoch: String,
        mark: u64,
        fresh: String,
    },
    Read {
        after: Id,
    },
}

/// What is answered.
pub enum Answer {
    /// Another epoch, or another process than the one that began it.
    Refused,
    /// The lines were said, now or before. At most this many messages were said until then.
    Said(u64),
    Hello(Hello),
    Read {
        epoch: Option<String>,
        entries: Vec<(Id, Rc<Entry>)>,
        /// What would have been read before them, if it had not been trimmed.
        trimmed: Vec<Rc<Entry>>,
    },
}

/// What the process stores.
#[derive(Clone, Default)]
pub struct Data {
    epoch: Option<String>,
    run: u64,
    total: u64,
    bases: BTreeMap<String, Id>,
    tops: BTreeMap<String, u64>,
    stream: Vec<(Id, Rc<Entry>)>,
    by: BTreeMap<usize, u64>,
    /// The entries that a hello appended about its server's losses. They tell how many messages
    /// they are about, if that is known.
    about_losses: BTreeMap<String, Option<u64>>,
    /// The entries that are no messages and were trimmed.
    trimmed: Vec<(Id, Rc<Entry>)>,
}

impl Data {
    fn say(&mut self, run: u64, epoch: &str, server: usize, first: u64, n: u64) -> Answer {
        if self.epoch.as_deref() != Some(epoch) || self.run != run {
            return Answer::Refused;
        }
        if first <= self.by.get(&server).copied().unwrap_or(0) {
            return Answer::Said(self.total);
        }
        let line = |number| Some(format!("{server} {number}\n"));
        let entry = Entry::Said {
            server: name(server),
            first,
            lines: (first..first + n).map(line).collect(),
        };
        self.total += n;
        self.add(0, entry);
        self.by.insert(server, first + n - 1);
        Answer::Said(self.total)
    }

    fn hello(&mut self, run: u64, named: &str, mark: u64, fresh: &str) -> Hello {
        self.total = self.total.max(self.last().total);
        if self.epoch.is_none() || self.run != run {
            let old = self.epoch.clone().unwrap_or(named.to_owned());
            if named == old {
                self.total = self.total.max(mark);
            }
            let after = old.clone();
            self.mark(Entry::Began { after });
            self.epoch = Some(fresh.to_owned());
            self.run = run;
            if !old.is_empty() {
                self.bases.insert(old.clone(), self.last());
                self.tops.insert(old, self.total);
            }
        }
        let epoch = self.epoch.clone().unwrap();
        if named != epoch && !named.is_empty() {
            let named = named.to_owned();
            match self.tops.get(&named).copied() {
                Some(top) if mark > top => {
                    let n = mark - top;
                    self.total += n;
                    self.tops.insert(named.clone(), mark);
                    self.about_losses.insert(fresh.to_owned(), Some(n));
                    let (epoch, after) = (named, top);
                    self.add(0, Entry::Lost { epoch, after, n });
                }
                Some(_) => {}
                None => {
                    self.about_losses.insert(fresh.to_owned(), None);
                    self.mark(Entry::Forgotten { epoch: named });
                }
            }
        }
        Hello {
            epoch,
            end: self.end(),
            base: self.bases.get(named).copied(),
        }
    }

    fn read(&self, after: Id) -> Answer {
        let unread = self.stream.iter().filter(|(id, _)| *id > after);
        let trimmed = self.trimmed.iter().filter(|(id, _)| *id > after);
        Answer::Read {
            epoch: self.epoch.clone(),
            entries: unread.take(COUNT).cloned().collect(),
            trimmed: trimmed.map(|(_, entry)| Rc::clone(entry)).collect(),
        }
    }

    /// Removes the `n` oldest entries.
    pub fn trim(&mut self, n: usize) {
        let removed = self.stream.drain(..n);
        let is_marker = |(_, entry): &(Id, Rc<Entry>)| !matches!(**entry, Entry::Said { .. });
        self.trimmed.extend(removed.filter(is_marker));
    }

    /// Appends an entry that has no messages.
    fn mark(&mut self, entry: Entry) {
        let last = self.last();
        // Redis has no entry 0-0.
        let is_free = last.total < self.total;
        self.add(if is_free { 0 } else { last.serial + 1 }, entry);
    }

    fn add(&mut self, serial: u64, entry: Entry) {
        let id = Id {
            total: self.total,
            serial,
        };
        assert!(id > self.last(), "Redis refuses this");
        self.stream.push((id, Rc::new(entry)));
    }

    fn last(&self) -> Id {
        self.stream.last().map(|(id, _)| *id).unwrap_or_default()
    }

    /// The position after which nothing is left to read.
    pub fn end(&self) -> Id {
        let start = Id {
            total: self.total,
            serial: 0,
        };
        start.max(self.last())
    }

    pub fn n_entries(&self) -> usize {
        self.stream.len()
    }

    /// The entries about losses of `other` that are not here.
    pub fn unknown_losses<'a>(&self, other: &'a Self) -> impl Iterator<Item = Option<u64>> + 'a {
        let known: BTreeSet<String> = self.about_losses.keys().cloned().collect();
        let unknown = other.about_losses.iter();
        let unknown = unknown.filter(move |(fresh, _)| !known.contains(*fresh));
        unknown.map(|(_, n)| *n)
    }

    /// Whether every epoch of `other` is known here.
    pub fn knows_epochs_of(&self, other: &Self) -> bool {
        let mut epochs = other.epoch.iter().chain(other.bases.keys());
        epochs.all(|epoch| self.epoch.as_ref() == Some(epoch) || self.bases.contains_key(epoch))
    }
}

pub struct Process {
    pub run: u64,
    pub data: Data,
    /// The last states, for a crash that loses the tail.
    recent: VecDeque<Data>,
    /// Some earlier states, for a start from an old copy.
    kept: Vec<Data>,
}

impl Process {
    pub fn new(run: u64, data: Data) -> Self {
        Self {
            run,
            data,
            recent: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    /// Does what a request asks for. Returns whether lines were said by it, too.
    pub fn answer(&mut self, ask: &Ask) -> (Answer, bool) {
        let before = self.data.clone();
        let answer = match ask {
            Ask::Read { after } => return (self.data.read(*after), false),
            Ask::Say {
                epoch,
                server,
                first,
                n,
            } => self.data.say(self.run, epoch, *server, *first, *n),
            Ask::Hello { epoch, mark, fresh } => {
                Answer::Hello(self.data.hello(self.run, epoch, *mark, fresh))
            }
        };
        let has_grown = self.data.stream.len() > before.stream.len();
        if has_grown {
            self.recent.push_back(before);
            if self.recent.len() > MAX_RECENT {
                self.recent.pop_front();
            }
        }
        (answer, has_grown && matches!(ask, Ask::Say { .. }))
    }

    /// Copies the state for later.
    pub fn keep(&mut self) {
        self.kept.push(self.data.clone());
    }

    /// Another process comes up with `data`.
    pub fn restart(&mut self, run: u64, data: Data) {
        self.run = run;
        self.data = data;
        self.recent.clear();
    }

    /// Returns the current state or a recent one.
    pub fn recent(&self, dice: &mut Dice) -> Data {
        let n_lost = dice.roll(self.recent.len() + 1);
        let at = self.recent.len() - n_lost;
        self.recent.get(at).unwrap_or(&self.data).clone()
    }

    /// Returns what a crash leaves.
    pub fn left(&self, dice: &mut Dice) -> Data {
        match dice.roll(8) {
            0..=2 => self.data.clone(),
            6 if !self.kept.is_empty() => dice.pick(&self.kept).clone(),
            7 => Data::default(),
            _ => self.recent(dice),
        }
    }
}
