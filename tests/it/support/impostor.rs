//! A server that is none, or a bad one: a listener on a free port, and what it does with a
//! connection is up to the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use trio_chat::protocol::notice::Notice;

/// Listens, and does the same with each connection, in a thread of its own.
#[derive(Debug)]
pub struct Impostor {
    pub address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    /// Does `serve` with the first connection, and refuses others.
    pub fn once(serve: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            drop(listener);
            serve(stream);
        });
        Self {
            address,
            thread: Some(thread),
        }
    }

    /// Lets the first connection in as Ada, and goes on with `serve`.
    pub fn room(serve: impl FnOnce(TcpStream, BufReader<TcpStream>) + Send + 'static) -> Self {
        Self::naming("Ada", serve)
    }

    /// Lets the first connection in under a name of its own choice, and goes on with `serve`.
    pub fn naming(
        name: &str,
        serve: impl FnOnce(TcpStream, BufReader<TcpStream>) + Send + 'static,
    ) -> Self {
        let notice = Notice::YouAre(name.to_owned());
        Self::once(move |mut stream| {
            stream.write_all(Notice::Welcome.line().as_bytes()).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut name = Vec::new();
            reader.read_until(b'\n', &mut name).unwrap();
            stream.write_all(notice.line().as_bytes()).unwrap();
            serve(stream, reader);
        })
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let ended = self.thread.take().unwrap().join();
        assert!(
            ended.is_ok() || thread::panicking(),
            "the impostor panicked"
        );
    }
}
