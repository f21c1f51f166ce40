//! Lists the server's own lines, and parses them back for clients. Who gets which of them, and when,
//! is left to the server.

use super::{MAX_LINE, MAX_NAME};
use std::fmt;
use std::str::FromStr;
use unicode_script::Script;

/// A line that the server itself sends to a client. `Display` writes it without the newline, and
/// `FromStr` parses it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The greeting, which asks for a name.
    Welcome,
    /// Asks for the password, before the greeting.
    EnterPassword,
    /// The client has given another password.
    WrongPassword,
    /// Asks again for a name, after a refusal.
    EnterName,
    /// The name has no visible character.
    InvisibleName,
    /// The name has more than [`MAX_NAME`] characters or columns.
    LongName,
    /// The name could be mistaken for a line of the server's, or for a name with a message.
    ReservedName,
    /// The name could make a private message seem to be somebody else's.
    PrivateName,
    /// The name mixes letters of two scripts that must not stand in one name.
    MixedAlphabets(Script, Script),
    /// Somebody else has the name, or one that looks the same.
    TakenName {
        /// The name asked for.
        wanted: String,
        /// A similar name that is free.
        free: String,
    },
    /// A line that was to be a name exceeded [`MAX_LINE`]. The client gets no other try.
    NotAName,
    /// What the client sent is another protocol.
    Foreign,
    /// Too many names or passwords were refused.
    LastTry,
    /// The client gave no name in time.
    TooSlow,
    /// The client gave no name, and a newcomer needs its seat.
    Evicted,
    /// The client missed this many messages; at least 1.
    Missed(u64),
    /// There is no free seat.
    Full,
    /// The client's address already holds its share of the seats.
    TooManyFromAddress,
    /// The server is stopping.
    Goodbye,
    /// Whoever runs the server wants the client to leave.
    AskedToLeave,
    /// The same, for this reason.
    AskedToLeaveFor(String),
    /// Whoever runs the server wants nobody of the client's address to come for so many minutes; at least
    /// 1.
    Barred(u64),
    /// The client is in, under this name.
    YouAre(String),
    /// The client has left by a command.
    Bye,
    /// The line begins with `/` and is no command.
    NoSuchCommand,
    /// The command lacks a name or a text.
    IncompleteCommand,
    /// The command exceeds [`MAX_LINE`].
    LongCommand,
    /// Nobody has the name that a message was for.
    NobodyOfThatName,
    /// Nobody who is still here has written to the client.
    NobodyToAnswer,
    /// The client that a message was for has no space for it.
    TheirQueueIsFull,
    /// This server does not reach the others that share its room.
    CutOff,
    /// It reaches them again.
    Back,
    /// What all servers share has no space for more.
    EngineFull,
    /// What all servers shared was lost, so nobody knows how much the client missed.
    MayHaveMissed,
    /// A letter did not reach somebody on another server.
    NotDelivered,
    /// A newcomer has to wait until this server reaches the others again.
    CutOffAtDoor,
    /// Somebody has the name, but on a server that was not heard of lately.
    LostName {
        /// The name asked for.
        wanted: String,
        /// A similar name that is free.
        free: String,
    },
    /// Somebody else got the client's name while its server was cut off, and it has this one.
    NameLost(String),
    /// So many messages of this server were said to nobody, and will not be; at least 1.
    NotSaid(u64),
    /// Nobody else is in the room.
    NobodyElse,
    /// This many messages follow that were said before the client came; at least 1.
    History(usize),
    /// The messages that were said before the client came end here.
    UpToDate,
}

/// An error: the line is not a [`Notice`].
#[derive(Debug, PartialEq, Eq)]
pub struct NotANotice;

/// Text between the two names of [`Notice::TakenName`].
const TAKEN: &str = "\" is taken. Try \"";

/// Text between the two names of [`Notice::LostName`].
const HELD: &str = "\" is held by a server that was lost. Try again in 10 seconds, or try \"";

/// Text before the name of [`Notice::NameLost`].
const NAME_LOST: &str = "* Somebody else got your name while this server was cut off. You are \"";

/// Text around the reason of [`Notice::AskedToLeaveFor`].
const ASKED_TO_LEAVE: [&str; 2] = ["* You were asked to leave: ", ". Goodbye!"];

