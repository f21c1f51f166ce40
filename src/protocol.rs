//! Defines what goes over the wire, to the byte: what people say, and the limits of that. The files
//! below turn bytes into lines, lines into text that is fit for a terminal, and both into commands;
//! `notice` has the server's own lines.
//!
//! Nothing here may use a socket, a thread or the clock.

pub mod notice;
pub mod telnet;
pub mod lines;
pub mod text;
pub mod addressee;
pub mod command;
pub mod utterance;
pub mod alphabets;
pub mod lookalikes;
pub mod names;
pub mod foreign;

/// Maximum line length, in bytes of UTF-8. The spam bot's 2,500 bytes must fit.
pub const MAX_LINE: usize = 4096;

/// Maximum length of a name, in characters and in terminal columns.
pub const MAX_NAME: usize = 32;

/// Returns what everyone gets when `name` says `text`, newline included.
pub fn message(name: &str, text: &str) -> String {
    format!("{name}> {text}\n")
}

/// Returns what a client alone gets when `name` says `text` to it, newline included.
pub fn message_to_you(name: &str, text: &str) -> String {
    format!("* {name} (to you): {text}\n")
}

/// Returns what a client gets when it has said `text` to `name` alone, newline included.
pub fn message_to(name: &str, text: &str) -> String {
    format!("* To {name}: {text}\n")
}
