//! Promises that take more than one host to test: two network namespaces stand in for them, which
//! needs root and iproute2.

use super::{measure_for, row};
use crate::support::{Output, Process, TestServer, trio_chat};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An address of the other host, and one of the server's that it connects to.
#[derive(Clone, Copy)]
struct Route {
    from: &'static str,
    to: &'static str,
}

const IPV4: Route = Route {
    from: "10.77.0.2",
    to: "10.77.0.1",
};
const IPV6: Route = Route {
    from: "fd77::2",
    to: "fd77::1",
};
const LINK_LOCAL: Route = Route {
    from: "fe80::2%cable",
    to: "fe80::1%cable",
};

/// Two network namespaces with a cable between them. They are deleted when this is dropped.
struct TwoHosts {
    here: String,
    there: String,
}

impl TwoHosts {
    fn new() -> Self {
        let number = std::process::id();
        let hosts = Self {
            here: format!("trio-here-{number}"),
            there: format!("trio-there-{number}"),
        };
        ip(&["netns", "add", &hosts.here]);
        ip(&["netns", "add", &hosts.there]);
        ip(&[
            "-n",
            &hosts.here,
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &hosts.there,
        ]);
        for (host, address) in [
            (&hosts.here, "10.77.0.1/24"),
            (&hosts.here, "fd77::1/64"),
            (&hosts.here, "fe80::1/64"),
            (&hosts.there, "10.77.0.2/24"),
            (&hosts.there, "fd77::2/64"),
            (&hosts.there, "fd77::3/64"),
            (&hosts.there, "fe80::2/64"),
            (&hosts.there, "fe80::3/64"),
        ] {
            ip(&["-n", host, "addr", "add", address, "dev", "cable", "nodad"]);
        }
        for host in [&hosts.here, &hosts.there] {
            ip(&["-n", host, "link", "set", "cable", "up"]);
        }
        hosts
    }

    /// Starts the server on one host.
    fn server(&self, options: &[&str]) -> TestServer {
        TestServer::spawn(
            Command::new("ip")
                .args([
                    "netns",
                    "exec",
                    &self.here,
                    env!("CARGO_BIN_EXE_trio-chat"),
                    "[::]:0",
                ])
                .args(options),
        )
    }

