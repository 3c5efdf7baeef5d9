//! `app-health-agent serve`: the TCP checks that a proxy-wasm filter cannot make.
//!
//! | request | answer |
//! |---|---|
//! | `GET` or `HEAD /tcp/<ip>/<port>` | 200 connected, 500 not, 400 not an address of this pod |
//! | another method there | 405 |
//! | anything else | 404 |
//!
//! The contract is [`app_health_webhook::tcp_check`]. Everything runs on one thread.
//!
//! | module | what it does |
//! |---|---|
//! | [`listen`] | reads `--listen`: loopback or a Unix socket, never a routable address |
//! | [`bound`] | binds it, accepts, removes the socket file |
//! | [`server`] | accepts until told to stop, then lets running checks finish |
//! | [`connections`] | who is open and who only waits; whom to close when there are too many |
//! | [`limits`] | how many of each the descriptors allow |
//! | [`route`] | from a request to the check that it asks for, from an outcome to the answer |
//! | [`own`] | which addresses are this pod's own |
//! | [`check`] | the queue for the running checks, and their time |
//! | [`dial`] | one connection: source, connect, close |
//! | [`signals`], [`logger`] | SIGTERM and SIGINT; lines on stderr |

mod bound;
mod check;
mod connections;
mod dial;
mod limits;
mod listen;
mod logger;
mod own;
mod route;
mod server;
mod signals;

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;
use bound::Bound;
use limits::Limits;
pub use listen::Listen;
use server::Server;
use signals::Signals;

/// Serves on `listen` until SIGTERM or SIGINT.
///
/// # Errors
/// Usage when `listen` is neither a loopback `IP:PORT` nor `unix:PATH`; system when it cannot be
/// bound.
pub fn run(listen: &str) -> Result<(), Failure> {
    let parsed = Listen::parse(listen)
        .map_err(|reason| Failure::usage(format!("--listen {listen}: {reason}")))?;
    logger::init();
    let limits = Limits::for_descriptors(limits::raise_descriptors());
    runtime()?.block_on(async {
        let mut signals =
            Signals::new().map_err(|error| Failure::system(format!("signal handlers: {error}")))?;
        let bound = Bound::bind(&parsed)
            .map_err(|reason| Failure::system(format!("--listen {listen}: {reason}")))?;
        log::info!("listening on {}", bound.address());
        Arc::new(Server::new(&limits)).run(bound, &mut signals).await;
        Ok(())
    })
}

/// One thread: a check costs microseconds, and a second thread costs memory in every pod.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failure::system(format!("event loop: {error}")))
}
