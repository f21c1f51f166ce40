//! Collects what is to be shown, and hands it to the screen in batches, as fast as that takes them.
//! What is shown is left to the session.

use crate::join::line::{self, Kind};
use crate::join::mentions;
use crate::join::screen::ERASE_ABOVE;
use crate::join::settings::Settings;
use crate::protocol::notice::Notice;
use crossbeam_channel::Sender;
use std::mem;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Minimum time between two batches.
const INTERVAL: Duration = Duration::from_millis(16);

/// Size at which a batch is full, in bytes. What comes then waits in the socket.
const FULL: usize = 64 * 1024;

/// Minimum time between two bells.
const BELL: Duration = Duration::from_secs(2);

/// As wide as the time in front of a line.
const NO_CLOCK: &str = "      ";

/// Something to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Whole lines.
    pub text: String,
    /// Our own sentences, if they go another way.
    pub ours: String,
    /// What stands above the prompt until the next piece.
    pub status: Option<String>,
    /// Whether the name has changed.
    pub renamed: bool,
}

/// What is to be shown next.
pub struct Batch<'a> {
    settings: &'a Settings,
    pieces: Sender<Piece>,
    piece: Piece,
    shown_status: Option<String>,
    screen_is_ready: bool,
    last: Instant,
    last_bell: Option<Instant>,
    /// How many of the next lines were said before this person came.
    n_earlier: usize,
}

impl<'a> Batch<'a> {
    /// Returns an empty batch. `pieces` leads to the screen, and has room for one.
    pub fn new(settings: &'a Settings, pieces: Sender<Piece>, now: Instant) -> Self {
        Self {
            settings,
            pieces,
            piece: Piece::default(),
            shown_status: None,
            screen_is_ready: true,
            last: now,
            last_bell: None,
            n_earlier: 0,
        }
    }

    /// Adds a line of the room, as the person called `me` sees it.
    pub fn show(&mut self, line: &str, me: &str, now: Instant) {
        let is_due = self.last_bell.is_none_or(|last| now - last >= BELL);
        if self.settings.rings && is_due && is_for(line, me) {
            self.piece.text.push('\x07');
            self.last_bell = Some(now);
        }
        // Most lines are none, which is seen at once.
        let is_notice = line.starts_with('*');
        let notice: Option<Notice> = is_notice.then(|| line.parse().ok()).flatten();
        if notice == Some(Notice::UpToDate) {
            self.n_earlier = 0;
        }
        let is_earlier = self.n_earlier > 0;
        self.n_earlier = match notice {
            Some(Notice::History(n_lines)) => n_lines,
            _ => self.n_earlier.saturating_sub(1),
        };
        let dressed = self.settings.looks.dressed(line, me);
        self.add(&dressed, is_earlier);
    }

    /// Adds a sentence of our own.
    pub fn tell(&mut self, sentence: &str) {
        if self.settings.speaks_apart {
            self.piece.ours.extend([sentence, "\n"]);
        } else {
            let line = self.settings.looks.dim(&format!("* {sentence}"));
            self.add(&line, false);
        }
    }

    /// Adds a line. When an earlier one was said is not known.
    fn add(&mut self, line: &str, is_earlier: bool) {
        if self.settings.clock.is_some() && is_earlier {
            self.piece.text += NO_CLOCK;
        } else if let Some(offset) = self.settings.clock {
            let now = OffsetDateTime::now_utc().to_offset(offset);
            let clock = format!("{:02}:{:02} ", now.hour(), now.minute());
            self.piece.text += &self.settings.looks.dim(&clock);
        }
        self.piece.text.extend([line, "\n"]);
    }

    /// Notes that the name has changed.
    pub fn rename(&mut self) {
        self.piece.renamed = true;
    }

    /// Notes that the screen has taken a batch.
    pub fn printed(&mut self) {
        self.screen_is_ready = true;
    }

    /// Whether nothing more should be added for now.
    pub fn is_full(&self) -> bool {
        self.piece.text.len() >= FULL
    }

    /// Hands the batch over, if there is something new, it is time, and the screen is ready.
    pub fn hand_over(&mut self, status: Option<String>, now: Instant) {
        if self.has_news(status.as_ref()) && self.screen_is_ready && now >= self.last + INTERVAL {
            let mut piece = mem::take(&mut self.piece);
            piece.status.clone_from(&status);
            // There is room for one, since the screen is ready.
            self.screen_is_ready = self.pieces.try_send(piece).is_err();
            self.shown_status = status;
            self.last = now;
        }
    }

