//! Knows which of the lines that were sent have not come back. It cuts and cleans a line as the
//! server does, so that it knows what will come. It is told the time.

use super::line;
use crate::protocol::command::Command;
use crate::protocol::lines::Lines;
use crate::protocol::notice::Notice;
use crate::protocol::utterance::{Speech, Utterance};
use std::collections::VecDeque;
use std::time::Instant;

/// What comes back of something that was sent.
#[derive(Debug, PartialEq, Eq)]
enum Echo {
    /// This text, with the name in front.
    Said(String),
    /// A line to this person alone.
    Answer,
    /// The name.
    Name,
    /// The end, perhaps after a last word.
    End,
}

#[derive(Debug)]
struct Sent {
    echo: Echo,
    /// The whole line as it was typed, with the last of its pieces.
    line: Option<String>,
    at: Instant,
}

/// The lines that were sent and have not been heard.
#[derive(Debug, Default)]
pub struct Unheard {
    sent: VecDeque<Sent>,
}

/// Returns what the server makes of a line: nothing if it draws nothing.
pub fn meaning(line: &str) -> Vec<Utterance> {
    let mut source = line.as_bytes();
    let (mut lines, mut speech) = (Lines::default(), Speech::default());
    let mut meaning = Vec::new();
    loop {
        while let Some(piece) = lines.next_line() {
            meaning.extend(speech.utterance(&piece));
        }
        // Reading from memory can't fail.
        if lines.is_finished() || lines.fill(&mut source).is_err() {
            return meaning;
        }
    }
}

/// Whether `line` asks the server to end the stay.
pub fn quits(line: &str) -> bool {
    meaning(line).contains(&Utterance::Asked(Command::Quit))
}

impl Unheard {
    /// Notes that `line` was sent, which means `meaning`.
    pub fn sent(&mut self, line: String, meaning: Vec<Utterance>, now: Instant) {
        for utterance in meaning {
            let echo = match utterance {
                Utterance::Said(text) => Echo::Said(text),
                Utterance::Asked(Command::Me(text)) => Echo::Said(format!("*{text}*")),
                Utterance::Asked(Command::Nick(_)) => Echo::Name,
                Utterance::Asked(Command::Quit) => Echo::End,
                Utterance::Asked(_) => Echo::Answer,
            };
            let (line, at) = (None, now);
            self.sent.push_back(Sent { echo, line, at });
        }
        if let Some(last) = self.sent.back_mut() {
            last.line = Some(line);
        }
    }

    /// Notes that the server was asked for the name, which it answers after everything sent before.
    pub fn asked(&mut self, now: Instant) {
        let (echo, line, at) = (Echo::Name, None, now);
        self.sent.push_back(Sent { echo, line, at });
    }

    /// Whether the last thing sent was that question.
    pub fn is_asked(&self) -> bool {
        let last = self.sent.back();
        last.is_some_and(|sent| sent.echo == Echo::Name && sent.line.is_none())
    }

    /// Notes what came from the server, for the person called `me`. What was sent before something
    /// that has come back has been said too, though its echo may have been missed. Returns whether
    /// something has come back.
    pub fn heard(&mut self, heard: &str, me: &str) -> bool {
        if self.sent.is_empty() {
            return false;
        }
        let own = heard
            .strip_prefix(me)
            .and_then(|rest| rest.strip_prefix("> "));
        let place = if let Some(text) = own {
            self.sent
                .iter()
                .position(|sent| matches!(&sent.echo, Echo::Said(said) if said == text))
        } else if let Ok(Notice::YouAre(_)) = heard.parse() {
            self.sent.iter().position(|sent| sent.echo == Echo::Name)
        } else if line::may_answer(heard) {
            let is_answered = |sent: &Sent| sent.echo != Echo::Name || sent.line.is_some();
            let first = self.sent.front();
            let is_command = first.is_some_and(|it| !matches!(it.echo, Echo::Said(_)));
            (is_command && first.is_some_and(is_answered)).then_some(0)
        } else {
            None
        };
        if let Some(place) = place {
            self.sent.drain(..=place);
        }
        place.is_some()
    }

