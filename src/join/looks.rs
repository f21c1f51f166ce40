//! Gives lines their looks: colours, bold, dim, reversed. Lines must be clean already. What a line
//! is, is left to `line`.

use super::line::{Kind, kind};
use super::mentions;
use super::options::Color;
use std::env;

/// Colours of names, from the palette of 256. Each has a contrast of at least 4.2 on black and on
/// white.
const COLORS: [u8; 14] = [
    131, 130, 64, 28, 29, 30, 63, 98, 97, 129, 164, 163, 162, 132,
];

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const REVERSED: &str = "\x1b[7m";
const NOT_REVERSED: &str = "\x1b[27m";
const PLAIN: &str = "\x1b[0m";

/// How lines look here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Whether there are any looks at all.
    pub colored: bool,
}

impl Looks {
    /// Returns the looks that the option asks for. `is_terminal` says whether standard output is
    /// one.
    pub fn new(color: Color, is_terminal: bool) -> Self {
        let wanted = || {
            let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
            is_terminal && !is_set("NO_COLOR") && env::var_os("TERM").is_some_and(|it| it != "dumb")
        };
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => wanted(),
        };
        Self { colored }
    }

    /// Returns `line` of the room as the person called `me` sees it.
    pub fn dressed(self, line: &str, me: &str) -> String {
        if !self.colored {
            return line.to_owned();
        }
        match kind(line) {
            Kind::Said { name, text } if name == me => {
                format!("{}> {text}", self.name(name, BOLD))
            }
            Kind::Said { name, text } => {
                format!("{}> {}", self.name(name, ""), marked(text, me))
            }
            Kind::ToYou { name, text } => {
                format!("* {} (to you): {text}", self.name(name, ""))
            }
            Kind::Missed => line.to_owned(),
            Kind::Notice => self.dim(line),
        }
    }

    /// Returns `text` dimmed.
    pub fn dim(self, text: &str) -> String {
        if self.colored {
            format!("{DIM}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }

    /// Returns `name` in its colour.
    pub fn name(self, name: &str, also: &str) -> String {
        if self.colored {
            format!("{also}\x1b[38;5;{}m{name}{PLAIN}", color_of(name))
        } else {
            name.to_owned()
        }
    }

    /// Returns the prompt of the person called `me`.
    pub fn prompt(self, prompt: &str) -> String {
        if self.colored {
            format!("{BOLD}{prompt}{PLAIN}")
        } else {
            prompt.to_owned()
        }
    }
}

/// Returns the colour of a name: the same for everybody, and after a reconnect.
fn color_of(name: &str) -> u8 {
    // FNV-1a, since the standard library promises no stable hash.
    let hash = name
        .to_lowercase()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    COLORS[hash as usize % COLORS.len()]
}

/// Returns `text` with each mention of `me` reversed.
fn marked(text: &str, me: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut from = 0;
    for place in mentions::places(text, me) {
        marked.push_str(&text[from..place.start]);
        marked.extend([REVERSED, &text[place.clone()], NOT_REVERSED]);
        from = place.end;
    }
    marked + &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLORED: Looks = Looks { colored: true };

    #[test]
    fn a_name_keeps_its_colour() {
        assert_eq!(color_of("Ada"), color_of("ada"));
        assert_eq!(
            COLORED.name("Ada", ""),
            format!("\x1b[38;5;{}mAda\x1b[0m", color_of("Ada"))
        );
        let used: std::collections::BTreeSet<_> =
            (0..200).map(|n| color_of(&format!("Guard #{n}"))).collect();
        assert_eq!(used.len(), COLORS.len());
    }

    #[test]
    fn every_colour_can_be_read_on_black_and_on_white() {
        let linear = |level: u8| {
            let value = f64::from(level) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        for color in COLORS {
            let index = color - 16;
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let [red, green, blue] = [index / 36, index / 6 % 6, index % 6]
                .map(level)
                .map(linear);
            let light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            let (on_black, on_white) = ((light + 0.05) / 0.05, 1.05 / (light + 0.05));
            assert!(
                on_black >= 4.2 && on_white >= 4.2,
                "{color}: {on_black} {on_white}"
            );
        }
    }

    #[test]
    fn lines_look_like_what_they_are() {
        let dressed = |line| COLORED.dressed(line, "Ada");
        assert_eq!(dressed("* Bob joined."), "\x1b[2m* Bob joined.\x1b[0m");
        assert_eq!(
            dressed("* You missed 3 messages."),
            "* You missed 3 messages."
        );
        assert!(dressed("Ada> hi").starts_with("\x1b[1m\x1b[38;5;"));
        assert!(dressed("Bob> hi, Ada!").ends_with("> hi, \x1b[7mAda\x1b[27m!"));
        for line in ["* Bob joined.", "Ada> hi", "Bob> Ada"] {
            assert_eq!(Looks { colored: false }.dressed(line, "Ada"), line);
        }
    }
}
