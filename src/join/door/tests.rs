//! Tests the door against servers of all kinds, over the loopback interface.

use super::*;
use std::io::Read;
use std::net::TcpListener;
use std::thread;

/// Knocks as `name` at a server that says `bytes` and no more. Returns the outcome, and what the
/// server has heard.
fn knock(name: &str, bytes: &[u8]) -> (Result<Entered, Refusal>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bytes = bytes.to_vec();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The client may have heard enough before it has heard all.
        let _ = stream.write_all(&bytes);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    let password = Password::of_line("moth");
    let entered = enter(&address, name, password.as_ref());
    if let Ok(entered) = &entered {
        close(entered.hearing.stream());
    }
    (entered, server.join().unwrap())
}

/// Returns the outcome at a Trio Chat server that says `lines` after its greeting.
fn knock_at_room(lines: &[&str]) -> Result<Entered, Refusal> {
    let welcome = Notice::Welcome.to_string();
    let lines = [&[welcome.as_str()], lines, &[""]].concat().join("\n");
    knock("Ada", lines.as_bytes()).0
}

fn failure(outcome: Result<Entered, Refusal>) -> String {
    match outcome {
        Err(Refusal::Failed(reason)) => reason,
        Err(refusal) => panic!("{refusal:?}"),
        Ok(entered) => panic!("in as {:?}", entered.name),
    }
}

#[test]
fn one_is_in_under_the_name_that_the_server_gives() {
    let welcome = Notice::Welcome.line();
    let bytes = format!("{welcome}* Be kind.\nBob> hi\n* You are \"Ada 2\".\nBob> later\n");
    // What is after a line end would be said to the room.
    let (entered, heard) = knock("Ada\nsaid", bytes.as_bytes());
    assert_eq!(heard, b"Adasaid\n\xff\xf6");
    let mut entered = entered.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(entered.name, "Ada 2");
    let before = ["* Be kind.", "Bob> hi", "* You are \"Ada 2\"."];
    assert_eq!(entered.lines, before);
    let next = entered.hearing.next().unwrap();
    assert_eq!(next.as_deref(), Some("Bob> later"));
}

#[test]
fn a_name_that_cannot_be_had_is_refused_with_the_reason_and_a_free_one() {
    let taken = Notice::TakenName {
        wanted: "Ada".to_owned(),
        free: "Ada 2".to_owned(),
    };
    // Once one is in, that is something else.
    failure(knock_at_room(&["Bob> hi", &taken.to_string()]));
    for (notice, expected) in [(taken, Some("Ada 2")), (Notice::ReservedName, None)] {
        let line = notice.to_string();
        let Err(Refusal::Name { reason, free }) = knock_at_room(&[&line]) else {
            panic!("not refused: {line}");
        };
        assert_eq!((format!("* {reason}"), free.as_deref()), (line, expected));
    }
    // The server is not even asked.
    let refusal = enter("nowhere", "*", None);
    assert!(matches!(refusal, Err(Refusal::Name { free: None, .. })));
}

#[test]
fn the_password_goes_to_a_server_that_asks_for_it_and_to_no_other() {
    let question = Notice::EnterPassword.line();
    let bytes = format!("{question}{}* You are \"Ada\".\n", Notice::Welcome.line());
    let (entered, heard) = knock("Ada", bytes.as_bytes());
    assert_eq!(heard, b"moth\nAda\n\xff\xf6");
    assert!(entered.is_ok());
    let bytes = format!("{question}{}{question}", Notice::WrongPassword.line());
    let (entered, heard) = knock("Ada", bytes.as_bytes());
    assert_eq!(heard, b"moth\n");
    assert!(matches!(
        entered,
        Err(Refusal::Password { was_given: true })
    ));
    // Asked again and again, it is told once.
    let (entered, heard) = knock("Ada", [&*question, &*question].concat().as_bytes());
    assert_eq!(heard, b"moth\n");
    assert!(entered.is_err());
}

#[test]
fn a_server_that_lets_nobody_in_says_why() {
    let full = Notice::Full.to_string();
    assert_eq!(failure(knock_at_room(&[&full])), said(&full));
    assert_eq!(failure(knock("Ada", full.as_bytes()).0), said(&full));
    let gone = client::lost(&io::ErrorKind::UnexpectedEof.into());
    assert_eq!(failure(knock_at_room(&["Bob> hi"])), gone);
    assert_eq!(failure(knock("Ada", b"").0), gone);
}

#[test]
fn what_is_no_trio_chat_server_is_told_in_one_clean_sentence() {
    for (bytes, part) in [
        (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], "it speaks SSH."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP."),
        (b"\x15\x03\x01\x00\x02\x02\x46", "it says \"F\"."),
        (
            b"220 a.example ESMTP\r\n",
            "it says \"220 a.example ESMTP\".",
        ),
        (b"\x1b]0;owned\x07\n", "it says \"]0;owned\"."),
    ] {
        let (outcome, heard) = knock("Ada", bytes);
        let reason = failure(outcome);
        assert!(reason.contains(" is not a Trio Chat server: "), "{reason}");
        assert!(reason.ends_with(part), "{reason:?}");
        // It hears nothing that could mean something to it.
        assert_eq!(heard, b"");
    }
    let long = "x".repeat(100_000);
    let shown = format!("\"{}…\".", &long[..40]);
    assert!(failure(knock("Ada", long.as_bytes()).0).ends_with(&shown));
}

#[test]
fn a_server_that_talks_without_end_or_gives_an_impossible_name_is_no_trio_chat_server() {
    let line = format!("Bob> {}", "x".repeat(4000));
    let endless = vec![line.as_str(); MAX_BEFORE / 4000];
    for lines in [
        &endless[..],
        &["* You are \"\"."],
        &["* You are \"Bob> \"."],
    ] {
        let reason = failure(knock_at_room(lines));
        assert!(reason.contains(" is not a Trio Chat server: "), "{reason}");
    }
}
