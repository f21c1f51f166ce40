//! The view: what it says is what happens, and the terminal is as before on every way out.

use crate::support::{Client, Process, Redis, TestServer, Tmux, status_path, trio_chat, until};
use rustix::process::{Signal, kill_process};
use std::process::{Command, Stdio};

/// Returns the program, to be run in a locale without UTF-8.
fn in_ascii() -> Command {
    let mut command = trio_chat();
    command.env("LC_ALL", "C");
    command
}

/// Returns the words of each row of one table, by the client's name, without bars. The name must be
/// one word.
fn row(server: &TestServer, name: &str) -> Option<Vec<String>> {
    let address = server.address.to_string();
    let output = in_ascii().args(["watch", &address]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table
            .bytes()
            .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
    );
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    let row = table.lines().find(|line| line.starts_with(name))?;
    let words = row.split_whitespace();
    let words = words.filter(|word| !word.trim_matches('#').is_empty());
    Some(words.map(str::to_owned).collect())
}

/// Returns how many bytes a figure stands for: `3.5K` is 3,500.
fn n_bytes(figure: &str) -> f64 {
    match figure.strip_suffix('K') {
        Some(figure) => figure.parse::<f64>().unwrap() * 1000.0,
        None => figure.parse().unwrap(),
    }
}

fn bot(kind: &str, server: &TestServer, name: &str) -> Process {
    let address = server.address.to_string();
    Process::spawn(
        trio_chat()
            .args([kind, &address, "--name", name])
            .stdout(Stdio::null()),
    )
}

#[test]
fn o2_each_byte_is_shown_where_it_waits() {
    let server = TestServer::with(&["--queue", "4"]);
    let _slow = bot("slow", &server, "Slow");
    server.log.wait_for("name set to \"Slow\"");
    let _spam = bot("spam", &server, "Spam");
    let spam = until("a flood that waits at its own end", || {
        let row = row(&server, "Spam")?;
        let waits = n_bytes(&row[2]) > 0.0 && n_bytes(&row[3]) >= 16_000.0;
        // Just after it has come, it has no rate yet.
        let is_paced = row[4] == "paced" && row[5].ends_with('%');
        (waits && is_paced).then_some(row)
    });
    // The rate is 5, seen for a second.
    let rate: f64 = spam[1].parse().unwrap();
    assert!((1.0..9.0).contains(&rate), "{spam:?}");
    let paced: u32 = spam[5].trim_end_matches('%').parse().unwrap();
    assert!(paced >= 50, "{spam:?}");
    let slow = until("a slow reader that misses messages", || {
        let row = row(&server, "Slow")?;
        (row[8] != "0").then_some(row)
    });
    assert_eq!(
        (slow[4].as_str(), slow[5].as_str()),
        ("listens", "4"),
        "{slow:?}"
    );
    assert!(
        n_bytes(&slow[6]) >= 16_000.0 && n_bytes(&slow[7]) > 0.0,
        "{slow:?}"
    );
    // A frame may just be on its way.
    until("a spammer that reads all", || {
        let spam = row(&server, "Spam")?;
        (spam[6..] == ["0", "0", "0", "0"]).then_some(())
    });
}

#[test]
fn o2_what_another_network_shows_is_not_guessed() {
    let server = TestServer::start();
    Client::join(&server, "Ada");
    let _ada = Client::join(&server, "Bob");
    let apart = Command::new("unshare")
        .args(["--net", env!("CARGO_BIN_EXE_trio-chat"), "watch"])
        .arg(server.address.to_string())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    if !apart.status.success() && !rustix::process::geteuid().is_root() {
        eprintln!("not tested: it takes root");
        return;
    }
    let table = String::from_utf8(apart.stdout).unwrap();
    let bob = table.lines().find(|line| line.starts_with("Bob")).unwrap();
    let n_unknown = bob.split_whitespace().filter(|word| *word == "-").count();
    assert_eq!(n_unknown, 4, "{table}");
}

#[test]
fn keys_that_were_typed_at_the_view_do_not_reach_the_shell() {
    let server = TestServer::start();
    let terminal = Tmux::open(80);
    terminal.run("", &format!("watch {} --seconds 2", server.address));
    terminal.wait_for("Ctrl-C leaves");
    terminal.says("echo typed at the view");
    assert_eq!(terminal.end(), 0);
    terminal.says("echo the end of it");
    terminal.wait_for("the end of it");
    assert!(!terminal.lines().join("\n").contains("typed at the view"));
}

