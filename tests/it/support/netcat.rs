//! A person at a netcat: types lines, and reads what comes.

use super::{Output, Process, TestServer};
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

/// A running netcat. Dropping it ends it.
#[derive(Debug)]
pub struct Netcat {
    pub output: Output,
    stdin: Option<ChildStdin>,
    process: Process,
}

impl Netcat {
    /// Connects, and gives a name.
    pub fn join(server: &TestServer, name: &str) -> Self {
        let port = server.address.port().to_string();
        let mut command = Command::new("nc.openbsd");
        Self::run(command.args(["-N", "127.0.0.1", &port]), name)
    }

    /// Runs any command that connects, and gives a name.
    pub fn run(command: &mut Command, name: &str) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(command);
        let output = Output::of(process.child().stdout.take().unwrap());
        let stdin = process.child().stdin.take();
        let mut netcat = Self {
            output,
            stdin,
            process,
        };
        netcat.types(name);
        netcat
    }

    pub fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Types `line`, and waits for a line that contains `answer`.
    #[track_caller]
    pub fn asks(&mut self, line: &str, answer: &str) {
        self.types(line);
        self.output.wait_for(answer);
    }

    /// Ends its input, and returns everything that it has printed when it has ended.
    pub fn leaves(mut self) -> Vec<String> {
        self.stdin = None;
        self.process.wait();
        self.output.wait_for_end()
    }
}
