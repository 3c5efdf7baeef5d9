//! The webhook over TLS: the server on one core, its clients on another.

use std::net::SocketAddr;
use std::thread;

use app_health_tests::app::V4;
use app_health_tests::authority::Authority;
use app_health_tests::process::{self, Process};
use app_health_tests::{net, program};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::runtime;

use crate::figure::{Figure, Unit};
use crate::load::{Answers, Client, Pace};
use crate::marks;
use crate::pods::large_review;
use crate::stats::{Spread, quantile};
use app_health_tests::usage::{memory, processor_time};

const ROUNDS: usize = 9;
const ADMISSIONS: usize = 100_000;
/// Of the server and of its clients. On a machine with one core they share it.
const CORES: [usize; 2] = [1, 0];

/// All of it.
pub fn figures() -> Vec<Figure> {
    let authority = Authority::new();
    let webhook = Webhook::start(&authority);
    let client = Client::new(webhook.addr, &authority, large_review());
    let at_rest = memory(webhook.process.id());
    // The server lives as long as the thread that started it, which may use any core.
    thread::scope(|scope| {
        let measure = || measure(&webhook, &client, at_rest);
        scope.spawn(measure).join().expect("the load runs")
    })
}

fn measure(webhook: &Webhook, client: &Client<'_>, at_rest: f64) -> Vec<Figure> {
    pin(Pid::from_raw(0), CORES[1]);
    let mut load = Load { webhook, client, sent: 0 };
    load.second(Pace::Top);
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| load.round()).collect();
    let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let figure = |what: &str, of, unit| Figure::new(format!("webhook: {what}"), spread(of), unit);
    let mebibytes = |what: &str, value| {
        Figure::new(format!("webhook {what}: VmRSS"), Spread::exact(value), Unit::Mebibytes)
            .mark(marks::WEBHOOK_MEMORY)
    };
    vec![
        figure("admissions, 16 at once, on one core", |r| r.top.rate, Unit::PerSecond)
            .mark(marks::WEBHOOK_RATE),
        figure("admissions in a second of its processor time", |r| r.per_second, Unit::PerSecond),
        figure("p50 at the top load", |r| quantile(&r.top.times, 0.5), Unit::Milliseconds),
        figure("p99 at the top load", |r| quantile(&r.top.times, 0.99), Unit::Milliseconds),
        figure("p50 at half of it", |r| quantile(&r.half.times, 0.5), Unit::Milliseconds),
        figure("p99 at half of it", |r| quantile(&r.half.times, 0.99), Unit::Milliseconds)
            .mark(marks::WEBHOOK_P99),
        mebibytes("at rest", at_rest),
        mebibytes("after 100,000 admissions", load.memory_after(ADMISSIONS)),
        mebibytes("after 200,000 admissions", load.memory_after(2 * ADMISSIONS)),
    ]
}

/// The top load, and half of it.
struct Round {
    top: Answers,
    /// Answers in a second of the server's processor time.
    per_second: f64,
    half: Answers,
}

/// What is sent, and counted.
struct Load<'a> {
    webhook: &'a Webhook,
    client: &'a Client<'a>,
    sent: usize,
}

impl Load<'_> {
    fn round(&mut self) -> Round {
        let before = processor_time(self.webhook.process.id());
        let top = self.second(Pace::Top);
        let time = processor_time(self.webhook.process.id()) - before;
        let per_second = top.times.len() as f64 / time.as_secs_f64();
        let half = self.second(Pace::PerSecond(top.rate / 2.0));
        Round { top, per_second, half }
    }

    fn memory_after(&mut self, admissions: usize) -> f64 {
        while self.sent < admissions {
            self.second(Pace::Top);
        }
        memory(self.webhook.process.id())
    }

    fn second(&mut self, pace: Pace) -> Answers {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("tokio starts");
        let answers = runtime.block_on(self.client.send(pace));
        let answers = answers.unwrap_or_else(|error| panic!("admission reviews: {error:?}"));
        self.sent += answers.times.len();
        answers
    }
}

/// The static agent as the webhook. Ends when it is dropped.
struct Webhook {
    process: Process,
    addr: SocketAddr,
}

impl Webhook {
    fn start(authority: &Authority) -> Self {
        let [addr, plain] = [(); 2].map(|()| SocketAddr::new(V4, net::free_port()));
        let mut command = process::command(program::static_agent());
        command.args(["webhook", "--log-level", "error"]);
        command.args(["--listen", &addr.to_string(), "--metrics-listen", &plain.to_string()]);
        command.arg("--tls-cert").arg(authority.certificate());
        command.arg("--tls-key").arg(authority.key());
        let process = Process::start("webhook", &mut command);
        let connects = || std::net::TcpStream::connect(addr).map(drop);
        process.wait_until(|| connects().map_err(|error| error.to_string()));
        pin(Pid::from_raw(process.id().try_into().expect("an id")), CORES[0]);
        Self { process, addr }
    }
}

/// Keeps a thread to one core, where there are several.
fn pin(thread: Pid, core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core).expect("a small number");
    if thread::available_parallelism().is_ok_and(|count| count.get() > core) {
        sched_setaffinity(thread, &cores).expect("a core");
    }
}
