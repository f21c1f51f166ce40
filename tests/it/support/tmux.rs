//! A real terminal: a tmux server of its own, with one shell in it, that a test types into and whose
//! screen it reads.

use super::{WATCHDOG, project_folder, until};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::fs::{self, File};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use std::thread;

/// Number of rows of the screen.
const ROWS: u16 = 24;

/// A terminal. Dropping it ends its tmux server.
#[derive(Debug)]
pub struct Tmux {
    folder: PathBuf,
    /// Has a message when something was written to the terminal since the last one was taken.
    changed: Receiver<()>,
}

impl Tmux {
    /// Opens a terminal of `n_columns` in which a shell waits.
    pub fn open(n_columns: u16) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = format!("trio-chat-tmux-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let (change, changed) = bounded(1);
        let terminal = Self { folder, changed };
        let (columns, rows) = (n_columns.to_string(), ROWS.to_string());
        let shell = "PS1='$ ' exec bash --norc --noprofile";
        terminal.tmux(&[
            "set",
            "-g",
            "history-limit",
            "100000",
            ";",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "-c",
            project_folder().to_str().unwrap(),
            shell,
        ]);
        terminal.watch(change);
        terminal.wait_for("$");
        terminal
    }

    /// Sends a message to `change` whenever something is written to the terminal, and keeps that in a
    /// file.
    fn watch(&self, change: Sender<()>) {
        let pipe = self.file("written");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let (kept, to) = (self.file("kept"), pipe.display());
        self.tmux(&["pipe-pane", &format!("exec tee {} >{to}", kept.display())]);
        thread::spawn(move || {
            let mut written = File::open(pipe).unwrap();
            let mut bytes = [0; 4096];
            while written.read(&mut bytes).is_ok_and(|n_bytes| n_bytes > 0) {
                // If this fails, there is a message already.
                let _ = change.try_send(());
            }
        });
    }

    /// Opens a terminal, remembers its settings, and joins the room at `address`.
    pub fn join(n_columns: u16, address: SocketAddr, options: &str) -> Self {
        let terminal = Self::open(n_columns);
        terminal.start(address, options);
        terminal
    }

    /// Joins the room at `address` and waits until the client is in. When it has ended, the shell
    /// says `ended with` its exit code, and the settings of the terminal are as they are then.
    pub fn start(&self, address: SocketAddr, options: &str) {
        self.launch(address, options);
        self.wait_for("* You are \"");
    }

    /// Runs the client, and waits for nothing.
    pub fn launch(&self, address: SocketAddr, options: &str) {
        self.launch_in("", address, options);
    }

    /// Runs the client with these variables, as `env` takes them, and waits for nothing.
    pub fn launch_in(&self, environment: &str, address: SocketAddr, options: &str) {
        self.run(environment, &format!("join {address} {options}"));
    }

    /// Runs the program with these variables and these words, and waits for nothing.
    pub fn run(&self, environment: &str, words: &str) {
        let program = env!("CARGO_BIN_EXE_trio-chat");
        let (before, after) = (self.file("before"), self.file("after"));
        let (before, after) = (before.display(), after.display());
        // In a file, so that the screen has nothing of it.
        let script = format!(
            "stty -a > {before}\nenv {environment} {program} {words}\n\
             code=$?\nstty -a > {after}\necho ended with $code\n"
        );
        fs::write(self.file("run"), script).unwrap();
        // Nothing of an earlier client must be taken for this one's.
        self.says("clear");
        self.wait_until("an empty screen", |_| {
            self.tmux(&["clear-history"]);
            self.lines() == ["$"]
        });
        self.says(&format!("source {}", self.file("run").display()));
    }

