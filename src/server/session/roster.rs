//! Records the names in use. A name is held by a guard and is free again when that is dropped, on
//! every path out of a session. The rules for names, and for when two look the same, are left to
//! `protocol`.

use crate::protocol::lookalikes::Key;
use crate::protocol::names;
use crate::protocol::notice::Notice;
use crossbeam_channel::Sender;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Maximum number of names that are looked up for one suggestion. Nobody can hold so many of those
/// that come first.
const MAX_LOOK_UPS: usize = 40;

/// The names in use.
#[derive(Debug, Default)]
pub struct Roster {
    /// How many times each text of a key is held.
    taken: Mutex<HashMap<String, usize>>,
    n_names: AtomicU64,
    /// Number of the next name.
    next: AtomicU64,
    /// What a link must know of names, if there is one.
    linked: Mutex<Option<Linked>>,
    /// Whether some names wait to be replaced.
    has_replacements: AtomicBool,
}

/// What passes between the names and a link.
#[derive(Debug)]
struct Linked {
    /// The numbers of names that are free now.
    freed: Vec<u64>,
    /// Takes a message when there are some.
    woken: Sender<()>,
    /// The names that others have got on another server, with those that their owners have now.
    replacements: HashMap<u64, Arc<str>>,
}

/// A name, held until this is dropped.
#[derive(Debug)]
pub struct Name<'a> {
    roster: &'a Roster,
    number: u64,
    shown: Arc<str>,
    keys: Vec<Key>,
}

impl Roster {
    /// Takes the name that a client gave, if it is allowed and free.
    ///
    /// # Errors
    /// The refusal to send to the client.
    pub fn claim(&self, given: &str) -> Result<Name<'_>, Notice> {
        self.claim_beside(given, &[])
    }

    /// Takes the name that a client gave, which may look like one whose keys are `own`.
    fn claim_beside(&self, given: &str, own: &[Key]) -> Result<Name<'_>, Notice> {
        let wanted = names::check(given)?;
        let keys = Key::all_of(&wanted);
        if self.take(&keys, own) {
            self.n_names.fetch_add(1, Ordering::Relaxed);
            return Ok(Name {
                roster: self,
                number: self.next.fetch_add(1, Ordering::Relaxed),
                shown: wanted.into(),
                keys,
            });
        }
        let free = self.similar(&wanted).next();
        // Even if one of its numbers was taken meanwhile, the client may try the name.
        let free = free.unwrap_or_else(|| wanted.clone());
        Err(Notice::TakenName { wanted, free })
    }

    /// Returns names like `taken` that are free.
    pub fn similar(&self, taken: &str) -> impl Iterator<Item = String> {
        let n_names = self.n_names.load(Ordering::Relaxed);
        let similar = names::similar(taken, n_names).take(MAX_LOOK_UPS);
        similar.filter(|name| self.is_free(name))
    }

    /// Lets a link know of names that are free again: `woken` takes a message then.
    pub fn link(&self, woken: Sender<()>) {
        *self.linked.lock() = Some(Linked {
            freed: Vec::new(),
            woken,
            replacements: HashMap::new(),
        });
    }

    /// Returns the numbers of the names that are free since the last call.
    pub fn take_freed(&self) -> Vec<u64> {
        let mut linked = self.linked.lock();
        linked
            .as_mut()
            .map(|linked| mem::take(&mut linked.freed))
            .unwrap_or_default()
    }

    /// Replaces the name of this number, which somebody on another server has got, by one that a link
    /// has claimed. Its owner takes it before it says something.
    pub fn replace(&self, number: u64, shown: Arc<str>) {
        if let Some(linked) = &mut *self.linked.lock() {
            linked.replacements.insert(number, shown);
        }
        self.has_replacements.store(true, Ordering::SeqCst);
    }

    /// Takes all keys of a name, or none if one of them is not free. The keys in `own` are held by
    /// the same client, and not in its way. Returns whether it took them.
    fn take(&self, keys: &[Key], own: &[Key]) -> bool {
        let mut taken = self.taken.lock();
        release(&mut taken, own);
        let free = keys.iter().all(|key| key.is_free(&taken));
        hold(&mut taken, own);
        if free {
            hold(&mut taken, keys);
        }
        free
    }

    fn is_free(&self, name: &str) -> bool {
        let keys = Key::all_of(name);
        let taken = self.taken.lock();
        keys.iter().all(|key| key.is_free(&taken))
    }
}

