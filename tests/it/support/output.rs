//! The lines that a process prints: collected by a thread of their own as they come, so that a test
//! can wait for the one it needs.

use super::WATCHDOG;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// All lines that a process has printed so far.
#[derive(Debug, Default, Clone)]
pub struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    printed: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone)]
struct Printed {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    /// Starts to collect what comes from `source`.
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let Self(shared) = output.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                shared.printed.lock().unwrap().lines.push(line);
                shared.changed.notify_all();
            }
            shared.printed.lock().unwrap().ended = true;
            shared.changed.notify_all();
        });
        output
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.printed.lock().unwrap().lines.clone()
    }

    /// Waits until the lines so far satisfy `enough`, and returns them.
    pub fn wait_until(
        &self,
        wanted: impl Debug,
        enough: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let lines = self
            .wait(|printed| enough(&printed.lines) || printed.ended)
            .lines;
        assert!(enough(&lines), "waited for {wanted:?}, but saw {lines:#?}");
        lines
    }

    /// Waits for a line that contains `part`, and returns it.
    pub fn wait_for(&self, part: &str) -> String {
        let lines = self.wait_until(part, |lines| lines.iter().any(|line| line.contains(part)));
        lines.into_iter().find(|line| line.contains(part)).unwrap()
    }

    /// Waits until the process has closed its output, and returns all of it.
    pub fn wait_for_end(&self) -> Vec<String> {
        let printed = self.wait(|printed| printed.ended);
        assert!(
            printed.ended,
            "waited for the end, but saw {:#?}",
            printed.lines
        );
        printed.lines
    }

    fn wait(&self, enough: impl Fn(&Printed) -> bool) -> Printed {
        let printed = self.0.printed.lock().unwrap();
        let waited = self
            .0
            .changed
            .wait_timeout_while(printed, WATCHDOG, |it| !enough(it));
        waited.unwrap().0.clone()
    }
}