    /// Waits until the client has ended, and returns its exit code. Fails unless the terminal is as
    /// it was before.
    #[track_caller]
    pub fn end(&self) -> i32 {
        let lines = self.wait_until("the end", |lines| {
            lines.iter().any(|line| line.contains("ended with "))
        });
        let line = lines.iter().rfind(|line| line.contains("ended with "));
        let settings = |name| fs::read_to_string(self.file(name)).unwrap();
        assert_eq!(settings("after"), settings("before"));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Types `text` as it is.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Types `text` and Enter.
    pub fn says(&self, text: &str) {
        self.types(text);
        self.keys(&["Enter"]);
    }

    /// Presses keys, which are named as tmux names them.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Pastes `text`, in brackets if the client wants that.
    pub fn paste(&self, text: &str) {
        let file = self.file("paste");
        fs::write(&file, text).unwrap();
        self.tmux(&["load-buffer", file.to_str().unwrap()]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    /// Changes the width, and waits until the client can know.
    pub fn resize(&self, n_columns: u16) {
        self.rewrap(n_columns);
        self.wait_for_size(n_columns);
    }

    /// Changes the width. tmux wraps its own rows at once, and tells the client a moment later.
    pub fn rewrap(&self, n_columns: u16) {
        self.tmux(&["resize-window", "-x", &n_columns.to_string()]);
    }

    /// Waits until the client can know the width.
    pub fn wait_for_size(&self, n_columns: u16) {
        let tty = self.tmux(&["display", "-p", "#{pane_tty}"]);
        until("the new size", || {
            let size = Command::new("stty")
                .args(["-F", tty.trim(), "size"])
                .output();
            let size = String::from_utf8(size.unwrap().stdout).unwrap();
            let is_new = size.trim().ends_with(&format!(" {n_columns}"));
            is_new.then_some(())
        });
    }

    /// Whether there is a cursor, on the screen that the shell had at the start.
    pub fn is_as_before(&self) -> bool {
        self.tmux(&[
            "display",
            "-p",
            "#{cursor_flag} #{wrap_flag} #{alternate_on}",
        ]) == "1 1 0\n"
    }

    /// Returns `1` if the bell has rung, else `0`.
    pub fn has_rung(&self) -> String {
        self.tmux(&["display", "-p", "#{window_bell_flag}"])
            .trim()
            .to_owned()
    }

    /// Returns the pid of the client that runs in the shell.
    pub fn client(&self) -> rustix::process::Pid {
        let shell = self.tmux(&["display", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        until("the client", || {
            let children =
                fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
            let child = children.split_whitespace().next()?.parse().ok()?;
            rustix::process::Pid::from_raw(child)
        })
    }

    /// Returns all lines since the screen was cleared, as they were before they were wrapped.
    pub fn lines(&self) -> Vec<String> {
        let all = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
        let lines = all.lines().map(|line| line.trim_end().to_owned());
        let mut lines: Vec<_> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Returns the screen with its colours and looks.
    pub fn looks(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Returns what was written to the terminal from the first `start` on, until `end` was. Waits for
    /// both.
    pub fn written_between(&self, start: &str, end: &str) -> String {
        until(end, || {
            let written = fs::read(self.file("kept")).unwrap();
            let written = String::from_utf8_lossy(&written);
            let written = &written[written.find(start)?..];
            Some(written[..written.find(end)?].to_owned())
        })
    }

    /// Waits until the lines satisfy `enough`, and returns them.
    #[track_caller]
    pub fn wait_until(&self, wanted: &str, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            let lines = self.lines();
            if enough(&lines) {
                return lines;
            }
            let last = &lines[lines.len().saturating_sub(30)..];
            self.changed
                .recv_timeout(WATCHDOG)
                .unwrap_or_else(|_| panic!("waited in vain for {wanted}: {last:#?}"));
        }
    }

    /// Waits for a line that contains `part`.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> Vec<String> {
        self.wait_until(part, |lines| lines.iter().any(|line| line.contains(part)))
    }

    /// Waits until the last line is `line`.
    #[track_caller]
    pub fn wait_for_row(&self, line: &str) -> Vec<String> {
        self.wait_until(line, |lines| lines.last().is_some_and(|last| last == line))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.file("socket"))
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env("TRIO_CHAT_PANIC_WHEN_TOLD", "1")
            .env("USER", "Grace")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let socket: &Path = &self.file("socket");
        // If this fails, it has ended already.
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
