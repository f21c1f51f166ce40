//! One chat room over plain TCP that anyone joins with netcat, and that no client, however slow,
//! loud or hostile, can spoil for the others.
//!
//! Every line takes the same short path through a trio of threads:
//!
//! ```text
//! nc ──socket──▶ reader-7 ──events──▶ broadcaster ──outbox──▶ writer-9 ──socket──▶ nc
//!                splits lines,         owns the room,          drains its outbox,
//!                cleans, paces,        one order for all,      waits for its
//!                blocks if full        counts drops,           slow client
//!                                      never blocks
//! ```
//!
//! Here client 7 speaks and client 9 listens. Each client has both threads. If several servers share
//! the room, what readers say takes a way round through Redis: see [`server::link`].
//!
//! # Threads
//!
//! | thread | number | does | waits on | ends when |
//! |---|---|---|---|---|
//! | `main` | 1 | parses options, starts and stops the server | its stop channel | told to stop |
//! | `signals` | 1 | tells `main` to stop | signals | the process ends |
//! | `accept-0`… | 1 per address | admits clients, starts sessions | `accept`, an evicted client's seat | woken after a stop |
//! | `broadcaster` | 1 | owns the room, sends frames to outboxes | its inbox, its pace | every sender of events is gone |
//! | `reader-N` | 1 per client | runs the session | socket, sleep, `events` | end of input, error, eviction, stop |
//! | `writer-N` | 1 per named client | drains its outbox | unpark, socket | outbox dropped and drained, or error |
//! | `uplink` | 0 or 1 | says on Redis what is said here, keeps names there | its channels, Redis (2 s at most) | the link is over |
//! | `downlink` | 0 or 1 | hears on Redis what is said on all servers | Redis (2 s at most), `events` | the link is over |
//! | `transcript` | 0 or 1 | writes what the room hears to a file | unpark, disk | outbox dropped and drained |
//! | `status` | 0 or 1 | answers who looks in, one at a time | its socket, its peer (2 s at most) | woken by a stop |
//! | `log` | 1 | writes log lines | its queue, standard error | the process ends |
//!
//! Bots and crowd have their own: `main`, a reader of the spam bot, and a `timer` for `--seconds`. So
//! has the terminal client: see `join`.
//!
//! # Channels
//!
//! | ends | from → to | sending | full means |
//! |---|---|---|---|
//! | `events` → `inbox` | all readers → broadcaster | blocks | readers wait, TCP windows close, senders block |
//! | outbox → `frames` | broadcaster → one writer, or the transcript | never blocks | this client misses these messages; they are counted, and it is told |
//! | `said` | all readers → `uplink` | blocks | as for `events`; without a link the two are one channel |
//! | questions | readers → `uplink` | blocks, 3 s at most | the reader waits for its answer anyway |
//! | outgoing letters | broadcaster → `uplink` | never blocks | the writer of the letter is told |
//! | log lines | all threads → `log` | never blocks | the line is lost and counted |
//!
//! All are bounded. Sends towards the room block and never drop. Sends away from it never block and
//! may drop. Who looks in takes nothing but copies of numbers (see [`server::gauges`]). The broadcaster waits only for its inbox and its own pace, so no cycle of waiting can
//! exist. (The remaining channels carry no data; they signal a stop or a finished thread.)
//!
//! # Invariants
//!
//! 1. The broadcaster waits only for its inbox and its own pace. It never waits for a socket, the
//!    log, or a lock that is held across a blocking call.
//! 2. No message from a connected client is dropped on the way in. On the way out every drop is
//!    counted, and reported to a client that is still connected: delivered + missed = sent. Drops
//!    are logged until the room closes.
//! 3. Everyone hears one order.
//! 4. Each client's cost is bounded: two threads, one descriptor, a bounded buffer, a bounded
//!    outbox.
//! 5. No byte from a client reaches another terminal or the log uncleaned.
//! 6. A session's end is complete on every path: seat, name, room entry, socket, both threads.
//!
//! There is deliberately no async runtime, no event loop in the server, no lock on the room, no
//! account and no configuration file.
//!
//! # Our own words
//!
//! - **Seat**: one connection's share of the host. Every connection takes a seat or is refused. In
//!   a full room, a newcomer evicts the oldest unnamed connection of the address that has most of
//!   them.
//! - **Outbox**: the bounded queue between the room and one client's writer. A message that does
//!   not fit is dropped for this client alone, and counted as missed. The log calls it "queue".
//! - **Frame**: the bytes of all messages since the last frame, formatted once and shared by every
//!   outbox. The **current frame** is the one that still grows. Each frame takes a **place** in an
//!   outbox.
//! - **Answer**: whole lines for one member alone. They ride behind the current frame.
//! - **Link**: what joins the rooms of several servers to one, through an **engine** (Redis).
//! - **Epoch**: a time in which the engine had the room's memory without a break.
//! - **Pace**: the minimum time between two lines of one client, and between two frames of the
//!   room. Each line takes a **slot** of its client's pace.
//!
//! # The source, in reading order
//!
//! Each part may use only the parts above it, except those that its own line forbids. A test
//! enforces this.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets the unexpected should fail there"
    )
)]

/// Parses what all command lines share. It must not use any other part.
pub mod arguments;
/// Writes the log in a thread of its own. It must not use any other part.
pub mod logging;
/// Makes threads panic on order, for tests. It must not use any other part.
pub mod faults;
/// Turns signals into a stop. It must not use any other part.
pub mod signals;
/// Leaves the terminal as it was. It must not use any other part but `signals`.
pub mod terminal;
/// Decides when something is tried again. It must not use the clock or any other part.
pub mod backoff;
/// Draws random numbers. It must not use any other part.
pub mod random;
/// Defines what goes over the wire. It must not use sockets, threads, the clock or any other part.
pub mod protocol;
/// Reads and compares the password of a room. It must not use sockets.
pub mod password;
/// Wraps sockets. It must not use `protocol`.
pub mod net;
/// Keeps who is here and what each must hear. It must not use `net`, sockets, the clock or the log.
pub mod room;
/// Runs threads, seats and sessions around the room.
pub mod server;
/// Connects and joins as a client. It must not use `server`.
pub mod client;
/// Joins a room from a terminal or a pipe. It must not use `server`.
pub mod join;
/// Shows where each byte waits. It must not use `server` or `join`.
pub mod watch;
/// Asks a client of a server on this host to leave. It must not use `server`.
pub mod kick;
/// Runs clients that misbehave on purpose. They must not use `server` or `join`.
pub mod bots;
/// Runs many clients at once, to measure a server. It must not use `server`, `join` or
/// `bots`.
#[cfg(target_os = "linux")]
pub mod crowd;
