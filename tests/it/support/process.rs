//! A child process: started, signalled and waited for, and always ended by its own pid. What it
//! uses of the machine is in [`proc`](super::proc).

use super::{WATCHDOG, until};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Freezes the process, until [`thaw`](Self::thaw). Its last thread stands when this returns.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        until("every thread to stand", || self.is_frozen().then_some(()));
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for the process to end. When the watchdog runs out, the process is killed, which its
    /// status then shows.
    pub fn wait(&mut self) -> ExitStatus {
        let pid = self.pid();
        let (ended, end) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            if end.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let status = self.child.wait().unwrap();
        drop(ended);
        watchdog.join().unwrap();
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // These fail if the process has ended already, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
