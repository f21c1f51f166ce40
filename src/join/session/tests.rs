//! Tests a session against a server over the loopback interface: what it sends, what it shows, and
//! how it ends.

use super::*;
use crate::join::door::Refusal;
use crate::join::hearing::Hearing;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Longer than the time between two lines.
const A_WHILE: Duration = Duration::from_secs(1);

/// Maximum time that the server waits for bytes.
const WATCHDOG: Duration = Duration::from_secs(20);

/// Returns the settings of a pipe, or of a terminal.
fn settings(is_pipe: bool, listener: &TcpListener) -> Settings {
    Settings::for_tests(is_pipe, listener.local_addr().unwrap().to_string())
}

/// The server's end of a connection.
struct Server {
    reader: BufReader<TcpStream>,
}

impl Server {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        let reader = BufReader::new(stream);
        Self { reader }
    }

    /// Waits for `expected`, and checks that nothing else comes before.
    #[track_caller]
    fn expect(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.reader.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expected, "{}", bytes.escape_ascii());
    }

    fn say(&self, lines: &str) {
        self.reader.get_ref().write_all(lines.as_bytes()).unwrap();
    }
}

/// Returns Ada's place in the room, and the server's end of it.
fn entered(listener: &TcpListener) -> (Entered, Server) {
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let entered = Entered {
        hearing: Hearing::new(Arc::new(stream)),
        name: "Ada".to_owned(),
        lines: vec!["* You are \"Ada\".".to_owned()],
    };
    (entered, Server::accept(listener))
}

/// Runs a session that is to say `lines`, while `serve` does what the server does. A pipe has no
/// other lines, and a terminal those that `serve` sends. Returns how the session has ended, and what
/// it has shown.
fn stay(
    is_pipe: bool,
    lines: &[&str],
    serve: impl FnOnce(Server, &TcpListener, &Sender<Command>) + Send,
) -> (End, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = settings(is_pipe, &listener);
    let desk = Desk::default();
    let (commands, for_session) = bounded(8);
    for line in lines {
        commands.send(Command::Say((*line).to_owned())).unwrap();
    }
    let (ends, done) = Ends::new(&desk, for_session);
    let (pieces, screen) = bounded::<Piece>(1);
    let (entered, server) = entered(&listener);
    if is_pipe {
        commands.send(Command::Finish).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let serve = || serve(server, &listener, &commands);
            let outcome = panic::catch_unwind(AssertUnwindSafe(serve));
            // If these fail, the session has ended.
            let _ = match outcome {
                Ok(()) => commands.send(Command::Finish),
                Err(_) => commands.send(Command::Leave),
            };
            outcome.unwrap();
        });
        let printer = scope.spawn(move || {
            let mut shown = String::new();
            for piece in screen {
                shown.extend([piece.text, piece.ours]);
                // If this fails, the session has ended.
                let _ = done.try_send(());
            }
            shown
        });
        let end = thread::scope(|scope| run(scope, &settings, ends, pieces, entered));
        (end, printer.join().unwrap())
    })
}

#[test]
fn a_pipe_ends_when_its_last_line_has_come_back() {
    let (end, shown) = stay(true, &["one", "two"], |mut server, _, _| {
        server.expect(b"one\ntwo\n");
        // These are others' lines, or came before.
        server.say("Bob> two\nAda> one\n* Bob left.\n");
        server.say("Ada> two\n");
        server.reader.read_to_end(&mut Vec::new()).unwrap();
    });
    assert_eq!(end, Ok(()));
    let heard = "* You are \"Ada\".\nBob> two\nAda> one\n* Bob left.\nAda> two\n";
    assert_eq!(shown, heard);
}

#[test]
fn a_pipe_whose_server_goes_says_how_many_lines_did_not_come_back() {
    let (end, _) = stay(true, &["one", "two", "three"], |mut server, _, _| {
        server.expect(b"one\n");
        server.say("Ada> one\n");
        server.expect(b"two\n");
    });
    let sentence = end.unwrap_err();
    assert!(
        sentence.ends_with(" 2 lines did not come back."),
        "{sentence}"
    );
}

