//! Looking in costs the room nothing, however it is done.

use super::row;
use crate::support::{TestServer, Tmux, status_path, trio_chat};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Number of runs of each kind. With three, the noise of the host alone would fail one time in five.
const RUNS: usize = 7;

/// Time from one bad request to the next.
const PAUSE: Duration = Duration::from_millis(200);

/// Who looks in.
#[derive(Debug, Clone, Copy)]
enum Onlooker {
    Nobody,
    /// One who watches.
    Watcher,
    /// Some who ask for a megabyte long, and some who do not ask, a few times a second.
    Rabble,
}

/// What a room of 500 needed, in which all talk.
#[derive(Debug, Clone, Copy)]
struct Run {
    p99_ms: f64,
    us_per_delivery: f64,
}

/// Measures a room of 500.
fn measure(onlooker: Onlooker) -> Run {
    let server = TestServer::start();
    let watcher = matches!(onlooker, Onlooker::Watcher).then(|| {
        let terminal = Tmux::open(100);
        terminal.run("", &format!("watch {}", server.address));
        terminal.wait_for("Ctrl-C leaves");
        terminal
    });
    let output = thread::scope(|scope| {
        let (end, ended) = channel();
        if matches!(onlooker, Onlooker::Rabble) {
            let path = status_path(&server);
            scope.spawn(move || harass(&path, &ended));
        }
        let output = trio_chat()
            .args(["crowd", &server.address.to_string(), "--clients", "500"])
            .args(["--seconds", "6", "--json"])
            .args(["--pid", &server.process.pid().to_string()])
            .output();
        drop::<Sender<()>>(end);
        output.unwrap()
    });
    drop(watcher);
    let json = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| -> f64 {
        let (_, rest) = json.split_once(&format!("\"{name}\":")).unwrap();
        rest.split([',', '}']).next().unwrap().parse().unwrap()
    };
    assert_eq!(
        [value("delivered"), value("missed")].iter().sum::<f64>() as u64,
        value("expected") as u64,
        "{json}"
    );
    Run {
        p99_ms: value("p99_ms"),
        us_per_delivery: value("server_us_per_delivery"),
    }
}

/// Asks badly, five times a second, until the other end of `ended` is dropped.
fn harass(path: &Path, ended: &Receiver<()>) {
    let long = vec![b'x'; 1 << 20];
    let mut silent = Vec::new();
    while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        if let Ok(mut stream) = UnixStream::connect(path) {
            // The answer comes after the first kilobyte, and nobody reads the rest.
            let _ = stream.set_write_timeout(Some(Duration::from_millis(10)));
            let _ = stream.write_all(&long);
        }
        silent.extend(UnixStream::connect(path));
    }
}

fn sorted(runs: &[Run], number: fn(&Run) -> f64) -> Vec<f64> {
    let mut numbers: Vec<_> = runs.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Prints the row of those who look in, beside runs in which nobody did.
fn compare(done: &str, alone: &[Run], watched: &[Run]) {
    let latencies = [alone, watched].map(|runs| sorted(runs, |run| run.p99_ms));
    let costs = [alone, watched].map(|runs| sorted(runs, |run| run.us_per_delivery));
    let [median, median_alone] = [&latencies[1], &latencies[0]].map(|it| it[RUNS / 2]);
    let [best, worst] = [latencies[0][0], latencies[0][RUNS - 1]];
    let more = 100.0 * (costs[1][RUNS / 2] / costs[0][RUNS / 2] - 1.0);
    let figure = format!(
        "p99 {median:.1} ms; without {median_alone:.1} ({best:.1}-{worst:.1}); CPU per delivery \
         {more:+.1} %"
    );
    row("O1", done, &figure, median <= worst && more <= 3.0);
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn o1_looking_in_costs_the_room_nothing() {
    // In turn, so that what else happens on this host is the same for all.
    let kinds = [Onlooker::Nobody, Onlooker::Watcher, Onlooker::Rabble];
    let rounds: Vec<_> = (0..RUNS).map(|_| kinds.map(measure)).collect();
    let [alone, watched, harassed] =
        [0, 1, 2].map(|kind| rounds.iter().map(|round| round[kind]).collect::<Vec<_>>());
    let done = format!("500 talkers, {RUNS} runs each, one watches");
    compare(&done, &alone, &watched);
    let done = format!("500 talkers, {RUNS} runs each, some ask a megabyte long, some nothing");
    compare(&done, &alone, &harassed);
}
