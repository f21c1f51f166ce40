//! Decides how the view is drawn: with colours or without, and with which characters.

use std::env;

/// How the view is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Whether bars and troubles have colours.
    pub colored: bool,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
}

impl Looks {
    /// Returns the looks that the environment allows.
    pub fn of_environment(is_terminal: bool) -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = variable("LC_ALL").or_else(|| variable("LC_CTYPE"));
        let locale = locale.or_else(|| variable("LANG")).unwrap_or_default();
        let locale = locale.to_lowercase();
        Self {
            colored: is_terminal && variable("NO_COLOR").is_none(),
            ascii: !locale.contains("utf-8") && !locale.contains("utf8"),
        }
    }

    /// Returns `text` in a style, if there are colours.
    pub fn paint(self, style: &str, text: String) -> String {
        if self.colored && !text.trim().is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text
        }
    }

    /// Returns `text` with characters that the terminal has.
    pub fn symbols(self, text: &str) -> String {
        if self.ascii {
            let text = text.replace('▶', ">").replace(['─', '–'], "-");
            text.replace('…', "...")
        } else {
            text.to_owned()
        }
    }
}
