//! Carries out what a client commands, or passes it to the room. Parsing commands is left to
//! `protocol`, and all that takes more than one member to the room.

use super::end::End;
use super::roster::Name;
use crate::protocol::command::{Command, HELP};
use crate::protocol::message;
use crate::protocol::notice::Notice;
use crate::room::event::ClientId;
use crate::server::handle::{Presence, Unclaimed};
use crate::server::shared::Shared;

/// Carries out `command` for the client `id`, whose name it may change.
///
/// # Errors
/// The end of the session, if the client quits or the room is closed.
// Inlined, it would take a page more of the stack of every session, whether it commands or not.
#[inline(never)]
pub fn obey(
    command: Command,
    id: ClientId,
    name: &mut Name<'_>,
    presence: &Presence<'_>,
    shared: &Shared,
) -> Result<(), End> {
    let notify = |notice: Notice| presence.tell(notice.line());
    let done = match command {
        Command::Help => presence.tell(HELP.to_owned()),
        Command::Who => presence.ask_who(),
        Command::Me(text) => presence.say(message(name.shown(), &format!("*{text}*"))),
        Command::Message(letter) => presence.say_to(letter),
        Command::Reply(text) => presence.reply(text),
        Command::Nick(given) => match name.change(&given) {
            Ok(changed) if changed.shown() == name.shown() => return tell_name(name, presence),
            Ok(changed) => match presence.claim(&changed, name, &shared.roster) {
                Err(Unclaimed::Refused(refusal)) => notify(refusal),
                Err(Unclaimed::Away) => notify(Notice::CutOff),
                Ok(()) => {
                    shared.log_name(id, changed.shown());
                    let renamed = presence.rename(changed.shown().clone());
                    // Only now is the earlier name free: the room must not hear of it twice.
                    *name = changed;
                    renamed
                }
            },
            Err(refusal) => notify(refusal),
        },
        Command::Quit => {
            notify(Notice::Bye)?;
            return Err(End::Quit);
        }
        Command::Unknown => notify(Notice::NoSuchCommand),
        Command::Incomplete => notify(Notice::IncompleteCommand),
        Command::Long => notify(Notice::LongCommand),
    };
    done.map_err(End::from)
}

