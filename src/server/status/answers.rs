//! Writes the answers of the status socket: one line for each client, one for each number of the
//! room, or the totals as Prometheus reads them.

use super::Status;
use crate::logging;
use crate::net::listener::RECEIVE_BUFFER;
use crate::room::outbox::HARDLY_FITS;
use crate::server::admission::refusal::Refusal;
use crate::server::broadcaster::INBOX;
use crate::server::gauges::{Doing, Gauge};
use std::fmt::Write;
use std::net::SocketAddr;
use std::process;
use std::sync::atomic::Ordering;

/// The answer to `help`, and to everything else that is no request.
pub const HELP: &str = "\
clients\tone line for each client: where its bytes wait, and what it has missed
room\tthe numbers of the room, a key and a value to a line
kick WHOM\task a client to leave; after a tab for how many seconds it is barred, after a tab why
forgive ADDRESS\tlet a barred address come back
GET /metrics\tthe totals, as Prometheus reads them
help\tthis
";

/// The answer to `GET` of anything but the metrics.
pub const NOT_FOUND: &str = "HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n";

/// The heading of `clients`.
const HEADING: &str = "id\tname\tpeer\there\tdoing\tsaid\tpaced_ms\tframes\tbytes\twritten_bytes\t\
                       missed\tsince_s\n";

impl Status<'_> {
    pub(super) fn clients(&self) -> String {
        let mut text = HEADING.to_owned();
        for gauge in self.seats.gauges() {
            add_client(&mut text, &gauge);
        }
        text
    }

    pub(super) fn room(&self) -> String {
        let (shared, totals) = (self.shared, &self.shared.totals);
        let gauges = self.seats.gauges();
        let n_unnamed = gauges.iter().filter(|gauge| gauge.name().is_none()).count();
        let interval = shared.config.line_interval.as_secs_f64();
        let rate = if interval > 0.0 { 1.0 / interval } else { 0.0 };
        let n_turned_away: u64 = totals.n_turned_away().iter().sum();
        let mut text = String::new();
        let mut add = |key: &str, value: &dyn std::fmt::Display| {
            // Writing to a string never fails.
            let _ = writeln!(text, "{key}\t{value}");
        };
        add("version", &env!("CARGO_PKG_VERSION"));
        add("pid", &process::id());
        add("listens", &self.addresses.join(" "));
        add("up_s", &self.start.elapsed().as_secs());
        add("clients", &gauges.len());
        add("seats", &self.seats.n_total());
        add("unnamed", &n_unnamed);
        add("inbox", &self.room.n_waiting());
        add("inbox_max", &INBOX);
        add("frame_bytes", &totals.n_frame_bytes());
        add("frames", &totals.n_frames());
        add("messages", &totals.n_messages());
        add("missed", &totals.n_missed());
        add("turned_away", &n_turned_away);
        add("log_lost", &logging::n_lost());
        add("rate", &rate);
        add("queue", &shared.config.queue_frames);
        add("rcvbuf", &RECEIVE_BUFFER);
        if let Some(link) = &self.link {
            let link = link.state();
            add("link", &if link.is_cut_off { "cut off" } else { "up" });
            add("link_behind", &link.n_behind);
            add("link_unsaid", &link.n_unsaid);
        }
        text
    }

    pub(super) fn metrics(&self) -> String {
        let totals = &self.shared.totals;
        let gauges = self.seats.gauges();
        let count = |is_meant: &dyn Fn(&Gauge) -> bool| {
            gauges.iter().filter(|gauge| is_meant(gauge)).count() as u64
        };
        let queue = self.shared.config.queue_frames;
        let mut text = String::from(
            "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n",
        );
        let mut add = |name: &str, kind: &str, help: &str, value: u64| {
            let _ = write!(
                text,
                "# HELP trio_chat_{name} {help}\n# TYPE trio_chat_{name} {kind}\n\
                 trio_chat_{name} {value}\n"
            );
        };
        let n_seats = self.seats.n_total() as u64;
        let n_connections = self.n_connections.load(Ordering::Relaxed);
        for (name, help, value) in [
            ("clients", "Connected clients.", gauges.len() as u64),
            ("seats", "Maximum number of clients.", n_seats),
            (
                "clients_paced",
                "Clients whose next line waits for its slot.",
                count(&|gauge| gauge.doing() == Doing::Paced),
            ),
            (
                "clients_full",
                "Clients whose outbox has no room for another full frame.",
                count(&|gauge| {
                    let outbox = &gauge.outbox;
                    outbox.n_frames() >= queue || outbox.n_bytes() > HARDLY_FITS
                }),
            ),
            (
                "inbox_events",
                "Events that wait for the room.",
                self.room.n_waiting() as u64,
            ),
            (
                "up_seconds",
                "Time since the server was started.",
                self.start.elapsed().as_secs(),
            ),
        ] {
            add(name, "gauge", help, value);
        }
        for (name, help, value) in [
            (
                "messages_total",
                "Messages said, each counted once.",
                totals.n_messages(),
            ),
            (
                "missed_messages_total",
                "Messages that did not fit an outbox, for all clients.",
                totals.n_missed(),
            ),
            (
                "frames_total",
                "Frames sent to the outboxes.",
                totals.n_frames(),
            ),
            ("connections_total", "Connections accepted.", n_connections),
            (
                "log_lines_lost_total",
                "Log lines lost, because nobody read them in time.",
                logging::n_lost(),
            ),
        ] {
            add(name, "counter", help, value);
        }
        let name = "trio_chat_turned_away_total";
        let _ = write!(
            text,
            "# HELP {name} Connections that got no seat.\n# TYPE {name} counter\n"
        );
        for (reason, value) in Refusal::ALL.iter().zip(totals.n_turned_away()) {
            let _ = writeln!(text, "{name}{{reason=\"{}\"}} {value}", reason.word());
        }
        text
    }
}

fn add_client(text: &mut String, gauge: &Gauge) {
    let address = |address: Option<SocketAddr>| {
        address.map_or_else(|| "-".to_owned(), |address| address.to_string())
    };
    let [peer, here] = gauge.ends.map(address);
    let outbox = &gauge.outbox;
    // No name begins with a star.
    let name = gauge.name();
    let name = name.as_deref().unwrap_or("*");
    let _ = writeln!(
        text,
        "{}\t{name}\t{peer}\t{here}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        gauge.id,
        gauge.doing().word(),
        gauge.n_said(),
        gauge.time_paced().as_millis(),
        outbox.n_frames(),
        outbox.n_bytes(),
        gauge.n_written(),
        outbox.n_missed(),
        gauge.since.elapsed().as_secs(),
    );
}