/// Text before the number of [`Notice::Barred`].
const BARRED: &str = "* You may come back in ";

/// Text at the end of [`Notice::NotSaid`].
const NOT_SAID: &str = " not said.";

/// Text before the name of [`Notice::YouAre`].
const YOU_ARE: &str = "* You are \"";

/// Text in the middle of lines that begin with a client's name, which could make them look like a
/// notice with a name. Such a notice is not parsed.
const AFTER_NAMES: [&str; 2] = [" (to you): ", " is now "];

/// Text after the two scripts of [`Notice::MixedAlphabets`].
const ALIKE: &str = " look alike. Use one alphabet.";

impl Notice {
    /// Notices whose text never varies.
    const FIXED: [Self; 32] = [
        Self::Welcome,
        Self::EnterPassword,
        Self::WrongPassword,
        Self::EnterName,
        Self::InvisibleName,
        Self::LongName,
        Self::ReservedName,
        Self::PrivateName,
        Self::NotAName,
        Self::Foreign,
        Self::LastTry,
        Self::TooSlow,
        Self::Evicted,
        Self::Full,
        Self::TooManyFromAddress,
        Self::Goodbye,
        Self::AskedToLeave,
        Self::Bye,
        Self::NoSuchCommand,
        Self::IncompleteCommand,
        Self::LongCommand,
        Self::NobodyOfThatName,
        Self::NobodyToAnswer,
        Self::TheirQueueIsFull,
        Self::CutOff,
        Self::Back,
        Self::EngineFull,
        Self::MayHaveMissed,
        Self::NotDelivered,
        Self::CutOffAtDoor,
        Self::NobodyElse,
        Self::UpToDate,
    ];

