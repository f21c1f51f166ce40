//! Keeps account of what this server heard from the stream, so that every message is either heard
//! once or counted as missed: entries that were trimmed away, that a crash of Redis lost, and that
//! came twice. It knows no socket and no clock.
//!
//! The ID of an entry counts the messages up to it, so a gap in the IDs is a number of messages. An
//! **epoch** is the time in which one Redis process had the stream; within it, memory never goes
//! back. When another process takes over, the new epoch goes on counting at its **base**, and an
//! entry tells how many messages of the old one were lost.
//!
//! The sums are right only if the caller keeps three rules:
//! 1. Entries that were read under another epoch than [`Ledger::epoch`] are not heard. They are read
//!    again after a hello.
//! 2. The mark of a hello is the highest total of which this server knows in its epoch: its cursor's,
//!    the last hello's, and each that Redis answered when asked to say lines, also if they were
//!    said before.
//! 3. Such an answer counts only if it is about the epoch that the server is still in, and no hello
//!    is on its way, for its mark may be from before. Otherwise the same lines are said again with
//!    the same numbers.

use super::entry::{Entry, Id};
use crate::room::arrivals::Change;
use std::collections::{HashMap, VecDeque};

/// A number of messages that nobody says in a lifetime.
const IMPLAUSIBLE: u64 = 1 << 40;

/// Maximum number of earlier epochs that are remembered.
const MAX_EPOCHS: usize = 64;

/// Maximum number of servers whose last line is remembered.
const MAX_SERVERS: usize = 4096;

/// The end of an epoch of which the room may have missed messages, and has been told so.
const UNCOUNTED: u64 = u64::MAX;

/// Something for the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A message, newline included.
    Line(String),
    /// The room missed this many messages; at least 1.
    Missed(u64),
    /// Somebody came, left or changed the name.
    Changed(Change),
    /// The room may have missed messages, and nobody knows how many.
    MayHaveMissed,
}

/// What Redis answers when a server connects and names the epoch it was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The current epoch.
    pub epoch: String,
    /// The position of the last entry.
    pub end: Id,
    /// The position at which the epoch that the server named was succeeded. `None` if Redis knows
    /// no end of it.
    pub base: Option<Id>,
}

/// What was heard from the stream.
#[derive(Debug)]
pub struct Ledger {
    epoch: String,
    /// The position of the last entry that was heard.
    cursor: Id,
    /// The position where this server came in. What stands before it is history: its lines are
    /// heard, but none of it is missed.
    born: Id,
    /// Earlier epochs, and the position up to which this server accounted for each.
    ended: VecDeque<(String, u64)>,
    servers: Servers,
}

impl Ledger {
    /// Returns the ledger of a server that comes in now, and wants to hear the last `n_history`
    /// messages.
    pub fn new(hello: &Hello, n_history: u64) -> Self {
        let start = Id {
            total: hello.end.total.saturating_sub(n_history),
            serial: 0,
        };
        Self {
            epoch: hello.epoch.clone(),
            cursor: if n_history == 0 { hello.end } else { start },
            born: hello.end,
            ended: VecDeque::new(),
            servers: Servers::default(),
        }
    }

    /// Returns the epoch in which entries are heard.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Returns the position after which to read on.
    pub fn cursor(&self) -> Id {
        self.cursor
    }

    /// Takes note of the answer to this server's hello. In another epoch, reading goes on where both
    /// epochs have the same messages. Before the next hello, only entries of this epoch may be
    /// heard.
    pub fn greet(&mut self, hello: &Hello, mut news: impl FnMut(News)) {
        if hello.epoch == self.epoch {
            return;
        }
        let old = std::mem::replace(&mut self.epoch, hello.epoch.clone());
        if let Some(base) = hello.base {
            self.end(old, self.accounted());
            self.cursor = self.cursor.min(base);
            self.born = self.born.min(base);
        } else {
            self.end(old, UNCOUNTED);
            self.cursor = hello.end;
            self.born = hello.end;
            news(News::MayHaveMissed);
        }
    }

