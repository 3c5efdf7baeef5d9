//! What a port does, and what the agent says.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use app_health_tests::app::{Closed, Http, Late, Open, Script, V4, V6};
use app_health_tests::kubelet::pair;
use app_health_tests::poll::until;
use nix::ifaddrs::getifaddrs;

use crate::agent::{Agent, PATIENT, reason};

/// How late a busy machine may be.
const BUSY: Duration = Duration::from_secs(5);

#[test]
fn a_port_that_accepts() {
    let agent = Agent::start();
    for ip in [V4, IpAddr::from([127, 9, 9, 9]), V6] {
        let app = Open::start(ip);
        let answer = agent.check(app.addr(), Some(PATIENT));
        assert_eq!((pair(&answer), reason(&answer)), ((200, ""), "ok"), "{ip}");
        until("a close, no reset", || app.plain_ends() == 1);
    }
}

/// Without a handshake it would be refused: so the port accepts, however soon the reset comes.
#[test]
fn a_port_that_resets_what_it_accepts() {
    let agent = Agent::start();
    let app = Http::at_accept(V4, Script::close().reset());
    // Several at once, so that a reset can come before the agent looks.
    agent.crowd(app.addr(), 500);
}

#[test]
fn a_port_that_refuses() {
    let agent = Agent::start();
    for app in [Closed::start(V4), Closed::start(V6)] {
        for limit in [Some(PATIENT), None] {
            let answer = agent.check(app.addr(), limit);
            assert_eq!(pair(&answer), (500, &*format!("{}: Connection refused", app.addr())));
            assert_eq!(reason(&answer), "refused");
            let content = answer.header("content-type").expect("a type");
            assert!(content.starts_with("text/plain"), "{content}");
        }
    }
}

#[test]
fn a_port_that_hangs_costs_its_time_and_no_more() {
    let agent = Agent::start();
    for (ip, ms) in [(V4, 1), (V4, 730), (V6, 250)] {
        let app = Late::start(ip, Script::close());
        let began = Instant::now();
        let answer = agent.check(app.addr(), Some(ms));
        let took = began.elapsed();
        let text = format!("{}: no connection within {ms} ms", app.addr());
        assert_eq!((pair(&answer), reason(&answer)), ((500, &*text), "timeout"));
        let limit = Duration::from_millis(ms);
        assert!(took >= limit && took < limit + BUSY, "{ms} ms: {took:?}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes() {
    let app = Open::start(V4);
    let same = SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), app.addr().port());
    assert_eq!(Agent::start().check(same, None).status, 200);
}

#[test]
fn foreign_addresses_are_never_dialled() {
    let agent = Agent::start();
    for ip in ["198.51.100.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "2001:db8::1"] {
        // Dialled, it would hang or be refused.
        let answer = agent.check(SocketAddr::new(ip.parse().unwrap(), 80), Some(1000));
        assert_eq!(pair(&answer), (400, &*format!("{ip}: no address of this pod")));
        assert_eq!(reason(&answer), "config");
    }
}

#[test]
fn the_addresses_of_the_interfaces_are_own() {
    let agent = Agent::start();
    for ip in interface_addresses() {
        // A link-local address needs an interface beside it, which a path cannot name.
        if matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
            continue;
        }
        let app = Open::start(ip);
        assert_eq!(pair(&agent.check(app.addr(), Some(PATIENT))), (200, ""), "{ip}");
    }
}

#[test]
fn the_source_is_the_one_that_the_mesh_lets_pass() {
    let own = interface_addresses();
    let agent = Agent::start();
    for (ip, source) in [(V4, "127.0.0.6"), (V6, "::6")] {
        let app = Open::start(ip);
        for _ in 0..2 {
            assert_eq!(agent.check(app.addr(), Some(PATIENT)).status, 200);
        }
        let source: IpAddr = source.parse().unwrap();
        let there = source.is_ipv4() || own.contains(&source);
        let expected = if there { source } else { ip };
        until("both were made", || app.peers().len() == 2);
        assert!(app.peers().iter().all(|peer| peer.ip() == expected), "{:?}", app.peers());
        let line = format!("warning: no source address {source}: ");
        if !there {
            agent.wait_for_line(&line);
        }
        assert_eq!(agent.log().matches(&line).count(), usize::from(!there), "said once");
    }
}

/// The addresses of this machine's interfaces.
fn interface_addresses() -> Vec<IpAddr> {
    let addresses = getifaddrs().unwrap().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    addresses.collect()
}
