//! What every app has: a listener with a task for each connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Request;
use crate::runtime;

/// The requests that an app has seen.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Request>>>);

impl Log {
    pub(super) fn add(&self, request: Request) {
        self.0.lock().expect("no app panics").push(request);
    }

    pub(super) fn all(&self) -> Vec<Request> {
        self.0.lock().expect("no app panics").clone()
    }
}

/// A listener and its connections; all of them end when it is dropped.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    listener: OwnedFd,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of `ip`.
    pub(super) fn start<F, C>(ip: IpAddr, serve: F) -> Self
    where
        F: Fn(TcpStream, SocketAddr) -> C + Send + 'static,
        C: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::start_at(SocketAddr::new(ip, 0), serve)
    }

    /// Listens on this address.
    pub(super) fn start_at<F, C>(addr: SocketAddr, serve: F) -> Self
    where
        F: Fn(TcpStream, SocketAddr) -> C + Send + 'static,
        C: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = runtime().block_on(TcpListener::bind(addr));
        let listener = listener.unwrap_or_else(|error| panic!("listen on {addr}: {error}"));
        let addr = listener.local_addr().expect("a bound listener has an address");
        let handle =
            listener.as_fd().try_clone_to_owned().expect("a second handle of the listener");
        Self { addr, listener: handle, task: runtime().spawn(accept(listener, serve)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // To close it is not enough: a process that another test is starting holds a copy until its
        // exec, so that the port would still accept.
        shutdown(self.listener.as_raw_fd(), Shutdown::Read).expect("it listens");
        end(&self.task);
    }
}

/// Returns when the task has ended.
pub(super) fn end(task: &JoinHandle<()>) {
    task.abort();
    while !task.is_finished() {
        std::thread::yield_now();
    }
}

/// Serves whoever connects.
pub(super) async fn accept<F, C>(listener: TcpListener, serve: F)
where
    F: Fn(TcpStream, SocketAddr) -> C,
    C: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, peer));
    }
}
