//! Remembers which names are free here, until they may be given free on all servers: somebody else
//! must not get one before all was said that its owner has said. Giving them free is left to `names`.

use crate::room::event::ClientId;
use std::collections::HashSet;
use std::mem;

/// Names that are free here, by their numbers.
#[derive(Debug, Default)]
pub struct Freed {
    /// Each with the number of the last line that its owner may have said.
    names: Vec<(u64, u64)>,
    /// Those of which more may come.
    leaving: Vec<u64>,
    /// Clients whose leave was taken, and whose names are not free yet.
    left: HashSet<ClientId>,
}

impl Freed {
    /// Notes that a client's leave was taken, which comes after all that it has said.
    pub fn note_leave(&mut self, id: ClientId) {
        self.left.insert(id);
    }

    /// Notes that the names of these `numbers` are free here. The line of the number `after` is the last
    /// that was taken, and nothing waits to be if `is_drained`.
    pub fn note(
        &mut self,
        numbers: Vec<u64>,
        after: u64,
        is_drained: bool,
        owner: impl Fn(u64) -> Option<ClientId>,
    ) {
        self.leaving.extend(numbers);
        for number in mem::take(&mut self.leaving) {
            let owner = owner(number);
            if is_drained || owner.is_none_or(|id| self.left.contains(&id)) {
                owner.map(|id| self.left.remove(&id));
                self.push(number, after);
            } else {
                self.leaving.push(number);
            }
        }
    }

    /// Adds a name whose owner has said nothing after the line of the number `after`.
    pub fn push(&mut self, number: u64, after: u64) {
        self.names.push((number, after));
    }

    /// Returns the names that may be given free when `first_unsaid` is the next line to be said.
    pub fn due(&self, first_unsaid: u64) -> Vec<u64> {
        let due = self.names.iter().filter(|(_, after)| *after < first_unsaid);
        due.map(|(number, _)| *number).collect()
    }

    /// Forgets the names that were due then, since they were given free.
    pub fn forget(&mut self, first_unsaid: u64) {
        self.names.retain(|(_, after)| *after >= first_unsaid);
    }

    /// Whether no names are free, and none will be.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.leaving.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_due_when_all_was_said_that_its_owner_has_said() {
        let mut freed = Freed::default();
        let owner = |number| Some(number + 100);
        freed.note_leave(101);
        // The owner of 2 may have said something that was not taken yet.
        freed.note(vec![1, 2], 7, false, owner);
        assert_eq!((freed.due(7), freed.due(8)), (vec![], vec![1]));
        freed.note_leave(102);
        freed.note(vec![], 9, false, owner);
        assert_eq!((freed.due(9), freed.due(10)), (vec![1], vec![1, 2]));
        freed.forget(8);
        assert!(!freed.is_empty());
        freed.forget(10);
        assert!(freed.is_empty());
    }

    #[test]
    fn nothing_is_waited_for_where_nothing_can_come() {
        let mut freed = Freed::default();
        freed.note(vec![1], 7, true, |_| Some(101));
        freed.note(vec![2], 7, false, |_| None);
        freed.push(3, 7);
        assert_eq!(freed.due(8), [1, 2, 3]);
    }
}
