//! Watches the row that is being edited, and changes it. What keys do is decided elsewhere.

use super::keyboard::Keyboard;
use super::screen::ruler;
use crate::protocol::MAX_LINE;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{Changeset, Context, Helper};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use unicode_width::UnicodeWidthStr;

/// Watches the row for rustyline, and changes it.
pub struct Row(pub Arc<Keyboard>);

impl Helper for Row {}
impl Validator for Row {}

impl Completer for Row {
    type Candidate = String;

    fn complete(
        &self,
        _: &str,
        _: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        // The only candidate, whatever it is: what the row becomes is decided below.
        Ok((0, vec![String::new()]))
    }

    fn update(&self, line: &mut LineBuffer, _: usize, _: &str, changes: &mut Changeset) {
        if let Some((wanted, cursor)) = self.0.wanted.lock().take() {
            line.update(&wanted, cursor, changes);
        }
    }
}

impl Hinter for Row {
    type Hint = String;

    /// Notes what is in the row. rustyline calls this before it draws, and at first when it has begun
    /// to read.
    fn hint(&self, line: &str, cursor: usize, _: &Context<'_>) -> Option<String> {
        let draft = (line.to_owned(), cursor);
        let is_same = *self.0.draft.lock() == draft;
        self.0.follow_resize(is_same);
        *self.0.draft.lock() = draft;
        if line.len() > MAX_LINE {
            let _ = self.0.restart.try_send(());
        }
        if !self.0.desk.leaving.load(Ordering::SeqCst)
            && !self.0.desk.restart.load(Ordering::SeqCst)
        {
            self.0.desk.gate.open();
        }
        None
    }
}

impl Highlighter for Row {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        is_ours: bool,
    ) -> Cow<'b, str> {
        prompt.clone_into(&mut self.0.prompt.lock());
        if !is_ours {
            // Alt and a digit count how often the next key is meant, which no binding can prevent.
            // rustyline would wait for that key, and show no message.
            let _ = self.0.restart.try_send(());
        }
        let drawn = ruler().drawn("", prompt, self.0.n_columns());
        Cow::Owned(self.0.looks.prompt(&drawn))
    }

    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let prompt = self.0.prompt();
        if self.0.hides_draft.load(Ordering::SeqCst) {
            // As wide as it is: rustyline counts its columns.
            return Cow::Owned("*".repeat(line.width()));
        }
        Cow::Owned(ruler().drawn(&prompt, line, self.0.n_columns()))
    }

    /// Notes where the cursor is, when nothing but the cursor has changed.
    fn highlight_char(&self, line: &str, cursor: usize, _: CmdKind) -> bool {
        *self.0.draft.lock() = (line.to_owned(), cursor);
        // Then rustyline draws the whole row. It adds up the columns of characters that belong
        // together one by one otherwise, and gets it wrong. And it would show a character that is
        // hidden.
        !line.is_ascii() || self.0.hides_draft.load(Ordering::SeqCst)
    }
}
