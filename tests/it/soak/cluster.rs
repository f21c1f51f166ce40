//! Rooms over several servers, at length: floods while Redis or a server is frozen, and a server whose
//! cable is pulled.

use super::hosts::ip;
use super::{measure_for, mebibytes, row};
use crate::cluster::{Listener, flood, hear_to, join_each, servers};
use crate::support::{Client, Netcat, Redis, TestServer, n_missed};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};
use trio_chat::protocol::notice::Notice;

/// Longest silence of a client that listens all the time.
const SILENCE: Duration = Duration::from_mins(10);

/// Samples a figure while something goes on, and returns the largest.
fn largest(duration: Duration, mut sample: impl FnMut() -> u64) -> u64 {
    let start = Instant::now();
    let mut largest = sample();
    while start.elapsed() < duration {
        measure_for(Duration::from_millis(200));
        largest = largest.max(sample());
    }
    largest
}

/// Starts to listen with a client on each server.
fn listeners(servers: &[TestServer]) -> Vec<Listener> {
    let mut clients = join_each(servers);
    hear_to("the last one before", &mut clients);
    let listeners = clients.into_iter().map(|client| {
        client.stream.set_read_timeout(Some(SILENCE)).unwrap();
        Listener::start(client, "Guest> the end")
    });
    listeners.collect()
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn c4_a_flood_into_a_frozen_redis_waits_in_its_senders() {
    let frozen_for = Duration::from_mins(5);
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut guest = Client::join(&servers[0], "Guest");
    let flooders = [0, 1, 2].map(|n| Client::join(&servers[0], &format!("Flooder {n}")));
    let listeners = listeners(&servers);
    let is_over = AtomicBool::new(false);
    let (blocked, _blocks) = channel();
    let (noticed, before, peak, n_said) = thread::scope(|scope| {
        let flood = |flooder| {
            let (is_over, blocked) = (&is_over, blocked.clone());
            scope.spawn(move || flood(flooder, is_over, &blocked))
        };
        let floods = flooders.each_ref().map(|flooder| flood(&flooder.stream));
        listeners[0].wait_for(20_000);
        let start = Instant::now();
        redis.freeze();
        let has_notice =
            |notice| move |heard: &crate::cluster::Heard| heard.notices.contains(&notice);
        listeners[0].wait_until("the notice", has_notice(Notice::CutOff));
        let noticed = start.elapsed();
        let before = servers[0].process.memory();
        let peak = largest(frozen_for, || servers[0].process.memory());
        redis.thaw();
        listeners[0].wait_until("the end of it", has_notice(Notice::Back));
        is_over.store(true, Ordering::SeqCst);
        let n_said: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        (noticed, before, peak, n_said)
    });
    for listener in &listeners {
        listener.wait_for(n_said);
    }
    guest.say("the end");
    let mut n_missed = 0;
    for listener in listeners {
        let heard = listener.end();
        heard.assert_in_order();
        assert_eq!(heard.n_accounted(), n_said);
        n_missed += heard.n_missed;
    }
    let figure = format!(
        "noticed after {noticed:.1?}; {}, then {} at most; {n_said} said, {n_missed} missed by 2",
        mebibytes(before),
        mebibytes(peak)
    );
    let kept = peak < before + (8 << 20) && noticed < Duration::from_millis(2500);
    row("C4", "Redis frozen for 5 min, 3 flooders", &figure, kept);
}

#[test]
#[ignore = "long: run by scripts/soak.sh"]
fn c9_a_frozen_server_costs_redis_no_memory() {
    let redis = Redis::start();
    let servers = servers::<2>(&redis);
    let mut guest = Client::join(&servers[0], "Guest");
    let flooders = [0, 1, 2].map(|n| Client::join(&servers[0], &format!("Flooder {n}")));
    let listeners = listeners(&servers);
    let is_over = AtomicBool::new(false);
    let (blocked, _blocks) = channel();
    servers[1].process.freeze();
    let (peak, n_said) = thread::scope(|scope| {
        let flood = |flooder| {
            let (is_over, blocked) = (&is_over, blocked.clone());
            scope.spawn(move || flood(flooder, is_over, &blocked))
        };
        let floods = flooders.each_ref().map(|flooder| flood(&flooder.stream));
        let peak = largest(Duration::from_mins(2), || redis.memory());
        is_over.store(true, Ordering::SeqCst);
        let n_said: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        (peak, n_said)
    });
    listeners[0].wait_for(n_said);
    servers[1].process.thaw();
    listeners[1].wait_for(n_said);
    guest.say("the end");
    let ends: Vec<_> = listeners.into_iter().map(Listener::end).collect();
    let figure = format!(
        "Redis has {} at most; {n_said} said, the frozen one heard {} and missed {}",
        mebibytes(peak),
        ends[1].said.len(),
        ends[1].n_missed
    );
    let is_exact = ends.iter().all(|heard| heard.n_accounted() == n_said);
    let kept = is_exact && ends[1].n_missed > 0 && peak <= 120 << 20;
    row("C9", "a server frozen for 2 min, 3 flooders", &figure, kept);
}

/// Three network namespaces: Redis in one, and a cable from there to each of two servers. They are
/// deleted when this is dropped.
struct ThreeHosts {
    names: [String; 3],
}

impl ThreeHosts {
    fn new() -> Self {
        let number = std::process::id();
        let names = ["redis", "one", "two"].map(|host| format!("trio-{host}-{number}"));
        let hosts = Self { names };
        let [redis, one, two] = &hosts.names;
        for host in &hosts.names {
            ip(&["netns", "add", host]);
            ip(&["-n", host, "link", "set", "lo", "up"]);
        }
        for (host, cable, net) in [(one, "one", "10.78.1"), (two, "two", "10.78.2")] {
            let there = ["peer", "name", "cable", "netns", host];
            let add = ["-n", redis, "link", "add", cable, "type", "veth"];
            ip(&[&add[..], &there].concat());
            let address = |number: u8| format!("{net}.{number}/24");
            ip(&["-n", redis, "addr", "add", &address(1), "dev", cable]);
            ip(&["-n", host, "addr", "add", &address(2), "dev", "cable"]);
            ip(&["-n", redis, "link", "set", cable, "up"]);
            ip(&["-n", host, "link", "set", "cable", "up"]);
        }
        hosts
    }

    /// Returns a command that runs a program on a host.
    fn on(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[host], program]);
        command
    }

    /// Starts a server on a host.
    fn server(&self, host: usize) -> TestServer {
        let url = format!("redis://10.78.{host}.1:6379");
        let mut command = self.on(host, env!("CARGO_BIN_EXE_trio-chat"));
        TestServer::spawn(command.args(["127.0.0.1:0", "--rate", "0", "--redis", &url]))
    }

    /// Lets a person join the server of a host.
    fn join(&self, host: usize, server: &TestServer, name: &str) -> Netcat {
        let port = server.address.port().to_string();
        let mut command = self.on(host, "nc.openbsd");
        Netcat::run(command.args(["-N", "127.0.0.1", &port]), name)
    }

    /// Lets a crowd talk on the server of a host, and returns the latencies that it has met: the
    /// median and the 99th percentile, in milliseconds.
    fn talk(&self, host: usize, server: &TestServer, seconds: &str) -> (String, f64) {
        let mut command = self.on(host, env!("CARGO_BIN_EXE_trio-chat"));
        let crowd = ["crowd", &server.address.to_string(), "--clients", "20"].map(str::to_owned);
        let command = command.args(crowd).args(["--seconds", seconds, "--json"]);
        let output = command.output().unwrap();
        let json = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let (_, rest) = json.split_once(&format!("\"{name}\":")).unwrap();
            rest.split([',', '}']).next().unwrap().to_owned()
        };
        assert_eq!(value("missed"), "0", "{json}");
        (value("p50_ms"), value("p99_ms").parse().unwrap_or(f64::NAN))
    }
}