    /// Returns when the batch is to be handed over, if it is not waiting for the screen.
    pub fn due(&self, status: Option<&String>) -> Option<Instant> {
        let waits_for_time = self.has_news(status) && self.screen_is_ready;
        waits_for_time.then_some(self.last + INTERVAL)
    }

    /// Hands over the last batch, when the screen takes it.
    pub fn finish(mut self) {
        self.piece.status = None;
        // If nobody prints any more, nobody reads it either.
        let _ = self.pieces.send(self.piece);
    }

    /// Returns what is still to be put on the screen, in place of the status, when nobody else puts
    /// anything there any more.
    pub fn rest(self) -> String {
        let has_status = self.shown_status.is_some() && self.screen_is_ready;
        let erase = if has_status { ERASE_ABOVE } else { "" };
        [erase, &self.piece.text].concat()
    }

    fn has_news(&self, status: Option<&String>) -> bool {
        let piece = &self.piece;
        !piece.text.is_empty()
            || !piece.ours.is_empty()
            || piece.renamed
            || status != self.shown_status.as_ref()
    }
}

/// Whether a line was said to the person called `me`.
fn is_for(line: &str, me: &str) -> bool {
    match line::kind(line) {
        Kind::Said { name, text } => name != me && !mentions::places(text, me).is_empty(),
        Kind::ToYou { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    fn settings() -> Settings {
        Settings::for_tests(false, String::new())
    }

    #[test]
    fn batches_wait_for_their_time_and_for_the_screen() {
        let settings = settings();
        let (pieces, screen) = bounded(1);
        let start = Instant::now();
        let mut batch = Batch::new(&settings, pieces, start);
        batch.show("Bob> hi", "Ada", start);
        batch.hand_over(None, start);
        assert!(screen.is_empty());
        let now = batch.due(None).unwrap();
        assert_eq!(now, start + INTERVAL);
        batch.hand_over(None, now);
        batch.tell("Hm.");
        assert_eq!(batch.due(None), None);
        batch.hand_over(None, now + INTERVAL);
        assert_eq!(screen.try_recv().unwrap().text, "Bob> hi\n");
        batch.printed();
        batch.hand_over(Some("sending".to_owned()), now + INTERVAL);
        let piece = screen.try_recv().unwrap();
        assert_eq!(
            (piece.text.as_str(), piece.status.unwrap().as_str()),
            ("* Hm.\n", "sending")
        );
        batch.printed();
        // The same status again is no news, but its end is.
        assert_eq!(batch.due(Some(&"sending".to_owned())), None);
        assert!(batch.due(None).is_some());
    }

    #[test]
    fn a_line_that_was_said_earlier_has_no_time() {
        let settings = Settings {
            clock: Some(time::UtcOffset::UTC),
            ..settings()
        };
        let now = Instant::now();
        let mut batch = Batch::new(&settings, bounded(1).0, now);
        let lines = [
            (true, "* The last 2 messages:"),
            (false, "Bob> one"),
            (false, "Bob> * You are up to date."),
            (true, "* You are up to date."),
            (true, "Bob> three"),
            (true, "* The last 9 messages:"),
            (false, "Bob> four"),
            (true, "* You are up to date."),
            (true, "Bob> five"),
        ];
        for (_, line) in lines {
            batch.show(line, "Ada", now);
        }
        for (shown, (has_clock, line)) in batch.piece.text.lines().zip(lines) {
            let (clock, rest) = shown.split_at(NO_CLOCK.len());
            assert_eq!(rest, line);
            assert_eq!(clock.contains(':'), has_clock, "{shown}");
            assert!(has_clock || clock == NO_CLOCK, "{shown}");
        }
    }

    #[test]
    fn the_bell_rings_for_this_person_and_not_too_often() {
        let settings = settings();
        let (pieces, _screen) = bounded(1);
        let now = Instant::now();
        let mut batch = Batch::new(&settings, pieces, now);
        for (line, at) in [
            ("Ada> I am Ada", 0),
            ("Bob> hi, Ada", 0),
            ("* Bob (to you): hi", 1),
            ("* Bob (to you): hi", 2),
        ] {
            batch.show(line, "Ada", now + Duration::from_secs(at));
        }
        assert_eq!(batch.piece.text.matches('\x07').count(), 2);
    }
}
