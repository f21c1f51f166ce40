//! Shows where each byte waits, from the sender's own end to the receiver's: what a server's status
//! socket says, and what the kernel's queues hold. It draws twice a second on a terminal. Elsewhere it
//! prints one table and ends.

pub mod options;
mod snapshot;
mod queues;
mod bars;
mod looks;
mod view;

use crate::net::status_socket::place::find;
use crate::net::status_socket::request::ask;
use crate::terminal;
use looks::Looks;
use options::Options;
use queues::Queues;
use rustix::process::nice;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetwinsize};
use rustix::time::{ClockId, clock_gettime};
use snapshot::Snapshot;
use std::collections::VecDeque;
use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use view::Size;

/// Minimum time from one drawing to the next.
const INTERVAL: Duration = Duration::from_millis(500);

/// Number of drawings over which rates are taken. Over one, five lines a second look like four or six.
const RATE_OVER: usize = 4;

/// Looking takes at most one part in this many of a processor's time.
const SHARE: u32 = 20;

/// How much the view lets others go first: as much as can be.
const NICENESS: i32 = 19;

/// Size where the terminal does not tell, and where there is none.
const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// Another screen, without a cursor and without wrapping.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const UNDO: &[u8] = b"\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Watches until the person leaves, or prints one table if there is no terminal.
///
/// # Errors
/// One sentence that says why there is nothing to see any more.
pub fn run(options: &Options) -> Result<(), String> {
    let path = match &options.socket {
        Some(path) => path.clone(),
        None => find(&options.server)?,
    };
    let title = options.title();
    let first = take(&path)?;
    let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if io::stdout().is_terminal() && !is_dumb {
        let deadline = options.duration.map(|duration| Instant::now() + duration);
        let cannot = |error| format!("Cannot prepare the terminal: {error}.");
        terminal::prepare(UNDO, |_| true).map_err(cannot)?;
        terminal::change(|settings| {
            // Keys would spoil the view. Ctrl-Z would leave the shell on the other screen.
            settings.local_modes.remove(LocalModes::ECHO);
            settings.special_codes[SpecialCodeIndex::VSUSP] = 0;
        })
        .map_err(cannot)?;
        let watched = watch(&path, &title, first, deadline);
        terminal::restore();
        terminal::set_changed(false);
        watched
    } else {
        thread::sleep(2 * INTERVAL);
        let lines = view::lines(
            &take(&path)?,
            Some(&first),
            &title,
            Looks::of_environment(false),
            Size {
                n_columns: COLUMNS,
                n_rows: usize::MAX,
            },
        );
        print(&(lines.join("\n") + "\n"))
    }
}

fn watch(
    path: &Path,
    title: &str,
    first: Snapshot,
    deadline: Option<Instant>,
) -> Result<(), String> {
    let looks = Looks::of_environment(true);
    // Whoever looks on must not take the time of those who work. If this fails, it does.
    let _ = nice(NICENESS);
    print(BEGIN)?;
    let mut seen = VecDeque::from([first]);
    let mut pause = INTERVAL;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        if left.is_some_and(|left| left <= pause) {
            return Ok(());
        }
        let spent = time_spent();
        let now = take(path)?;
        let lines = view::lines(&now, seen.front(), title, looks, size());
        print(&screen(&lines))?;
        seen.push_back(now);
        if seen.len() > RATE_OVER {
            seen.pop_front();
        }
        pause = INTERVAL.max(SHARE * time_spent().saturating_sub(spent));
    }
}

/// Returns for how long this thread has used the processor, which takes no account of waiting.
fn time_spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn take(path: &Path) -> Result<Snapshot, String> {
    let (clients, room) = (ask(path, "clients")?, ask(path, "room")?);
    let mut snapshot = Snapshot::parse(&clients, &room, Instant::now());
    let ends = snapshot.clients.iter().filter_map(|client| client.ends);
    let queues = Queues::read(ends);
    snapshot.add(&queues);
    Ok(snapshot)
}

/// Returns what draws `lines` over the ones before, all at once.
fn screen(lines: &[String]) -> String {
    let mut screen = "\x1b[?2026h\x1b[H".to_owned();
    for (number, line) in lines.iter().enumerate() {
        let end = if number == 0 { "" } else { "\r\n" };
        // Behind a line as wide as the screen, the cursor is still on its last character, so that one
        // would be erased too.
        let is_last = number + 1 == lines.len();
        let erase = if is_last { "\x1b[J" } else { "\x1b[K" };
        // Writing to a string never fails.
        let _ = write!(screen, "{end}{erase}{line}");
    }
    screen + "\x1b[?2026l"
}

fn size() -> Size {
    let size = tcgetwinsize(io::stdout());
    let (n_columns, n_rows) = size.map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()));
    Size {
        n_columns: if n_columns == 0 { COLUMNS } else { n_columns },
        n_rows: if n_rows == 0 { ROWS } else { n_rows },
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout();
    let printed = output.write_all(text.as_bytes());
    match printed.and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| format!("Cannot print: {error}.")),
    }
}
