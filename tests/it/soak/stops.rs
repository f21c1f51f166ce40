//! Stops of large rooms.

use super::row;
use crate::support::{Flood, TestServer};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn r1_a_large_flooded_room_stops_in_time_and_everyone_hears_the_same_end() {
    let mut server = TestServer::start();
    let flood = Flood::start(&server, 2000);
    flood.wait_until_busy();
    let start = Instant::now();
    server.process.signal(Signal::TERM);
    let status = server.process.wait();
    let took = start.elapsed();
    let last_lines: Vec<_> = flood.last_lines().into_iter().flatten().collect();
    let n_heard = last_lines.len();
    let n_different = BTreeSet::from_iter(last_lines).len();
    let figure = format!(
        "exit after {:.1} s, {n_heard} heard all of the end, with {n_different} last line",
        took.as_secs_f64()
    );
    let in_time = status.success() && took < Duration::from_secs(3);
    row(
        "R1",
        "2,000 talkers of 4 KiB lines, SIGTERM",
        &figure,
        in_time && n_heard >= 1800 && n_different == 1,
    );
}
