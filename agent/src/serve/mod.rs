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
//! | [`server`] | from a request to its answer; in the end lets running checks finish |
//! | [`limits`] | how many connections, and so checks, the descriptors allow |
//! | [`route`] | from a request to the check that it asks for, from an outcome to the answer |
//! | [`own`] | which addresses are this pod's own |
//! | [`check`] | how many checks of one port may wait, and how long |
//! | [`dial`] | one connection: source, connect, close, and why not |

mod bound;
mod check;
pub mod dial;
mod limits;
mod listen;
pub mod own;
mod route;
mod server;

use crate::cli::ServeArgs;
use crate::exit::Failure;
use crate::logger;
use crate::net::signals::Signals;
use crate::net::{raise_descriptors, runtime};
use bound::Bound;
pub use listen::Listen;
use server::Server;

/// Serves on `--listen` until SIGTERM or SIGINT.
///
/// # Errors
/// Usage when `--listen` is neither a loopback `IP:PORT` nor `unix:PATH`; system when it cannot be
/// bound.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let listen = &args.listen;
    let parsed = Listen::parse(listen)
        .map_err(|reason| Failure::usage(format!("--listen {listen}: {reason}")))?;
    logger::init(args.log);
    let descriptors = raise_descriptors();
    runtime()?.block_on(async {
        let mut signals =
            Signals::new().map_err(|error| Failure::system(format!("signal handlers: {error}")))?;
        let bound = Bound::bind(&parsed)
            .map_err(|reason| Failure::system(format!("--listen {listen}: {reason}")))?;
        log::info!("listening on {}", bound.address());
        Server::default().run(bound, descriptors, &mut signals).await;
        Ok(())
    })
}
