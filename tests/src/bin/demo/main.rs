//! The main job, shown: a Deployment's probes, rewritten, and answered through the real Envoy as
//! the app itself answers them. `scripts/demo` starts it.

mod app;
mod manifest;
mod ports;
mod table;

use std::env;
use std::net::IpAddr;
use std::process::ExitCode;

use app_health_tests::app::V4;
use app_health_tests::envoy::Setup;
use tokio::signal::unix::{SignalKind, signal};

use app::App;
use manifest::Manifest;
use ports::Ports;
use table::compare;

const POD_IP: IpAddr = V4;

fn main() -> ExitCode {
    let keep = env::args().nth(1);
    if keep.as_deref().is_some_and(|argument| argument != "--keep") {
        eprintln!("scripts/demo: the only argument is --keep");
        return ExitCode::from(64);
    }
    let ports = Ports::choose();
    let manifest = Manifest::rewritten(&ports);
    println!("{}", manifest.explained);
    let mut app = App::start(&ports);
    let envoy = Setup::default().probers(&manifest.variable).pod_ip(POD_IP).start_on(ports.status);

    println!("With a healthy app:\n");
    let healthy = compare(&manifest, ports.status, POD_IP);
    app.break_down();
    println!("With port {} closed, web not ready (503) and api NOT_SERVING:\n", ports.cache);
    let broken = compare(&manifest, ports.status, POD_IP);

    let agree = healthy && broken;
    println!("{}\n", if agree { "Every verdict agrees." } else { "The verdicts DIFFER." });
    let told = table::status(envoy.addr());
    if keep.is_some() {
        app.recover();
        table::urls(&manifest, envoy.addr());
        until_told();
    }
    drop(envoy);
    if agree && told { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Waits for Ctrl-C or SIGTERM.
#[tokio::main(flavor = "current_thread")]
async fn until_told() {
    println!("It all stays up. Ctrl-C ends it.");
    let mut interrupted = signal(SignalKind::interrupt()).expect("a signal handler");
    let mut terminated = signal(SignalKind::terminate()).expect("a signal handler");
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
}
