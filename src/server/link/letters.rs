//! Writes what somebody says to one person on another server as the fields of an entry in that
//! server's box, and reads it back. Such an entry is read once, and kept by nobody.

use super::answers::{Failure, Fields, Reply, Script};
use super::engine::Engine;
use crate::protocol::addressee::Letter;
use crate::protocol::names::is_normal;
use crate::protocol::{MAX_LINE, text};
use crate::room::event::{Addressee, ClientId, Writer};
use std::sync::Arc;

/// Something in the box of a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Mail {
    /// Somebody on another server says something to one person here.
    Letter {
        /// The person.
        to: Addressee,
        /// Who says it.
        writer: Writer,
        /// The text.
        text: String,
    },
    /// What somebody here said did not reach the other one.
    Undelivered {
        /// Who said it.
        to: ClientId,
        /// Whether the other one was there, but had no space for it.
        was_full: bool,
    },
}

/// Who a letter is for.
#[derive(Debug)]
pub enum Found {
    /// Somebody on this server, or on another that holds these words to be this.
    Somebody {
        /// The server.
        server: String,
        /// The name as it is shown.
        name: String,
        /// The text.
        text: String,
    },
    /// Nobody.
    Nobody,
}

/// Finds who each of some letters is for, each with its writer's number and name. Whoever is on another
/// server has the letter then.
///
/// # Errors
/// Why the engine did not answer.
pub fn send(
    engine: &mut Engine,
    letters: &[(ClientId, Arc<str>, &Letter)],
) -> Result<Vec<Found>, Failure> {
    let ids: Vec<_> = letters.iter().map(|(id, ..)| id.to_string()).collect();
    let arguments = letters.iter().zip(&ids).map(|((_, from, letter), id)| {
        let mut arguments = vec![id.as_bytes(), from.as_bytes()];
        for (name, text) in letter.readings() {
            arguments.extend([name.as_bytes(), text.as_bytes()]);
        }
        arguments
    });
    let arguments: Vec<_> = arguments.collect();
    let replies = engine.call_each(Script::Mail, &arguments)?;
    let found = letters.iter().zip(replies);
    let found = found.map(|((.., letter), reply)| found_by(letter, reply));
    found
        .map(|it| it.ok_or_else(Failure::misunderstood))
        .collect()
}

fn found_by(letter: &Letter, reply: Reply) -> Option<Found> {
    let [place, name, server] = reply.list()?.try_into().ok()?;
    let place = usize::try_from(place.number()?).ok()?;
    let Some(place) = place.checked_sub(1) else {
        return Some(Found::Nobody);
    };
    let (_, text) = letter.readings().nth(place)?;
    Some(Found::Somebody {
        server: server.word()?,
        name: name.word().filter(|name| is_normal(name))?,
        text: text.to_owned(),
    })
}

/// Puts `mail`, which comes from the server `me`, into the box of `server`. Returns whether that one
/// lives.
///
/// # Errors
/// Why the engine did not answer.
pub fn post(engine: &mut Engine, server: &str, mail: &Mail) -> Result<bool, Failure> {
    let mut arguments = vec![server.to_owned()];
    let mut add = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
    match mail {
        Mail::Letter { to, writer, text } => {
            match to {
                Addressee::Name(name) => add("name", name),
                Addressee::Id(id) => add("number", &id.to_string()),
            }
            add("server", &writer.server);
            add("id", &writer.id.to_string());
            add("from", &writer.name);
            add("x", text);
        }
        Mail::Undelivered { to, was_full } => {
            add(if *was_full { "full" } else { "gone" }, &to.to_string());
        }
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_bytes).collect();
    Ok(engine.call(Script::Post, &arguments)? == Reply::Number(1))
}

/// Reads an entry of this server's box, unless no server of ours wrote it.
pub fn parse(fields: &Fields) -> Option<Mail> {
    let mut texts = Vec::new();
    for (name, value) in fields {
        texts.push((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?));
    }
    match texts[..] {
        [("full" | "gone", id)] => Some(Mail::Undelivered {
            to: id.parse().ok()?,
            was_full: texts[0].0 == "full",
        }),
        [
            (kind, to),
            ("server", server),
            ("id", id),
            ("from", from),
            ("x", said),
        ] => {
            let is_clean = is_normal(from) && said.len() <= MAX_LINE && text::clean(said) == said;
            let is_server = server.len() == 16 && server.bytes().all(|it| it.is_ascii_hexdigit());
            let to = match kind {
                "name" => Addressee::Name(to.to_owned()),
                "number" => Addressee::Id(to.parse().ok()?),
                _ => return None,
            };
            let mail = Mail::Letter {
                to,
                writer: Writer {
                    server: Arc::from(server),
                    id: id.parse().ok()?,
                    name: from.into(),
                },
                text: said.to_owned(),
            };
            (is_clean && is_server).then_some(mail)
        }
        _ => None,
    }
}