/// Tells the client that it is in, and under which name.
///
/// # Errors
/// When the room is closed.
pub fn tell_name(name: &Name<'_>, presence: &Presence<'_>) -> Result<(), End> {
    let notice = Notice::YouAre(name.shown().to_string());
    presence.tell(notice.line()).map_err(End::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::lines::Line;
    use crate::protocol::names;
    use crate::protocol::utterance::{Speech, Utterance};
    use crate::room::outbox::testing::{heard, outbox};
    use crate::room::{Room, Rules};
    use crate::server::handle::RoomHandle;
    use crossbeam_channel::unbounded;
    use proptest::prelude::*;

    /// Lets four clients with these names send these lines, in this order. Returns what each hears,
    /// line by line.
    fn heard_by_all(names: &[String], lines: &[(usize, String)]) -> Vec<Vec<String>> {
        let shared = Shared::default();
        let (events, inbox) = unbounded();
        let handle = RoomHandle::new(events);
        let mut room = Room::new(&Rules {
            announces: true,
            ..Rules::default()
        });
        let mut clients = Vec::new();
        let mut writers = Vec::new();
        for (id, name) in (0..).zip(names) {
            let Ok(name) = shared.roster.claim(name) else {
                continue;
            };
            let (outbox, frames) = outbox(4096);
            let shown = Some(name.shown().clone());
            clients.push((name, handle.join(id, shown, outbox).unwrap()));
            writers.push(frames);
        }
        for (id, text) in lines {
            let n_clients = clients.len();
            let (name, presence) = &mut clients[id % n_clients];
            let line = Line {
                text: text.clone(),
                first: true,
                last: true,
            };
            // One who has quit is not heard any more, but here it stays.
            let _ = match Speech::default().utterance(&line) {
                Some(Utterance::Said(text)) => presence
                    .say(message(name.shown(), &text))
                    .map_err(End::from),
                Some(Utterance::Asked(command)) => obey(command, 0, name, presence, &shared),
                None => Ok(()),
            };
            inbox.try_iter().for_each(|event| room.apply(event));
            if id % 3 == 0 {
                room.flush(|_, _| panic!("the queues are long enough"));
            }
        }
        room.flush(|_, _| panic!("the queues are long enough"));
        let lines = |frames| heard(frames).0.lines().map(str::to_owned).collect();
        writers.iter().map(lines).collect()
    }

    fn some_name() -> impl Strategy<Value = String> {
        let given = prop_oneof![
            any::<String>(),
            "[a-z \".*#()>:/]{1,32}",
            "(to|is|Ada) ?[\"a:]{0,3}"
        ];
        given.prop_filter("no name", |given| names::check(given).is_ok())
    }

    fn some_line(names: Vec<String>) -> impl Strategy<Value = String> {
        let name = prop::sample::select(names);
        let command = "/(msg|r|me|nick|who|help|quit|mgs|)";
        let quote = prop_oneof![Just("\""), Just("")];
        prop_oneof![
            any::<String>(),
            (command, any::<String>()).prop_map(|(command, text)| format!("{command} {text}")),
            (name, quote, ".{0,9}")
                .prop_map(|(name, quote, text)| format!("/msg {quote}{name}{quote} {text}")),
            ".{0,9}".prop_map(|text| format!("/r {text}")),
        ]
    }

    /// Four names, and lines of the four, each with the number of its sender. Each line ends with a
    /// word that says whose it is.
    fn some_talk() -> impl Strategy<Value = (Vec<String>, Vec<(usize, String)>)> {
        prop::collection::vec(some_name(), 4).prop_flat_map(|names| {
            let lines = prop::collection::vec((0..4_usize, some_line(names.clone())), 1..40);
            let marked = lines.prop_map(|lines| {
                let lines = lines.into_iter().enumerate();
                lines
                    .map(|(number, (id, text))| (id, format!("{text} ~{number}~")))
                    .collect()
            });
            (Just(names), marked)
        })
    }

    /// Whether `line` has a form in which a client's words may stand in a line of the server's.
    fn is_stated_form(line: &str) -> bool {
        line.contains(" (to you): ")
            || line.starts_with("* To ")
            || line.starts_with("* - ")
            || line.ends_with(" people are here, oldest first:")
            || line.starts_with("* ") && line.contains(" is now ") && line.ends_with('.')
            || line.starts_with("* ") && line.ends_with(" joined.")
            || HELP.lines().any(|help| help == line)
    }

    proptest! {
        #[test]
        fn j5_what_is_for_one_reaches_no_other_and_all_else_is_one_order(
            (names, lines) in some_talk(),
        ) {
            let heard = heard_by_all(&names, &lines);
            let public = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| !line.starts_with('*')).cloned().collect()
            };
            for one in &heard {
                prop_assert_eq!(public(one), public(&heard[0]));
            }
            for (number, (_, text)) in lines.iter().enumerate() {
                let word = format!("~{number}~");
                let who_heard = heard.iter().filter(|lines| {
                    lines.iter().any(|line| line.contains(&word))
                });
                let n_heard = who_heard.count();
                let is_command = text.trim_start().starts_with('/')
                    && !text.trim_start().starts_with("//");
                let is_for_all = ["/me ", "/nick "].iter().any(|it| text.starts_with(it));
                if is_command && !is_for_all {
                    prop_assert!(n_heard <= 2, "{} heard {}", n_heard, text);
                }
            }
        }

        #[test]
        fn j6_no_line_can_be_mistaken_for_the_servers((names, lines) in some_talk()) {
            for line in heard_by_all(&names, &lines).concat() {
                prop_assert!(!line.contains(char::is_control));
                let notice = line.parse::<Notice>();
                if !line.starts_with('*') {
                    prop_assert!(notice.is_err() && line.contains("> "), "{}", line);
                } else if is_stated_form(&line) {
                    prop_assert!(notice.is_err(), "{}", line);
                } else {
                    prop_assert!(notice.is_ok(), "{}", line);
                }
            }
        }
    }
}
