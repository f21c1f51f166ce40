//! Clients that listen in a thread of their own, and so as fast as they can.

use super::Heard;
use crate::support::{Client, WATCHDOG};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

/// A client that listens until it hears a last line.
pub struct Listener {
    shared: Arc<(Mutex<Heard>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Lets `client` listen until it hears `last`. Of what is said, the `x` at the ends of lines are
    /// not kept.
    pub fn start(mut client: Client, last: &str) -> Self {
        let shared = Arc::<(Mutex<Heard>, Condvar)>::default();
        let (for_thread, last) = (Arc::clone(&shared), last.to_owned());
        let thread = thread::spawn(move || {
            let (heard, changed) = &*for_thread;
            loop {
                let line = client.next().expect("nobody is disconnected");
                if line == last {
                    return;
                }
                let shortened = line.trim_end_matches('x');
                heard.lock().unwrap().push(shortened.to_owned());
                changed.notify_all();
                if client.heard.len() > 100 {
                    client.heard.clear();
                }
            }
        });
        Self { shared, thread }
    }

    /// Waits until it has heard `enough`.
    #[track_caller]
    pub fn wait_until(&self, wanted: &str, enough: impl Fn(&Heard) -> bool) {
        let (heard, changed) = &*self.shared;
        let heard = heard.lock().unwrap();
        let result = changed.wait_timeout_while(heard, WATCHDOG, |heard| !enough(heard));
        let (heard, timeout) = result.unwrap();
        let (n_said, n_missed) = (heard.said.len(), heard.n_missed);
        let told = (n_said, n_missed, heard.notices.clone());
        drop(heard);
        assert!(!timeout.timed_out(), "waited for {wanted}; heard {told:?}");
    }

    /// Waits until it has heard or missed this many messages.
    #[track_caller]
    pub fn wait_for(&self, n_messages: u64) {
        let wanted = format!("{n_messages} messages");
        self.wait_until(&wanted, |heard| heard.n_accounted() >= n_messages);
    }

    /// Waits for the last line, and returns what came before it.
    #[track_caller]
    pub fn end(self) -> Heard {
        self.thread.join().unwrap();
        self.shared.0.lock().unwrap().clone()
    }
}
