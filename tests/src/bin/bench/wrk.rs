//! Load from wrk: its command line, and what it prints.

use std::process::Stdio;

use app_health_tests::process;

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests that were answered.
    pub requests: f64,
    /// The same a second.
    pub rate: f64,
    /// Half of them were answered within this time, in microseconds.
    pub p50: f64,
    /// Answers of another status than 2xx and 3xx.
    pub failures: u64,
}

/// A load still to be run, of one second.
#[derive(Clone, Debug)]
pub struct Wrk {
    url: String,
    headers: Vec<String>,
    connections: u32,
}

impl Wrk {
    /// Requests as the kubelet sends them, each on a connection of its own.
    pub fn probes(url: String, connections: u32) -> Self {
        let headers = ["User-Agent: kube-probe/1.37", "Accept: */*", "Connection: close"];
        Self { url, headers: headers.map(String::from).to_vec(), connections }
    }

    /// With another header.
    pub fn header(mut self, header: String) -> Self {
        self.headers.push(header);
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where wrk is missing, or a request got no answer.
    pub fn run(&self) -> Load {
        let mut command = process::command("wrk");
        command.args(["--threads=1", "--duration=1s", "--latency"]);
        command.arg(format!("--connections={}", self.connections));
        command.args(self.headers.iter().flat_map(|header| ["--header", header]));
        let output = command.arg(&self.url).stderr(Stdio::inherit()).output();
        let output = output.expect("wrk runs (Debian's package wrk)");
        let text = String::from_utf8_lossy(&output.stdout);
        parse(&text).unwrap_or_else(|problem| panic!("{command:?}: {problem}:\n{text}"))
    }
}

fn parse(text: &str) -> Result<Load, &'static str> {
    if text.contains("Socket errors:") {
        return Err("requests without an answer");
    }
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label));
    let number = |text: &str| text.split_whitespace().next()?.parse().ok();
    let requests = text.lines().find(|line| line.contains(" requests in "));
    let failures = match after("Non-2xx or 3xx responses:") {
        Some(count) => count.trim().parse().map_err(|_| "no number of failures")?,
        None => 0,
    };
    Ok(Load {
        requests: requests.and_then(number).ok_or("no number of requests")?,
        rate: after("Requests/sec:").and_then(number).ok_or("no rate")?,
        p50: after("50%").and_then(microseconds).ok_or("no p50")?,
        failures,
    })
}

/// `112.00us`, `1.25ms` or `1.02s`
fn microseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Running 1s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.31ms    1.15ms  20.55ms   89.63%
    Req/Sec     6.93k   541.72     7.75k    70.00%
  Latency Distribution
     50%    1.25ms
     75%    2.46ms
     90%    3.20ms
     99%    6.79ms
  6920 requests in 1.00s, 1.06MB read
Requests/sec:   6914.81
Transfer/sec:      1.06MB
";

    #[test]
    fn what_wrk_prints_is_read() {
        let load = Load { requests: 6920.0, rate: 6914.81, p50: 1250.0, failures: 0 };
        assert_eq!(parse(TEXT), Ok(load));
    }

    #[test]
    fn times_have_three_units() {
        for (text, expected) in [
            ("  112.00us", Some(112.0)),
            ("1.25ms", Some(1250.0)),
            ("1.02s", Some(1_020_000.0)),
            ("1.02m", None),
            ("", None),
        ] {
            assert_eq!(microseconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn failures_are_counted_and_lost_requests_refused() {
        let failing = format!("{TEXT}  Non-2xx or 3xx responses: 6920\n");
        assert_eq!(parse(&failing).map(|load| load.failures), Ok(6920));
        let lost = format!("{TEXT}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert_eq!(parse(&lost), Err("requests without an answer"));
        assert_eq!(parse(""), Err("no number of requests"));
    }
}
