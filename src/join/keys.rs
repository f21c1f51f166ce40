//! Decides what each key does, on top of rustyline's keys: it sends lines, completes, and goes
//! through what was sent, without rustyline ever ending its read. Between two reads of rustyline a
//! message could overtake another, or spoil the row; so there is only one read, and Enter empties
//! the row.
//!
//! Keys for which rustyline would wait for another key do something else here or nothing, since it
//! shows no message while it waits.

use super::keyboard::{Keyboard, is_enter, is_interrupt, is_tab};
use super::paste::Paste;
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::sync::Arc;

/// Handles keys for rustyline.
pub struct Keys(pub Arc<Keyboard>);

impl ConditionalEventHandler for Keys {
    fn handle(
        &self,
        event: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let Self(keyboard) = self;
        let key = *event.get(0)?;
        let line = context.line();
        let mut paste = keyboard.paste.lock();
        if let Some(pasted) = &mut *paste {
            let command = keyboard.pasted(pasted, key, line, context.pos());
            // The mark of the end may be lost, and Ctrl-C must do without it.
            if key.0 == KeyCode::BracketedPasteEnd || is_interrupt(key) {
                *paste = None;
            }
            return Some(command);
        }
        let KeyEvent(code, modifiers) = key;
        match (code, modifiers) {
            (KeyCode::BracketedPasteStart, _) => {
                *paste = Some(Paste::default());
                Some(Cmd::Noop)
            }
            _ if is_enter(key) => Some(keyboard.enter(line)),
            _ if is_tab(key) => Some(keyboard.complete(line, context.pos())),
            (KeyCode::Up, Modifiers::NONE) | (KeyCode::Char('P'), Modifiers::CTRL) => {
                Some(keyboard.put_found(keyboard.history.lock().older(line)))
            }
            (KeyCode::Down, Modifiers::NONE) | (KeyCode::Char('N'), Modifiers::CTRL) => {
                Some(keyboard.put_found(keyboard.history.lock().newer()))
            }
            (KeyCode::Char('R'), Modifiers::CTRL) => {
                Some(keyboard.put_found(keyboard.history.lock().search(line)))
            }
            _ if is_interrupt(key) => Some(keyboard.interrupt(line)),
            (KeyCode::Char('D'), Modifiers::CTRL) if line.is_empty() => Some(keyboard.leave()),
            (KeyCode::Char(character), Modifiers::NONE) => keyboard.typed(character, line),
            (KeyCode::Char('Z'), Modifiers::CTRL) => {
                // It opens again when rustyline draws the row.
                keyboard.desk.gate.close();
                Some(Cmd::Suspend)
            }
            // For these rustyline waits for another key.
            (KeyCode::Char('V' | 'Q' | 'X' | 'S' | ']' | '\\'), Modifiers::CTRL)
            | (KeyCode::Char('<' | '>'), Modifiers::ALT)
            | (KeyCode::BackTab, _)
            | (KeyCode::Char(']'), Modifiers::CTRL_ALT) => Some(Cmd::Noop),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::desk::Desk;
    use crate::join::looks::Looks;
    use crate::join::session::Command;
    use crossbeam_channel::bounded;
    use std::time::Instant;

    #[test]
    fn ctrl_c_that_comes_too_late_for_the_last_line_does_not_leave() {
        let (commands, obeyed) = bounded(8);
        let desk = Arc::new(Desk::default());
        let looks = Looks { colored: false };
        let keyboard = Keyboard::new(Arc::clone(&desk), looks, commands, bounded(1).0);
        desk.set_n_waiting(1, Instant::now());
        assert_eq!(keyboard.interrupt(""), Cmd::Noop);
        assert!(matches!(obeyed.try_recv(), Ok(Command::TakeBack)));
        // The line has gone meanwhile. The time is that of the test, however slow it is.
        let later = Instant::now() + std::time::Duration::from_mins(1);
        desk.set_n_waiting(0, later);
        assert_eq!(keyboard.interrupt(""), Cmd::Noop);
        assert!(matches!(obeyed.try_recv(), Ok(Command::Show(_))));
        assert_eq!(keyboard.interrupt(""), Cmd::Interrupt);
    }
}
