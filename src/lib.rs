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
//! | `main` | 1 | options, start, stop | its stop channel | told to |
//! | `signals` | 1 | tells `main` to stop | signals | process ends |
//! | `accept-0`… | 1 per address | admits, starts sessions | `accept` | woken and told |
//! | `broadcaster` | 1 | owns the room, fans out | its inbox, its pace | every sender of events is gone |
//! | `reader-N` | 1 per client | is the session | socket, sleep, `events` | end of input, error, stop |
//! | `writer-N` | 1 per named client | drains its outbox | parked, socket | outbox dropped and drained, or error |
//! | `log` | 1 | writes log lines out | its queue, standard error | process ends |
//!
//! Bots and crowd have their own: `main`, a reader of the spam bot, and a `timer` for `--seconds`.
//!
//! # Channels
//!
//! | ends | from → to | sending | full means |
//! |---|---|---|---|
//! | `events` → `inbox` | all readers → broadcaster | blocks | readers wait, TCP windows close, senders feel it |
//! | outbox → `frames` | broadcaster → one writer | never blocks | this client misses these messages; they are counted, and it is told |
//! | log lines | everyone → `log` | never blocks | the line is lost and counted |
//!
//! All are bounded. Towards the room a send blocks and never drops; away from the room it never
//! blocks and may drop. The room waits for nothing but what comes in, so no cycle of waiting can
//! exist. (The remaining channels carry no data; they signal a stop or a finished thread.)
//!
//! # Invariants
//!
//! 1. The broadcaster waits for nothing but its inbox and its own pace: no socket, no lock that
//!    somebody holds over a wait, no log.
//! 2. Inward nothing is dropped that a client in the room says; outward everything dropped is
//!    counted, logged, and told to those who are still there: delivered + missed = sent.
//! 3. Everyone hears one order.
//! 4. Each client's cost is bounded: two threads, one descriptor, a bounded buffer, a bounded
//!    outbox.
//! 5. No byte from a client reaches another terminal or the log uncleaned.
//! 6. A session's end is complete on every path: seat, name, room entry, socket, both threads.
//!
//! There is deliberately no async runtime, no event loop in the server, no lock on the room, no
//! history, no account and no configuration file.
//!
//! # Our own words
//!
//! - **Seat**: what one connection costs the host. Whoever connects takes one or is refused; a full
//!   room evicts the oldest connection without a name.
//! - **Outbox**: the bounded queue between the room and one client's writer. What does not fit is
//!   dropped for this client alone, and counted as missed.
//! - **Frame**: the bytes of all messages since the last frame, formatted once and shared by every
//!   outbox. The **current frame** is the one that still grows.
//! - **Pace**: the minimum time between two lines of one client, and between two frames of the room.
//!   Each line takes a **slot** of its client's pace.
//!
//! # The source, in reading order
//!
//! Each part knows only parts above it, and none knows one that it *must not*; a test holds that.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets the unexpected should fail there"
    )
)]

/// What all command lines share. It must not know any other part.
pub mod arguments;
/// The log and its thread. It must not know any other part.
pub mod logging;
/// What signals do. It must not know any other part.
pub mod signals;
/// What goes over the wire. It must not know sockets, threads, the clock or any other part.
pub mod protocol;
/// Sockets. They must not know the chat.
pub mod net;
/// Who is here and what each must hear. It must not know sockets, the clock, the log or the server.
pub mod room;
/// Threads, seats and sessions around the room. It must not know clients.
pub mod server;
/// How a client gets in. It must not know the server.
pub mod client;
/// Clients that misbehave on purpose. They must not know the server.
pub mod bots;
/// Many clients at once, to measure a server with. It must not know the server.
#[cfg(target_os = "linux")]
pub mod crowd;
