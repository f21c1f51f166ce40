//! Looking in costs the room nothing.

use super::row;
use crate::support::{TestServer, Tmux, trio_chat};

/// What a room of 500 needed, in which all talk.
#[derive(Debug, Clone, Copy)]
struct Run {
    p99_ms: f64,
    us_per_delivery: f64,
}

/// Measures a room of 500, which somebody watches or not.
fn measure(is_watched: bool) -> Run {
    let server = TestServer::start();
    let _terminal = is_watched.then(|| {
        let terminal = Tmux::open(100);
        terminal.run("", &format!("watch {}", server.address));
        terminal.wait_for("Ctrl-C leaves");
        terminal
    });
    let output = trio_chat()
        .args(["crowd", &server.address.to_string(), "--clients", "500"])
        .args(["--seconds", "8", "--json"])
        .args(["--pid", &server.process.pid().to_string()])
        .output()
        .unwrap();
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

fn sorted(runs: &[Run], number: fn(&Run) -> f64) -> [f64; 3] {
    let mut numbers: Vec<_> = runs.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.try_into().unwrap()
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn o1_looking_in_costs_the_room_nothing() {
    // In turn, so that what else happens on this host is the same for both.
    let (alone, watched): (Vec<_>, Vec<_>) =
        (0..3).map(|_| (measure(false), measure(true))).unzip();
    let latencies = [&alone, &watched].map(|runs| sorted(runs, |run| run.p99_ms));
    let costs = [&alone, &watched].map(|runs| sorted(runs, |run| run.us_per_delivery));
    let [
        [best, p99, worst],
        [watched_best, watched_p99, watched_worst],
    ] = latencies;
    let more = 100.0 * (costs[1][1] / costs[0][1] - 1.0);
    let figure = format!(
        "p99 {watched_p99:.1} ms ({watched_best:.1}-{watched_worst:.1}), without {p99:.1} \
         ({best:.1}-{worst:.1}); CPU per delivery {more:+.1} %"
    );
    let done = "500 talkers, with and without watch, three runs each";
    // The view itself takes its part of the two cores.
    let kept = watched_best <= worst * 1.1 && more <= 3.0;
    row("O1", done, &figure, kept);
}
