//! Joins a room from a terminal, in which what you type stays whole while messages appear above it,
//! or from a pipe. It stands on `client` and `protocol`.
//!
//! Four threads: `session` owns the stay in the room and waits only for its channels; `reader` reads
//! the socket; `main` reads keys; `printer` prints. All channels are bounded. A terminal that takes
//! nothing stops the printer, then the session takes nothing from the reader, and then the server
//! drops what does not fit and says how much.

pub mod options;
mod line;
mod mentions;
mod looks;
mod settings;
mod waiting;
mod unheard;
mod history;
mod presence;
mod completion;
mod rows;
mod screen;
mod hearing;
mod hidden;
mod door;
mod desk;
mod session;
mod paste;
mod keyboard;
mod keys;
mod row;
mod printer;
mod terminal;
mod plain;

use crate::password::Password;
use looks::Looks;
use options::Options;
use settings::Settings;
use std::env;
use std::io::{self, IsTerminal};
use time::UtcOffset;

/// The environment variable for the password of the room.
const PASSWORD: &str = "TRIO_CHAT_PASSWORD";

/// Checks what can be known of the options only here.
///
/// # Errors
/// One sentence that says what is missing.
pub fn check(options: &Options) -> Result<(), String> {
    if options.name.is_none() && !io::stdin().is_terminal() {
        return Err("without a terminal to ask on, join needs --name NAME".to_owned());
    }
    Ok(())
}

/// Joins the room, and stays until the person leaves or the input has ended.
///
/// # Errors
/// One sentence that says why it could not go on, or what did not come back.
pub fn run(options: Options) -> Result<(), String> {
    let (input, output) = (io::stdin().is_terminal(), io::stdout().is_terminal());
    let is_dumb = env::var_os("TERM").is_none_or(|term| {
        // Those that rustyline can't edit a line on.
        ["dumb", "cons25", "emacs", ""].iter().any(|it| term == *it)
    });
    let moves_cursor = input && output && !options.plain && !is_dumb;
    let password = match &options.password {
        Some(path) => Some(Password::load(path)?),
        None => env::var(PASSWORD)
            .ok()
            .and_then(|it| Password::of_line(&it)),
    };
    let settings = Settings {
        address: options.address,
        password,
        looks: Looks::new(options.color, output),
        // The offset can be read only while the process has one thread.
        clock: options
            .shows_time
            .then(|| UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC)),
        rings: options.rings,
        reconnects: options.reconnects && input,
        speaks_apart: !moves_cursor,
    };
    if moves_cursor {
        terminal::run(&settings, options.name)
    } else {
        plain::run(&settings, options.name)
    }
}
