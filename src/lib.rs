//! One chat room over plain TCP that anyone joins with netcat, and that no client, however slow,
//! loud or hostile, can spoil for the others.
//!
//! Every line makes the same short way through a trio of threads:
//!
//! ```text
//! nc ──socket──▶ reader-7 ──events──▶ broadcaster ──outbox──▶ writer-9 ──socket──▶ nc
//!                frames lines,         owns the room,          drains its queue,
//!                cleans, paces         one order for all       feels the slow client
//!                blocks when full      never blocks            drops are counted
//! ```
//!
//! # Threads
//!
//! | thread | number | does | waits on | ends when |
//! |---|---|---|---|---|
//! | `main` | 1 | options, stop | the stop channel | told to |
//! | `signals` | 1 | tells `main` to stop | signals | process ends |
//! | `accept-0`… | 1 per address | admits, starts sessions | `accept` | woken and told |
//! | `broadcaster` | 1 | owns the room, fans out | its inbox only | every sender of events is gone |
//! | `reader-N` | 1 per client | is the session | socket, sleep, `events` | end of input, error, stop |
//! | `writer-N` | 1 per named client | drains its outbox | its bell, socket | outbox dropped and drained, or error |
//! | `log` | 1 | writes log lines out | its queue, standard error | process ends |
//!
//! # Channels
//!
//! All are bounded, and those that carry something are of two kinds only. Towards the room a send
//! blocks and never drops: `events`. Away from the room a send never blocks and may drop: outboxes,
//! and the log. The room waits for nothing but what comes in, so no cycle of waiting can exist. (The
//! others carry no more than an end: to stop, or to tell that a thread has ended.)
//!
//! A writer does not wait for its outbox itself, but for a bell that 32 of them share: so one system
//! call wakes them all for a frame.
//!
//! # Invariants
//!
//! 1. The broadcaster waits for nothing but its inbox and its own pace: no socket, no lock that
//!    somebody holds over a wait, no log.
//! 2. Inward nothing is dropped that a client in the room says; outward everything dropped is
//!    counted, logged, and told to who is still there.
//! 3. Everyone hears one order.
//! 4. Each client's cost is bounded: two threads, one descriptor, a fixed buffer, a bounded outbox.
//! 5. No byte from a client reaches another terminal or the log uncleaned.
//! 6. A session's end is complete on every path: seat, name, room entry, socket, both threads.
//!
//! There is deliberately no async runtime, no event loop, no lock on the room, no history, no
//! account and no configuration file.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets the unexpected should fail there"
    )
)]

pub mod arguments;
pub mod bots;
pub mod client;
#[cfg(target_os = "linux")]
pub mod crowd;
pub mod logging;
pub mod net;
pub mod protocol;
pub mod room;
pub mod server;
pub mod signals;
