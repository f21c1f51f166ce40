//! Keeps the names of this server's people with the engine, so that no two servers give the same
//! one. Whether a name is free on this server is left to the roster, which is asked first.
//!
//! The engine keeps them for ten seconds after this server was heard of last. Then others may get them,
//! and this server has to enter again before it can say anything.

use super::answers::{Failure, Reply, Script};
use super::changes;
use super::engine::Engine;
use crate::protocol::names::is_normal;
use crate::room::arrivals::Change;
use crate::room::event::ClientId;
use crate::server::elsewhere::{Claim, Present, Wanted};
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

/// Number of names that are taken again in one step.
const PART: usize = 200;

/// The names of this server, by their numbers in its roster.
#[derive(Debug, Default)]
pub struct Registry {
    held: BTreeMap<u64, Held>,
    /// The epoch in which the engine has all of them, as far as this server knows.
    entered: Option<String>,
    names: HashMap<ClientId, Arc<str>>,
    /// Who came and went, and was not announced yet.
    changes: String,
}

#[derive(Debug)]
struct Held {
    id: ClientId,
    wanted: Wanted,
    /// Whether its owner has another name by now, or none yet: the engine may hold it all the same.
    is_former: bool,
}

/// A name that somebody on another server has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its number in the roster.
    pub number: u64,
    /// Whose it was.
    pub id: ClientId,
    /// The name.
    pub shown: Arc<str>,
}

impl Registry {
    /// Returns the name of a client.
    pub fn name(&self, id: ClientId) -> Option<Arc<str>> {
        self.names.get(&id).cloned()
    }

    /// Tells the engine that this server lives, and takes its names again if others may have got them
    /// meanwhile. Then returns those that they have.
    ///
    /// # Errors
    /// Why it did not answer.
    pub fn keep(&mut self, engine: &mut Engine, epoch: &str) -> Result<Option<Vec<Lost>>, Failure> {
        // In another epoch, the engine may have gone back to names of before.
        if self.is_in(epoch) && engine.call(Script::Beat, &[])? != Reply::Number(0) {
            return Ok(None);
        }
        // If the answer gets lost, it has to enter again, or it would never know what was lost.
        self.entered = None;
        let lost = self.enter(engine)?;
        self.entered = Some(epoch.to_owned());
        Ok(Some(lost))
    }

    /// Whether the engine has all names, as far as this server knows.
    pub fn is_in(&self, epoch: &str) -> bool {
        self.entered.as_deref() == Some(epoch)
    }

    fn enter(&mut self, engine: &mut Engine) -> Result<Vec<Lost>, Failure> {
        // The engine forgets them with the rest.
        self.held.retain(|_, held| !held.is_former);
        let held: Vec<_> = self.held.iter().collect();
        let n_parts = held.len().div_ceil(PART).max(1);
        let mut lost = Vec::new();
        for part in 0..n_parts {
            let names = held.iter().skip(part * PART).take(PART);
            let word = match (part == 0, part + 1 == n_parts) {
                (true, true) => "only",
                (true, false) => "first",
                (false, true) => "last",
                (false, false) => "next",
            };
            let mut arguments = vec![word.to_owned()];
            names
                .clone()
                .for_each(|(_, held)| add(&mut arguments, &held.wanted));
            let reply = call(engine, Script::Enter, &arguments)?;
            let entered = reply.list().and_then(|it| it.try_into().ok());
            let [is_in, places] = entered.ok_or_else(Failure::misunderstood)?;
            if is_in != Reply::Number(1) {
                return Err(Failure::Away("it is too slow".to_owned()));
            }
            for place in places.list().unwrap_or_default() {
                let place = place.number().and_then(|place| usize::try_from(place).ok());
                let found = place.and_then(|place| names.clone().nth(place.checked_sub(1)?));
                lost.extend(found.map(|(number, held)| Lost {
                    number: **number,
                    id: held.id,
                    shown: Arc::clone(&held.wanted.shown),
                }));
            }
        }
        Ok(lost)
    }

    /// Claims the first of the names in `wanted` for a client, unless somebody has it.
    ///
    /// # Errors
    /// Why the engine did not answer.
    pub fn claim(
        &mut self,
        engine: &mut Engine,
        id: ClientId,
        number: u64,
        earlier: Option<u64>,
        wanted: &[Wanted],
    ) -> Result<Claim, Failure> {
        let own = earlier.and_then(|number| self.held.get(&number));
        let claimed = claim(engine, "first", own.map(|held| &held.wanted), wanted);
        if let (Err(_), Some(first)) = (&claimed, wanted.first()) {
            // It may have been taken all the same, and must be given free then.
            let held = Held {
                id,
                wanted: first.clone(),
                is_former: true,
            };
            self.held.insert(number, held);
        }
        let (word, place, is_lost) = claimed?;
        let name = place.and_then(|place| wanted.get(place));
        match (word.as_str(), name) {
            ("taken", Some(name)) => {
                let shown = &name.shown;
                let change = match earlier.and_then(|number| self.held.get_mut(&number)) {
                    Some(earlier) => {
                        earlier.is_former = true;
                        Change::Renamed(Arc::clone(&earlier.wanted.shown), Arc::clone(shown))
                    }
                    None => Change::Joined(Arc::clone(shown)),
                };
                self.changes += &changes::text_of(&change);
                self.hold(number, id, name.clone());
                Ok(Claim::Taken)
            }
            ("lapsed", _) => {
                self.entered = None;
                Ok(Claim::Away)
            }
            _ => Ok(Claim::Refused {
                free: name.map(|name| Arc::clone(&name.shown)),
                is_lost,
            }),
        }
    }