impl Name<'_> {
    /// Returns the name as everyone sees it.
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// Returns its number. No two names of a server have the same.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Takes the name that a link has claimed in place of this one, if it has. Returns whether it has.
    pub fn update(&mut self) -> bool {
        if !self.roster.has_replacements.load(Ordering::SeqCst) {
            return false;
        }
        let mut linked = self.roster.linked.lock();
        let replacements = linked.as_mut().map(|linked| &mut linked.replacements);
        let Some(shown) = replacements.and_then(|all| all.remove(&self.number)) else {
            return false;
        };
        drop(linked);
        let keys = Key::all_of(&shown);
        let mut taken = self.roster.taken.lock();
        release(&mut taken, &self.keys);
        hold(&mut taken, &keys);
        (self.shown, self.keys) = (shown, keys);
        true
    }

    /// Takes another name for the same client. Both are held until they are dropped.
    ///
    /// # Errors
    /// The refusal to send to the client.
    pub fn change(&self, given: &str) -> Result<Self, Notice> {
        self.roster.claim_beside(given, &self.keys)
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        self.roster.n_names.fetch_sub(1, Ordering::Relaxed);
        if let Some(linked) = &mut *self.roster.linked.lock() {
            linked.replacements.remove(&self.number);
            linked.freed.push(self.number);
            // If a message waits there already, that will do.
            let _ = linked.woken.try_send(());
        }
        // Only now: who takes it next may ask the other servers at once, and the link must know then.
        release(&mut self.roster.taken.lock(), &self.keys);
    }
}

fn hold(taken: &mut HashMap<String, usize>, keys: &[Key]) {
    for text in keys.iter().flat_map(Key::texts) {
        *taken.entry(text.clone()).or_insert(0) += 1;
    }
}

fn release(taken: &mut HashMap<String, usize>, keys: &[Key]) {
    for text in keys.iter().flat_map(Key::texts) {
        if let Some(n_held) = taken.get_mut(text) {
            *n_held -= 1;
            if *n_held == 0 {
                taken.remove(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_instead_of(roster: &Roster, wanted: &str) -> String {
        match roster.claim(wanted) {
            Err(Notice::TakenName { free, .. }) => free,
            other => panic!("{wanted}: {other:?}"),
        }
    }

    #[test]
    fn a_name_is_held_once_and_free_again_when_dropped() {
        let roster = Roster::default();
        let rick = roster.claim("Rick").unwrap();
        let taken = roster.claim("rICK ").unwrap_err();
        assert_eq!(taken.to_string(), "* \"rICK\" is taken. Try \"rICK 2\".");
        drop(rick);
        assert!(roster.claim("RICK").is_ok());
        assert!(roster.taken.lock().is_empty());
    }

    #[test]
    fn the_suggested_name_is_the_next_free_one() {
        let roster = Roster::default();
        let mut held = vec![
            roster.claim("Rick").unwrap(),
            roster.claim("rick 3").unwrap(),
        ];
        for expected in ["Rick 2", "Rick 4", "Rick 5"] {
            let free = free_instead_of(&roster, "Rick");
            assert_eq!(free, expected);
            held.push(roster.claim(&free).unwrap());
        }
    }

    #[test]
    fn a_name_may_be_changed_for_one_that_looks_the_same_or_is_free() {
        let roster = Roster::default();
        let rick = roster.claim("rick").unwrap();
        let _ada = roster.claim("Ada").unwrap();
        assert!(rick.change("ADA").is_err());
        let capital = rick.change("Rick").unwrap();
        assert!(roster.claim("RICK").is_err());
        drop(rick);
        assert!(roster.claim("RICK").is_err(), "the new name is held");
        let pickle = capital.change("Pickle Rick").unwrap();
        drop(capital);
        assert!(roster.claim("rick").is_ok());
        drop(pickle);
        assert_eq!(
            roster.taken.lock().len(),
            Key::all_of("Ada")
                .iter()
                .flat_map(Key::texts)
                .collect::<std::collections::HashSet<_>>()
                .len()
        );
    }

    #[test]
    fn a_name_that_cannot_be_had_is_refused_before_anybody_is_asked() {
        assert_eq!(
            Roster::default().claim("*").unwrap_err(),
            Notice::ReservedName
        );
    }

    #[test]
    fn a_look_is_shared_within_a_script_and_kept_from_others() {
        let roster = Roster::default();
        let (al, ai) = (roster.claim("Al").unwrap(), roster.claim("AI").unwrap());
        let cyrillic = "Аӏ";
        assert_eq!(free_instead_of(&roster, cyrillic), "Аӏ 2");
        drop(al);
        assert!(roster.claim(cyrillic).is_err());
        assert!(roster.claim("A1").is_ok());
        drop(ai);
        let _cyrillic = roster.claim(cyrillic).unwrap();
        assert_eq!(free_instead_of(&roster, "Al"), "Al 2");
    }
}
