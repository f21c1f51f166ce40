//! A server process and its clients, as the tests use them. Every wait has a watchdog, and every
//! failure prints what was seen until then.

use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Debug;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// No wait takes longer, however busy the machine is: what takes longer has failed.
pub const WATCHDOG: Duration = Duration::from_mins(1);

pub const WELCOME: &str = "Welcome to Trio Chat! Enter your name:";
pub const GOODBYE: &str = "* The server is stopping. Goodbye!";

/// The program under test.
pub fn trio_chat() -> Command {
    Command::new(env!("CARGO_BIN_EXE_trio-chat"))
}

/// Lines that a process prints, kept as they come.
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

    /// Waits for a line with `part` in it, and returns it.
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

/// Tries until it works out, and gives up with the watchdog.
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

/// A process that is ended when this is dropped, by its pid.
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

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; a process that does not come to one is killed, and so found out.
    pub fn wait(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
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

    /// Resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kibibytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server on a free port of 127.0.0.1, stopped in order when this is dropped.
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

    /// With these options besides the address.
    pub fn with(options: &[&str]) -> Self {
        Self::spawn(trio_chat().arg("serve").arg("127.0.0.1:0").args(options))
    }

    /// Any command that starts a server and lets its standard error through.
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

    /// Stops it, and lets it have logged a panic that the test wanted.
    pub fn stop_after_a_panic(mut self) {
        assert!(self.end().success());
        self.may_panic = true;
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
            "unexpected on standard error: {unexpected:#?}"
        );
    }
}

/// `12:07:54 [INFO] text`
pub fn has_log_shape(line: &str) -> bool {
    let Some((time, rest)) = line.split_once(' ') else {
        return false;
    };
    time.len() == 8
        && time
            .split(':')
            .all(|part| part.len() == 2 && part.parse::<u8>().is_ok())
        && ["[ERROR] ", "[WARN] ", "[INFO] ", "[DEBUG] "]
            .iter()
            .any(|level| {
                rest.strip_prefix(level)
                    .is_some_and(|text| !text.is_empty())
            })
}

/// What a log line says, without time and level.
pub fn log_text(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or_default()
}

/// A well-behaved client.
#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
    pub name: String,
    pub heard: Vec<String>,
}

impl Client {
    /// Connects, and is welcomed.
    pub fn connect(server: &TestServer) -> Self {
        let mut client = Self::silent(server);
        client.expect(WELCOME);
        client
    }

    /// Connects, and reads nothing yet.
    pub fn silent(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.set_write_timeout(Some(WATCHDOG)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self {
            stream,
            reader,
            name: String::new(),
            heard: Vec::new(),
        }
    }

    /// Connects and gives a name. It is in when its own line comes back.
    pub fn join(server: &TestServer, name: &str) -> Self {
        let mut client = Self::connect(server);
        client.give_name(name);
        client.mark("here");
        client
    }

    pub fn give_name(&mut self, name: &str) {
        self.send(format!("{name}\n"));
        name.clone_into(&mut self.name);
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn say(&mut self, text: &str) {
        self.send(format!("{text}\n"));
    }

    /// Says `text` and hears everything up to it: all earlier lines are through.
    pub fn mark(&mut self, text: &str) -> Vec<String> {
        self.say(text);
        let line = format!("{}> {text}", self.name);
        self.hear_until(&line)
    }

    /// The next line; none at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                let line = String::from_utf8(line).expect("what the server sends is UTF-8");
                let line = line.trim_end_matches('\n').to_owned();
                self.heard.push(line.clone());
                Some(line)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!(
                "{error}; {} heard at last {:#?}",
                self.name,
                self.last_heard()
            ),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        let heard = self.next();
        assert_eq!(
            heard.as_deref(),
            Some(line),
            "{} heard {:#?}",
            self.name,
            self.last_heard()
        );
    }

    /// For failures: enough to see what happened.
    fn last_heard(&self) -> &[String] {
        &self.heard[self.heard.len().saturating_sub(8)..]
    }

    /// Everything up to `line`, without it.
    #[track_caller]
    pub fn hear_until(&mut self, line: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.next() {
                Some(heard) if heard == line => return before,
                Some(heard) => before.push(heard),
                None => panic!(
                    "the end came before {line:?}; heard {:#?}",
                    self.last_heard()
                ),
            }
        }
    }

    /// Everything up to the end.
    pub fn hear_all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Says that it will send nothing more, as `nc -N` does.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset instead of an end.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// `* You missed 37 messages.` is 37.
pub fn n_missed(line: &str) -> Option<u64> {
    line.strip_prefix("* You missed ")?
        .split(' ')
        .next()?
        .parse()
        .ok()
}
