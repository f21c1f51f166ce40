//! The server under test: how it starts on a free port, how it ends, and that it logs nothing
//! unexpected.

use super::{Output, Process, has_log_shape, trio_chat};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use trio_chat::server::admission::host::MEMORY_PER_CLIENT;

/// A running server. Dropping it stops it, and fails the test if the server fails or if its log
/// contains a panic or anything but log lines.
#[derive(Debug)]
pub struct TestServer {
    pub process: Process,
    pub log: Output,
    pub address: SocketAddr,
    stopped: bool,
    may_panic: bool,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with these options besides the address.
    pub fn with(options: &[&str]) -> Self {
        Self::spawn(trio_chat().arg("serve").arg("127.0.0.1:0").args(options))
    }

    /// Starts one whose `/proc` tells nothing about its host, so that it counts with Linux's defaults
    /// and with 4 GiB of memory. Returns none where mounting needs rights that the test lacks.
    pub fn on_a_small_host(options: &[&str]) -> Option<Self> {
        Self::after("mount -t proc -o subset=pid proc /proc", options)
    }

    /// Starts one that sees what the command `mount` has mounted. Returns none where mounting needs
    /// rights that the test lacks.
    pub fn after(mount: &str, options: &[&str]) -> Option<Self> {
        let may_mount = Command::new("unshare").args(["--mount", "true"]).status();
        if !may_mount.is_ok_and(|status| status.success()) {
            eprintln!("not tested: it takes root, and a kernel that lets it mount");
            return None;
        }
        let script = format!("{mount} && exec \"$0\" 127.0.0.1:0 \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        Some(Self::spawn(
            command.arg(trio_chat().get_program()).args(options),
        ))
    }

    /// Returns how much memory the server allows itself for `n_clients`, by what it says at start
    /// and what it counts for each seat, in bytes.
    pub fn stated_memory(&self, n_clients: usize) -> u64 {
        let line = self.log.wait_for(" MiB of memory for messages");
        let mebibytes = line.split(' ').nth(2).unwrap();
        (mebibytes.parse::<u64>().unwrap() << 20) + n_clients as u64 * MEMORY_PER_CLIENT
    }

    /// Runs any command that starts a server and passes on its standard error.
    pub fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.stderr(Stdio::piped()));
        let log = Output::of(process.child().stderr.take().unwrap());
        let line = log.wait_for("listening on ");
        let address = line.rsplit(' ').next().unwrap().parse().unwrap();
        Self {
            process,
            log,
            address,
            stopped: false,
            may_panic: false,
        }
    }

    /// Sends SIGTERM, and returns how the server ended.
    pub fn stop(mut self) -> ExitStatus {
        self.end()
    }

    /// Stops the server, whose log may show a panic that the test has provoked.
    pub fn stop_after_a_panic(mut self) {
        assert!(self.end().success(), "a panic must not fail the server");
        self.may_panic = true;
    }

    /// Ends the server with SIGKILL, as a crash would.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        let status = self.process.wait();
        self.stopped = true;
        assert_eq!(
            status.signal(),
            Some(Signal::KILL.as_raw()),
            "the server had ended before it was killed"
        );
    }

    fn end(&mut self) -> ExitStatus {
        self.stopped = true;
        if self.process.child().try_wait().unwrap().is_none() {
            self.process.signal(Signal::TERM);
        }
        self.process.wait()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the server's log: {:#?}", self.log.lines());
            return;
        }
        if !self.stopped {
            assert!(
                self.end().success(),
                "the server failed: {:#?}",
                self.log.lines()
            );
        }
        self.log.wait_for_end();
        let may_panic = self.may_panic;
        let panicked = |line: &String| line.contains("panicked") && !may_panic;
        let unexpected = |line: &String| panicked(line) || !has_log_shape(line);
        let unexpected: Vec<_> = self.log.lines().into_iter().filter(unexpected).collect();
        assert!(
            unexpected.is_empty(),
            "unexpected lines on standard error: {unexpected:#?}"
        );
    }
}
