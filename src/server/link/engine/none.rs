//! Stands in for an engine in a program that was built without one.

use crate::server::link::address::Place;
use crate::server::link::answers::{About, Failure, Heard, Reply, Script};
use crate::server::link::entry::Id;

/// A connection, which there can't be.
pub enum Engine {}

#[allow(
    clippy::missing_errors_doc,
    reason = "the file beside this one has the documentation"
)]
impl Engine {
    /// Says what is missing.
    pub fn connect(_: &Place, _: &str) -> Result<Self, Failure> {
        Err(Failure::Away(
            "this program was built without it".to_owned(),
        ))
    }

    /// See the file beside this one.
    pub fn about(&self) -> &About {
        match *self {}
    }

    /// See the file beside this one.
    pub fn call(&mut self, _: Script, _: &[&[u8]]) -> Result<Reply, Failure> {
        match *self {}
    }

    /// See the file beside this one.
    pub fn call_each(&mut self, _: Script, _: &[Vec<&[u8]>]) -> Result<Vec<Reply>, Failure> {
        match *self {}
    }

    /// See the file beside this one.
    pub fn read(&mut self, _: Id, _: Id, _: usize) -> Result<Heard, Failure> {
        match *self {}
    }
}
