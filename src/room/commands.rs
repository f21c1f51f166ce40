//! Carries out commands: each is one function on the room. Parsing commands is left to `protocol`,
//! and checking names to the roster.

use super::Room;
use super::arrivals::Change;
use super::event::{Addressee, ClientId, Outgoing, Writer};
use super::member::LastWriter;
use crate::protocol::addressee::Letter;
use crate::protocol::notice::Notice;
use crate::protocol::{message_to, message_to_you};
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Number of members from which only the first ones are listed, and how many those are.
pub const MANY: usize = 1000;
/// See [`MANY`].
pub const N_LISTED: usize = 200;

/// Maximum width of a line of the list, in columns.
const WIDTH: usize = 72;

impl Room {
    /// `/who`: lists the names of all members.
    pub(super) fn who(&mut self, asking: ClientId) {
        let list = self.list.take();
        let list = list.unwrap_or_else(|| self.memory.frame(self.list().as_bytes()));
        self.list = Some(Arc::clone(&list));
        self.answer(asking, list);
    }

    fn list(&self) -> String {
        let names: Vec<&str> = self.names().map(|name| &**name).collect();
        let n_listed = n_listed(names.len());
        list_of(&names[..n_listed], names.len())
    }

    /// `/msg`: passes a text to the member that the `letter` is for.
    pub(super) fn say_to(&mut self, from: ClientId, letter: &Letter) {
        match self.directory.addressee(letter) {
            Some((_, "")) => self.notify(from, &Notice::IncompleteCommand),
            Some((to, text)) => self.pass(from, to, text),
            None => self.notify(from, &Notice::NobodyOfThatName),
        }
    }

    /// `/r`: passes a text to the member that has last passed one to this member.
    pub(super) fn reply(&mut self, from: ClientId, text: String) {
        let member = self.members.get(&from);
        match member.and_then(|member| member.last_writer.clone()) {
            Some(LastWriter::Here(to)) if self.name(to).is_some() => self.pass(from, to, &text),
            Some(LastWriter::Elsewhere(to)) => self.reply_elsewhere(from, to, text),
            _ => self.notify(from, &Notice::NobodyToAnswer),
        }
    }

    fn reply_elsewhere(&mut self, from: ClientId, to: Writer, text: String) {
        let Some(name) = self.name(from) else { return };
        let reply = Outgoing::Reply {
            from,
            name,
            to,
            text,
        };
        if !self.send_out(reply) {
            self.notify(from, &Notice::TheirQueueIsFull);
        }
    }

    /// Passes a text to a member that somebody on another server has written to it.
    pub(super) fn letter(&mut self, to: &Addressee, writer: Writer, text: &str) {
        let id = match to {
            Addressee::Name(name) => self.directory.id(name),
            Addressee::Id(id) => self.name(*id).map(|_| *id),
        };
        let line = message_to_you(&writer.name, text);
        let was_delivered = id.is_some_and(|id| self.tell(id, &line));
        let member = id.and_then(|id| self.members.get_mut(&id));
        if let Some(member) = member.filter(|_| was_delivered) {
            member.last_writer = Some(LastWriter::Elsewhere(writer));
        } else {
            self.send_out(Outgoing::Undelivered {
                to: writer,
                was_full: id.is_some(),
            });
        }
    }

    /// Hands something over for another server. Returns false if there are too many others.
    fn send_out(&self, outgoing: Outgoing) -> bool {
        let sender = self.outgoing.as_ref();
        sender.is_some_and(|sender| sender.try_send(outgoing).is_ok())
    }

    /// `/nick`: gives a member another name, which its session has checked.
    pub(super) fn rename(&mut self, id: ClientId, name: &Arc<str>) {
        let Some(earlier) = self.name(id) else {
            return;
        };
        self.directory.remove(&earlier, id);
        self.directory.add(name, id);
        if let Some(member) = self.members.get_mut(&id) {
            member.name = Some(Arc::clone(name));
        }
        self.list = None;
        self.notify(id, &Notice::YouAre(name.to_string()));
        self.announce(&Change::Renamed(earlier, Arc::clone(name)));
    }

