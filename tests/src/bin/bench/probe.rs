//! What a probe costs: through the filter and, in the same Envoy, by a direct route to the same app.

use std::net::SocketAddr;
use std::thread;

use app_health_tests::entries::{Entries, http, probe, tcp, within};

use crate::agent::Agent;
use crate::counted::Counted;
use crate::figure::{Figure, Unit};
use crate::marks;
use crate::nginx::Nginx;
use crate::sidecar::{Filter, Sidecar};
use crate::stats::Spread;
use crate::wrk::Wrk;
use app_health_tests::usage::processor_time;

const ROUNDS: usize = 11;
const ROUNDS_OF_MANY: usize = 9;
const CONNECTIONS: [u32; 2] = [1, 16];
const PATH: &str = "/healthz";
const MANY: usize = 500;

/// What one load came to.
#[derive(Clone, Copy, Debug)]
struct Sample {
    rate: f64,
    p50: f64,
    /// Envoy's processor time a request, in microseconds.
    time: f64,
}

/// One round at one number of connections.
struct Round {
    direct: Sample,
    empty: Sample,
    http: Sample,
    tcp: Sample,
    /// A TCP check that Envoy makes, where no agent is there.
    tcp_by_envoy: Sample,
}

/// All of it.
pub fn figures() -> Vec<Figure> {
    let app = Nginx::start();
    let mut figures = costs(app.addr);
    figures.extend(instructions(app.addr));
    figures.extend(flatness(app.addr));
    figures
}

fn costs(app: SocketAddr) -> Vec<Figure> {
    let entries = Entries::default().probe("web", http(app, PATH)).probe("cache", tcp(app));
    let envoy = Sidecar::with_direct_routes(app, entries);
    let _agent = Agent::start_on(envoy.agent());
    let alone = Sidecar::start(Filter::Ours, Entries::default().probe("cache", tcp(app)));
    let round = |connections, number| round([&envoy, &alone], connections, number);
    // Once around to warm up.
    for connections in CONNECTIONS {
        round(connections, 0);
    }
    let rounds = (0..ROUNDS).map(|n| CONNECTIONS.map(|connections| round(connections, n)));
    let rounds: Vec<[Round; 2]> = rounds.collect();
    let of = |at: usize| rounds.iter().map(|round| &round[at]).collect::<Vec<_>>();
    [0, 1].into_iter().flat_map(|at| ratios(CONNECTIONS[at], &of(at))).collect()
}

/// In turn forwards and backwards, so that a drift of the machine falls on all alike.
fn round([envoy, alone]: [&Sidecar; 2], connections: u32, number: usize) -> Round {
    let [direct, empty] = envoy.direct_urls(PATH);
    let loads = [
        (envoy, direct),
        (envoy, empty),
        (envoy, envoy.url(&probe("web"))),
        (envoy, envoy.url(&probe("cache"))),
        (alone, alone.url(&probe("cache"))),
    ];
    let mut samples = [None; 5];
    let backwards = !number.is_multiple_of(2);
    for step in 0..loads.len() {
        let at = if backwards { loads.len() - 1 - step } else { step };
        let (envoy, url) = &loads[at];
        samples[at] = Some(sample(envoy, url, connections));
    }
    let samples = samples.map(|sample| sample.expect("all were measured"));
    let [direct, empty, http, tcp, tcp_by_envoy] = samples;
    Round { direct, empty, http, tcp, tcp_by_envoy }
}

fn sample(envoy: &Sidecar, url: &str, connections: u32) -> Sample {
    let before = processor_time(envoy.id());
    let load = Wrk::probes(url.to_owned(), connections).run();
    let time = processor_time(envoy.id()) - before;
    assert_eq!(load.failures, 0, "{url}: failing probes");
    Sample { rate: load.rate, p50: load.p50, time: time.as_secs_f64() * 1e6 / load.requests }
}

fn ratios(connections: u32, rounds: &[&Round]) -> Vec<Figure> {
    let at = format!("{connections} at once");
    let spread = |value: fn(&Round) -> f64| Spread::of(rounds.iter().map(|round| value(round)));
    let ratio =
        |what: &str, value| Figure::new(format!("{what}, {at}"), spread(value), Unit::Ratio);
    let direct = "÷ Envoy's direct route";
    vec![
        ratio(&format!("httpGet probe {direct}: throughput"), |r| r.http.rate / r.direct.rate)
            .mark(marks::PROBE_THROUGHPUT),
        ratio(&format!("httpGet probe {direct}: p50"), |r| r.http.p50 / r.direct.p50)
            .mark(marks::PROBE_P50),
        ratio(&format!("httpGet probe {direct}: Envoy's processor time"), |r| {
            r.http.time / r.direct.time
        })
        .mark(marks::PROBE_PROCESSOR_TIME),
        ratio(&format!("an empty filter {direct}: Envoy's processor time"), |r| {
            r.empty.time / r.direct.time
        }),
        ratio("tcpSocket probe ÷ httpGet probe: throughput", |r| r.tcp.rate / r.http.rate)
            .mark(marks::TCP_THROUGHPUT),
        ratio("tcpSocket probe without an agent ÷ httpGet probe: throughput", |r| {
            r.tcp_by_envoy.rate / r.http.rate
        })
        .mark(marks::TCP_THROUGHPUT),
        Figure::new(
            format!("Envoy's processor time for an httpGet probe, {at}"),
            spread(|r| r.http.time),
            Unit::Microseconds,
        ),
    ]
}

