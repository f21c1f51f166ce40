//! Turns two snapshots into the lines of the view. It reads no clock, no file and no terminal.

mod head;
mod rows;

use super::bars::{bar, count, figure, fit};
use super::looks::Looks;
use super::snapshot::Snapshot;
use crate::room::outbox::MAX_BYTES;
use head::head;
use rows::{Row, rounded, rows, waiting};

/// Minimum width, in columns.
const MIN_COLUMNS: usize = 80;

/// Width of a bar at the minimum, and of the figure beside it.
const BAR: usize = 3;
const FIGURE: usize = 4;

/// Number of bars in a row.
const N_BARS: usize = 5;

/// Width of a name at the minimum, and at most.
const NAME: usize = 12;
const MAX_NAME: usize = 32;

/// Widths of the other columns.
const RATE: usize = 4;
const READER: usize = 10;
const MISSED: usize = 7;

/// The size of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its width, in columns.
    pub n_columns: usize,
    /// Its height, in rows.
    pub n_rows: usize,
}

/// What is shown below, where there is room for it.
const LEGEND: [&str; 3] = [
    "/s: lines said a second.  paced: part of the time that its next line waited.",
    "outbox: frames; other figures are bytes.  –: cannot be seen from this host.",
    "A bar is yellow from a quarter of what fits on, and red from three quarters on.",
];

/// The widths that depend on the screen.
#[derive(Clone, Copy)]
struct Widths {
    name: usize,
    bar: usize,
}

/// Returns the view of `now`, with what has changed since `before`.
pub fn lines(
    now: &Snapshot,
    before: Option<&Snapshot>,
    title: &str,
    looks: Looks,
    size: Size,
) -> Vec<String> {
    let n_columns = size.n_columns;
    if n_columns < MIN_COLUMNS {
        let told = format!("This takes {MIN_COLUMNS} columns, and there are {n_columns}.");
        return vec![fit(&told, n_columns, looks.ascii)];
    }
    let extra = n_columns - MIN_COLUMNS;
    let name = (NAME + extra / 4).min(MAX_NAME);
    let widths = Widths {
        name,
        bar: BAR + (extra - (name - NAME)) / N_BARS,
    };
    // One that has been started again counts from 0.
    let before = before.filter(|it| it.room.text("pid") == now.room.text("pid"));
    let mut rows = rows(now, before);
    let mut lines = head(now, before, title, &rows, looks, n_columns);
    lines.extend(heading(widths).map(|line| looks.paint("2", looks.symbols(&line))));
    let n_fitting = size.n_rows.saturating_sub(lines.len());
    let n_hidden = match rows.len() {
        n_rows if n_rows <= n_fitting => 0,
        n_rows => n_rows - n_fitting.saturating_sub(1),
    };
    let hidden = rows.split_off(rows.len() - n_hidden);
    lines.extend(rows.iter().map(|row| drawn(row, now, widths, looks)));
    if n_hidden > 0 {
        let is_idle = hidden.iter().all(|row| waiting(row.client) == 0);
        let nothing = if is_idle { ", nothing waits there" } else { "" };
        let n_hidden = count(n_hidden as u64, MISSED);
        lines.push(looks.symbols(&format!("… and {n_hidden} more{nothing}")));
    }
    let n_free = size.n_rows.saturating_sub(lines.len());
    if size.n_rows < usize::MAX && n_free > LEGEND.len() {
        lines.push(String::new());
        lines.extend(LEGEND.map(|line| looks.paint("2", looks.symbols(line))));
    }
    lines.truncate(size.n_rows.max(1));
    lines
}

/// Returns the two lines above the rows.
fn heading(widths: Widths) -> [String; 2] {
    let cell = widths.bar + 1 + FIGURE;
    let name = widths.name;
    let outbox = widths.bar + 4;
    let before_out = name + RATE + 2 * cell + READER + 5;
    let over = format!("{:name$} {:RATE$} says ──▶", "", "");
    let gap = before_out - (name + RATE + 2 + 8);
    [
        format!("{over}{:gap$}hears ──▶", ""),
        format!(
            "{:name$} {:>RATE$} {:>cell$} {:>cell$} {:READER$} {:>outbox$} {:>cell$} {:>cell$} \
             {:>MISSED$}",
            "name", "/s", "its end", "our end", "reader", "outbox", "our end", "its end", "missed"
        ),
    ]
}

fn drawn(row: &Row<'_>, now: &Snapshot, widths: Widths, looks: Looks) -> String {
    let client = row.client;
    // The kernel doubles what it is asked for.
    let full = 2 * now.room.number("rcvbuf").max(1);
    let queue = now.room.number("queue").max(1);
    let cell = |value: Option<u64>| match value {
        None => format!(
            "{:width$}{}",
            "",
            looks.symbols("–"),
            width = widths.bar + FIGURE
        ),
        Some(value) => cell(value, full, &figure(value), FIGURE, widths, looks),
    };
    let path = client.queues;
    let bytes_in_frames = client.bytes.saturating_mul(queue) / MAX_BYTES as u64;
    let filled = client.frames.max(bytes_in_frames);
    let outbox = self::cell(filled, queue, &figure(client.frames), 3, widths, looks);
    let (name, style) = match client.name.as_str() {
        // No name begins with a star, and none is as pale.
        "*" => (format!("* #{}", client.id), "2"),
        name => (name.to_owned(), "0"),
    };
    let reader = match client.doing.as_str() {
        _ if row.paced > 0 => format!("paced {}%", row.paced),
        doing => doing.to_owned(),
    };
    let missed = format!("{:>MISSED$}", count(client.missed, MISSED));
    let missed_style = if row.missed > 0 { "1;31" } else { "0" };
    format!(
        "{} {:>RATE$} {} {} {} {outbox} {} {} {}",
        looks.paint(style, fit(&name, widths.name, looks.ascii)),
        per_second(row.rate),
        cell(path.its_sending),
        cell(path.our_received),
        fit(&reader, READER, looks.ascii),
        cell(path.our_sending),
        cell(path.its_received),
        looks.paint(missed_style, missed),
    )
}

/// Returns a bar and a figure of `width`.
fn cell(value: u64, full: u64, shown: &str, width: usize, widths: Widths, looks: Looks) -> String {
    let bar = format!(
        "{:n$}",
        bar(value, full, widths.bar, looks.ascii),
        n = widths.bar
    );
    let style = match value.saturating_mul(4) / full.max(1) {
        0 => "32",
        1 | 2 => "33",
        _ => "31",
    };
    let bar = looks.paint(style, bar);
    let gap = width + 1 - shown.len().min(width + 1);
    format!("{bar}{:gap$}{shown}", "")
}

/// Returns a rate in at most four characters.
fn per_second(rate: f64) -> String {
    if rate < 100.0 {
        format!("{rate:.1}")
    } else {
        figure(rounded(rate))
    }
}

#[cfg(test)]
mod tests;
