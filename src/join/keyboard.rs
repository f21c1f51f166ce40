//! What the keys and the row have in common: the draft, what was sent, and what a key can do with
//! both. Which key does what is left to `keys`, and drawing to `row`.

use super::completion::Completion;
use super::desk::Desk;
use super::history::History;
use super::looks::Looks;
use super::paste::Paste;
use super::screen::{n_columns, rewraps, ruler, write};
use super::session::Command;
use super::unheard::meaning;
use crate::faults::panic_if_told;
use crate::protocol::MAX_LINE;
use crossbeam_channel::Sender;
use parking_lot::Mutex;
use rustyline::{Cmd, KeyCode, KeyEvent, Modifiers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// What the keys and the row have in common.
pub struct Keyboard {
    pub(super) desk: Arc<Desk>,
    pub(super) looks: Looks,
    pub(super) commands: Sender<Command>,
    pub(super) restart: Sender<()>,
    pub(super) history: Mutex<History>,
    /// What is in the row, and the cursor's place in it, in bytes.
    pub(super) draft: Mutex<(String, usize)>,
    /// Whether the draft is not shown.
    pub(super) hides_draft: AtomicBool,
    /// What was drawn last in front of the draft.
    pub(super) prompt: Mutex<String>,
    /// What is to be in the row.
    pub(super) wanted: Mutex<Option<(String, usize)>>,
    pub(super) paste: Mutex<Option<Paste>>,
    /// Whether a key did not fit into the row.
    pub(super) is_full: AtomicBool,
    /// Number of columns for which rustyline draws.
    n_columns: AtomicUsize,
    /// Whether the terminal wraps its rows anew when it is resized.
    rewraps: bool,
}

impl Keyboard {
    /// Returns the keyboard of a session that takes `commands`. A message to `restart` makes rustyline
    /// read again.
    pub fn new(
        desk: Arc<Desk>,
        looks: Looks,
        commands: Sender<Command>,
        restart: Sender<()>,
    ) -> Self {
        Self {
            desk,
            looks,
            commands,
            restart,
            history: Mutex::default(),
            draft: Mutex::default(),
            hides_draft: AtomicBool::new(false),
            prompt: Mutex::default(),
            wanted: Mutex::default(),
            paste: Mutex::default(),
            is_full: AtomicBool::new(false),
            n_columns: AtomicUsize::new(n_columns()),
            rewraps: rewraps(),
        }
    }

    /// Puts the cursor where rustyline expects it, if the terminal was resized. `is_same` says that
    /// rustyline draws the draft again as it was, which it does at a resize.
    pub(super) fn follow_resize(&self, is_same: bool) {
        let (old, new) = (self.n_columns(), n_columns());
        if old == new {
            return;
        }
        let (before, after) = self.draft();
        let before = self.prompt() + &before;
        // Of a resize that leaves it one row, rustyline says nothing.
        let is_row = ruler().count(&[&*before, &after].concat(), old.min(new)) == 1;
        if is_row || is_same {
            self.n_columns.store(new, Ordering::SeqCst);
        }
        if is_same && self.rewraps {
            write(&ruler().rewrapped(&before, &after, old, new));
        }
    }

    /// Returns the number of columns for which rustyline draws.
    pub(super) fn n_columns(&self) -> usize {
        self.n_columns.load(Ordering::SeqCst)
    }

    /// Returns what is in the row, before and after the cursor.
    pub fn draft(&self) -> (String, String) {
        let (line, cursor) = &*self.draft.lock();
        let (before, after) = line.split_at_checked(*cursor).unwrap_or((line, ""));
        (before.to_owned(), after.to_owned())
    }

    /// Returns what is in front of the draft.
    pub fn prompt(&self) -> String {
        self.prompt.lock().clone()
    }

    /// Returns the command that puts `line` into the row. rustyline has none, but it lets its
    /// completion change the row at will.
    fn put(&self, line: &str, cursor: usize) -> Cmd {
        *self.wanted.lock() = Some((line.to_owned(), cursor));
        Cmd::Complete
    }

    pub(super) fn put_found(&self, found: Option<&str>) -> Cmd {
        found.map_or(Cmd::Noop, |line| self.put(line, line.len()))
    }

    fn command(&self, command: Command) {
        // If this fails, the session has ended, and the end of the read is on its way.
        let _ = self.commands.send(command);
    }

    /// Sends the row.
    pub(super) fn enter(&self, line: &str) -> Cmd {
        panic_if_told(line.as_bytes());
        if !meaning(line).is_empty() {
            self.history.lock().add(line);
            self.command(Command::Say(line.to_owned()));
        }
        self.put("", 0)
    }

    /// Takes back what waits, or else clears the row, or else leaves, unless the last line that waited
    /// has just gone.
    pub(super) fn interrupt(&self, line: &str) -> Cmd {
        if self.desk.n_waiting() > 0 {
            self.command(Command::TakeBack);
            Cmd::Noop
        } else if line.is_empty() && self.desk.waited_lately(Instant::now()) {
            let sentence = "No line waits any more. Ctrl-C once more leaves.";
            self.command(Command::Show(sentence.to_owned()));
            Cmd::Noop
        } else if line.is_empty() {
            self.leave()
        } else {
            self.put("", 0)
        }
    }

    pub(super) fn leave(&self) -> Cmd {
        // Nothing may be printed once rustyline has stopped reading.
        self.desk.gate.close();
        self.desk.leaving.store(true, Ordering::SeqCst);
        Cmd::Interrupt
    }

    pub(super) fn complete(&self, line: &str, cursor: usize) -> Cmd {
        let completion = self
            .desk
            .names
            .lock()
            .complete(line, cursor, &self.desk.name());
        match completion {
            Some(Completion::Line(line, cursor)) => self.put(&line, cursor),
            Some(Completion::Choices(choices)) => {
                self.command(Command::Show(choices.join(", ")));
                Cmd::Noop
            }
            None => Cmd::Noop,
        }
    }

    /// Handles a key while something is pasted: text and line ends only. rustyline would draw the
    /// whole row for each character.
    pub fn pasted(&self, paste: &mut Paste, key: KeyEvent, line: &str, cursor: usize) -> Cmd {
        let room = MAX_LINE.saturating_sub(line.len());
        match key {
            KeyEvent(KeyCode::Char(character), Modifiers::NONE) => paste.add(character),
            key if is_tab(key) => paste.add(' '),
            key if is_enter(key) => {
                if line.is_empty() {
                    return self.enter(&paste.take_line());
                }
                let mut line = line.to_owned();
                line.insert_str(cursor, &paste.take(room));
                return self.enter(&line);
            }
            KeyEvent(KeyCode::BracketedPasteEnd, _) => {
                let text = paste.take(room);
                if paste.is_cut {
                    self.tell_full();
                }
                // Not `SelfInsert`, which rustyline takes for a repetition of what was typed before.
                return Cmd::Insert(1, text);
            }
            _ => {}
        }
        Cmd::Noop
    }

    /// Lets a character into the row, if it fits.
    pub fn typed(&self, character: char, line: &str) -> Option<Cmd> {
        let is_full = line.len() + character.len_utf8() > MAX_LINE;
        let was_full = self.is_full.swap(is_full, Ordering::SeqCst);
        if is_full && !was_full {
            self.tell_full();
        }
        is_full.then_some(Cmd::Noop)
    }

    /// Cuts a draft that some other key has made too long, before it is read again.
    pub fn cut_draft(&self) {
        let (line, cursor) = &mut *self.draft.lock();
        if line.len() > MAX_LINE {
            line.truncate(line.floor_char_boundary(MAX_LINE));
            *cursor = line.len().min(*cursor);
            self.tell_full();
        }
    }

    fn tell_full(&self) {
        self.command(Command::Show(format!(
            "A line has at most {MAX_LINE} bytes; what is beyond was cut off."
        )));
    }
}

pub(super) fn is_enter(key: KeyEvent) -> bool {
    matches!(
        key,
        KeyEvent(KeyCode::Enter, Modifiers::NONE)
            | KeyEvent(KeyCode::Char('J' | 'M'), Modifiers::CTRL)
    )
}

pub(super) fn is_tab(key: KeyEvent) -> bool {
    matches!(
        key,
        KeyEvent(KeyCode::Tab, Modifiers::NONE) | KeyEvent(KeyCode::Char('I'), Modifiers::CTRL)
    )
}

pub(super) fn is_interrupt(key: KeyEvent) -> bool {
    key == KeyEvent(KeyCode::Char('C'), Modifiers::CTRL)
}
