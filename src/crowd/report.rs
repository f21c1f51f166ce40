//! Prints what the crowd has measured, for a person or for a script, and says if it cannot be
//! believed. Measuring is left to the crowd.

use super::options::Options;
use super::tally::Tally;
use hdrhistogram::Histogram;
use std::time::Duration;

/// A measurement.
pub struct Report {
    /// Time until every client was in the room, after the others had come and gone.
    pub joined_in: Duration,
    /// Number of clients in the room.
    pub n_clients: u64,
    /// Number of messages sent.
    pub n_sent: u64,
    /// Number of deliveries if every client gets every message that it should.
    pub n_expected: u64,
    /// The count of what was heard.
    pub tally: Tally,
    /// Time from the first message to the last delivery.
    pub took: Duration,
    /// Time from when a message was due to when it was sent, in microseconds.
    pub lateness: Histogram<u64>,
    /// Processor time of the crowd itself.
    pub own_cpu: Duration,
    /// Time from the first message to the end of the measurement.
    pub elapsed: Duration,
    /// Processor time of the server, if its pid is known.
    pub server_cpu: Option<Duration>,
    /// Memory of the server with everyone in the room, in bytes, if its pid is known.
    pub server_memory: Option<u64>,
}

impl Report {
    /// Returns the report for a person.
    pub fn text(&self, options: &Options) -> String {
        let lost = match self.n_expected.saturating_sub(self.tally.n_delivered) {
            0 => "none".to_owned(),
            n_lost => format!(
                "{n_lost}, or still in flight at the end; the server reported {} as missed",
                self.tally.n_missed
            ),
        };
        let pace = options.rate.map_or_else(
            || "as fast as they can".to_owned(),
            |rate| format!("{} times a second", (rate * 1e3).round() / 1e3),
        );
        format!(
            "Crowd of {} at {}: {} talk {pace} for {} s, {} bytes each\n\
             joined     in {:.2} s\n\
             sent       {} messages\n\
             delivered  {} of {} ({:.1} %), {:.2} million a second\n\
             lost       {lost}\n\
             latency    {}\n\
             the crowd  {:.2} of a core\n\
             the server {}\n",
            self.n_clients,
            options.addresses.join(" and "),
            options.n_talkers,
            options.seconds,
            options.size,
            self.joined_in.as_secs_f64(),
            self.n_sent,
            self.tally.n_delivered,
            self.n_expected,
            self.percent_delivered(),
            self.deliveries_per_second() / 1e6,
            self.latencies_text(),
            self.own_share(),
            self.server_text(),
        )
    }

    /// Returns the report for a script: one object on one line, with null for what is not known.
    pub fn json(&self) -> String {
        let number = |value: Option<f64>| value.map_or("null".to_owned(), |it| format!("{it:.4}"));
        let latency = |quantile| number(self.doubt().is_none().then(|| self.latency(quantile)));
        format!(
            "{{\"clients\":{},\"joined_s\":{:.3},\"sent\":{},\"expected\":{},\"delivered\":{},\"missed\":{},\
             \"deliveries_per_s\":{:.0},\"p50_ms\":{},\"p90_ms\":{},\"p99_ms\":{},\"max_ms\":{},\
             \"crowd_cores\":{:.3},\"server_us_per_delivery\":{},\"server_kb_per_client\":{}}}\n",
            self.n_clients,
            self.joined_in.as_secs_f64(),
            self.n_sent,
            self.n_expected,
            self.tally.n_delivered,
            self.tally.n_missed,
            self.deliveries_per_second(),
            latency(0.5),
            latency(0.9),
            latency(0.99),
            latency(1.0),
            self.own_share(),
            number(self.cpu_per_delivery()),
            number(self.memory_per_client()),
        )
    }

    fn latencies_text(&self) -> String {
        match self.doubt() {
            Some(doubt) => format!("not shown: {doubt}"),
            None => format!(
                "p50 {:.1} ms, p90 {:.1}, p99 {:.1}, max {:.1}",
                self.latency(0.5),
                self.latency(0.9),
                self.latency(0.99),
                self.latency(1.0)
            ),
        }
    }

    fn server_text(&self) -> String {
        match (self.cpu_per_delivery(), self.memory_per_client()) {
            (Some(cpu), Some(memory)) => {
                format!("{cpu:.3} µs of processor time per delivery, {memory:.1} KB per client")
            }
            _ => "add --pid to see what it needs".to_owned(),
        }
    }

    /// Returns why the latencies cannot be believed, if so. They count from when a message was due,
    /// so a crowd that is late itself would blame the server.
    fn doubt(&self) -> Option<String> {
        if self.tally.latencies.is_empty() {
            return Some("nothing was delivered".to_owned());
        }
        let late = self.lateness.value_at_quantile(0.99) as f64 / 1e3;
        let latency = self.latency(0.99);
        (late > 5.0 && late > latency / 4.0).then(|| {
            format!("this crowd was the bottleneck: it sent messages {late:.0} ms late (p99)")
        })
    }

    fn latency(&self, quantile: f64) -> f64 {
        self.tally.latencies.value_at_quantile(quantile) as f64 / 1e3
    }

    fn percent_delivered(&self) -> f64 {
        100.0 * self.tally.n_delivered as f64 / self.n_expected.max(1) as f64
    }

    fn deliveries_per_second(&self) -> f64 {
        self.tally.n_delivered as f64 / self.took.as_secs_f64().max(1e-9)
    }

    fn own_share(&self) -> f64 {
        self.own_cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    fn cpu_per_delivery(&self) -> Option<f64> {
        let cpu = self.server_cpu?;
        Some(cpu.as_secs_f64() * 1e6 / self.tally.n_delivered.max(1) as f64)
    }

    fn memory_per_client(&self) -> Option<f64> {
        self.server_memory
            .map(|memory| memory as f64 / 1e3 / self.n_clients as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally;
    use super::*;

    fn report(latency: u64, lateness: u64) -> Report {
        let mut tally = Tally::new(0).unwrap();
        tally.n_delivered = 1000;
        tally.latencies.record(latency).unwrap();
        let mut late = tally::histogram().unwrap();
        late.saturating_record(lateness);
        Report {
            joined_in: Duration::from_millis(250),
            n_clients: 10,
            n_sent: 100,
            n_expected: 1000,
            tally,
            took: Duration::from_secs(2),
            lateness: late,
            own_cpu: Duration::from_secs(1),
            elapsed: Duration::from_secs(2),
            server_cpu: Some(Duration::from_millis(1)),
            server_memory: None,
        }
    }

    #[test]
    fn a_crowd_that_is_the_bottleneck_says_so_instead_of_a_wrong_figure() {
        assert_eq!(report(50_000, 1_000).doubt(), None);
        let mut silent = report(50_000, 0);
        silent.tally.latencies.clear();
        assert!(silent.json().contains("\"p50_ms\":null"));
        let doubtful = report(50_000, 40_000);
        assert!(doubtful.doubt().is_some());
        assert!(doubtful.json().contains("\"p99_ms\":null"));
    }

    #[test]
    fn json_has_what_was_measured() {
        let json = report(50_000, 0).json();
        for part in [
            "\"delivered\":1000,\"missed\":0",
            "\"deliveries_per_s\":500",
            "\"p50_ms\":50.0",
            "\"server_us_per_delivery\":1.0000",
            "\"server_kb_per_client\":null",
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
    }
}