    /// Hears the entry at `id`, unless it was heard before.
    pub fn hear(&mut self, id: Id, entry: Entry, mut news: impl FnMut(News)) {
        if id <= self.cursor {
            return;
        }
        let start = id.total.saturating_sub(entry.n_messages());
        let mut n_missed = start.saturating_sub(self.accounted());
        self.cursor = id;
        let is_history = id <= self.born;
        let mut lines = Vec::new();
        match entry {
            Entry::Said {
                server,
                first,
                lines: said,
            } => {
                let n_known = self.servers.hear(server, first, said.len() as u64);
                lines = said;
                lines.drain(..lines.len().min(n_known));
                n_missed += lines.iter().filter(|line| line.is_none()).count() as u64;
            }
            Entry::Began { after } => {
                // This server was in an earlier epoch all the time, and now reads what remains of
                // this one.
                if !is_history && after != self.epoch && self.ended(&after).is_none() {
                    self.end(after, id.total);
                }
            }
            Entry::Lost { epoch, after, n } => {
                // A server that came in later misses nothing of that epoch.
                if let Some(ended) = self.ended(&epoch) {
                    let end = after.saturating_add(n);
                    let n_lost = end.saturating_sub(ended.max(after));
                    n_missed = n_missed.saturating_add(n_lost);
                }
            }
            Entry::Forgotten { epoch } => {
                let is_new = is_history || self.ended.is_empty() || epoch == self.epoch;
                if !is_new && self.ended(&epoch) != Some(UNCOUNTED) {
                    self.end(epoch, UNCOUNTED);
                    news(News::MayHaveMissed);
                }
            }
            Entry::Changed(changes) if is_history => drop(changes),
            Entry::Changed(changes) => {
                changes.into_iter().map(News::Changed).for_each(&mut news);
            }
            // The gap contains it.
            Entry::Foreign => {}
        }
        if n_missed >= IMPLAUSIBLE && !is_history {
            // Somebody else has written an entry with a position of its own.
            news(News::MayHaveMissed);
        } else if n_missed > 0 && !is_history {
            news(News::Missed(n_missed));
        }
        lines.into_iter().flatten().map(News::Line).for_each(news);
    }

    /// Returns the number of messages of this epoch that were heard, missed, or said before this
    /// server came.
    fn accounted(&self) -> u64 {
        self.cursor.max(self.born).total
    }

    /// Returns the position up to which this server accounted for an earlier epoch.
    fn ended(&self, epoch: &str) -> Option<u64> {
        let found = self.ended.iter().find(|(known, _)| known == epoch);
        found.map(|(_, total)| *total)
    }

    fn end(&mut self, epoch: String, total: u64) {
        self.ended.retain(|(known, _)| *known != epoch);
        self.ended.push_back((epoch, total));
        if self.ended.len() > MAX_EPOCHS {
            self.ended.pop_front();
        }
    }
}

/// The number of the last line heard from each server, and when that was, counted in entries.
#[derive(Debug, Default)]
struct Servers {
    last: HashMap<String, (u64, u64)>,
    n_entries: u64,
}