#[test]
fn an_echo_that_was_missed_is_asked_for() {
    let (end, shown) = stay(true, &["hi"], |mut server, _, _| {
        server.expect(b"hi\n");
        // The second time it has been asked already.
        server.say("* You missed 3 messages.\n* You missed 4 messages.\n");
        server.expect(b"\xff\xf6");
        server.say("* You are \"Ada\".\n");
        let mut rest = Vec::new();
        server.reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    });
    assert_eq!(end, Ok(()));
    assert!(shown.ends_with(" 4 messages.\n"), "{shown}");
}

#[test]
fn a_lost_connection_names_what_was_not_heard_and_sends_it_never_again() {
    let (end, shown) = stay(false, &["one", "two"], |mut server, listener, commands| {
        server.expect(b"one\n");
        server.say("Ada> one\n");
        server.expect(b"two\n");
        drop(server);
        let mut server = Server::accept(listener);
        server.say(&Notice::Welcome.line());
        server.expect(b"Ada\n\xff\xf6");
        server.say("* You are \"Ada\".\n");
        let three = Command::Say("three".to_owned());
        commands.send(three).unwrap();
        server.expect(b"three\n");
        server.say("Ada> three\n");
        commands.send(Command::Finish).unwrap();
        server.reader.read_to_end(&mut Vec::new()).unwrap();
    });
    assert_eq!(end, Ok(()));
    let told = [
        "* You are \"Ada\".",
        "Ada> one",
        "* The connection is lost.",
        "* This was sent and not heard: two",
        "* You are \"Ada\".",
        "Ada> three",
    ];
    assert_eq!(shown.lines().collect::<Vec<_>>(), told);
}

#[test]
fn what_has_not_gone_can_be_taken_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (entered, server) = entered(&listener);
    let (settings, desk) = (settings(false, &listener), Desk::default());
    let (pieces, screen) = bounded(1);
    let mut session = Session::new(&settings, Ends::new(&desk, never()).0, pieces);
    thread::scope(|scope| {
        // It closes the connection if this fails.
        let mut server = server;
        session.enter(scope, entered);
        let now = Instant::now();
        for line in ["one", "two", "three"] {
            session.obey(Command::Say(line.to_owned()));
            session.send_due(now).unwrap();
        }
        session.obey(Command::TakeBack);
        session.obey(Command::Say("four".to_owned()));
        session.send_due(now + A_WHILE).unwrap();
        server.expect(b"one\nfour\n");
        assert_eq!((session.waiting.len(), session.unheard.len()), (0, 2));
        for line in ["Ada> one", "Ada> four"] {
            session.hear(Ok(line.to_owned())).unwrap();
        }
        assert!(session.unheard.is_empty());
        session.connection.close();
    });
    session.batch.finish();
    let shown = screen.recv().unwrap().text;
    assert!(shown.contains("* 2 lines were taken back.\n"), "{shown}");
}

#[test]
fn ones_name_is_tried_again_before_another_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (settings, desk) = (settings(false, &listener), Desk::default());
    desk.set_name("Ada");
    let (pieces, screen) = bounded(1);
    let mut session = Session::new(&settings, Ends::new(&desk, never()).0, pieces);
    thread::scope(|scope| {
        for expected in ["Ada", "Ada", "Ada", "Ada 2"] {
            session.come_back(
                scope,
                Err(Refusal::Name {
                    reason: "\"Ada\" is taken.".to_owned(),
                    free: Some("Ada 2".to_owned()),
                }),
            );
            assert_eq!(desk.name(), expected);
            assert!(session.connection.next_try().unwrap() > Instant::now());
        }
        // The other name is tried soon.
        let wait = session.connection.next_try().unwrap() - Instant::now();
        assert!(wait < Duration::from_secs(2), "{wait:?}");
    });
    session.batch.finish();
    let piece = screen.recv().unwrap();
    let told = "* \"Ada\" is taken, perhaps still by your lost connection. If it stays so, you will be \
                \"Ada 2\".\n* You are \"Ada 2\" now, since \"Ada\" is taken.\n";
    assert_eq!((piece.text.as_str(), piece.renamed), (told, true));
}