    /// Whether a client that gets this is not in the room.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::WrongPassword
                | Self::InvisibleName
                | Self::LongName
                | Self::ReservedName
                | Self::PrivateName
                | Self::MixedAlphabets(..)
                | Self::TakenName { .. }
                | Self::LostName { .. }
                | Self::NotAName
                | Self::Foreign
                | Self::LastTry
                | Self::TooSlow
                | Self::Evicted
                | Self::Full
                | Self::TooManyFromAddress
                | Self::Goodbye
                | Self::AskedToLeave
                | Self::AskedToLeaveFor(_)
                | Self::Barred(_)
        )
    }

    /// Returns the notice as it is sent, newline included.
    pub fn line(&self) -> String {
        format!("{self}\n")
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Welcome => out.write_str("Welcome to Trio Chat! Enter your name:"),
            Self::EnterPassword => out.write_str("This room has a password. Enter it:"),
            Self::WrongPassword => out.write_str("* That is not the password."),
            Self::EnterName => out.write_str("Enter your name:"),
            Self::InvisibleName => out.write_str("* A name needs at least one visible character."),
            Self::LongName => write!(out, "* A name has at most {MAX_NAME} characters."),
            Self::ReservedName => {
                out.write_str("* A name cannot contain \">\" or start with \"*\".")
            }
            Self::PrivateName => out.write_str("* A name cannot contain \"(to you)\"."),
            Self::MixedAlphabets(first, second) => {
                let scripts = format!("{first} and {second}").replace('_', " ");
                write!(out, "* Letters of {scripts}{ALIKE}")
            }
            Self::TakenName { wanted, free } => write!(out, "* \"{wanted}{TAKEN}{free}\"."),
            Self::NotAName => write!(out, "* A name has at most {MAX_NAME} characters. Goodbye!"),
            Self::Foreign => {
                out.write_str("* This is a chat, and you seem to be a program for something else.")
            }
            Self::LastTry => out.write_str("* That was the last try. Goodbye!"),
            Self::TooSlow => out.write_str("* That took too long. Goodbye!"),
            Self::Evicted => {
                out.write_str("* Others want to come in, and you gave no name. Goodbye!")
            }
            Self::Missed(1) => out.write_str("* You missed 1 message."),
            Self::Missed(n_messages) => write!(out, "* You missed {n_messages} messages."),
            Self::Full => out.write_str("* The room is full. Try again later."),
            Self::TooManyFromAddress => {
                out.write_str("* Too many connections from your address. Try again later.")
            }
            Self::Goodbye => out.write_str("* The server is stopping. Goodbye!"),
            Self::AskedToLeave => out.write_str("* You were asked to leave. Goodbye!"),
            Self::AskedToLeaveFor(why) => {
                let [before, after] = ASKED_TO_LEAVE;
                write!(out, "{before}{why}{after}")
            }
            Self::Barred(1) => write!(out, "{BARRED}1 minute."),
            Self::Barred(n_minutes) => write!(out, "{BARRED}{n_minutes} minutes."),
            Self::YouAre(name) => write!(out, "{YOU_ARE}{name}\"."),
            Self::Bye => out.write_str("* Goodbye!"),
            Self::NoSuchCommand => {
                out.write_str("* There is no such command. Type /help, or //TEXT to say /TEXT.")
            }
            Self::IncompleteCommand => {
                out.write_str("* That command needs more after it. Type /help.")
            }
            Self::LongCommand => write!(out, "* A command has at most {MAX_LINE} bytes."),
            Self::NobodyOfThatName => {
                out.write_str("* Nobody of that name is here. Type /who for all names.")
            }
            Self::NobodyToAnswer => out.write_str("* Nobody who is here has written to you."),
            Self::TheirQueueIsFull => out.write_str("* That was lost: their queue is full."),
            Self::CutOff => out.write_str(
                "* Cut off from the rest of the room. What you say waits until it is back.",
            ),
            Self::Back => out.write_str("* The room is back."),
            Self::EngineFull => out.write_str("* The room's memory is full. What you say waits."),
            Self::MayHaveMissed => {
                out.write_str("* You may have missed messages: the room's memory was lost.")
            }
            Self::NotDelivered => {
                out.write_str("* That was not delivered: cut off from the rest of the room.")
            }
            Self::CutOffAtDoor => out
                .write_str("* Cut off from the rest of the room. You can come in when it is back."),
            Self::LostName { wanted, free } => write!(out, "* \"{wanted}{HELD}{free}\"."),
            Self::NameLost(name) => write!(out, "{NAME_LOST}{name}\" now."),
            Self::NotSaid(1) => write!(out, "* 1 message of this server was{NOT_SAID}"),
            Self::NotSaid(n_messages) => {
                write!(out, "* {n_messages} messages of this server were{NOT_SAID}")
            }
            Self::NobodyElse => out.write_str("* Nobody else is here."),
            Self::History(1) => out.write_str("* The last message:"),
            Self::History(n_messages) => write!(out, "* The last {n_messages} messages:"),
            Self::UpToDate => out.write_str("* You are up to date."),
        }
    }
}

impl FromStr for Notice {
    type Err = NotANotice;

    fn from_str(line: &str) -> Result<Self, NotANotice> {
        if AFTER_NAMES.iter().any(|text| line.contains(text)) {
            return Err(NotANotice);
        }
        let notice = if let Some(missed) = line.strip_prefix("* You missed ") {
            let count = missed.split(' ').next().unwrap_or_default();
            count.parse().ok().map(Self::Missed)
        } else if let Some(name) = line.strip_prefix(YOU_ARE) {
            let name = name.strip_suffix("\".");
            name.map(|name| Self::YouAre(name.to_owned()))
        } else if let Some(count) = line.strip_prefix("* The last ") {
            match count.split_once(' ') {
                Some((count, _)) => count.parse().ok().map(Self::History),
                None => Some(Self::History(1)),
            }
        } else if let Some(scripts) = line.strip_prefix("* Letters of ") {
            two_scripts(scripts).map(|(first, second)| Self::MixedAlphabets(first, second))
        } else if let Some(names) = line.strip_prefix("* \"") {
            two_names(names.strip_suffix("\".").unwrap_or_default())
        } else if let Some(name) = line.strip_prefix(NAME_LOST) {
            let name = name.strip_suffix("\" now.");
            name.map(|name| Self::NameLost(name.to_owned()))
        } else if let Some(why) = line.strip_prefix(ASKED_TO_LEAVE[0]) {
            let why = why.strip_suffix(ASKED_TO_LEAVE[1]);
            why.map(|why| Self::AskedToLeaveFor(why.to_owned()))
        } else if let Some(count) = line.strip_prefix(BARRED) {
            let count = count.split(' ').next();
            count.and_then(|it| it.parse().ok()).map(Self::Barred)
        } else if line.ends_with(NOT_SAID) {
            let count = line.trim_start_matches("* ").split(' ').next();
            count.and_then(|it| it.parse().ok()).map(Self::NotSaid)
        } else {
            let mut fixed = Self::FIXED.into_iter();
            fixed.find(|notice| notice.to_string() == line)
        };
        notice
            .filter(|notice| notice.to_string() == line)
            .ok_or(NotANotice)
    }
}

