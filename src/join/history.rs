//! Remembers what was sent, and goes through it. It is in memory only. Keys are left to `keys`.

use std::collections::VecDeque;

/// Maximum number of lines to remember.
const MAX_LINES: usize = 500;

/// What was sent, oldest first, and the place in it.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    /// Index of the line that is shown, if one is.
    shown: Option<usize>,
    /// What was typed before the first step.
    draft: String,
    /// What is searched for.
    needle: Option<String>,
}

impl History {
    /// Adds a line that was sent, and goes back to the end.
    pub fn add(&mut self, line: &str) {
        self.shown = None;
        self.needle = None;
        if self.lines.back().is_none_or(|last| last != line) {
            self.lines.push_back(line.to_owned());
        }
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
    }

    /// Returns the next older line, if there is one. `typed` is what is in the row now.
    pub fn older(&mut self, typed: &str) -> Option<&str> {
        self.needle = None;
        self.step_back(typed, |_| true)
    }

    /// Returns the next newer line, or in the end what was typed.
    pub fn newer(&mut self) -> Option<&str> {
        self.needle = None;
        let next = self.shown? + 1;
        self.shown = (next < self.lines.len()).then_some(next);
        Some(self.shown.map_or(&self.draft, |index| &self.lines[index]))
    }

    /// Returns the newest line that contains what was typed, and with each further call an older
    /// one.
    pub fn search(&mut self, typed: &str) -> Option<&str> {
        let goes_on = self.shown.is_some_and(|index| self.lines[index] == typed);
        let needle = match self.needle.take() {
            Some(needle) if goes_on => needle,
            _ => {
                self.shown = None;
                typed.to_lowercase()
            }
        };
        self.needle = Some(needle.clone());
        self.step_back(typed, |line| {
            line != typed && line.to_lowercase().contains(&needle)
        })
    }

    fn step_back(&mut self, typed: &str, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        let end = self.shown.unwrap_or(self.lines.len());
        let found = (0..end).rev().find(|index| wanted(&self.lines[*index]))?;
        if self.shown.is_none() {
            typed.clone_into(&mut self.draft);
        }
        self.shown = Some(found);
        Some(&self.lines[found])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        for line in ["moth one", "relay", "moth two", "moth two"] {
            history.add(line);
        }
        history
    }

    #[test]
    fn up_and_down_go_through_what_was_sent_and_end_at_the_draft() {
        let mut history = history();
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("dra"), Some("moth two"));
        assert_eq!(history.older("moth two"), Some("relay"));
        assert_eq!(history.older("relay"), Some("moth one"));
        assert_eq!(history.older("moth one"), None);
        assert_eq!(history.newer(), Some("relay"));
        assert_eq!(history.newer(), Some("moth two"));
        assert_eq!(history.newer(), Some("dra"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn a_search_goes_further_back_each_time() {
        let mut history = history();
        assert_eq!(history.search("MOTH"), Some("moth two"));
        assert_eq!(history.search("moth two"), Some("moth one"));
        assert_eq!(history.search("moth one"), None);
        assert_eq!(history.newer(), Some("relay"));
        assert_eq!(history.search("nothing"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut history = History::default();
        (0..2 * MAX_LINES).for_each(|number| history.add(&number.to_string()));
        assert_eq!(history.lines.len(), MAX_LINES);
    }
}
