//! What commands cost the room, at length.

use super::row;
use crate::support::{TestServer, trio_chat};

/// Number of runs of each kind, of which the median counts.
const N_RUNS: usize = 3;

/// Returns the 99th percentile of the latency in a room of 2,000 where 200 talk, in milliseconds.
fn p99(options: &[&str]) -> f64 {
    let server = TestServer::start();
    let crowd = trio_chat()
        .args(["crowd", &server.address.to_string(), "--json"])
        .args(["--clients", "2000", "--talkers", "200"])
        .args(options)
        .output()
        .unwrap();
    let report = String::from_utf8(crowd.stdout).unwrap();
    assert!(report.contains("\"missed\":0,"), "{report}");
    let (_, rest) = report.split_once("\"p99_ms\":").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn s4_a_room_in_which_everyone_asks_who_is_here_delays_nobody() {
    // In turn, so that whatever else the host does concerns both.
    let runs: Vec<_> = (0..N_RUNS)
        .map(|_| (p99(&[]), p99(&["--ask", "/who"])))
        .collect();
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[N_RUNS / 2]
    };
    let without = median(runs.iter().map(|(without, _)| *without).collect());
    let with = median(runs.iter().map(|(_, with)| *with).collect());
    let ratio = with / without;
    row(
        "S4",
        "2,000 members, 200 talk, 1,800 ask for /who 5 times a second",
        &format!("p99 {with:.0} ms with, {without:.0} ms without, ratio {ratio:.2}"),
        ratio <= 1.5,
    );
}
