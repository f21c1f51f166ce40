//! What Trio Chat promises, shown over real sockets against the real binary: one module for each
//! subject. Tests wait for facts; the time limits in `support` are watchdogs only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that meets the unexpected should fail there, and say what it saw"
)]

mod bots;
mod bytes;
mod command_line;
mod control;
mod fairness;
mod house;
mod limits;
mod log;
mod process;
mod protocol;
mod readme;
mod real_clients;
mod scripts;
mod slow_clients;
mod soak;
mod support;