#[test]
fn the_view_on_a_terminal_shows_both_bots_and_leaves_it_as_before() {
    let server = TestServer::with(&["--queue", "4"]);
    let _slow = bot("slow", &server, "Slow");
    server.log.wait_for("name set to \"Slow\"");
    let _spam = bot("spam", &server, "Spam");
    let terminal = Tmux::open(80);
    let words = format!("watch {}", server.address);
    terminal.run("", &words);
    terminal.wait_until("both bots", |lines| {
        let row = |name: &str| lines.iter().find(|line| line.starts_with(name));
        let is_missing = |line: &String| line.contains("█") && !line.ends_with(" 0");
        row("Slow").is_some_and(is_missing) && row("Spam").is_some_and(|it| it.contains("paced"))
    });
    assert!(terminal.looks().contains('\x1b'), "there are colours");
    // Keys do not spoil it, and there is no way to leave it halfway.
    terminal.types("hello");
    terminal.keys(&["C-z"]);
    terminal.keys(&["C-c"]);
    assert_eq!(terminal.end(), 0);
    assert!(terminal.is_as_before());
    for signal in [Signal::TERM, Signal::HUP, Signal::QUIT] {
        terminal.run("NO_COLOR=1 LC_ALL=C", &words);
        terminal.wait_for("Spam ");
        let screen = terminal.looks();
        let rows = screen.lines().filter(|line| line.contains("Slow"));
        assert!(
            rows.clone()
                .all(|row| !row.contains('\x1b') && row.is_ascii())
        );
        kill_process(terminal.client(), signal).unwrap();
        assert_eq!(terminal.end(), 0);
        assert!(terminal.is_as_before());
    }
    terminal.run("", &format!("{words} --seconds 1"));
    assert_eq!(terminal.end(), 0);
    terminal.run("", &words);
    terminal.wait_for("Spam ");
    assert!(server.stop().success());
    let lines = terminal.wait_for("No server answers at ");
    assert!(lines.iter().any(|line| line.starts_with("trio-chat: ")));
    assert_eq!(terminal.end(), 1);
    assert!(terminal.is_as_before());
}

#[test]
fn two_may_watch_at_a_time() {
    let server = TestServer::start();
    let terminals = [80, 100].map(Tmux::open);
    let _ada = Client::join(&server, "Ada");
    for terminal in &terminals {
        terminal.run(
            "",
            &format!("watch --socket {}", status_path(&server).display()),
        );
    }
    for terminal in &terminals {
        terminal.wait_for("Ada ");
    }
    let _bob = Client::join(&server, "Bob");
    for (terminal, n_columns) in terminals.iter().zip([80, 100]) {
        terminal.wait_until("Bob, and both rows up to the last column", |lines| {
            let table = lines.iter().skip_while(|line| !line.starts_with("name "));
            let widths: Vec<_> = table.take(3).map(|line| line.chars().count()).collect();
            widths == [n_columns; 3]
        });
    }
}

#[test]
fn a_link_is_shown_and_so_is_that_it_is_cut_off() {
    let redis = Redis::start();
    let server = TestServer::with(&["--redis", &redis.url()]);
    let mut ada = Client::join(&server, "Ada");
    let link = || {
        let address = server.address.to_string();
        let output = in_ascii().args(["watch", &address]).output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        let link = table.lines().find(|line| line.starts_with("link "));
        link.unwrap().to_owned()
    };
    assert_eq!(link(), "link up      0 messages behind, 0 wait to be said");
    redis.freeze();
    ada.say("anybody there?");
    let cut_off = "link cut off 0 messages behind, 1 wait to be said";
    until("a link that is cut off", || {
        (link() == cut_off).then_some(())
    });
    redis.thaw();
}

#[test]
fn who_finds_no_server_is_told_so_in_one_sentence() {
    let server = TestServer::start();
    let port = server.address.port().to_string();
    for (arguments, code, part) in [
        (
            &["watch", "1"][..],
            1,
            "There is no status socket for port 1, but for ",
        ),
        (
            &["watch", "--socket", "/nowhere/x"],
            1,
            "No server answers at /nowhere/x",
        ),
        (&["watch", "1"], 1, &port),
        (&["watch", "1", "2"], 2, "takes one address"),
    ] {
        let output = trio_chat().args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
    }
}
