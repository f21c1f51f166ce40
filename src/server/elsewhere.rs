//! Asks the other servers that share the room, through the link, and waits for the answer. A server
//! of its own room has nobody to ask. How it is answered is left to the `link`.

use crate::protocol::addressee::folded;
use crate::protocol::lookalikes::Key;
use crate::room::event::ClientId;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of questions that wait.
const QUESTIONS: usize = 64;

/// Maximum time for an answer.
const ANSWER: Duration = Duration::from_millis(2500);

/// Time for which a name is claimed again while nobody knows, and the pause between two tries.
const PATIENCE: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// A name that somebody wants, and what it would hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The name as everyone sees it.
    pub shown: Arc<str>,
    /// The name as people may type it.
    pub typed: String,
    /// Its looks, and each look in its script. That is empty if no other name may look so.
    pub keys: Vec<(String, String)>,
}

impl Wanted {
    /// Returns what `name` would hold.
    pub fn new(name: &str) -> Self {
        let keys = Key::all_of(name).into_iter().map(Key::into_texts);
        Self {
            shown: name.into(),
            typed: folded(name),
            keys: keys.collect(),
        }
    }
}

/// A question to all servers.
#[derive(Debug)]
pub enum Question {
    /// May this client have a name?
    Claim {
        /// Its number.
        id: ClientId,
        /// The number of the name in this server's roster.
        name: u64,
        /// The number of the name that it has already.
        earlier: Option<u64>,
        /// The name, and others to suggest.
        wanted: Vec<Wanted>,
        /// Takes the answer.
        answer: Sender<Claim>,
    },
    /// Who is here?
    Who(Sender<Present>),
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The client has the name.
    Taken,
    /// Somebody else has it.
    Refused {
        /// A name that is free, if one of the others is.
        free: Option<Arc<str>>,
        /// Whether the one who has it is on a server that was not heard of lately.
        is_lost: bool,
    },
    /// Nobody knows at the moment.
    Away,
}

/// Who is here.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// How many people.
    pub n_people: usize,
    /// The names of the first ones, oldest first.
    pub listed: Vec<String>,
}

/// The way to the other servers.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    questions: Sender<Question>,
    is_cut_off: Arc<AtomicBool>,
}

impl Elsewhere {
    /// Returns a way to the other servers, and what comes out of it. `is_cut_off` is kept by the link.
    pub fn new(is_cut_off: Arc<AtomicBool>) -> (Self, Receiver<Question>) {
        let (questions, receiver) = bounded(QUESTIONS);
        let elsewhere = Self {
            questions,
            is_cut_off,
        };
        (elsewhere, receiver)
    }

    /// Whether nothing comes back at the moment.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::SeqCst)
    }

    /// Claims a name for the client `id`, which has the name of the number `earlier` already, or none.
    /// `wanted` holds the name, and others to suggest. Blocks until there is an answer, for a few
    /// seconds at most.
    pub fn claim(&self, id: ClientId, name: u64, earlier: Option<u64>, wanted: &[Wanted]) -> Claim {
        let start = Instant::now();
        loop {
            let claimed = self.ask(|answer| Question::Claim {
                id,
                name,
                earlier,
                wanted: wanted.to_vec(),
                answer,
            });
            match claimed {
                Some(Claim::Away) | None if start.elapsed() < PATIENCE && !self.is_cut_off() => {
                    thread::sleep(ASK_AGAIN);
                }
                claimed => return claimed.unwrap_or(Claim::Away),
            }
        }
    }

    /// Returns who is on all servers, or `None` if nobody knows at the moment. Blocks as
    /// [`claim`](Self::claim) does.
    pub fn who(&self) -> Option<Present> {
        self.ask(Question::Who)
    }

    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Question) -> Option<T> {
        if self.is_cut_off() {
            return None;
        }
        let (answer, answered) = bounded(1);
        self.questions.send_timeout(question(answer), ANSWER).ok()?;
        answered.recv_timeout(ANSWER).ok()
    }
}
