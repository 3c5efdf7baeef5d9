//! What a port does, and what the agent says.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use crate::agent::Agent;
use crate::app::{Accepting, Hanging, Refusing, interface_addresses, resetting};

/// How late an answer may be.
const SLACK: Duration = Duration::from_millis(100);

#[test]
fn a_port_that_accepts() {
    let agent = Agent::start();
    for ip in ["127.0.0.1", "127.9.9.9", "::1"] {
        let app = Accepting::on(ip);
        let reply = agent.check(ip, app.port(), Some(1000));
        assert_eq!((reply.pair(), reply.reason()), ((200, ""), "ok"), "{ip}");
        app.next();
    }
}

/// Without a handshake it would be refused: so the port accepts, however soon the reset comes.
#[test]
fn a_port_that_resets_what_it_accepts() {
    let agent = Agent::start();
    let port = resetting("127.0.0.1");
    let request = format!("GET /tcp/127.0.0.1/{port} HTTP/1.1\r\nHost: agent\r\n\r\n");
    // Several at once, so that a reset can come before the agent looks.
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = agent.connect();
                let mut buffer = [0; 1024];
                for n in 0..500 {
                    stream.write_all(request.as_bytes()).unwrap();
                    let length = stream.read(&mut buffer).unwrap();
                    let answer = String::from_utf8_lossy(&buffer[..length]);
                    assert!(answer.starts_with("HTTP/1.1 200"), "{n}: {answer}");
                }
            });
        }
    });
}

#[test]
fn a_port_that_refuses() {
    let agent = Agent::start();
    for (ip, shown) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let app = Refusing::on(ip);
        let port = app.port();
        for limit in [Some(1000), None] {
            let reply = agent.check(ip, port, limit);
            assert_eq!(reply.pair(), (500, &*format!("{shown}:{port}: Connection refused")));
            assert_eq!(reply.reason(), "refused");
            assert!(reply.head.contains("content-type: text/plain"), "{}", reply.head);
        }
    }
}

#[test]
fn a_port_that_hangs_costs_its_time_and_no_more() {
    let agent = Agent::start();
    for (ip, shown, ms) in
        [("127.0.0.1", "127.0.0.1", 1), ("127.0.0.1", "127.0.0.1", 730), ("::1", "[::1]", 250)]
    {
        let app = Hanging::on(ip);
        let port = app.port();
        let reply = agent.check(ip, port, Some(ms));
        let reason = format!("{shown}:{port}: no connection within {ms} ms");
        assert_eq!((reply.pair(), reply.reason()), ((500, &*reason), "timeout"));
        let limit = Duration::from_millis(ms);
        assert!(reply.took >= limit && reply.took < limit + SLACK, "{ms} ms: {:?}", reply.took);
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes() {
    let app = Accepting::on("127.0.0.1");
    assert_eq!(Agent::start().check("::ffff:127.0.0.1", app.port(), None).status, 200);
}

#[test]
fn foreign_addresses_are_never_dialled() {
    let agent = Agent::start();
    for ip in ["198.51.100.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "2001:db8::1"] {
        let reply = agent.check(ip, 80, Some(1000));
        assert_eq!(reply.pair(), (400, &*format!("{ip}: no address of this pod")));
        assert_eq!(reply.reason(), "config");
        assert!(reply.took < Duration::from_millis(900), "{ip}: {:?}", reply.took);
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
        let app = Accepting::on(&ip.to_string());
        assert_eq!(agent.check(&ip.to_string(), app.port(), Some(1000)).pair(), (200, ""), "{ip}");
    }
}

#[test]
fn the_source_is_the_one_that_the_mesh_lets_pass() {
    let own = interface_addresses();
    let mut agent = Agent::start();
    for (ip, source) in [("127.0.0.1", "127.0.0.6"), ("::1", "::6")] {
        let app = Accepting::on(ip);
        for _ in 0..2 {
            assert_eq!(agent.check(ip, app.port(), Some(1000)).status, 200);
        }
        let source: IpAddr = source.parse().unwrap();
        let there = source.is_ipv4() || own.contains(&source);
        let expected = if there { source } else { ip.parse().unwrap() };
        assert_eq!(app.next(), expected);
        let line = format!("warning: no source address {source}: ");
        if !there {
            agent.wait_for_line(&line);
        }
        assert_eq!(agent.log().matches(&line).count(), usize::from(!there), "said once");
    }
}
