use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::entries::probe;
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::net::{narrow, raise_descriptor_limit};
use app_health_tests::poll::{PATIENCE, SetAtEnd, until};

use super::fleet::{Fleet, gets};

const CLIENTS: usize = 1000;
/// MiB that a crowd may take: some 40 KiB a connection, and those that Envoy is still closing count, too.
const MEMORY: f64 = 250.0;

/// How long a crowd stays: by the variable, or so long that a test can wait for it.
fn stays() -> Duration {
    let seconds = env::var("FAULTS_SECONDS").ok().map(|text| text.parse().expect("FAULTS_SECONDS"));
    Duration::from_secs(seconds.unwrap_or(4))
}

/// Sends a recorded probe again and again, each on a connection of its own.
fn flood_recorded(envoy: &Envoy, end: &AtomicBool, answered: &AtomicUsize) {
    while !end.load(Ordering::Relaxed) {
        if envoy.get(probe("http")).status() == Ok(200) {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks for what is not recorded, with as little work as can be.
fn flood_unrecorded(envoy: &Envoy, end: &AtomicBool, answered: &AtomicUsize) {
    let asked = |mut stream: TcpStream| -> io::Result<bool> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /app-health/nobody/livez HTTP/1.1\r\nHost: h\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head == *b"HTTP/1.1 400")
    };
    while !end.load(Ordering::Relaxed) {
        if TcpStream::connect(envoy.addr()).and_then(asked).is_ok_and(|is_right| is_right) {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends a request a byte at a time.
fn slow_sender(envoy: &Envoy) -> TcpStream {
    said(TcpStream::connect(envoy.addr()).expect("a connection"), "GET / HTTP/1.1\r\nX: ")
}

/// Asks for a long page, and reads none of it.
fn slow_reader(envoy: &Envoy) -> TcpStream {
    said(narrow(envoy.addr()), "GET /stats/prometheus HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Envoy may have closed the connection.
fn said(mut stream: TcpStream, text: &str) -> TcpStream {
    let _ = stream.write_all(text.as_bytes());
    stream
}

#[test]
fn a_crowd_costs_the_kubelet_no_verdict() {
    raise_descriptor_limit();
    let fleet = Fleet::well();
    let envoy = Setup::default().probers(fleet.entries()).start();
    let (before, end) = (envoy.memory(), AtomicBool::new(false));
    let [recorded, unrecorded] = [0, 0].map(AtomicUsize::new);
    let mut crowd = [slow_sender, slow_reader].map(|client: fn(&Envoy) -> TcpStream| {
        ((0..CLIENTS).map(|_| client(&envoy)).collect::<Vec<_>>(), client)
    });
    let (mut most, mut longest, mut asked, mut clients) = (before, Duration::ZERO, 0, 0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| flood_recorded(&envoy, &end, &recorded));
            scope.spawn(|| flood_unrecorded(&envoy, &end, &unrecorded));
        }
        // However this ends.
        let _end = SetAtEnd(&end);
        while asked == 0 || start.elapsed() < stays() {
            // Those whose connection Envoy has closed come again.
            for (clients, again) in &mut crowd {
                let closed = clients.iter_mut().filter_map(|it| it.write(b"x").err().map(|_| it));
                closed.for_each(|client| *client = again(&envoy));
            }
            clients = clients.max(envoy.stat("http.app_health.downstream_cx_active"));
            for (get, status) in gets(&envoy) {
                let begun = Instant::now();
                assert_eq!(get.status(), Ok(status), "{get:?}");
                longest = longest.max(begun.elapsed());
                asked += 1;
            }
            most = most.max(envoy.memory());
        }
    });
    drop(crowd);
    let time = start.elapsed().as_secs_f64();
    let [recorded, unrecorded] =
        [recorded, unrecorded].map(|answers| answers.into_inner() as f64 / time);
    println!(
        "fault: {clients} clients, most of them slow, and each second {recorded:.0} recorded probes and \
         {unrecorded:.0} others: 0 of {asked} lost, the longest took {longest:.0?}, {:+.1} MiB",
        most - before
    );
    assert!(clients as usize > CLIENTS, "{clients} at once");
    assert!(recorded > 0.0 && unrecorded > 0.0);
    assert!(most - before < MEMORY, "from {before} to {most} MiB");
    until("all have gone", || envoy.stat("http.app_health.downstream_cx_active") < 10);
}
