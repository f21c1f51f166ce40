//! Draws the lines about the whole room.

use super::rows::{Row, as_float, seconds_since};
use crate::room::frame::FULL_FRAME;
use crate::room::outbox::HARDLY_FITS;
use crate::watch::bars::{count, figure, fit};
use crate::watch::looks::Looks;
use crate::watch::snapshot::{Client, Snapshot};

/// Returns the lines about the whole room.
pub fn head(
    now: &Snapshot,
    before: Option<&Snapshot>,
    title: &str,
    rows: &[Row<'_>],
    looks: Looks,
    n_columns: usize,
) -> Vec<String> {
    let room = &now.room;
    let seconds = seconds_since(now, before);
    let rate = |key| {
        let earlier = before.map_or(room.number(key), |it| it.room.number(key));
        as_float(room.number(key).saturating_sub(earlier)) / seconds
    };
    let total = |number: fn(&Client) -> u64| {
        let all = rows.iter().map(|row| number(row.client));
        figure(all.fold(0, u64::saturating_add)) + "B"
    };
    let n_paced = rows
        .iter()
        .filter(|row| row.client.doing == "paced")
        .count();
    let queue = room.number("queue").max(1);
    let is_slow = |row: &&Row<'_>| {
        let client = row.client;
        row.missed > 0 || client.frames >= queue || client.bytes > HARDLY_FITS as u64
    };
    let n_slow = rows.iter().filter(is_slow).count();
    let facts = format!(
        "{} of {} here   up {}   Ctrl-C leaves",
        count(room.number("clients"), 9),
        count(room.number("seats"), 9),
        time(room.number("up_s")),
    );
    let n_left = n_columns.saturating_sub("Trio Chat    ".len() + facts.len());
    let title = fit(title, n_left, looks.ascii);
    let mut lines = vec![
        looks.paint("1", format!("Trio Chat {}   {facts}", title.trim_end())),
        format!(
            "in   {:>6} wait, {:<14} room  inbox {}/{}  frame {}/{}  {:.1} lines/s",
            total(|it| it.queues.n_bytes()[0]),
            format!("{n_paced} paced"),
            count(room.number("inbox"), 5),
            count(room.number("inbox_max"), 5),
            figure(room.number("frame_bytes")),
            figure(FULL_FRAME as u64),
            rate("messages"),
        ),
        format!(
            "out  {:>6} wait, {:<14} missed {} in all, {:.1}/s now",
            total(|it| it.queues.n_bytes()[1].saturating_add(it.bytes)),
            format!("{n_slow} slow"),
            count(room.number("missed"), 13),
            rate("missed"),
        ),
    ];
    if let Some(link) = room.text("link") {
        let style = if link == "up" { "32" } else { "1;31" };
        let link = looks.paint(style, fit(link, 7, looks.ascii));
        lines.push(format!(
            "link {link} {} messages behind, {} wait to be said",
            count(room.number("link_behind"), 13),
            count(room.number("link_unsaid"), 13),
        ));
    }
    lines.push(String::new());
    lines
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
