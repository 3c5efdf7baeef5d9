use std::io::ErrorKind;
use std::thread;
use std::time::Instant;

use app_health_tests::app::{Closed as Refusing, Http, Script, V4};
use app_health_tests::entries::{Entries, hook, http, probe};
use app_health_tests::envoy::LIMIT;
use app_health_tests::kubelet::{Get, send_bytes};
use app_health_tests::poll::until;

use super::SECOND;
use super::expected::Expected::{App, Closed};
use super::expected::{Scripted, check, envoy};

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn any_answer_of_the_app_is_passed_on() {
    let long = "x".repeat(10_240);
    let head = |length: usize| Script::raw(format!("{OK}Content-Length: {length}\r\n\r\n"));
    Scripted::new(&[
        (Script::status(200), App(200)),
        (Script::status(404), App(404)),
        (Script::status(503), App(503)),
        (Script::status(302), App(302)),
        (Script::status(600), App(200)),
        (Script::redirect(302, "http://127.0.0.2/"), App(302)),
        // A body that breaks off is no failure, and 10 KiB of it are enough.
        (head(5), App(200)),
        (head(5).reset(), App(200)),
        (head(20_000).hold(), App(200)),
        (Script::raw(format!("{OK}\r\n{long}")).hold(), App(200)),
        (Script::raw(format!("{OK}\r\n")).endless("x".repeat(1024)), App(200)),
    ])
    .hook();
}

#[test]
fn without_an_answer_of_the_app_there_is_none() {
    Scripted::new(&[
        (Script::close(), Closed),
        (Script::close().reset(), Closed),
        (Script::raw("SSH-2.0-x\r\n").hold(), Closed),
        (Script::raw(OK), Closed),
        (Script::redirect(302, "%zz"), Closed),
        (Script::redirect(302, "http://127.0.0.1:1/"), Closed),
    ])
    .hook();
    let refusing = Refusing::start(V4);
    let envoy = envoy(Entries::default().hook("c", http(refusing.addr(), "/")));
    let time = || {
        let start = Instant::now();
        check([("refused", envoy.hook(hook("c")), Closed)]);
        start.elapsed()
    };
    // Sooner than Envoy closes on a client that does not read, which is never that soon.
    let soonest = (0..10).map(|_| time()).min();
    assert!(soonest < Some(SECOND / 2), "{soonest:?}");
}

#[test]
fn a_hook_has_no_limit_of_time_and_closes_its_connection() {
    let app = Http::start(V4, |_| {
        let answer = format!("{OK}Content-Length: 0\r\n\r\n");
        Script::default().wait(3 * SECOND).then(answer)
    });
    let envoy = envoy(Entries::default().hook("c", http(app.addr(), "/stop")));
    let start = Instant::now();
    let answer = envoy.hook(hook("c")).send().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(start.elapsed() >= 3 * SECOND, "{:?}", start.elapsed());
    let host = format!("Host: {}", app.addr());
    let lines = [&host[..], "User-Agent: kube-lifecycle/1.37", "Accept: */*", "Connection: close"];
    assert_eq!(app.seen()[0].lines(), lines);
}

/// A hook has no time-out: those under way would pile up where it stalls. More than these get nothing
/// of it, and probes and other hooks get in.
#[test]
fn a_hook_that_stalls_does_so_for_sixteen_at_most() {
    const MOST: usize = 16;
    let stalls = Http::start(V4, |_| Script::default().hold());
    let well = Http::start(V4, |_| Script::status(200));
    let entries = Entries::default()
        .hook("stalls", http(stalls.addr(), "/"))
        .hook("well", http(well.addr(), "/"))
        .probe("well", http(well.addr(), "/"));
    let envoy = envoy(entries);
    let closed = thread::scope(|scope| {
        let get = || envoy.hook(hook("stalls")).timeout(LIMIT).send();
        let asked: Vec<_> = (0..100).map(|_| scope.spawn(get)).collect();
        until("sixteen stall", || stalls.seen().len() >= MOST);
        check([
            ("probe", envoy.get(probe("well")), App(200)),
            ("hook", envoy.hook(hook("well")), App(200)),
        ]);
        let ended = asked.into_iter().map(|get| get.join().expect("no panic"));
        let kinds: Vec<_> = ended.map(|answer| answer.expect_err("no answer").kind()).collect();
        kinds.iter().filter(|kind| **kind == ErrorKind::UnexpectedEof).count()
    });
    assert_eq!((stalls.seen().len(), closed), (MOST, 100 - MOST));
}

/// Neither by going away nor by what is dispatched are there more of them.
#[test]
fn clients_that_go_away_do_not_make_more_of_them() {
    const MOST: usize = 16;
    let stalls = Http::start(V4, |_| Script::default().hold());
    let to = format!("http://{}/", stalls.addr());
    let leads_on = Http::start(V4, move |_| Script::redirect(302, &to));
    let entries = Entries::default()
        .hook("typed", http(stalls.addr(), "/typed"))
        .hook("upgrade", http(stalls.addr(), "/upgrade"))
        .hook("led-on", http(leads_on.addr(), "/"));
    let envoy = envoy(entries);
    let gone = |get: Get| drop(get.timeout(SECOND / 2).send());
    let ask = || {
        thread::scope(|scope| {
            for _ in 0..12 {
                let typed = envoy.hook(hook("typed")).header("Content-Type", "application/grpc");
                scope.spawn(move || gone(typed));
                scope.spawn(|| gone(envoy.hook(hook("led-on"))));
                scope.spawn(|| {
                    let head = format!(
                        "GET {} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
                        hook("upgrade")
                    );
                    drop(send_bytes(envoy.addr(), head.as_bytes(), SECOND / 2));
                });
            }
        });
    };
    let seen = || ["/typed", "/upgrade", "/"].map(|target| stalls.seen_at(target).len());
    // Those of a round have gone before the next begins.
    until("there are as many as there may be", || {
        ask();
        seen().iter().all(|seen| *seen >= MOST)
    });
    ask();
    assert_eq!(seen(), [MOST; 3]);
}