impl Servers {
    /// Hears `n` lines of `server`, from number `first` on. Returns how many of them were heard
    /// before.
    fn hear(&mut self, server: String, first: u64, n: u64) -> usize {
        self.n_entries += 1;
        let end = first.saturating_add(n);
        let (next, heard_at) = self.last.entry(server).or_default();
        let n_known = next.saturating_sub(first).min(n);
        *next = end.max(*next);
        *heard_at = self.n_entries;
        if self.last.len() > MAX_SERVERS {
            let oldest = self.last.iter().min_by_key(|(_, (_, heard_at))| heard_at);
            let oldest = oldest.map(|(server, _)| server.clone());
            oldest.and_then(|server| self.last.remove(&server));
        }
        usize::try_from(n_known).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";

    fn at(total: u64, serial: u64) -> Id {
        Id { total, serial }
    }

    fn hello(epoch: &str, end: Id, base: Option<Id>) -> Hello {
        Hello {
            epoch: epoch.to_owned(),
            end,
            base,
        }
    }

    fn said(first: u64, lines: &[&str]) -> Entry {
        let line = |line: &&str| (!line.is_empty()).then(|| (*line).to_owned());
        Entry::Said {
            server: A.to_owned(),
            first,
            lines: lines.iter().map(line).collect(),
        }
    }

    fn began(after: &str) -> Entry {
        let after = after.to_owned();
        Entry::Began { after }
    }

    fn lost(epoch: &str, after: u64, n: u64) -> Entry {
        let epoch = epoch.to_owned();
        Entry::Lost { epoch, after, n }
    }

    /// What the room hears of an entry.
    fn hear(ledger: &mut Ledger, id: Id, entry: Entry) -> Vec<News> {
        let mut news = Vec::new();
        ledger.hear(id, entry, |item| news.push(item));
        news
    }

    fn greet(ledger: &mut Ledger, hello: &Hello) -> Vec<News> {
        let mut news = Vec::new();
        ledger.greet(hello, |item| news.push(item));
        news
    }

    fn line(text: &str) -> News {
        News::Line(text.to_owned())
    }

    #[test]
    fn a_gap_and_what_is_no_line_count_as_missed() {
        let mut ledger = Ledger::new(&hello(A, at(10, 1), None), 0);
        let news = hear(&mut ledger, at(12, 0), said(1, &["a", "b"]));
        assert_eq!(news, [line("a"), line("b")]);
        let news = hear(&mut ledger, at(17, 0), said(3, &["c", ""]));
        assert_eq!(news, [News::Missed(4), line("c")]);
        assert_eq!(
            hear(&mut ledger, at(20, 0), Entry::Foreign),
            [News::Missed(3)]
        );
        assert_eq!(hear(&mut ledger, at(20, 1), Entry::Foreign), []);
        assert_eq!(hear(&mut ledger, at(20, 1), said(5, &["again"])), []);
        assert_eq!(ledger.cursor(), at(20, 1));
    }

    #[test]
    fn a_line_that_comes_twice_is_heard_once() {
        let mut ledger = Ledger::new(&hello(A, at(0, 0), None), 0);
        hear(&mut ledger, at(2, 0), said(1, &["a", "b"]));
        assert_eq!(hear(&mut ledger, at(4, 0), said(1, &["a", "b"])), []);
        assert_eq!(
            hear(&mut ledger, at(6, 0), said(2, &["b", "c"])),
            [line("c")]
        );
    }

    #[test]
    fn history_is_heard_and_none_of_it_is_missed() {
        let mut ledger = Ledger::new(&hello(B, at(10, 1), None), 5);
        assert_eq!(ledger.cursor(), at(5, 0));
        assert_eq!(hear(&mut ledger, at(8, 0), lost(A, 0, 1)), []);
        assert_eq!(hear(&mut ledger, at(10, 0), said(1, &["a"])), [line("a")]);
        assert_eq!(hear(&mut ledger, at(10, 1), began(A)), []);
        assert_eq!(hear(&mut ledger, at(13, 0), lost(A, 7, 3)), []);
        assert_eq!(hear(&mut ledger, at(14, 0), began(B)), [News::Missed(1)]);
    }

    #[test]
    fn what_a_crash_lost_is_missed_by_those_who_had_not_heard_it() {
        // In the old epoch there were 10 messages, and 6 remain.
        let base = Some(at(6, 1));
        for (heard, news) in [(4, vec![]), (8, vec![News::Missed(2)]), (10, vec![])] {
            let mut ledger = Ledger::new(&hello(A, at(heard, 0), None), 0);
            assert_eq!(greet(&mut ledger, &hello(B, at(10, 0), base)), []);
            assert_eq!(ledger.cursor(), at(heard, 0).min(at(6, 1)));
            if heard < 6 {
                assert_eq!(hear(&mut ledger, at(6, 1), began(A)), [News::Missed(2)]);
                assert_eq!(
                    hear(&mut ledger, at(10, 0), lost(A, 6, 4)),
                    [News::Missed(4)]
                );
            } else {
                assert_eq!(hear(&mut ledger, at(10, 0), lost(A, 6, 4)), news);
            }
        }
    }

    #[test]
    fn an_epoch_that_was_slept_through_counts() {
        let mut ledger = Ledger::new(&hello(A, at(6, 0), None), 0);
        let c = "cccccccccccccccc";
        greet(&mut ledger, &hello(c, at(9, 0), Some(at(6, 1))));
        assert_eq!(hear(&mut ledger, at(6, 2), began(B)), []);
        assert_eq!(
            hear(&mut ledger, at(9, 0), lost(B, 6, 3)),
            [News::Missed(3)]
        );
    }

    #[test]
    fn an_epoch_that_nobody_remembers_is_not_counted() {
        let mut ledger = Ledger::new(&hello(A, at(6, 0), None), 0);
        let news = greet(&mut ledger, &hello(B, at(3, 2), None));
        assert_eq!(
            (news, ledger.cursor()),
            (vec![News::MayHaveMissed], at(3, 2))
        );
        let forgotten = |epoch: &str| Entry::Forgotten {
            epoch: epoch.to_owned(),
        };
        assert_eq!(hear(&mut ledger, at(3, 3), forgotten(A)), []);
        let c = "cccccccccccccccc";
        let news = hear(&mut ledger, at(3, 4), forgotten(c));
        assert_eq!(news, [News::MayHaveMissed]);
        assert_eq!(hear(&mut ledger, at(3, 5), forgotten(c)), []);
        let mut newcomer = Ledger::new(&hello(B, at(3, 2), None), 0);
        assert_eq!(hear(&mut newcomer, at(3, 3), forgotten(A)), []);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut ledger = Ledger::new(&hello(A, at(0, 0), None), u64::MAX);
        for n in 0..MAX_SERVERS as u64 + 100 {
            let server = format!("{n:016x}");
            let lines = vec![Some(String::new())];
            let (id, first) = (at(n + 1, 0), u64::MAX);
            hear(
                &mut ledger,
                id,
                Entry::Said {
                    server,
                    first,
                    lines,
                },
            );
            hear(&mut ledger, at(n + 1, 1), began(&format!("{n:016x}")));
        }
        assert_eq!(ledger.servers.last.len(), MAX_SERVERS);
        assert_eq!(ledger.ended.len(), MAX_EPOCHS);
        let newest = format!("{:016x}", MAX_SERVERS + 99);
        let end = at(u64::MAX, u64::MAX);
        let news = hear(&mut ledger, end, lost(&newest, u64::MAX, u64::MAX));
        assert_eq!(news, []);
        let news = hear(&mut ledger, end, lost(&newest, 0, u64::MAX));
        assert_eq!(news, []);
    }
}
