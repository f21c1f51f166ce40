//! A proxy between servers and their engine, which can hold what passes, cut, refuse, and eat
//! answers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Passes everything on, until it is told otherwise. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    way: Mutex<Way>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Way {
    engine: PathBuf,
    is_held: bool,
    refuses: bool,
    /// An answer that contains this is eaten.
    bait: Vec<u8>,
    n_to_eat: usize,
    n_eaten: usize,
    connections: Vec<Arc<Pair>>,
}

/// A connection from a server, and the one to the engine that belongs to it.
#[derive(Debug)]
struct Pair {
    server: TcpStream,
    engine: UnixStream,
}

impl Proxy {
    /// Starts one that leads to the engine at this Unix socket.
    pub fn to(engine: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let proxy = Self { address, shared };
        proxy.leads_to(engine);
        let shared = Arc::clone(&proxy.shared);
        // It ends with the test's process, and refuses everyone from the end of the test on.
        thread::spawn(move || {
            for stream in listener.incoming() {
                shared.serve(stream.unwrap());
            }
        });
        proxy
    }

    /// Returns its URL, for `--redis`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Leads new connections to another engine.
    pub fn leads_to(&self, engine: PathBuf) {
        self.way().engine = engine;
    }

    /// Passes nothing on, in either direction, until [`pass`](Self::pass).
    pub fn hold(&self) {
        self.way().is_held = true;
    }

    /// Passes on what was held, and lets everyone in again.
    pub fn pass(&self) {
        let mut way = self.way();
        (way.is_held, way.refuses) = (false, false);
        self.shared.changed.notify_all();
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        let connections = std::mem::take(&mut self.way().connections);
        for pair in connections {
            pair.cut();
        }
    }

    /// Cuts all connections, and lets nobody in until [`pass`](Self::pass).
    pub fn refuse(&self) {
        self.way().refuses = true;
        self.cut();
    }

    /// Eats the next `n_answers` that contain `bait`: each is lost together with its connection.
    pub fn eat(&self, n_answers: usize, bait: &[u8]) {
        let mut way = self.way();
        (way.bait, way.n_to_eat) = (bait.to_vec(), n_answers);
    }

    /// Returns how many answers were eaten.
    pub fn n_eaten(&self) -> usize {
        self.way().n_eaten
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.shared.way.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.way().is_held = false;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, server: TcpStream) {
        let mut way = self.way.lock().unwrap();
        if way.refuses {
            return;
        }
        let Ok(engine) = UnixStream::connect(&way.engine) else {
            return;
        };
        let pair = Arc::new(Pair { server, engine });
        way.connections.push(Arc::clone(&pair));
        for is_answer in [false, true] {
            let (shared, pair) = (Arc::clone(self), Arc::clone(&pair));
            thread::spawn(move || {
                // It ends when either side does.
                let _ = shared.pump(&pair, is_answer);
                pair.cut();
            });
        }
    }

    fn pump(&self, pair: &Pair, is_answer: bool) -> std::io::Result<()> {
        let (mut server, mut engine) = (&pair.server, &pair.engine);
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n_bytes = if is_answer {
                engine.read(&mut chunk)?
            } else {
                server.read(&mut chunk)?
            };
            let bytes = &chunk[..n_bytes];
            let mut way = self.way.lock().unwrap();
            way = self.changed.wait_while(way, |way| way.is_held).unwrap();
            let is_eaten = is_answer && way.n_to_eat > 0 && contains(bytes, &way.bait);
            if is_eaten {
                way.n_to_eat -= 1;
                way.n_eaten += 1;
            }
            if is_eaten || n_bytes == 0 {
                return Ok(());
            }
            drop(way);
            if is_answer {
                server.write_all(bytes)?;
            } else {
                engine.write_all(bytes)?;
            }
        }
    }
}

impl Pair {
    fn cut(&self) {
        // These fail if it was cut already.
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.engine.shutdown(Shutdown::Both);
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
