//! Decides what a session does because time passes: what the status says, when it ends, and when to
//! look again.

use super::{End, Session};
use std::time::{Duration, Instant};

/// Time after which one is told that a line has not come back.
const SENDING: Duration = Duration::from_millis(250);

/// Number of waiting lines from which one is told how long they take.
const MANY_WAITING: usize = 3;

/// Maximum time that a pipe waits for the next of its lines to come back.
const ECHO: Duration = Duration::from_secs(30);

impl Session<'_> {
    /// Returns what is to stand above the prompt.
    pub(super) fn status(&self, now: Instant) -> Option<String> {
        let n_waiting = self.waiting.len();
        if !self.connection.is_in() {
            let waiting = match n_waiting {
                0 => String::new(),
                1 => " 1 line waits.".to_owned(),
                _ => format!(" {n_waiting} lines wait."),
            };
            return Some(format!("* Not connected; trying again.{waiting}"));
        }
        if n_waiting >= MANY_WAITING {
            let seconds = self.waiting.time_left().as_secs_f32().ceil();
            return Some(format!(
                "* {n_waiting} lines wait, about {seconds} s. Ctrl-C takes them back."
            ));
        }
        let is_late = self
            .unheard
            .oldest()
            .is_some_and(|oldest| now >= oldest + SENDING);
        is_late.then(|| "* sending…".to_owned())
    }

    /// Ends the session, if there is nothing more to do.
    pub(super) fn check_end(&mut self, now: Instant) -> Result<(), End> {
        let n_left = self.waiting.len() + self.unheard.len();
        let has_left = self
            .leaving
            .is_some_and(|deadline| now >= deadline || self.unheard.is_empty());
        if has_left || self.quitting && !self.connection.is_in() {
            return Err(match self.waiting.len() {
                0 => Ok(()),
                1 => Err("1 line was not sent.".to_owned()),
                n_lines => Err(format!("{n_lines} lines were not sent.")),
            });
        }
        if self.finishing && self.leaving.is_none() {
            if n_left == 0 {
                return Err(Ok(()));
            }
            if self.connection.is_in() && now >= self.last_progress + ECHO {
                // Something is left, if only the answer to a question.
                return Err(self.loss().map_or(Ok(()), Err));
            }
        }
        Ok(())
    }

    /// Returns when something is to be done, even if nothing happens until then.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let status = self.status(now);
        let batch = self
            .batch
            .due(status.as_ref())
            .filter(|_| self.leaving.is_none());
        let sending = self.unheard.oldest().map(|oldest| oldest + SENDING);
        let echo = self.finishing.then_some(self.last_progress + ECHO);
        let waiting = self.waiting.due().filter(|_| self.connection.is_in());
        let all = [
            batch,
            sending,
            echo,
            waiting,
            self.connection.next_try(),
            self.leaving,
        ];
        // What is overdue waits for something else to happen first.
        let due = all.into_iter().flatten().filter(|due| *due > now).min();
        due.unwrap_or(now + ECHO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::desk::Desk;
    use crate::join::session::{Command, Ends};
    use crate::join::settings::Settings;
    use crate::join::unheard::meaning;
    use crossbeam_channel::{bounded, never};
    use std::io;

    fn settings() -> Settings {
        Settings {
            reconnects: true,
            ..Settings::for_tests(true, String::new())
        }
    }

    #[test]
    fn only_our_own_lines_put_off_the_end_of_the_wait() {
        let settings = settings();
        let desk = Desk::default();
        desk.set_name("Ada");
        let ends = Ends {
            desk: &desk,
            commands: never(),
            printed: never(),
        };
        let mut session = Session::new(&settings, ends, bounded(1).0);
        let start = session.last_progress;
        for line in ["one", "two"] {
            session.unheard.sent(line.to_owned(), meaning(line), start);
        }
        session.hear(Ok("Bob> one".to_owned())).unwrap();
        assert_eq!(session.last_progress, start);
        session.hear(Ok("Ada> one".to_owned())).unwrap();
        assert!(session.last_progress > start);
    }

    #[test]
    fn whoever_quits_while_not_connected_is_gone_at_once() {
        let settings = settings();
        let desk = Desk::default();
        for (lines, not_sent) in [
            (&["/quit"][..], Ok(())),
            (
                &["one", "/QUIT now"],
                Err("1 line was not sent.".to_owned()),
            ),
        ] {
            let mut session = Session::new(&settings, Ends::new(&desk, never()).0, bounded(1).0);
            session.obey(Command::Say("//quit".to_owned()));
            session.check_end(Instant::now()).unwrap();
            session.obey(Command::TakeBack);
            for line in lines {
                session.obey(Command::Say((*line).to_owned()));
            }
            assert_eq!(session.check_end(Instant::now()), Err(not_sent));
        }
        // It waited for its turn when the connection was lost.
        let mut session = Session::new(&settings, Ends::new(&desk, never()).0, bounded(1).0);
        for line in ["one", "/quit", "two"] {
            assert!(session.waiting.push(line.to_owned()));
        }
        session.lose(&io::ErrorKind::BrokenPipe.into()).unwrap();
        let not_sent = Err("2 lines were not sent.".to_owned());
        assert_eq!(session.check_end(Instant::now()), Err(not_sent));
    }
}
