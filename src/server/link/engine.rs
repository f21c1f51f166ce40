//! Asks the engine for what both directions of a link need. Which engine that is, only the files below
//! know.

#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
mod none;

#[cfg(not(feature = "redis"))]
pub use none::Engine;
#[cfg(feature = "redis")]
pub use redis::Engine;

use super::answers::{Failure, Outcome, Reply, Script};
use super::entry::Id;
use super::ledger::Hello;

impl Engine {
    /// Greets the engine, in `epoch`, having heard or been promised everything up to `mark`. If it is
    /// another process than the room's last one, the epoch `fresh` begins.
    ///
    /// # Errors
    /// Why it did not answer.
    pub fn hello(&mut self, epoch: &str, mark: u64, fresh: &str) -> Result<Hello, Failure> {
        let (run, mark) = (self.about().run.clone(), mark.to_string());
        let arguments = [&run, epoch, &mark, fresh].map(str::as_bytes);
        let reply = self.call(Script::Hello, &arguments)?;
        let hello = |reply: Reply| {
            let [epoch, end, base] = reply.list()?.try_into().ok()?;
            Some(Hello {
                epoch: epoch.word()?,
                end: Id::parse(&end.text()?)?,
                base: match base {
                    Reply::Nothing => None,
                    base => Some(Id::parse(&base.text()?)?),
                },
            })
        };
        hello(reply).ok_or_else(Failure::misunderstood)
    }

    /// Says `n_lines` in `text`, which this server has numbered from `first` on. Returns how many
    /// messages there are in the room then.
    ///
    /// # Errors
    /// Why it may not have been said. Saying it again is safe.
    pub fn say(
        &mut self,
        epoch: &str,
        first: u64,
        n_lines: u64,
        text: &str,
    ) -> Result<Outcome<u64>, Failure> {
        let (run, first, n_lines) = (
            self.about().run.clone(),
            first.to_string(),
            n_lines.to_string(),
        );
        let arguments = [epoch, &run, &first, &n_lines, text].map(str::as_bytes);
        let reply = self.call(Script::Say, &arguments)?;
        let outcome = |reply: Reply| {
            let [word, total] = reply.list()?.try_into().ok()?;
            Some(match word.word()?.as_str() {
                "said" => Outcome::Done(total.number()?),
                "epoch" => Outcome::OtherEpoch,
                "lapsed" => Outcome::Lapsed,
                _ => return None,
            })
        };
        outcome(reply).ok_or_else(Failure::misunderstood)
    }
}
