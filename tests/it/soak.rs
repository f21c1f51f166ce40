//! The long forms of the promises. Each prints a row for the table of `scripts/soak.sh`, which runs
//! them. An ordinary test run leaves them out.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "these are measurements, and a clock that runs backwards should fail the test"
)]

mod backlog;
mod clients;
#[cfg(feature = "redis")]
mod cluster;
mod commands;
mod fuzz;
mod hosts;
mod limits;
mod stops;
mod watch;

use std::sync::mpsc;
use std::time::Duration;

/// Prints a row of the table. Fails the test if the promise is not kept.
fn row(promise: &str, done: &str, figure: &str, kept: bool) {
    println!(
        "SOAK|{promise}|{done}|{figure}|{}",
        if kept { "pass" } else { "FAIL" }
    );
    assert!(kept, "{promise}: {figure}");
}

/// Lets a measurement go on for `duration`. It is never a wait for something to happen.
fn measure_for(duration: Duration) {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(duration);
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64()
}

fn mebibytes(n_bytes: u64) -> String {
    format!("{:.1} MiB", n_bytes as f64 / f64::from(1 << 20))
}