/// What Envoy does for a request, one at once, whatever else the machine is doing.
fn instructions(app: SocketAddr) -> Vec<Figure> {
    // Under callgrind the first ones take longer than a second.
    let entries = Entries::default().probe("web", within(20, http(app, PATH)));
    let envoy = Counted::start(|command| Sidecar::with_direct_routes_by(command, app, entries));
    let [direct, empty] = envoy.sidecar().direct_urls(PATH);
    let http = envoy.sidecar().url(&probe("web"));
    let [direct, empty, http] = envoy.per_request([(&direct, 200), (&empty, 200), (&http, 200)]);
    let ratio = |what: &str, value: f64| {
        let what = format!("{what} ÷ Envoy's direct route: Envoy's instructions");
        Figure::new(what, Spread::exact(value / direct), Unit::Ratio)
    };
    vec![
        ratio("httpGet probe", http),
        ratio("an empty filter", empty),
        Figure::new(
            "httpGet probe: Envoy's instructions outside the kernel",
            Spread::exact(http),
            Unit::Instructions,
        )
        .mark(marks::PROBE_INSTRUCTIONS),
        Figure::new(
            "Envoy's direct route: Envoy's instructions outside the kernel",
            Spread::exact(direct),
            Unit::Instructions,
        ),
    ]
}

/// One Envoy with one recorded probe, one with many.
fn flatness(app: SocketAddr) -> Vec<Figure> {
    let one = Entries::default().probe("web", within(20, http(app, PATH)));
    let name = |n: usize| format!("container-{n}");
    let many = (0..MANY).fold(one.clone(), |all, n| all.probe(&name(n), http(app, PATH)));
    let [counted_one, counted_many] = thread::scope(|scope| {
        [&one, &many]
            .map(|entries| scope.spawn(|| instructions_of_any(entries.clone())))
            .map(|counting| counting.join().expect("counted"))
    });
    let rounds: Vec<_> = (0..ROUNDS_OF_MANY).map(|number| both(&one, &many, number)).collect();
    let paths = ["a path that is recorded", "a path that is not recorded"].into_iter().enumerate();
    paths
        .flat_map(|(at, path)| {
            let counted = Spread::exact(counted_many[at] / counted_one[at]);
            let timed = Spread::of(rounds.iter().map(|(one, many)| many[at] / one[at]));
            [("instructions", counted), ("processor time", timed)].map(|(of, ratio)| {
                let what = format!("{path}, {MANY} probes ÷ 1: Envoy's {of}");
                Figure::new(what, ratio, Unit::Ratio).mark(marks::RECORDED)
            })
        })
        .collect()
}

/// For a probe that is recorded and for one that is not.
fn instructions_of_any(entries: Entries) -> [f64; 2] {
    let envoy = Counted::start(|command| Sidecar::start_by(command, Filter::Ours, entries));
    let [recorded, unknown] =
        [probe("web"), probe("unknown")].map(|path| envoy.sidecar().url(&path));
    envoy.per_request([(&recorded, 200), (&unknown, 400)])
}

/// Envoy's processor time for both, in turn first the one, first the other. Each Envoy is a new one:
/// what one process finds in the caches and another does not would be taken for a difference.
fn both(one: &Entries, many: &Entries, number: usize) -> ([f64; 2], [f64; 2]) {
    let time = |entries: &Entries| {
        let envoy = Sidecar::start(Filter::Ours, entries.clone());
        [probe("web"), probe("unknown")].map(|path| time_of_any(&envoy, &path))
    };
    if number.is_multiple_of(2) {
        let one = time(one);
        return (one, time(many));
    }
    let many = time(many);
    (time(one), many)
}

fn time_of_any(envoy: &Sidecar, path: &str) -> f64 {
    let before = processor_time(envoy.id());
    let load = Wrk::probes(envoy.url(path), 16).run();
    (processor_time(envoy.id()) - before).as_secs_f64() * 1e6 / load.requests
}
