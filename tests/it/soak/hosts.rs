//! Promises that take more than one host to test: two network namespaces stand in for them, which
//! needs root and iproute2.

use super::{measure_for, row};
use crate::support::{Output, Process, TestServer};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
        for (host, number) in [(&hosts.here, 1), (&hosts.there, 2)] {
            ip(&[
                "-n",
                host,
                "addr",
                "add",
                &format!("10.77.0.{number}/24"),
                "dev",
                "cable",
            ]);
            ip(&[
                "-n",
                host,
                "addr",
                "add",
                &format!("fd77::{number}/64"),
                "dev",
                "cable",
                "nodad",
            ]);
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

    /// Starts a netcat on the other host. It gives a name, and says hello.
    fn netcat(&self, address: &str, server: &TestServer, name: &str) -> (Process, Output) {
        let port = server.address.port().to_string();
        let mut netcat = Process::spawn(
            Command::new("ip")
                .args(["netns", "exec", &self.there, "nc.openbsd", address, &port])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let _ = writeln!(netcat.child().stdin.as_mut().unwrap(), "{name}\nhello");
        let output = Output::of(netcat.child().stdout.take().unwrap());
        (netcat, output)
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        // The cable goes with the namespaces.
        ip(&["netns", "del", &self.here]);
        ip(&["netns", "del", &self.there]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn l4_one_address_holds_at_most_a_quarter() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&["--max-clients", "40"]);
    let mut seated = Vec::new();
    for number in 0..10 {
        let (netcat, output) = hosts.netcat("10.77.0.1", &server, &format!("Guest {number}"));
        output.wait_for("hello");
        seated.push(netcat);
    }
    let (_refused, output) = hosts.netcat("10.77.0.1", &server, "Eleventh");
    let refusal = output.wait_for("* ");
    let (_other, output) = hosts.netcat("fd77::1", &server, "Other address");
    output.wait_for("Other address> hello");
    let kept = refusal == "* Too many connections from your address. Try again later.";
    row(
        "L4",
        "10 of 40 seats for one host, then an eleventh, then by IPv6",
        &refusal,
        kept,
    );
}

#[test]
#[ignore = "long, and needs root: run by scripts/soak.sh"]
fn r6_peers_that_vanish_without_a_word_are_found() {
    let hosts = TwoHosts::new();
    let server = hosts.server(&[]);
    let (_netcat, output) = hosts.netcat("10.77.0.1", &server, "Vanishing");
    output.wait_for("Vanishing> hello");
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