    /// Starts a netcat on the other host.
    fn connect(&self, route: Route, server: &TestServer) -> Netcat {
        let port = server.address.port().to_string();
        let mut process = Process::spawn(
            Command::new("ip")
                .args(["netns", "exec", &self.there])
                .args(["nc.openbsd", "-s", route.from, route.to, &port])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let output = Output::of(process.child().stdout.take().unwrap());
        Netcat { process, output }
    }

    /// Starts a netcat on the other host. It gives a name, and says hello.
    fn join(&self, route: Route, server: &TestServer, name: &str) -> Netcat {
        let mut netcat = self.connect(route, server);
        netcat.join(name);
        netcat
    }
}

/// A netcat, and what it prints.
struct Netcat {
    process: Process,
    output: Output,
}

impl Netcat {
    fn join(&mut self, name: &str) {
        let mut input = self.process.child().stdin.as_ref().unwrap();
        // This fails if the client has been refused.
        let _ = writeln!(input, "{name}\nhello");
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        // The cable goes with the namespaces.
        ip(&["netns", "del", &self.here]);
        ip(&["netns", "del", &self.there]);
    }
}

/// Runs `ip`, which needs root.
pub fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn l4_one_address_holds_at_most_a_quarter() {
    let hosts = TwoHosts::new();
    // A whole IPv6 network counts as one address, but not where the server is in it.
    let ipv6_neighbour = Route {
        from: "fd77::3",
        ..IPV6
    };
    let link_local_neighbour = Route {
        from: "fe80::3%cable",
        ..LINK_LOCAL
    };
    for (route, other) in [
        (IPV4, IPV6),
        (IPV6, ipv6_neighbour),
        (LINK_LOCAL, link_local_neighbour),
    ] {
        let server = hosts.server(&["--max-clients", "40"]);
        let mut seated = Vec::new();
        for number in 0..10 {
            let guest = hosts.join(route, &server, &format!("Guest {number}"));
            guest.output.wait_for("> hello");
            seated.push(guest);
        }
        let eleventh = hosts.join(route, &server, "Eleventh");
        let refusal = eleventh.output.wait_for("* ");
        let other_guest = hosts.join(other, &server, "Other");
        let greeting = other_guest.output.wait_for("e");
        let kept = refusal.starts_with("* Too many") && greeting.starts_with("Welcome");
        row(
            "L4",
            &format!("11 from {}, 1 from {}, 40 seats", route.from, other.from),
            &format!("the eleventh reads \"{refusal:.10}…\", the other \"{greeting:.10}…\""),
            kept,
        );
    }
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn l4_ten_people_a_second_join_from_one_address_and_another_need_not_wait() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&[]);
    let mut crowd: Vec<_> = (0..30).map(|_| hosts.connect(IPV4, &server)).collect();
    for guest in &crowd {
        guest.output.wait_for("Welcome");
    }
    let start = Instant::now();
    for (number, guest) in crowd.iter_mut().enumerate() {
        guest.join(&format!("Guest {number}"));
    }
    let person = hosts.join(IPV6, &server, "Person");
    for (number, guest) in crowd.iter().enumerate() {
        guest.output.wait_for(&format!("Guest {number}> hello"));
    }
    let took = start.elapsed();
    let heard = person.output.lines();
    let since_in = heard.iter().skip_while(|line| *line != "Person> hello");
    let n_later = since_in.filter(|line| line.starts_with("Guest")).count();
    let in_time = Duration::from_millis(2900)..Duration::from_secs(5);
    row(
        "L4",
        "30 people from one address and one from another join at once",
        &format!("the 30 in {took:.1?}, the one before {n_later} of them"),
        in_time.contains(&took) && n_later > 0,
    );
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn l4_an_address_that_was_barred_stays_away_until_it_is_forgiven() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&[]);
    let kick = |words: &[&str]| {
        let port = server.address.port().to_string();
        let mut command = trio_chat();
        let output = command.arg("kick").args(words).arg(port).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for (route, other, number) in [(IPV4, IPV6, 0), (IPV6, IPV4, 4)] {
        let name = format!("Guest {number}");
        let hello = format!("{name}> hello");
        let guest = hosts.join(route, &server, &name);
        guest.output.wait_for(&hello);
        let said = kick(&[&name, "--for", "2h"]);
        guest.output.wait_for("* You were asked to leave. Goodbye!");
        let barred = hosts.connect(route, &server);
        let refusal = barred.output.wait_for("* ");
        let other = hosts.join(other, &server, "Other");
        other.output.wait_for("Other> hello");
        drop(other);
        kick(&["--forgive", route.from]);
        let again = hosts.join(route, &server, &name);
        again.output.wait_for(&hello);
        row(
            "L4",
            &format!("{} is barred, and forgiven", route.from),
            &format!("{} It reads \"{refusal}\", and then is in", said.trim_end()),
            said.contains("may come back for 2 hours.")
                && refusal == "* You may come back in 120 minutes.",
        );
    }
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn r6_peers_that_vanish_without_a_word_are_found() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&[]);
    let vanishing = hosts.join(IPV4, &server, "Vanishing");
    vanishing.output.wait_for("Vanishing> hello");
    ip(&["-n", &hosts.there, "link", "set", "cable", "down"]);
    let start = Instant::now();
    // This takes longer than the watchdog of any other wait.
    while start.elapsed() < Duration::from_mins(2)
        && !server
            .log
            .lines()
            .iter()
            .any(|line| line.contains("Connection #0: lost"))
    {
        measure_for(Duration::from_millis(100));
    }
    let took = start.elapsed();
    let figure = format!("found after {:.0} s", took.as_secs_f64());
    row(
        "R6",
        "the cable of a quiet client is pulled",
        &figure,
        took < Duration::from_secs(100),
    );
}