    fn pass(&mut self, from: ClientId, to: ClientId, text: &str) {
        let (Some(writer), Some(reader)) = (self.name(from), self.name(to)) else {
            return;
        };
        if self.tell(to, &message_to_you(&writer, text)) {
            if let Some(member) = self.members.get_mut(&to) {
                member.last_writer = Some(LastWriter::Here(from));
            }
            self.tell(from, &message_to(&reader, text));
        } else {
            self.notify(from, &Notice::TheirQueueIsFull);
        }
    }

    fn notify(&mut self, id: ClientId, notice: &Notice) {
        self.tell(id, &notice.line());
    }
}

/// Returns how many of `n_people` are listed by name.
fn n_listed(n_people: usize) -> usize {
    if n_people < MANY { n_people } else { N_LISTED }
}

/// Returns what `/who` answers: the names that are `listed`, oldest first, of `n_people`. Each line
/// begins with a sign of ours, so that no name can be taken for a notice.
pub fn list_of(listed: &[&str], n_people: usize) -> String {
    let n_others = n_people.saturating_sub(listed.len());
    if n_people <= 1 {
        return Notice::NobodyElse.line();
    }
    let mut list = format!("* {n_people} people are here, oldest first:");
    let mut column = WIDTH;
    for (number, name) in (1..).zip(listed) {
        let separator = if number == n_people { "" } else { "," };
        let width = name.width() + separator.len();
        if column + 1 + width > WIDTH {
            list += "\n* -";
            column = "* -".len();
        }
        list.extend([" ", name, separator]);
        column += 1 + width;
    }
    if n_others > 0 {
        list.extend(["\n* - and ", &n_others.to_string(), " others"]);
    }
    list + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::tests::{flush, join_as, say};
    use super::*;
    use crate::room::event::Event;
    use crate::room::outbox::testing::heard;

    fn say_to(room: &mut Room, from: ClientId, words: &str) {
        let letter = Letter::new(words.to_owned());
        room.apply(Event::SaidTo { from, letter });
    }

    fn reply(room: &mut Room, from: ClientId, text: &str) {
        let text = text.to_owned();
        room.apply(Event::Replied { from, text });
    }

    fn who(room: &mut Room, id: ClientId) {
        room.apply(Event::AskedWho(id));
        flush(room);
    }

    #[test]
    fn who_lists_everyone_oldest_first() {
        let mut room = Room::default();
        let ada = join_as(&mut room, 0, "Ada", 4);
        who(&mut room, 0);
        let _bob = join_as(&mut room, 1, "Bob", 4);
        let _eve = join_as(&mut room, 2, "Eve", 4);
        who(&mut room, 0);
        room.apply(Event::Leave(1));
        who(&mut room, 0);
        assert_eq!(
            heard(&ada).0,
            "* Nobody else is here.\n\
             * 3 people are here, oldest first:\n* - Ada, Bob, Eve\n\
             * 2 people are here, oldest first:\n* - Ada, Eve\n"
        );
    }

    #[test]
    fn a_long_list_is_wrapped_and_a_very_long_one_is_cut() {
        let name = |number: usize| format!("名前 {number}");
        for (n_names, n_listed) in [(999, 999), (1000, 200), (8000, 200)] {
            let names: Vec<String> = (1..=n_names).map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let list = list_of(&names[..super::n_listed(n_names)], n_names);
            let lines: Vec<_> = list.lines().collect();
            assert!(lines.iter().all(|line| line.width() <= WIDTH));
            assert!(lines[1..].iter().all(|line| line.starts_with("* - ")));
            assert_eq!(list.matches("名前").count(), n_listed);
            let n_others = n_names - n_listed;
            let end = format!("\n* - and {n_others} others\n");
            assert_eq!(list.ends_with(&end), n_others > 0);
        }
    }

    #[test]
    fn a_private_message_reaches_one_and_both_are_told() {
        let mut room = Room::default();
        let rick = join_as(&mut room, 0, "Rick", 4);
        let guard = join_as(&mut room, 1, "Guard #1", 4);
        let other = join_as(&mut room, 2, "Guard", 4);
        say_to(&mut room, 0, "guard #1 hi");
        reply(&mut room, 1, "hello");
        flush(&mut room);
        assert_eq!(
            heard(&rick).0,
            "* To Guard #1: hi\n* Guard #1 (to you): hello\n"
        );
        assert_eq!(heard(&guard).0, "* Rick (to you): hi\n* To Rick: hello\n");
        assert_eq!(heard(&other).0, "");
    }

    #[test]
    fn what_cannot_be_passed_is_answered() {
        let mut room = Room::default();
        let rick = join_as(&mut room, 0, "Rick", 9);
        let slow = join_as(&mut room, 1, "Slow", 1);
        say_to(&mut room, 0, "Nobody hi");
        say_to(&mut room, 0, "Slow");
        reply(&mut room, 0, "hi");
        say(&mut room, 0, "to everyone");
        flush(&mut room);
        say_to(&mut room, 0, "Slow hi");
        assert_eq!(flush(&mut room), [(1, 1)]);
        reply(&mut room, 1, "hi");
        flush(&mut room);
        let lines = [
            "to everyone".to_owned(),
            Notice::NobodyOfThatName.to_string(),
            Notice::IncompleteCommand.to_string(),
            Notice::NobodyToAnswer.to_string(),
            Notice::TheirQueueIsFull.to_string(),
        ];
        assert_eq!(heard(&rick).0, lines.join("\n") + "\n");
        assert_eq!(heard(&slow).0, "to everyone\n");
    }

    #[test]
    fn nobody_answers_one_who_has_left_or_is_leaving() {
        let mut room = Room::default();
        let rick = join_as(&mut room, 0, "Rick", 9);
        let bob = join_as(&mut room, 1, "Bob", 9);
        say_to(&mut room, 1, "Rick hi");
        flush(&mut room);
        say(&mut room, 0, "x");
        room.apply(Event::Leave(1));
        reply(&mut room, 0, "hi");
        say_to(&mut room, 0, "Bob hi");
        flush(&mut room);
        let namesake = join_as(&mut room, 2, "Bob", 9);
        reply(&mut room, 0, "hi");
        flush(&mut room);
        let (nobody, left) = (
            Notice::NobodyToAnswer.line(),
            Notice::NobodyOfThatName.line(),
        );
        let expected = format!("* Bob (to you): hi\nx\n{nobody}{left}{nobody}");
        assert_eq!(heard(&rick).0, expected);
        assert_eq!(heard(&bob).0, "* To Rick: hi\nx\n");
        assert_eq!(heard(&namesake).0, "");
    }

    #[test]
    fn a_new_name_is_used_from_then_on() {
        let mut room = Room::default();
        let rick = join_as(&mut room, 0, "rick", 9);
        let bob = join_as(&mut room, 1, "Bob", 9);
        for name in ["Rick", "Pickle Rick"] {
            let name = name.into();
            room.apply(Event::Renamed { id: 0, name });
        }
        say_to(&mut room, 1, "rick hi");
        say_to(&mut room, 1, "pickle rick hi");
        who(&mut room, 1);
        assert_eq!(
            heard(&rick).0,
            "* You are \"Rick\".\n* You are \"Pickle Rick\".\n* Bob (to you): hi\n"
        );
        let list = "* 2 people are here, oldest first:\n* - Pickle Rick, Bob\n";
        let nobody = Notice::NobodyOfThatName.line();
        assert_eq!(
            heard(&bob).0,
            format!("{nobody}* To Pickle Rick: hi\n{list}")
        );
    }
}
