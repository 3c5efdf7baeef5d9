//! Where it listens.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use app_health_tests::app::{Open, V4};
use app_health_tests::kubelet::pair;
use nix::sys::signal::Signal;
use tempfile::tempdir;

use crate::agent::{Agent, PATIENT, run_to_end};

#[test]
fn loopback_with_a_port_that_the_system_chooses() {
    let app = Open::start(V4);
    for (listen, shown) in [("127.0.0.1:0", "127.0.0.1:"), ("[::1]:0", "[::1]:")] {
        let agent = Agent::listen(listen);
        assert!(agent.address().starts_with(shown) && !agent.address().ends_with(":0"));
        assert_eq!(agent.check(app.addr(), None).status, 200);
    }
}

#[test]
fn anything_else_is_a_wrong_command_line() {
    for (listen, reason) in [
        ("0.0.0.0:15023", "not a loopback address; use 127.0.0.1, [::1] or unix:PATH"),
        ("[::]:15023", "not a loopback address; use 127.0.0.1, [::1] or unix:PATH"),
        ("192.0.2.1:1", "not a loopback address; use 127.0.0.1, [::1] or unix:PATH"),
        ("15023", "neither IP:PORT, as in 127.0.0.1:15023 or [::1]:15023, nor unix:PATH"),
        ("", "neither IP:PORT, as in 127.0.0.1:15023 or [::1]:15023, nor unix:PATH"),
        ("unix:", "no path after unix:"),
    ] {
        let line = format!("app-health-agent: --listen {listen}: {reason}\n");
        assert_eq!(run_to_end(listen), (Some(64), line));
    }
}

#[test]
fn a_taken_address() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = other.local_addr().unwrap().to_string();
    let line = format!("app-health-agent: --listen {listen}: Address already in use\n");
    assert_eq!(run_to_end(&listen), (Some(71), line));
}

#[test]
fn a_unix_socket_that_every_user_may_use_and_that_is_gone_afterwards() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let app = Open::start(V4);
    let agent = Agent::listen(&format!("unix:{}", path.display()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!(pair(&agent.check(app.addr(), Some(PATIENT))), (200, ""));
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_socket_file_that_nobody_accepts_on_is_replaced() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let agent = Agent::listen(&format!("unix:{}", path.display()));
    assert_eq!(agent.get("/").status, 404);
}

#[test]
fn a_live_socket_or_another_file_is_left_alone() {
    let dir = tempdir().unwrap();
    let live = dir.path().join("live.sock");
    let listener = UnixListener::bind(&live).unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    let nowhere = dir.path().join("no/such/agent.sock");
    for (path, reason) in [
        (&live, "in use: somebody accepts connections on it"),
        (&file, "there is a file that is no socket; remove it or choose another path"),
        (&nowhere, "No such file or directory"),
    ] {
        let listen = format!("unix:{}", path.display());
        let line = format!("app-health-agent: --listen {listen}: {reason}\n");
        assert_eq!(run_to_end(&listen), (Some(71), line));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    listener.accept().expect("still there, the agent knocked");
}

#[test]
fn a_socket_of_a_successor_is_not_removed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let agent = Agent::listen(&format!("unix:{}", path.display()));
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    assert!(path.exists());
}
