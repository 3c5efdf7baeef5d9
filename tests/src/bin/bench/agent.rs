//! The agent's memory and size.

use std::fs;
use std::net::SocketAddr;

use app_health_tests::app::V4;
use app_health_tests::kubelet::Get;
use app_health_tests::process::{self, Process};
use app_health_tests::{net, program};
use app_health_webhook::tcp_check;

use crate::figure::{Figure, Unit};
use crate::marks;
use crate::nginx::Nginx;
use crate::stats::Spread;
use crate::wrk::Wrk;
use app_health_tests::usage::memory;

const CHECKS: f64 = 100_000.0;

/// The static agent making TCP checks. Ends when it is dropped.
pub struct Agent {
    process: Process,
    addr: SocketAddr,
}

impl Agent {
    /// Starts it on this port, and waits until it answers.
    pub fn start_on(port: u16) -> Self {
        let addr = SocketAddr::new(V4, port);
        let mut command = process::command(program::static_agent());
        command.args(["serve", "--listen", &addr.to_string()]);
        let process = Process::start("agent", &mut command);
        let answers = || Get::probe(addr, "/").send().map(drop);
        process.wait_until(|| answers().map_err(|error| error.to_string()));
        Self { process, addr }
    }

    /// Makes so many checks, 16 at once, each on a connection of its own.
    fn check(&self, app: SocketAddr) {
        let url =
            format!("http://{}{}", self.addr, tcp_check::path(&app.ip().to_string(), app.port()));
        let wrk = Wrk::probes(url, 16).header(format!("{}: 950", tcp_check::TIMEOUT_HEADER));
        let mut checks = 0.0;
        while checks < CHECKS {
            let load = wrk.run();
            assert_eq!(load.failures, 0, "failing checks");
            checks += load.requests;
        }
    }
}

/// All of it.
pub fn figures() -> Vec<Figure> {
    let app = Nginx::start();
    let agent = Agent::start_on(net::free_port());
    let id = agent.process.id();
    let at_rest = memory(id);
    agent.check(app.addr);
    let after = memory(id);
    agent.check(app.addr);
    let size = fs::metadata(program::static_agent()).expect("the agent is built").len();
    let mebibytes = |what: &str, value| Figure::new(what, Spread::exact(value), Unit::Mebibytes);
    vec![
        mebibytes("agent at rest: VmRSS", at_rest).mark(marks::AGENT_AT_REST),
        mebibytes("agent after 100,000 checks, 16 at once: VmRSS", after)
            .mark(marks::AGENT_AFTER_CHECKS),
        mebibytes("agent after 200,000 checks: VmRSS", memory(id)),
        Figure::new("agent, static", Spread::exact(size as f64), Unit::Bytes)
            .mark(marks::AGENT_SIZE),
    ]
}
