use std::env;
use std::io::Write;
use std::iter;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::entries::probe;
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::net::{narrow, raise_descriptor_limit};
use app_health_tests::poll::until;

use super::cost::SetAtEnd;
use super::fleet::{Fleet, gets};

const CLIENTS: usize = 1000;
/// MiB that a crowd may take.
const MEMORY: f64 = 150.0;

/// How long a crowd stays: by the variable, or so long that a test can wait for it.
fn stays() -> Duration {
    let seconds = env::var("FAULTS_SECONDS").ok().map(|text| text.parse().expect("FAULTS_SECONDS"));
    Duration::from_secs(seconds.unwrap_or(4))
}

/// Sends requests to a path, each on a connection of its own, and reads no answer further than its head.
fn flood(envoy: &Envoy, path: &str, end: &AtomicBool, answered: &AtomicUsize) {
    while !end.load(Ordering::Relaxed) {
        if envoy.get(path).send().is_ok() {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn slow_reader(envoy: &Envoy) -> TcpStream {
    let mut stream = narrow(envoy.addr());
    let request = "GET /stats/prometheus HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the request is sent");
    stream
}

#[test]
fn a_crowd_costs_the_kubelet_no_verdict() {
    raise_descriptor_limit();
    let fleet = Fleet::well();
    let envoy = Setup::default().probers(fleet.entries()).start();
    let (before, end, requests) = (envoy.memory(), AtomicBool::new(false), AtomicUsize::new(0));
    let recorded = probe("http");
    let start = Instant::now();
    let (mut most, mut longest, mut asked) = (before, Duration::ZERO, 0);
    let mut senders: Vec<_> =
        (0..CLIENTS).map(|_| TcpStream::connect(envoy.addr()).expect("a connection")).collect();
    let readers: Vec<_> = (0..CLIENTS).map(|_| slow_reader(&envoy)).collect();
    thread::scope(|scope| {
        for path in ["/not/recorded", &recorded, "/app-health/nobody/livez", &recorded] {
            let (envoy, end, requests) = (&envoy, &end, &requests);
            scope.spawn(move || flood(envoy, path, end, requests));
        }
        // However this ends.
        let _end = SetAtEnd(&end);
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".iter().chain(iter::repeat(&b'x'));
        while start.elapsed() < stays() {
            let byte = bytes.next().expect("no end");
            // The other side may have closed it.
            senders.iter_mut().for_each(|sender| drop(sender.write(&[*byte])));
            for (get, status) in gets(&envoy) {
                let begun = Instant::now();
                assert_eq!(get.status(), Ok(status), "{get:?}");
                longest = longest.max(begun.elapsed());
                asked += 1;
            }
            most = most.max(envoy.memory());
        }
    });
    drop((senders, readers));
    let rate = requests.into_inner() as f64 / start.elapsed().as_secs_f64();
    println!(
        "fault: {CLIENTS} slow senders, {CLIENTS} slow readers, {rate:.0} requests a second: \
         0 of {asked} lost, the longest took {longest:.0?}, {:+.1} MiB",
        most - before
    );
    assert!(most - before < MEMORY, "from {before} to {most} MiB");
    until("all have gone", || envoy.stat("http.app_health.downstream_cx_active") < 10);
}
