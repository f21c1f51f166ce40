//! Speaks to Redis, or Valkey. Only this file knows the crate for that.
//!
//! After any failure a connection must be dropped: an answer that came too late would be taken for
//! that to the next question.

use crate::server::link::address::Place;
use crate::server::link::answers::{About, Entries, Failure, Fields, Heard, Reply, Script};
use crate::server::link::entry::Id;
use redis::{
    Client, Connection, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, Value,
    from_redis_value, pipe,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Maximum time to connect.
const CONNECTING: Duration = Duration::from_millis(500);

/// Maximum time for an answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Time that the engine waits for an entry before it answers that there is none, in milliseconds.
const BLOCK: u64 = 200;

/// A connection to the engine.
pub struct Engine {
    connection: Connection,
    about: About,
    me: String,
    /// The keys that every script gets. They share a hash tag, and so a slot.
    keys: [String; 4],
    letter_box: String,
    /// The names under which the engine keeps the scripts.
    shas: Vec<String>,
}

impl Engine {
    /// Connects to the engine of `place`, for the server `me`.
    ///
    /// # Errors
    /// Why that was not possible.
    pub fn connect(place: &Place, me: &str) -> Result<Self, Failure> {
        guarded(|| {
            let info = place.address.secret_url().into_connection_info()?;
            // It would ask for a right that older engines do not know.
            let settings = info.redis_settings().clone().set_skip_set_lib_name();
            let client = Client::open(info.set_redis_settings(settings))?;
            let mut connection = client.get_connection_with_timeout(CONNECTING)?;
            connection.set_read_timeout(Some(ANSWER))?;
            connection.set_write_timeout(Some(ANSWER))?;
            let mut questions = pipe();
            questions.cmd("INFO");
            for script in Script::ALL {
                questions.cmd("SCRIPT").arg("LOAD").arg(script.source());
            }
            let answers = ask(&mut connection, &questions)?.into_iter();
            let texts: Vec<String> = answers.map(from_redis_value).collect::<Result<_, _>>()?;
            let (info, shas) = texts.split_first().ok_or_else(misunderstood)?;
            let about = About::parse(info).map_err(other)?;
            let room = format!("trio1:{{{}}}", place.room);
            let key = |name: &str| format!("{room}:{name}");
            Ok(Self {
                connection,
                about,
                me: me.to_owned(),
                keys: [room.clone(), key("said"), key("marks"), key("servers")],
                letter_box: key(&format!("box:{me}")),
                shas: shas.to_vec(),
            })
        })
    }

    /// Returns what the engine says about itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Runs a script, whose first argument is this server.
    ///
    /// # Errors
    /// Why it may not have run.
    pub fn call(&mut self, script: Script, arguments: &[&[u8]]) -> Result<Reply, Failure> {
        let replies = self.call_each(script, &[arguments.to_vec()])?;
        let first = replies.into_iter().next();
        first.ok_or_else(Failure::misunderstood)
    }

    /// Runs a script for each of several lists of arguments, without waiting in between.
    ///
    /// # Errors
    /// Why they may not all have run.
    pub fn call_each(
        &mut self,
        script: Script,
        arguments: &[Vec<&[u8]>],
    ) -> Result<Vec<Reply>, Failure> {
        let mut calls = pipe();
        for arguments in arguments {
            calls.cmd("EVALSHA").arg(self.shas.get(script as usize));
            calls.arg(self.keys.len()).arg(&self.keys);
            calls.arg(&self.me).arg(arguments);
        }
        guarded(|| {
            let answers = ask(&mut self.connection, &calls)?.into_iter();
            let replies = answers.map(|value| reply(value).ok_or_else(misunderstood));
            replies.collect()
        })
    }

    /// Returns at most `n_entries` that come after `cursor`, and as many letters for this server after
    /// `letters`, and waits a little if there is nothing yet.
    ///
    /// # Errors
    /// Why it did not answer.
    pub fn read(&mut self, cursor: Id, letters: Id, n_entries: usize) -> Result<Heard, Failure> {
        let mut question = pipe();
        // Letters that were read are kept by nobody.
        question.cmd("XTRIM").arg(&self.letter_box);
        question.arg("MINID").arg(letters.to_string());
        question.cmd("XREAD").arg("COUNT").arg(n_entries);
        question.arg("BLOCK").arg(BLOCK).arg("STREAMS");
        question.arg(&self.keys[1]).arg(&self.letter_box);
        question.arg(cursor.to_string()).arg(letters.to_string());
        question
            .cmd("HMGET")
            .arg(&self.keys[0])
            .arg("epoch")
            .arg("run");
        guarded(|| {
            let answers = ask(&mut self.connection, &question)?;
            let [_, streams, known]: [Value; 3] =
                answers.try_into().map_err(|_| misunderstood())?;
            let (epoch, run) = from_redis_value(known)?;
            let mut heard = Heard {
                epoch,
                run,
                ..Heard::default()
            };
            for (name, entries) in streams_of(streams).ok_or_else(misunderstood)? {
                if name == self.letter_box.as_bytes() {
                    heard.letters = entries;
                } else {
                    heard.entries = entries;
                }
            }
            Ok(heard)
        })
    }
}

/// Asks several things at once. After a failure it does not wait for the other answers, as the crate
/// would.
fn ask(connection: &mut Connection, questions: &Pipeline) -> Result<Vec<Value>, RedisError> {
    connection.send_packed_command(&questions.get_packed_pipeline())?;
    let answer = |_| match connection.recv_response()? {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    };
    (0..questions.len()).map(answer).collect()
}

/// Turns an answer into one that knows nothing of the crate.
fn reply(value: Value) -> Option<Reply> {
    Some(match value {
        Value::Nil => Reply::Nothing,
        Value::Int(number) => Reply::Number(number),
        Value::BulkString(bytes) => Reply::Text(bytes),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect::<Option<_>>()?),
        _ => return None,
    })
}

