//! Asks a client to leave, when whoever runs the server says so on the status socket, and lets its
//! address come back.

use super::Status;
use crate::protocol::addressee;
use crate::protocol::lookalikes::look_alike;
use crate::protocol::text;
use crate::server::admission::barred::LONGEST;
use crate::server::admission::seats::Bar;
use crate::server::gauges::Gauge;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Maximum length of a reason, in characters.
const MAX_REASON: usize = 200;

/// Why a request does nothing.
const NOT_UNDERSTOOD: &str =
    "Write kick NAME or kick #NUMBER, a tab, seconds or nothing, a tab, and why.";

impl Status<'_> {
    /// Does what `kick NAME⇥SECONDS⇥WHY` asks for, and returns one sentence after `yes` or `no`.
    pub(super) fn kick(&self, request: &str) -> String {
        answer(self.removed(request))
    }

    /// Does what `forgive ADDRESS` asks for, and returns one sentence after `yes` or `no`.
    pub(super) fn forgive(&self, request: &str) -> String {
        answer(self.forgiven(request))
    }

    fn removed(&self, request: &str) -> Result<String, String> {
        let request = request.strip_prefix("kick ").unwrap_or_default();
        let mut parts = request.splitn(3, '\t');
        let wanted = parts.next().unwrap_or_default().trim();
        let bar = match parts.next().unwrap_or_default().trim() {
            "" => None,
            seconds => {
                let time = seconds.parse().map(Duration::from_secs);
                let time = time.ok().filter(|it| !it.is_zero() && *it <= LONGEST);
                Some(time.ok_or(NOT_UNDERSTOOD)?)
            }
        };
        if wanted.is_empty() {
            return Err(NOT_UNDERSTOOD.to_owned());
        }
        let gauges = self.seats.gauges();
        let gauge = find(wanted, &gauges)?;
        let why = reason(parts.next().unwrap_or_default());
        let removed = self.seats.remove(gauge.id, why, bar);
        let removed = removed.ok_or_else(|| nobody(wanted))?;
        let barred = match (removed.bar, bar) {
            (_, None) => String::new(),
            (None, _) => " Its address is this host's own, which is never barred.".to_owned(),
            (Some(Bar { address, counts }), Some(_)) if !counts => {
                format!(" {address} was already barred for longer.")
            }
            (Some(Bar { address, .. }), Some(bar)) => {
                let time = time(bar.as_secs());
                format!(" Nobody of {address} may come back for {time}.")
            }
        };
        let id = gauge.id;
        let name = gauge.name();
        let who = match name {
            Some(name) => format!("Connection #{id}, \"{name}\","),
            None => format!("Connection #{id}"),
        };
        log::info!("{who} was asked to leave.{barred}");
        Ok(format!("{who} was asked to leave.{barred}"))
    }

    fn forgiven(&self, request: &str) -> Result<String, String> {
        let address = request.strip_prefix("forgive ").unwrap_or_default().trim();
        let shown = text::clean(address);
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{shown} is no address; write one such as 192.0.2.7."))?;
        if !self.seats.forgive(address) {
            return Err(format!(
                "{shown} is not barred; the log says which addresses are."
            ));
        }
        let sentence = format!("{shown} may come back.");
        log::info!("{sentence}");
        Ok(sentence)
    }
}

fn answer(outcome: Result<String, String>) -> String {
    match outcome {
        Ok(sentence) => format!("yes\t{sentence}\n"),
        Err(sentence) => format!("no\t{sentence}\n"),
    }
}

/// Returns the client with this name or number. If there is none, a name may look like it: what is
/// wanted was perhaps typed with the letters of another alphabet.
fn find<'a>(wanted: &str, gauges: &'a [Arc<Gauge>]) -> Result<&'a Gauge, String> {
    let those = |is_meant: &dyn Fn(&Gauge) -> bool| -> Vec<&Gauge> {
        let gauges = gauges.iter().map(Arc::as_ref);
        gauges.filter(|gauge| is_meant(gauge)).collect()
    };
    let is_called = |gauge: &Gauge, is_meant: &dyn Fn(&str) -> bool| {
        gauge.name().is_some_and(|name| is_meant(&name))
    };
    // This is how the view shows one without a name. No name begins with a star.
    if let Some(number) =
        number(wanted.trim_start_matches("* ")).filter(|_| wanted.starts_with('*'))
    {
        let found = those(&|gauge| gauge.id == number);
        return found.first().copied().ok_or_else(|| nobody(wanted));
    }
    let name = folded(wanted);
    // The view cuts long names in this way.
    let beginning = wanted.strip_suffix(['…', '~']).map(folded);
    let beginning = beginning.filter(|it| !it.is_empty());
    let mut found = those(&|gauge| {
        number(wanted) == Some(gauge.id)
            || is_called(gauge, &|it| {
                let it = folded(it);
                it == name
                    || beginning
                        .as_ref()
                        .is_some_and(|begin| it.starts_with(begin))
            })
    });
    if found.is_empty() {
        found = those(&|gauge| is_called(gauge, &|it| look_alike(it, wanted)));
    }
    match found[..] {
        [] => Err(nobody(wanted)),
        [gauge] => Ok(gauge),
        [one, other, ref more @ ..] => Err(format!(
            "It can be {} or {}{}; write the number with the star.",
            numbered(one),
            numbered(other),
            if more.is_empty() { "" } else { ", or others" }
        )),
    }
}

/// Returns the number in `#7`.
fn number(wanted: &str) -> Option<u64> {
    wanted.strip_prefix('#')?.parse().ok()
}

/// Returns a client as nobody else can be called.
fn numbered(gauge: &Gauge) -> String {
    let name = gauge.name();
    let name = name.map_or_else(String::new, |name| format!(" {name:?}"));
    format!("* #{}{name}", gauge.id)
}

/// Returns a time in the largest unit of which it is a multiple.
fn time(n_seconds: u64) -> String {
    let (n_units, name) = match n_seconds {
        it if it.is_multiple_of(3600) => (it / 3600, "hour"),
        it if it.is_multiple_of(60) => (it / 60, "minute"),
        it => (it, "second"),
    };
    let plural = if n_units == 1 { "" } else { "s" };
    format!("{n_units} {name}{plural}")
}

/// Returns a name as it is compared. Where a word is cut, its last letter can seem to be within it.
fn folded(name: &str) -> String {
    addressee::folded(name).replace('ς', "σ")
}

fn nobody(wanted: &str) -> String {
    let wanted = text::clean(wanted);
    format!("Nobody here is {wanted}; \"trio-chat watch\" shows who is here.")
}

/// Returns a reason as its client may see it, without a full stop.
fn reason(given: &str) -> String {
    let cleaned = text::clean(given);
    let reason: String = cleaned.trim().chars().take(MAX_REASON).collect();
    reason.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (n_seconds, expected) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
        ] {
            assert_eq!(time(n_seconds), expected);
        }
    }
}