impl Drop for ThreeHosts {
    fn drop(&mut self) {
        // The cables go with the namespaces.
        for host in &self.names {
            ip(&["netns", "del", host]);
        }
    }
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn c5_a_server_whose_cable_is_pulled_harms_no_other() {
    let hosts = ThreeHosts::new();
    let bind = ["--bind", "10.78.1.1 10.78.2.1", "--protected-mode", "no"];
    let redis = Redis::in_namespace(&hosts.names[0], &bind);
    let (cut, other) = (hosts.server(1), hosts.server(2));
    let mut ada = hosts.join(1, &cut, "Ada");
    let mut bob = hosts.join(2, &other, "Bob");
    ada.asks("hello", "Ada> hello");
    bob.asks("hello", "Bob> hello");
    ada.output.wait_for("Bob> hello");
    let (p50_before, p99_before) = hosts.talk(2, &other, "10");
    let cable = |state: &str| ip(&["-n", &hosts.names[0], "link", "set", "one", state]);
    cable("down");
    let pulled = Instant::now();
    ada.types("Is anybody there?");
    ada.output.wait_for(&Notice::CutOff.to_string());
    let noticed = pulled.elapsed();
    let (p50, p99) = hosts.talk(2, &other, "30");
    let heard_nothing = !bob.output.lines().contains(&Notice::CutOff.to_string());
    cable("up");
    let plugged = Instant::now();
    ada.output.wait_for(&Notice::Back.to_string());
    ada.output.wait_for("Ada> Is anybody there?");
    let back = plugged.elapsed();
    bob.asks("the end", "Bob> the end");
    ada.output.wait_for("Bob> the end");
    let count = |netcat: &Netcat| {
        let lines = netcat.output.lines();
        let lines = lines.iter().skip_while(|line| *line != "Bob> hello");
        let lines: Vec<_> = lines.collect();
        let n_missed: u64 = lines.iter().filter_map(|line| n_missed(line)).sum();
        let n_said = lines.iter().filter(|line| !line.starts_with("* ")).count() as u64;
        (n_said, n_missed)
    };
    let ((ada_heard, ada_missed), (bob_heard, bob_missed)) = (count(&ada), count(&bob));
    let figure = format!(
        "noticed after {noticed:.1?}, back after {back:.1?}; others p50 {p50_before} ms, p99 \
         {p99_before:.1}, then {p50}, {p99:.1}; heard {ada_heard}+{ada_missed} and \
         {bob_heard}+{bob_missed}"
    );
    let is_exact = ada_heard + ada_missed == bob_heard + bob_missed;
    // On a busy machine the crowd can't measure latencies.
    let is_slower = p99 > p99_before.max(5.0) * 4.0;
    let kept = is_exact && heard_nothing && !is_slower;
    row("C5", "one server's cable pulled for 30 s", &figure, kept);
    drop((ada, bob, cut, other, redis));
}
