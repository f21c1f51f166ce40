//! The README's recipes for an encrypted room, each with the real program in front of the server: its
//! configuration is the README's own, with other ports and paths.

use crate::real_clients::{TRANSCRIPT, talk};
use crate::support::{Output, Process, TestServer, Tmux, readme_block};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("trio-chat-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Runs a line of the README, or one like it, in this folder.
    fn run(&self, line: &str) {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(&self.0).output();
        let output = output.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replaces `from`, which must be there.
#[track_caller]
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from:?} in {text}");
    text.replace(from, to)
}

/// Returns a port that was free a moment ago. Neither program takes port 0.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts a program, and waits until it has printed `ready`.
fn start(command: &mut Command, ready: &str) -> Process {
    let mut process = Process::spawn(command.stderr(Stdio::piped()));
    Output::of(process.child().stderr.take().unwrap()).wait_for(ready);
    process
}

/// Talks through `script`, leaves with `/quit`, and fails unless that looks like netcat alone.
fn assert_talks(server: &TestServer, script: &str) {
    let heard = talk(server, script, "/quit");
    let (last, said) = heard.split_last().unwrap();
    assert_eq!(
        (said, &**last),
        (&TRANSCRIPT.map(str::to_owned)[..], "* Goodbye!")
    );
}

/// Starts sshd with `recipe` for the user who runs the tests, and returns it with the command that
/// connects to it.
fn sshd(folder: &Folder, recipe: &str) -> (Process, String) {
    folder.run("ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key");
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let user = user.trim();
    let recipe = with(recipe, "User chat", &format!("User {user}"));
    let port = free_port();
    let [host, key, keys, known] = ["host", "key", "key.pub", "known"].map(|it| folder.path(it));
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {keys}\n\
         StrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin yes\n{recipe}\n"
    );
    fs::write(folder.path("config"), config).unwrap();
    if rustix::process::geteuid().is_root() {
        // Debian's service makes it at its start.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.args(["-D", "-e", "-f", &folder.path("config")]);
    let sshd = start(&mut sshd, "Server listening on");
    let host = fs::read_to_string(folder.path("host.pub")).unwrap();
    fs::write(&known, format!("[127.0.0.1]:{port} {host}")).unwrap();
    let ssh =
        format!("ssh -F none -i {key} -o UserKnownHostsFile={known} -p {port} {user}@127.0.0.1");
    (sshd, ssh)
}

#[test]
fn ssh_chats_through_sshd_that_runs_netcat_and_nothing_else() {
    let server = TestServer::start();
    let folder = Folder::new("sshd");
    // Here `nc` may be the traditional one.
    let recipe = with(&readme_block("Match User chat"), "nc -N", "nc.openbsd -N");
    let recipe = with(&recipe, "1234", &server.address.port().to_string());
    let (_sshd, ssh) = sshd(&folder, &recipe);
    assert_talks(&server, &format!("exec {ssh} -T"));
    // Whatever else is asked for, it is the room.
    assert_talks(&server, &format!("exec {ssh} -T id"));
}

#[test]
fn ssh_in_a_terminal_shows_the_client_that_sshd_runs() {
    let server = TestServer::start();
    let folder = Folder::new("sshd-join");
    let recipe = with(&readme_block("Match User chat"), "  PermitTTY no\n", "");
    let netcat = "nc -N 127.0.0.1 1234";
    let program = env!("CARGO_BIN_EXE_trio-chat");
    let recipe = with(
        &recipe,
        netcat,
        &format!("{program} join {}", server.address),
    );
    let (_sshd, ssh) = sshd(&folder, &recipe);
    let terminal = Tmux::open(80);
    terminal.says(&format!("clear; {ssh}; echo ended with $?"));
    terminal.wait_until("the question", |lines| {
        lines
            .last()
            .is_some_and(|last| last.starts_with("Your name: "))
    });
    terminal.keys(&["C-u"]);
    terminal.says("Ada");
    terminal.wait_for_row("Ada>");
    // There is no shell to go back to.
    terminal.keys(&["C-z"]);
    terminal.says("čtyři");
    terminal.wait_for("Ada> čtyři");
    terminal.says("/quit");
    terminal.wait_for("ended with 0");
}

#[test]
fn ncat_and_openssl_chat_through_stunnel() {
    let server = TestServer::start();
    let folder = Folder::new("stunnel");
    folder.run(&with(
        &readme_block("openssl req"),
        "chat.example",
        "localhost",
    ));
    let port = free_port();
    let recipe = readme_block("[chat]");
    let recipe = with(&recipe, "1234", &server.address.port().to_string());
    let recipe = with(
        &recipe,
        "accept = 1235",
        &format!("accept = 127.0.0.1:{port}"),
    );
    let recipe = with(&recipe, "/etc/stunnel/", &folder.path(""));
    let config = format!("foreground = yes\npid =\nsyslog = no\n{recipe}\n");
    fs::write(folder.path("config"), config).unwrap();
    let mut stunnel = Command::new("stunnel4");
    stunnel.arg(folder.path("config"));
    let _stunnel = start(&mut stunnel, "Configuration successful");
    for client in ["ncat --ssl-verify", "openssl s_client"] {
        let line = readme_block(client);
        let line = with(&line, "chat.example", "localhost");
        let line = with(&line, "1235", &port.to_string());
        let line = with(&line, "chat.crt", &folder.path("chat.crt"));
        assert_talks(&server, &format!("exec {line}"));
    }
    // A certificate of somebody else is noticed.
    folder.run(&with(
        &readme_block("openssl req"),
        "chat.example",
        "impostor",
    ));
    let trust = format!("--ssl-trustfile {}", folder.path("chat.crt"));
    let script = format!("ncat --ssl-verify {trust} localhost {port} </dev/null");
    let ncat = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(!ncat.status.success() && ncat.stdout.is_empty(), "{ncat:?}");
}
