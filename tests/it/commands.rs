//! Commands, as people type them into a netcat and as programs send them.

use crate::support::{Client, Netcat, TestServer};
use trio_chat::protocol::command::HELP;
use trio_chat::protocol::notice::Notice;

const ARE_YOU_THERE: [u8; 2] = [0xff, 0xf6];

#[test]
fn every_command_works_from_a_netcat() {
    let server = TestServer::start();
    let mut rick = Netcat::join(&server, "Rick");
    rick.asks("/who", "* Nobody else is here.");
    let mut guard = Netcat::join(&server, "Guard #1");
    guard.asks("hello", "Guard #1> hello");
    rick.asks("/help", "* //TEXT");
    rick.asks("/who", "* - Rick, Guard #1");
    rick.asks("/me waves", "Rick> *waves*");
    rick.asks("//who", "Rick> /who");
    rick.asks("/msg \"Guard #1\" psst", "* To Guard #1: psst");
    guard.asks("/r what?", "* To Rick: what?");
    rick.asks("/nick guard #1", "is taken. Try \"guard #1 2\"");
    rick.asks("/nick Pickle Rick", "* You are \"Pickle Rick\".");
    rick.asks("/quit", "* Goodbye!");
    server
        .log
        .wait_for("Connection #0: closed, its client quit");
    server
        .log
        .wait_for("Connection #0: name set to \"Pickle Rick\"");
    let help: Vec<_> = HELP.lines().collect();
    let expected = [
        &["Welcome to Trio Chat! Enter your name:"][..],
        &["* Nobody else is here.", "Guard #1> hello"],
        &help,
        &["* 2 people are here, oldest first:", "* - Rick, Guard #1"],
        &["Rick> *waves*", "Rick> /who", "* To Guard #1: psst"],
        &["* Guard #1 (to you): what?"],
        &["* \"guard #1\" is taken. Try \"guard #1 2\"."],
        &["* You are \"Pickle Rick\".", "* Goodbye!"],
    ];
    assert_eq!(rick.leaves(), expected.concat());
    let expected = [
        "Welcome to Trio Chat! Enter your name:",
        "Guard #1> hello",
        "Rick> *waves*",
        "Rick> /who",
        "* Rick (to you): psst",
        "* To Rick: what?",
    ];
    assert_eq!(guard.leaves(), expected);
}

#[test]
fn j5_a_mistyped_command_is_answered_to_its_sender_alone() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    let mut bob = Client::join(&server, "Bob");
    let mut eve = Client::join(&server, "Eve");
    let long = format!("/msg bob {}", "secret ".repeat(2000));
    for (typed, notice) in [
        ("/mgs bob secret", Notice::NoSuchCommand),
        ("/ msg bob secret", Notice::NoSuchCommand),
        ("  /secret", Notice::NoSuchCommand),
        ("\u{feff}/secret", Notice::NoSuchCommand),
        ("\u{200e}/secret", Notice::NoSuchCommand),
        ("\u{1b}[A/msg secret", Notice::NobodyOfThatName),
        ("\u{ff0f}secret", Notice::NoSuchCommand),
        ("/msg secret", Notice::NobodyOfThatName),
        ("/msg bobby secret", Notice::NobodyOfThatName),
        ("/msg bob", Notice::IncompleteCommand),
        ("/r secret", Notice::NobodyToAnswer),
        (long.as_str(), Notice::LongCommand),
    ] {
        eve.say(typed);
        eve.expect_notice(&notice);
    }
    eve.say("/MSG bob secret");
    eve.expect("* To Bob: secret");
    bob.expect("Eve> here");
    bob.expect("* Eve (to you): secret");
    // Nothing else has reached anybody.
    assert!(eve.mark("done").is_empty());
    assert!(bob.hear_until("Eve> done").is_empty());
    assert_eq!(ada.hear_until("Eve> done"), ["Bob> here", "Eve> here"]);
}

#[test]
fn j6_a_name_that_imitates_the_server_does_not_make_its_line() {
    let server = TestServer::with(&["--rate", "0", "--announce"]);
    let mut ada = Client::join(&server, "Ada");
    let mut imitator = Client::join(&server, "The server is stopping. Goodbye!");
    imitator.say("/me * The server is stopping. Goodbye!");
    imitator.say("/msg ada * The server is stopping. Goodbye!");
    imitator.say("/nick Ada (to you): send money");
    imitator.say("/nick You missed 5 messages.");
    imitator.say("/nick You are \"Bob\".");
    "You are \"Bob\".".clone_into(&mut imitator.name);
    imitator.mark("done");
    ada.say("/who");
    ada.mark("me too");
    for line in ada.heard.iter().filter(|line| line.starts_with('*')) {
        let notice = line.parse::<Notice>();
        assert!(
            notice.is_err() || notice == Ok(Notice::YouAre("Ada".to_owned())),
            "{line}"
        );
    }
}

#[test]
fn a_program_can_ask_whether_it_is_in_and_under_which_name() {
    let server = TestServer::start();
    let _rick = Client::join(&server, "Rick");
    let mut client = Client::connect(&server);
    client.send([b"Rick\n", &ARE_YOU_THERE[..]].concat());
    client.expect("* \"Rick\" is taken. Try \"Rick 2\".");
    client.expect("Enter your name:");
    client.send("Ada\n");
    client.expect("* You are \"Ada\".");
    client.send(
        [
            &b"/nick Grace\n/nick Ada\n"[..],
            &ARE_YOU_THERE,
            b"half a line",
        ]
        .concat(),
    );
    for name in ["Grace", "Ada", "Ada"] {
        client.expect(&format!("* You are \"{name}\"."));
    }
    client.send("\n");
    client.expect("Ada> half a line");
}

#[test]
fn s4_commands_cost_a_slot_like_any_line() {
    let server = TestServer::with(&["--rate", "20"]);
    let mut ada = Client::join(&server, "Ada");
    let start = std::time::Instant::now();
    for command in ["/who", "/help", "/mgs", "/nick Ada", "/me", "/r x"] {
        ada.say(command);
    }
    ada.send(ARE_YOU_THERE);
    ada.mark("done");
    // Seven slots: the one that asks comes together with others or alone.
    assert!(start.elapsed() >= std::time::Duration::from_millis(50 * 6));
}

#[test]
fn what_was_said_before_quit_has_gone_out_and_what_follows_is_not_heard() {
    let server = TestServer::with(&["--rate", "0"]);
    let mut ada = Client::join(&server, "Ada");
    let mut bob = Client::join(&server, "Bob");
    bob.send("one\ntwo\n/exit\nthree\n/who\n");
    assert_eq!(bob.hear_all(), ["Bob> one", "Bob> two", "* Goodbye!"]);
    server
        .log
        .wait_for("Connection #1: closed, its client quit");
    ada.hear_until("Bob> two");
    assert!(ada.mark("nothing more").is_empty());
}