/// Parses the two names of a refusal.
fn two_names(text: &str) -> Option<Notice> {
    let both = |between| text.rsplit_once(between);
    if let Some((wanted, free)) = both(HELD) {
        let (wanted, free) = (wanted.to_owned(), free.to_owned());
        return Some(Notice::LostName { wanted, free });
    }
    let (wanted, free) = both(TAKEN)?;
    let (wanted, free) = (wanted.to_owned(), free.to_owned());
    Some(Notice::TakenName { wanted, free })
}

/// Parses "Latin and Cyrillic look alike. Use one alphabet."
fn two_scripts(text: &str) -> Option<(Script, Script)> {
    let (first, second) = text.strip_suffix(ALIKE)?.split_once(" and ")?;
    let script = |name: &str| Script::from_full_name(&name.replace(' ', "_"));
    script(first).zip(script(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{message, message_to, message_to_you, names, text};
    use proptest::prelude::*;
    use unicode_script::UnicodeScript;

    fn some_name() -> impl Strategy<Value = String> {
        let given = prop_oneof![any::<String>(), "[a-zA-Z0-9 \".*>#]{1,32}"];
        given.prop_filter_map("no name", |given| names::check(&given).ok())
    }

    fn some_notice() -> impl Strategy<Value = Notice> {
        prop_oneof![
            prop::sample::select(Notice::FIXED.to_vec()),
            (1..u64::MAX).prop_map(Notice::Missed),
            (1..usize::MAX).prop_map(Notice::History),
            some_name().prop_map(Notice::YouAre),
            (any::<char>(), any::<char>())
                .prop_map(|(one, other)| Notice::MixedAlphabets(one.script(), other.script())),
            (some_name(), some_name())
                .prop_map(|(wanted, free)| Notice::TakenName { wanted, free }),
            (some_name(), some_name()).prop_map(|(wanted, free)| Notice::LostName { wanted, free }),
            some_name().prop_map(Notice::NameLost),
            (1..u64::MAX).prop_map(Notice::NotSaid),
            "[a-z0-9.:]{1,40}".prop_map(Notice::AskedToLeaveFor),
            (1..u64::MAX).prop_map(Notice::Barred),
        ]
    }

    proptest! {
        #[test]
        fn every_notice_is_one_line_and_is_parsed_back(notice in some_notice()) {
            let line = notice.to_string();
            prop_assert!(!line.contains(char::is_control));
            prop_assert_eq!(line.parse(), Ok(notice));
        }

        #[test]
        fn no_message_can_be_taken_for_a_notice(name in some_name(), text in any::<String>()) {
            let text = text::clean(&text);
            prop_assert!(!message(&name, &text).starts_with('*'));
            for message in [message, message_to_you, message_to] {
                let message = message(&name, &text);
                let line = message.trim_end_matches('\n');
                prop_assert_eq!(line.parse::<Notice>(), Err(NotANotice));
            }
        }
    }

    #[test]
    fn what_only_resembles_a_notice_is_none() {
        for line in [
            "",
            "* ",
            "* You missed 1 messages.",
            "* You missed 2 messages",
            "* You missed many messages.",
            "* \"Rick\" is taken.",
            "* Letters of Latin and Rick look alike. Use one alphabet.",
            "* Letters of Old_Italic and Latin look alike. Use one alphabet.",
            "* The server is stopping. Goodbye!\n",
            "* The last 1 messages:",
            "* The last many messages:",
            "* You are \"x (to you): y\".",
            "* \"x (to you): \" is taken. Try \"y\".",
            "* You are \"x is now y\".",
            "Enter your name: ",
        ] {
            assert_eq!(line.parse::<Notice>(), Err(NotANotice), "{line:?}");
        }
    }
}
