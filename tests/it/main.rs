//! Shows over real sockets that the real binary keeps the promises of Trio Chat. Each subject has a
//! module. Tests wait for facts; the time limit in `support` is a watchdog only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that meets the unexpected should fail there and say what it saw"
)]

mod bots;
mod bytes;
#[cfg(feature = "redis")]
mod cluster;
mod command_line;
mod commands;
mod control;
mod encrypted;
mod fairness;
mod history;
mod house;
mod join;
mod limits;
mod log;
mod password;
mod process;
mod protocol;
mod readme;
mod real_clients;
mod scripts;
mod service;
mod siege;
mod slow_clients;
mod soak;
mod support;
mod transcript;
mod watch;
