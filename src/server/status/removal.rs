//! Asks a client to leave, when whoever runs the server says so on the status socket.

use super::Status;
use crate::protocol::text;
use crate::server::gauges::Gauge;
use std::time::Duration;

/// Maximum length of a reason, in characters.
const MAX_REASON: usize = 200;

/// Why a request does nothing.
const NOT_UNDERSTOOD: &str =
    "no\tWrite kick NAME or kick #NUMBER, a tab, seconds or nothing, a tab, and why.\n";

impl Status<'_> {
    /// Does what `kick NAME⇥SECONDS⇥WHY` asks for, and returns one sentence after `yes` or `no`.
    pub(super) fn kick(&self, request: &str) -> String {
        let request = request.strip_prefix("kick ").unwrap_or_default();
        let mut parts = request.splitn(3, '\t');
        let wanted = parts.next().unwrap_or_default().trim();
        let bar = match parts.next().unwrap_or_default().trim() {
            "" => None,
            seconds => match seconds.parse() {
                Ok(seconds) => Some(Duration::from_secs(seconds)),
                Err(_) => return NOT_UNDERSTOOD.to_owned(),
            },
        };
        if wanted.is_empty() {
            return NOT_UNDERSTOOD.to_owned();
        }
        let gauges = self.seats.gauges();
        let number = number(wanted);
        let is_wanted = |gauge: &Gauge| number == Some(gauge.id) || is_called(gauge, wanted);
        let mut found = gauges.iter().filter(|gauge| is_wanted(gauge));
        let (found, another) = (found.next(), found.next());
        if let (Some(one), Some(other)) = (found, another) {
            return format!(
                "no\tConnections #{} and #{} can both be meant: one has that number, the other that \
                 name. Write the name of the first, or the number of the second.\n",
                one.id, other.id
            );
        }
        let why = reason(parts.next().unwrap_or_default());
        let removed = found.and_then(|gauge| self.seats.remove(gauge.id, why, bar));
        let (Some(gauge), Some(removed)) = (found, removed) else {
            let wanted = text::clean(wanted);
            return format!(
                "no\tNobody here is {wanted}; \"trio-chat watch\" shows who is here.\n"
            );
        };
        let id = gauge.id;
        let name = gauge.name();
        let name = name.map_or_else(String::new, |name| format!(", \"{name}\""));
        let barred = match (bar, removed.is_barred) {
            (None, _) => "",
            (Some(_), true) => " Nobody of that address may come back until then.",
            (Some(_), false) => " Its address is this host's own, which is never barred.",
        };
        log::info!("Connection #{id}{name}: asked to leave.{barred}");
        format!("yes\tConnection #{id}{name}, was asked to leave.{barred}\n")
    }
}

/// Returns the number in `#7`.
fn number(wanted: &str) -> Option<u64> {
    wanted.strip_prefix('#')?.parse().ok()
}

/// Whether a client has this name. No two have names that differ by case only.
fn is_called(gauge: &Gauge, wanted: &str) -> bool {
    let name = gauge.name();
    name.is_some_and(|name| name.to_lowercase() == wanted.to_lowercase())
}

/// Returns a reason as its client may see it, without a full stop.
fn reason(given: &str) -> String {
    let cleaned = text::clean(given);
    let reason: String = cleaned.trim().chars().take(MAX_REASON).collect();
    reason.trim_end_matches(['.', ' ']).to_owned()
}