/// Takes the answer to `XREAD` apart, which is nil if there was nothing.
fn streams_of(streams: Value) -> Option<Vec<(Vec<u8>, Entries)>> {
    let stream = |stream: Reply| {
        let [name, entries] = stream.list()?.try_into().ok()?;
        let entries = entries.list()?.into_iter().map(entry_of);
        Some((name.text()?, entries.collect::<Option<_>>()?))
    };
    match reply(streams)? {
        Reply::Nothing => Some(Vec::new()),
        streams => streams.list()?.into_iter().map(stream).collect(),
    }
}

fn entry_of(entry: Reply) -> Option<(Id, Fields)> {
    let [id, fields] = entry.list()?.try_into().ok()?;
    let mut texts = fields.list()?.into_iter().map(Reply::text);
    let mut fields = Vec::new();
    while let Some(name) = texts.next() {
        fields.push((name?, texts.next()??));
    }
    Some((Id::parse(&id.text()?)?, fields))
}

/// Does something with the crate, and takes a panic in it for a failure.
fn guarded<T>(work: impl FnOnce() -> Result<T, RedisError>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(Failure::Away("its answer made no sense".to_owned())),
    }
}

fn misunderstood() -> RedisError {
    other("its answer has another form")
}

fn other(words: impl Into<String>) -> RedisError {
    RedisError::from((ErrorKind::Client, "", words.into()))
}

/// Says in a few words what `error` is. It must not quote what was sent, which may hold a password.
fn failure(error: &RedisError) -> Failure {
    let words = match (error.code(), error.kind()) {
        (Some("OOM" | "MISCONF"), _) => return Failure::Full,
        (Some(code), _) => code.to_owned(),
        (None, ErrorKind::Client) => error.detail().unwrap_or_default().to_owned(),
        (None, ErrorKind::AuthenticationFailed) => "wrong user or password".to_owned(),
        (None, ErrorKind::InvalidClientConfig) => "its address is no URL".to_owned(),
        _ if error.is_timeout() => "no answer".to_owned(),
        _ if error.is_connection_refusal() => "connection refused".to_owned(),
        _ if error.is_connection_dropped() => "connection lost".to_owned(),
        _ => error.category().to_owned(),
    };
    Failure::Away(words)
}
