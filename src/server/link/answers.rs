//! What an engine can be asked, and what it answers, in terms that know no engine.
#![cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "without an engine, nothing answers")
)]

use super::entry::Id;

/// Oldest version that will do.
const OLDEST: u32 = 7;

/// The names and values of an entry.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Entries, with their places in the stream.
pub type Entries = Vec<(Id, Fields)>;

/// Why the engine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It can't be reached, or does not answer, or not as it should, in these words.
    Away(String),
    /// It has no space for more.
    Full,
}

/// What became of something that a server wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// It was not: the epoch is not the one that the server has greeted.
    OtherEpoch,
    /// It was not: the server was not heard of for so long that others may have its names.
    Lapsed,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// There is nothing to tell.
    Nothing,
    /// A number.
    Number(i64),
    /// A text, in any bytes.
    Text(Vec<u8>),
    /// Several answers.
    List(Vec<Reply>),
}

/// What the engine can be asked to do as one step.
#[derive(Debug, Clone, Copy)]
pub enum Script {
    Hello,
    Say,
    Enter,
    Beat,
    Claim,
    Free,
    Announce,
    Who,
    Mail,
    Post,
    Depart,
}

/// What an answer to a read holds.
#[derive(Debug, Default)]
pub struct Heard {
    /// The next entries.
    pub entries: Entries,
    /// The next letters for this server.
    pub letters: Entries,
    /// The epoch, and the process of the engine that began it.
    pub epoch: Option<String>,
    pub run: Option<String>,
}

/// What the engine says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its process.
    pub run: String,
    /// What whoever runs it should change.
    pub warnings: Vec<String>,
}

impl Reply {
    /// Returns the answers in this one, if it has some.
    pub fn list(self) -> Option<Vec<Self>> {
        match self {
            Self::List(replies) => Some(replies),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub fn text(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the text, if it is one and UTF-8.
    pub fn word(self) -> Option<String> {
        String::from_utf8(self.text()?).ok()
    }

    /// Returns the number, if it is one and not negative.
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => number.try_into().ok(),
            _ => None,
        }
    }
}

impl Script {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Hello,
        Self::Say,
        Self::Enter,
        Self::Beat,
        Self::Claim,
        Self::Free,
        Self::Announce,
        Self::Who,
        Self::Mail,
        Self::Post,
        Self::Depart,
    ];

    /// Returns the script in Lua.
    pub fn source(self) -> String {
        let (names, stream) = (include_str!("names.lua"), include_str!("stream.lua"));
        let parts: &[&str] = match self {
            Self::Hello => &[include_str!("hello.lua")],
            Self::Say => &[stream, include_str!("say.lua")],
            Self::Announce => &[stream, include_str!("announce.lua")],
            Self::Enter => &[stream, names, include_str!("enter.lua")],
            Self::Beat => &[stream, names, include_str!("beat.lua")],
            Self::Claim => &[stream, names, include_str!("claim.lua")],
            Self::Free => &[stream, names, include_str!("free.lua")],
            Self::Who => &[stream, names, include_str!("who.lua")],
            Self::Mail => &[stream, names, include_str!("mail.lua")],
            Self::Post => &[stream, names, include_str!("post.lua")],
            Self::Depart => &[stream, names, include_str!("depart.lua")],
        };
        parts.concat()
    }
}

impl Failure {
    /// Returns the failure of one who does not understand an answer.
    pub fn misunderstood() -> Self {
        Self::Away("its answer has another form".to_owned())
    }
}

impl About {
    /// Parses the answer to `INFO`.
    ///
    /// # Errors
    /// Why this engine will not do.
    pub fn parse(info: &str) -> Result<Self, String> {
        let value = |name: &str| {
            let mut lines = info.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let version = value("redis_version").unwrap_or_default();
        let major = version.split('.').next().and_then(|it| it.parse().ok());
        if major.is_none_or(|major: u32| major < OLDEST) {
            return Err(format!("it is version {version}, and {OLDEST}.0 is needed"));
        }
        let run = value("run_id").ok_or("it does not tell its run_id")?;
        let mut warnings = Vec::new();
        if value("aof_enabled") == Some("0") {
            warnings.push(
                "This Redis keeps no append-only file: what was said last is missed if it stops"
                    .to_owned(),
            );
        }
        if let Some(policy) = value("maxmemory_policy").filter(|policy| *policy != "noeviction") {
            warnings.push(format!(
                "This Redis may forget the room when its memory is full: set maxmemory-policy to \
                 noeviction instead of {policy}"
            ));
        }
        Ok(Self {
            run: run.to_owned(),
            warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Memory\r\n";

    #[test]
    fn it_tells_its_process_and_what_should_be_changed() {
        let about = About::parse(INFO).unwrap();
        assert_eq!((about.run.as_str(), about.warnings.len()), ("abc", 0));
        let unsafe_one = format!("{INFO}maxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n");
        let about = About::parse(&unsafe_one).unwrap();
        assert!(about.warnings[0].contains("append-only"));
        assert!(about.warnings[1].contains("instead of allkeys-lru"));
    }

    #[test]
    fn one_that_is_too_old_or_something_else_will_not_do() {
        for (info, part) in [
            (
                INFO.replace("7.0.15", "6.2.1"),
                "version 6.2.1, and 7.0 is needed",
            ),
            (INFO.replace("run_id", "id"), "run_id"),
            (String::new(), "version"),
        ] {
            let words = About::parse(&info).unwrap_err();
            assert!(words.contains(part), "{words}");
        }
    }
}
