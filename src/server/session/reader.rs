//! Passes what a client says to the room: paced, cleaned, and with its name in front. It reads
//! nothing while it waits. So a flood fills the socket, and the sender's writes block. When a line
//! may be said is left to the pacer, and what a command does to `commands`.

use super::commands::{obey, tell_name};
use super::end::End;
use super::input::{Input, Sent};
use super::pacer::Pacer;
use super::roster::Name;
use super::writer::Writer;
use crate::faults::panic_if_told;
use crate::protocol::command::Command;
use crate::protocol::message;
use crate::protocol::utterance::{Speech, Utterance};
use crate::room::event::ClientId;
use crate::server::gauges::{Doing, Gauge};
use crate::server::handle::Presence;
use crate::server::shared::{Shared, Stop};
use std::thread;
use std::time::{Duration, Instant};

/// How long we keep reading from a client we can no longer write to. Clients that paste and quit
/// (`ncat --send-only`) are reset while most of their lines still wait for the rate limit; 100
/// lines take 20 s.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// If an unreachable client has this many unread bytes (half its receive buffer), it was flooding,
/// and we discard the rest.
const FLOOD: usize = 16 * 1024;

/// Maximum sleep at a time. A long wait is slept in pieces, so that a stop need not wait for a slow
/// pace.
const MAX_SLEEP: Duration = Duration::from_millis(100);

/// Passes what the client says to the room until the session ends, and returns why it ended.
pub fn run(
    id: ClientId,
    input: &mut Input<'_>,
    name: &mut Name<'_>,
    presence: &Presence<'_>,
    writer: &Writer<'_>,
    shared: &Shared,
    gauge: &Gauge,
) -> End {
    let mut pacer = Pacer::new(shared.config.line_interval);
    // The name has taken the first slot. Otherwise reconnecting would be a way around the pace.
    pacer.wait(Instant::now());
    let mut speech = Speech::default();
    let mut unreachable_since: Option<Instant> = None;
    loop {
        gauge.set(Doing::Listens);
        let sent = match input.next() {
            Ok(sent) => sent,
            // The kernel reports a reset once, to the reader or to the writer, so check both.
            Err(End::ClosedByPeer) if writer.has_ended() => return End::Reset,
            Err(end) => return end,
        };
        if !sleep(pacer.wait(Instant::now()), &shared.stop, gauge) {
            return if gauge.is_asked_to_leave() {
                End::AskedToLeave
            } else {
                End::Stopped
            };
        }
        if writer.has_ended() {
            let since = unreachable_since.get_or_insert_with(Instant::now);
            if since.elapsed() > LAST_WORDS || input.n_waiting() >= FLOOD {
                return End::Reset;
            }
        }
        gauge.set(Doing::Waits);
        if name.update() {
            gauge.set_name(name.shown());
        }
        let done = match sent {
            Sent::AreYouThere => tell_name(name, presence),
            Sent::Line(piece) => match speech.utterance(&piece) {
                Some(Utterance::Said(text)) => {
                    panic_if_told(text.as_bytes());
                    gauge.said();
                    presence
                        .say(message(name.shown(), &text))
                        .map_err(End::from)
                }
                Some(Utterance::Asked(command)) => {
                    if let Command::Me(_) = command {
                        gauge.said();
                    }
                    let done = obey(command, id, name, presence, shared);
                    gauge.set_name(name.shown());
                    done
                }
                None => Ok(()),
            },
        };
        if let Err(end) = done {
            return end;
        }
    }
}

/// Sleeps for `wait`, or until the client has to go. Returns whether to go on.
fn sleep(mut wait: Duration, stop: &Stop, gauge: &Gauge) -> bool {
    let may_stay = || !stop.has_begun() && !gauge.is_asked_to_leave();
    while !wait.is_zero() && may_stay() {
        let nap = wait.min(MAX_SLEEP);
        gauge.set(Doing::Paced);
        thread::sleep(nap);
        gauge.paced(nap);
        wait -= nap;
    }
    may_stay()
}
