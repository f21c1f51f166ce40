//! What the tests have in common: a server process, its clients, and what both print. Every wait
//! has a watchdog, and every failure prints what was seen until then.

mod client;
mod flood;
mod impostor;
mod log_line;
mod netcat;
mod output;
mod proc;
mod process;
#[cfg(feature = "redis")]
mod proxy;
#[cfg(feature = "redis")]
mod redis;
mod server;
mod source;
mod status;
mod tmux;

pub use client::{Client, n_missed};
pub use flood::Flood;
pub use impostor::Impostor;
pub use log_line::{has_log_shape, log_text};
pub use netcat::Netcat;
pub use output::Output;
pub use process::Process;
#[cfg(feature = "redis")]
pub use proxy::Proxy;
#[cfg(feature = "redis")]
pub use redis::Redis;
pub use server::TestServer;
pub use source::{project_folder, readme_block, rust_files};
pub use status::{ask, clients, number, status_path};
pub use tmux::Tmux;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Maximum length of any wait, however busy the machine is: what takes longer has failed.
pub const WATCHDOG: Duration = Duration::from_mins(1);

/// Returns a command that runs the program under test.
pub fn trio_chat() -> Command {
    Command::new(env!("CARGO_BIN_EXE_trio-chat"))
}

/// Repeats `attempt` until it returns something. Fails when the watchdog runs out.
pub fn until<T>(wanted: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(start.elapsed() < WATCHDOG, "waited in vain for {wanted}");
        thread::yield_now();
    }
}