    /// Returns when the oldest line was sent that has not been heard.
    pub fn oldest(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at)
    }

    /// Returns how many lines, or pieces of lines, have not been heard.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Returns how many lines have not been heard whole and should have been.
    pub fn n_lines(&self) -> usize {
        let lines = self.sent.iter().filter(|sent| sent.line.is_some());
        lines.filter(|sent| sent.echo != Echo::End).count()
    }

    /// Whether everything that was sent has been heard.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Removes all lines that have not been heard, and returns them as they were typed.
    pub fn take(&mut self) -> Vec<String> {
        self.sent.drain(..).filter_map(|sent| sent.line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MAX_LINE;

    fn sent(lines: &[&str]) -> Unheard {
        let mut unheard = Unheard::default();
        for line in lines {
            unheard.sent((*line).to_owned(), meaning(line), Instant::now());
        }
        unheard
    }

    #[test]
    fn a_line_is_heard_when_it_comes_back() {
        let mut unheard = sent(&["hi", "hi", " a\tb "]);
        unheard.heard("Bob> hi", "Ada");
        assert_eq!(unheard.len(), 3);
        assert!(unheard.heard("Ada> hi", "Ada"));
        assert!(!unheard.heard("Ada> he", "Ada"));
        assert_eq!(unheard.len(), 2);
        unheard.heard("Ada> a b", "Ada");
        assert!(unheard.is_empty());
    }

    #[test]
    fn commands_are_answered_by_what_is_for_this_person() {
        let mut unheard = sent(&["/who", "/me waves", "/nick Ada 2", "hi"]);
        unheard.heard("* Bob joined.", "Ada");
        assert_eq!(unheard.len(), 4);
        unheard.heard("* Nobody else is here.", "Ada");
        assert_eq!(unheard.len(), 3);
        unheard.heard("Ada> *waves*", "Ada");
        unheard.heard("* You are \"Ada 2\".", "Ada");
        unheard.heard("Ada 2> hi", "Ada 2");
        assert!(unheard.is_empty());
    }

    #[test]
    fn a_refused_name_answers_the_command_but_no_other_question() {
        let mut unheard = sent(&["/nick Bob"]);
        unheard.heard("* \"Bob\" is taken. Try \"Bob 2\".", "Ada");
        assert!(unheard.is_empty());
        unheard.asked(Instant::now());
        unheard.heard("* Nobody else is here.", "Ada");
        assert_eq!(unheard.len(), 1);
    }

    #[test]
    fn the_answer_to_are_you_there_shows_that_everything_before_was_said() {
        let mut unheard = sent(&["a", "b"]);
        unheard.asked(Instant::now());
        unheard.sent("c".to_owned(), meaning("c"), Instant::now());
        unheard.heard("* You are \"Ada\".", "Ada");
        assert_eq!(unheard.take(), ["c"]);
    }

    #[test]
    fn a_long_line_comes_back_in_pieces_and_is_named_once() {
        let long = "x".repeat(MAX_LINE + 10);
        let mut unheard = sent(&[&long]);
        assert_eq!((unheard.len(), unheard.n_lines()), (2, 1));
        unheard.heard(&format!("Ada> {}", "x".repeat(MAX_LINE)), "Ada");
        assert_eq!(unheard.take(), [long]);
    }

    #[test]
    fn to_quit_leaves_nothing_that_should_come_back() {
        assert_eq!(sent(&["hi", "/quit", "more"]).n_lines(), 2);
    }

    #[test]
    fn what_draws_nothing_means_nothing() {
        for line in ["", "  ", "\u{200d}"] {
            assert_eq!(meaning(line), []);
        }
    }
}
