//! The engine of a room that several servers share: a real `redis-server` in a folder of its own.
//! Dropping it kills it, and removes the folder.

use super::{Output, Process};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Options of one that keeps nothing when it is killed.
const FORGETFUL: [&str; 4] = ["--save", "", "--appendonly", "no"];

/// A running Redis, which listens on a Unix socket, and on a port if it is to.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    command: Vec<String>,
    folder: Folder,
    port: u16,
}

impl Redis {
    /// Starts one that keeps nothing when it is killed.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one that has written everything to its disk before it answers.
    pub fn lasting() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts one with these options besides.
    pub fn with(options: &[&str]) -> Self {
        Self::by(&["redis-server"], 0, options).expect("it needs no port")
    }

    /// Starts one that listens on a free port too.
    pub fn on_a_port(options: &[&str]) -> Self {
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            // Somebody else may have taken it by now.
            if let Some(redis) = Self::by(&["redis-server"], port, options) {
                return redis;
            }
        }
    }

    /// Starts one in a network namespace, where Redis's own port is free.
    pub fn in_namespace(name: &str, options: &[&str]) -> Self {
        let command = ["ip", "netns", "exec", name, "redis-server"];
        Self::by(&command, 6379, options).expect("its port is free")
    }

    /// Starts one by a command. Returns none if the port is not free.
    fn by(command: &[&str], port: u16, options: &[&str]) -> Option<Self> {
        let folder = Folder::new();
        let port_option = port.to_string();
        let command = command.iter().copied();
        let command = command.chain(["--port", &port_option, "--bind", "127.0.0.1"]);
        // The last of two equal options counts.
        let command = command.chain(FORGETFUL).chain(options.iter().copied());
        let command: Vec<_> = command.map(str::to_owned).collect();
        let process = spawn(&command, folder.path())?;
        Some(Self {
            process,
            command,
            folder,
            port,
        })
    }

    /// Returns the URL of its Unix socket.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Returns the port that it listens on besides.
    pub fn port(&self) -> u16 {
        assert_ne!(self.port, 0, "it has none");
        self.port
    }

    pub fn socket(&self) -> PathBuf {
        socket(self.folder.path())
    }

    /// Runs a command in `redis-cli`, and returns what it prints. Its own options may come first.
    #[track_caller]
    pub fn cli(&self, words: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        let output = cli.arg("-e").arg("-s").arg(self.socket()).args(words);
        let output = output.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        let printed = String::from_utf8_lossy(&output.stdout);
        printed.trim_end().to_owned()
    }

    /// Sends commands of any bytes, and does not look at the answers.
    pub fn tell(&self, commands: &[Vec<Vec<u8>>]) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let mut answers = stream.try_clone().unwrap();
        let listening = std::thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut std::io::sink());
        });
        for words in commands {
            write!(stream, "*{}\r\n", words.len()).unwrap();
            for word in words {
                write!(stream, "${}\r\n", word.len()).unwrap();
                stream.write_all(word).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
        }
        // Redis answers all of them before this one, and then closes.
        stream.write_all(b"*1\r\n$4\r\nQUIT\r\n").unwrap();
        listening.join().unwrap();
    }

    /// Returns a number that it tells about itself.
    pub fn info(&self, name: &str) -> u64 {
        let info = self.cli(&["INFO", "everything"]);
        let mut lines = info.lines().filter_map(|line| line.trim().split_once(':'));
        let (_, value) = lines.find(|(key, _)| *key == name).unwrap();
        value.parse().unwrap()
    }

    /// Resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// Freezes it.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
    }

    /// Starts it again, with what its folder has, and waits until it has read that.
    pub fn restart(&mut self) {
        let process = spawn(&self.command, self.folder.path());
        self.process = process.expect("its port is free");
    }
}

/// Starts a Redis, and waits until it answers. Returns none if its port is not free.
fn spawn(words: &[String], folder: &Path) -> Option<Process> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("--dir").arg(folder);
    command.arg("--unixsocket").arg(socket(folder));
    let mut process = Process::spawn(command.stdout(Stdio::piped()));
    let log = Output::of(process.child().stdout.take().unwrap());
    let is_taken = |line: &String| line.contains("Address already in use");
    let is_ready = |line: &String| line.contains("eady to accept connections");
    let lines = log.wait_until("a Redis that is ready", |lines| {
        lines.iter().any(|line| is_ready(line) || is_taken(line))
    });
    (!lines.iter().any(is_taken)).then_some(process)
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(OsStr::new("redis.sock"))
}

/// A folder for one test.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static N_FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = N_FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("trio-chat-redis-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
