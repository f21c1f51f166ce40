//! Loses the connection and comes back: what was sent and not heard is named, and never sent again.

use super::connection::Connection;
use super::{End, Session};
use crate::client;
use crate::join::door::{Entered, Refusal};
use crate::join::screen::write;
use crate::join::unheard::quits;
use crate::random;
use std::io;
use std::thread::Scope;
use std::time::Instant;

/// Number of times that one's own name may be taken at a reconnect, before another is used: the
/// server may need a while to see that the earlier connection is gone.
const NAME_TRIES: u32 = 4;

impl Session<'_> {
    /// Notes that the connection is lost.
    pub(super) fn lose(&mut self, error: &io::Error) -> Result<(), End> {
        self.connection.close();
        if self.leaving.is_some() {
            return Err(Ok(()));
        }
        if self.quitting {
            // It was asked for, but what comes after it was not.
            return Err(self.loss().map_or(Ok(()), Err));
        }
        if self.is_dismissed || !self.settings.reconnects {
            let why = if self.is_dismissed {
                "You were asked to leave.".to_owned()
            } else {
                client::lost(error)
            };
            return Err(Err(match self.loss() {
                Some(loss) => format!("{why} {loss}"),
                None => why,
            }));
        }
        self.batch.tell("The connection is lost.");
        self.name_unheard();
        self.quitting = self.waiting.remove(quits);
        self.retry();
        Ok(())
    }

    /// Tells what was sent and not heard.
    fn name_unheard(&mut self) {
        for line in self.unheard.take() {
            self.batch
                .tell(&format!("This was sent and not heard: {line}"));
        }
    }

    /// Shows the last that is to be shown to one who leaves on a terminal. The keyboard has stopped
    /// reading, so the printer prints nothing more, and the cursor is where the prompt was.
    pub(super) fn take_leave(mut self) {
        self.name_unheard();
        while self.ends.printed.try_recv().is_ok() {
            self.batch.printed();
        }
        write(&self.batch.rest());
    }

    pub(super) fn retry(&mut self) {
        let wait = self.backoff.wait(random::fraction());
        self.connection = Connection::away(Instant::now() + wait);
    }

    /// Takes the outcome of a try to come back.
    pub(super) fn come_back<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        entered: Result<Entered, Refusal>,
    ) {
        match entered {
            Ok(entered) => {
                self.backoff.reset();
                self.n_names_refused = 0;
                self.told_reason.clear();
                self.enter(scope, entered);
            }
            Err(Refusal::Password { .. }) => {
                self.tell_reason(
                    "The room has another password now: leave, and join again.".to_owned(),
                );
                self.retry();
            }
            Err(Refusal::Failed(reason) | Refusal::Name { reason, free: None }) => {
                self.tell_reason(reason);
                self.retry();
            }
            Err(Refusal::Name {
                free: Some(free), ..
            }) => {
                self.n_names_refused += 1;
                let me = self.ends.desk.name();
                if self.n_names_refused < NAME_TRIES {
                    self.tell_reason(format!(
                        "\"{me}\" is taken, perhaps still by your lost connection. If it stays so, \
                         you will be \"{free}\"."
                    ));
                } else {
                    self.tell_reason(format!("You are \"{free}\" now, since \"{me}\" is taken."));
                    self.ends.desk.set_name(&free);
                    self.batch.rename();
                }
                if self.n_names_refused == NAME_TRIES {
                    // The other name can be had at once.
                    self.backoff.reset();
                }
                self.retry();
            }
        }
    }

    /// Tells why it could not come back, unless that was told last.
    fn tell_reason(&mut self, reason: String) {
        if self.told_reason != reason {
            self.batch.tell(&reason);
            self.told_reason = reason;
        }
    }

    pub(super) fn enter<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, entered: Entered) {
        let now = Instant::now();
        let name = entered.name;
        if self.ends.desk.name() != name {
            self.ends.desk.set_name(&name);
            self.batch.rename();
        }
        for line in &entered.lines {
            self.show(line, &name, now);
        }
        self.last_progress = now;
        self.connection = Connection::within(scope, entered.hearing);
    }
}
