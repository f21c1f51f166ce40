//! Works out what has happened to each client from one snapshot to the next, and who waits most.

use crate::watch::snapshot::{Client, Snapshot};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A client, and what has happened since the last snapshot.
pub struct Row<'a> {
    /// The client.
    pub client: &'a Client,
    /// Messages said, a second.
    pub rate: f64,
    /// The part of the time in which it was paced, in percent.
    pub paced: u64,
    /// Number of messages missed since then.
    pub missed: u64,
}

/// Returns a row for each client: whoever waits most is first, then whoever has missed most.
pub fn rows<'a>(now: &'a Snapshot, before: Option<&Snapshot>) -> Vec<Row<'a>> {
    let seconds = seconds_since(now, before);
    let earlier: HashMap<u64, &Client> = before
        .iter()
        .flat_map(|it| it.clients.iter().map(|client| (client.id, client)))
        .collect();
    let row = |client: &'a Client| {
        let earlier = earlier.get(&client.id);
        let since = |number: fn(&Client) -> u64| match (earlier, before) {
            (Some(earlier), _) => number(client).saturating_sub(number(earlier)),
            // It has come since then.
            (None, Some(_)) => number(client),
            (None, None) => 0,
        };
        let paced = as_float(since(|it| it.paced_ms)) / seconds / 10.0;
        Row {
            client,
            rate: as_float(since(|it| it.said)) / seconds,
            paced: rounded(paced).min(100),
            missed: since(|it| it.missed),
        }
    };
    let mut rows: Vec<_> = now.clients.iter().map(row).collect();
    rows.sort_by_key(|row| {
        let client = row.client;
        (Reverse(waiting(client)), Reverse(client.missed), client.id)
    });
    rows
}

/// Returns how many bytes wait for a client, in all places together.
pub fn waiting(client: &Client) -> u64 {
    let [inwards, outwards] = client.queues.n_bytes();
    inwards
        .saturating_add(outwards)
        .saturating_add(client.bytes)
}

/// Returns the time from one snapshot to the next, which is never 0.
pub fn seconds_since(now: &Snapshot, before: Option<&Snapshot>) -> f64 {
    let elapsed = before.map(|it| now.at.saturating_duration_since(it.at));
    elapsed.map_or(1.0, |it| it.as_secs_f64()).max(0.001)
}

/// Returns a number for a rate.
#[allow(clippy::cast_precision_loss, reason = "it is shown with two digits")]
pub fn as_float(number: u64) -> f64 {
    number as f64
}

/// Returns a rate as a number.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and what is too large becomes the maximum"
)]
pub fn rounded(number: f64) -> u64 {
    number.round() as u64
}
