//! Passes on what somebody says to one person alone: to this server's room, or to the other server that
//! the person is on.

use super::Uplink;
use crate::protocol::addressee::Letter;
use crate::protocol::message_to;
use crate::protocol::notice::Notice;
use crate::room::event::{Addressee, ClientId, Event, Outgoing, Writer};
use crate::server::link::answers::Failure;
use crate::server::link::letters::{self, Found, Mail};
use std::iter;
use std::sync::Arc;

impl Uplink<'_> {
    /// Passes letters on, or says to their writers why that can't be done.
    pub(super) fn mail(&mut self, letters: Vec<(ClientId, Letter)>) {
        if letters.is_empty() {
            return;
        }
        let found = self.try_to_mail(&letters).unwrap_or_else(|failure| {
            self.fail(&failure);
            Vec::new()
        });
        let found = found
            .into_iter()
            .map(Some)
            .chain(iter::repeat_with(|| None));
        for ((from, letter), found) in letters.into_iter().zip(found) {
            self.tell_room(match found {
                Some(Found::Somebody { server, .. }) if server == self.link.me => {
                    Event::SaidTo { from, letter }
                }
                Some(Found::Somebody { text, .. }) if text.is_empty() => {
                    told(from, &Notice::IncompleteCommand)
                }
                Some(Found::Somebody { name, text, .. }) => Event::Told {
                    id: from,
                    lines: message_to(&name, &text),
                },
                Some(Found::Nobody) => told(from, &Notice::NobodyOfThatName),
                None => told(from, &Notice::NotDelivered),
            });
        }
    }

    fn try_to_mail(&mut self, letters: &[(ClientId, Letter)]) -> Result<Vec<Found>, Failure> {
        let named = letters.iter().map(|(from, letter)| {
            // One who has left meanwhile hears no answer.
            let name = self.registry.name(*from).unwrap_or_default();
            (*from, name, letter)
        });
        let named: Vec<_> = named.collect();
        match self.lively_engine()? {
            Some(engine) => letters::send(engine, &named),
            None => Ok(Vec::new()),
        }
    }

    /// Passes on what the room has for another server.
    pub(super) fn send_out(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Reply {
                from,
                name,
                to,
                text,
            } => {
                let event = self.answer_elsewhere(from, name, &to, text);
                self.tell_room(event);
            }
            Outgoing::Undelivered { to, was_full } => {
                let mail = Mail::Undelivered {
                    to: to.id,
                    was_full,
                };
                if let Err(failure) = self.post(&to.server, &mail) {
                    self.fail(&failure);
                }
            }
        }
    }

    /// Sends an answer, and returns what its writer is told.
    fn answer_elsewhere(
        &mut self,
        from: ClientId,
        own_name: Arc<str>,
        to: &Writer,
        text: String,
    ) -> Event {
        let lines = message_to(&to.name, &text);
        let letter = Mail::Letter {
            to: Addressee::Id(to.id),
            writer: Writer {
                server: Arc::from(self.link.me.as_str()),
                id: from,
                name: own_name,
            },
            text,
        };
        match self.post(&to.server, &letter) {
            Ok(true) => Event::Told { id: from, lines },
            Ok(false) => told(from, &Notice::NotDelivered),
            Err(failure) => {
                self.fail(&failure);
                told(from, &Notice::NotDelivered)
            }
        }
    }

    /// Returns whether the server lives, which is then sure to get the mail.
    fn post(&mut self, server: &str, mail: &Mail) -> Result<bool, Failure> {
        match self.lively_engine()? {
            Some(engine) => letters::post(engine, server, mail),
            None => Ok(false),
        }
    }
}

fn told(id: ClientId, notice: &Notice) -> Event {
    let lines = notice.line();
    Event::Told { id, lines }
}
