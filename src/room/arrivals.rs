//! Words what the room hears about who comes and goes: each change at once while there are few, and
//! one line a second for all of a kind while there are many. When a second ends is left to the
//! broadcaster.

use std::mem::take;
use std::sync::Arc;

/// Maximum number of changes in a second that are each announced.
const MAX_ALONE: u64 = 5;

/// Number of names in a line about many.
const N_NAMED: usize = 2;

/// A change in who is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Somebody of this name came.
    Joined(Arc<str>),
    /// Somebody of this name left.
    Left(Arc<str>),
    /// Somebody changed the first name for the second.
    Renamed(Arc<str>, Arc<str>),
}

/// The changes of the current second.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// The changes that have not been announced: `Joined`, `Left` and `Renamed`.
    waiting: [Group; 3],
    n_in_second: u64,
    /// Whether the last second had too many changes. Then all of this one wait for its end.
    is_storm: bool,
}

/// Changes of one kind.
#[derive(Debug, Default)]
struct Group {
    first: Vec<String>,
    n_changes: usize,
}

impl Arrivals {
    /// Returns the line that announces `change`, newline included, or `None` if there are so many
    /// that it waits for the end of the second.
    pub fn announce(&mut self, change: &Change) -> Option<String> {
        self.n_in_second += 1;
        if self.n_in_second <= MAX_ALONE && !self.is_storm {
            return Some(match change {
                Change::Joined(name) => format!("* {name} joined.\n"),
                Change::Left(name) => format!("* {name} left.\n"),
                Change::Renamed(from, to) => format!("* {from} is now {to}.\n"),
            });
        }
        let [joined, left, renamed] = &mut self.waiting;
        match change {
            Change::Joined(name) => joined.add(name),
            Change::Left(name) => left.add(name),
            Change::Renamed(from, _) => renamed.add(from),
        }
        None
    }

    /// Ends a second, and returns lines about all changes that waited for that, at most one for each
    /// kind.
    pub fn end_second(&mut self) -> impl Iterator<Item = String> {
        self.is_storm = take(&mut self.n_in_second) > MAX_ALONE;
        let groups = take(&mut self.waiting).into_iter();
        let predicates = ["joined", "left", "took another name"];
        groups
            .zip(predicates)
            .filter(|(group, _)| group.n_changes > 0)
            .map(|(group, predicate)| format!("* {} {predicate}.\n", group.names()))
    }

    /// Whether the current second matters: there were changes in it, or many in the last one.
    pub fn has_begun(&self) -> bool {
        self.n_in_second > 0 || self.is_storm
    }
}

impl Group {
    fn add(&mut self, name: &str) {
        if self.first.len() < N_NAMED {
            self.first.push(name.to_owned());
        }
        self.n_changes += 1;
    }

    fn names(&self) -> String {
        let n_others = self.n_changes - self.first.len();
        match n_others {
            0 => self.first.join(" and "),
            1 => format!("{} and 1 other", self.first.join(", ")),
            _ => format!("{} and {n_others} others", self.first.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(arrivals: &mut Arrivals) -> String {
        arrivals.end_second().collect()
    }

    #[test]
    fn few_changes_are_announced_at_once() {
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.has_begun());
        let lines = [
            arrivals.announce(&Change::Joined("Rick".into())),
            arrivals.announce(&Change::Renamed("Rick".into(), "Pickle Rick".into())),
            arrivals.announce(&Change::Left("Pickle Rick".into())),
        ];
        assert_eq!(
            lines.map(Option::unwrap),
            [
                "* Rick joined.\n",
                "* Rick is now Pickle Rick.\n",
                "* Pickle Rick left.\n"
            ]
        );
        assert!(arrivals.has_begun());
        assert_eq!(ended(&mut arrivals), "");
        assert!(!arrivals.has_begun());
    }

    #[test]
    fn more_than_five_in_a_second_are_merged() {
        let mut arrivals = Arrivals::default();
        let mut join = |name: &str| arrivals.announce(&Change::Joined(name.into())).is_some();
        assert!((0..5).all(|n| join(&n.to_string())));
        assert!(!join("Rick"));
        assert_eq!(ended(&mut arrivals), "* Rick joined.\n");
        for (n_joins, line) in [
            (2, "* 0 and 1 joined.\n"),
            (3, "* 0, 1 and 1 other joined.\n"),
            (43, "* 0, 1 and 41 others joined.\n"),
        ] {
            // The last second had too many, so nobody of this one is announced alone.
            arrivals.is_storm = true;
            for n in 0..n_joins {
                assert_eq!(
                    arrivals.announce(&Change::Joined(n.to_string().into())),
                    None
                );
            }
            assert_eq!(ended(&mut arrivals), line);
        }
    }

    #[test]
    fn a_storm_of_all_kinds_is_three_lines_a_second_and_ends() {
        let mut arrivals = Arrivals {
            is_storm: true,
            ..Arrivals::default()
        };
        for _ in 0..5000 {
            arrivals.announce(&Change::Joined("a".into()));
            arrivals.announce(&Change::Left("a".into()));
            arrivals.announce(&Change::Renamed("b".into(), "c".into()));
        }
        assert_eq!(
            ended(&mut arrivals),
            "* a, a and 4998 others joined.\n\
             * a, a and 4998 others left.\n\
             * b, b and 4998 others took another name.\n"
        );
        assert!(arrivals.has_begun());
        assert_eq!(ended(&mut arrivals), "");
        assert!(!arrivals.has_begun());
        assert!(arrivals.announce(&Change::Joined("a".into())).is_some());
    }
}