    /// Claims any of the names in `wanted` in place of one that was lost, and returns it.
    ///
    /// # Errors
    /// Why the engine did not answer, or that none of them is free.
    pub fn replace(
        &mut self,
        engine: &mut Engine,
        lost: &Lost,
        wanted: &[Wanted],
    ) -> Result<Arc<str>, Failure> {
        let (_, place, _) = claim(engine, "any", None, wanted)?;
        let name = place.and_then(|place| wanted.get(place));
        let name = name.ok_or_else(|| Failure::Away("no name is free".to_owned()))?;
        let change = Change::Renamed(Arc::clone(&lost.shown), Arc::clone(&name.shown));
        self.changes += &changes::text_of(&change);
        self.hold(lost.number, lost.id, name.clone());
        Ok(Arc::clone(&name.shown))
    }

    fn hold(&mut self, number: u64, id: ClientId, wanted: Wanted) {
        self.names.insert(id, Arc::clone(&wanted.shown));
        let held = Held {
            id,
            wanted,
            is_former: false,
        };
        self.held.insert(number, held);
    }

    /// Returns whose the name of this number is, if it is not a former one.
    pub fn owner(&self, number: u64) -> Option<ClientId> {
        let held = self.held.get(&number).filter(|held| !held.is_former);
        held.map(|held| held.id)
    }

    /// Gives names free. Those that nobody has are ignored.
    ///
    /// # Errors
    /// Why the engine did not answer. Trying it again is safe.
    pub fn free(&mut self, engine: &mut Engine, numbers: &[u64]) -> Result<(), Failure> {
        let mut arguments = Vec::new();
        for held in numbers.iter().filter_map(|number| self.held.get(number)) {
            add(&mut arguments, &held.wanted);
        }
        if !arguments.is_empty() {
            call(engine, Script::Free, &arguments)?;
        }
        let freed = numbers.iter().filter_map(|number| self.held.remove(number));
        for held in freed.filter(|held| !held.is_former) {
            self.names.remove(&held.id);
            self.changes += &changes::text_of(&Change::Left(held.wanted.shown));
        }
        Ok(())
    }

    /// Whether somebody came or went who was not announced yet.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Announces who came and went, in `epoch`.
    ///
    /// # Errors
    /// Why the engine did not answer.
    pub fn announce(&mut self, engine: &mut Engine, epoch: &str) -> Result<(), Failure> {
        let end = changes::end_of_part(&self.changes);
        let arguments = [epoch, &self.changes[..end]].map(str::as_bytes);
        let reply = engine.call(Script::Announce, &arguments)?;
        if reply == Reply::Number(1) {
            self.changes = self.changes.split_off(end);
        }
        Ok(())
    }

    /// Gives all names free: this server stops.
    ///
    /// # Errors
    /// Why the engine did not answer.
    pub fn depart(&mut self, engine: &mut Engine) -> Result<(), Failure> {
        let _ = mem::take(self);
        engine.call(Script::Depart, &[]).map(drop)
    }
}

/// Returns who is on all servers.
///
/// # Errors
/// Why the engine did not answer.
pub fn who(engine: &mut Engine, n_listed: usize, many: usize) -> Result<Present, Failure> {
    let reply = call(
        engine,
        Script::Who,
        &[n_listed.to_string(), many.to_string()],
    )?;
    let present = |reply: Reply| {
        let [n_people, listed] = reply.list()?.try_into().ok()?;
        let listed = listed.list()?.into_iter().map(Reply::word);
        // Others wrote these.
        let is_name = |name: &String| is_normal(name);
        Some(Present {
            n_people: usize::try_from(n_people.number()?).ok()?,
            listed: listed.flatten().filter(is_name).collect(),
        })
    };
    present(reply).ok_or_else(Failure::misunderstood)
}

fn claim(
    engine: &mut Engine,
    which: &str,
    earlier: Option<&Wanted>,
    wanted: &[Wanted],
) -> Result<(String, Option<usize>, bool), Failure> {
    let mut arguments = vec![which.to_owned()];
    arguments.push(earlier.map_or(String::new(), |it| it.shown.to_string()));
    let keys = earlier.map_or(&[][..], |it| &it.keys);
    let own = keys.iter().flat_map(|(look, in_script)| [look, in_script]);
    arguments.push(own.clone().count().to_string());
    arguments.extend(own.cloned());
    for wanted in wanted {
        add(&mut arguments, wanted);
    }
    let reply = call(engine, Script::Claim, &arguments)?;
    let claimed = |reply: Reply| {
        let [word, place, is_lost] = reply.list()?.try_into().ok()?;
        let place = usize::try_from(place.number()?).ok()?.checked_sub(1);
        Some((word.word()?, place, is_lost.number()? > 0))
    };
    claimed(reply).ok_or_else(Failure::misunderstood)
}

fn add(arguments: &mut Vec<String>, wanted: &Wanted) {
    let n_texts = 2 * wanted.keys.len();
    arguments.extend([
        wanted.shown.to_string(),
        wanted.typed.clone(),
        n_texts.to_string(),
    ]);
    for (look, in_script) in &wanted.keys {
        arguments.extend([look.clone(), in_script.clone()]);
    }
}

fn call(engine: &mut Engine, script: Script, arguments: &[String]) -> Result<Reply, Failure> {
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    engine.call(script, &arguments)
}
