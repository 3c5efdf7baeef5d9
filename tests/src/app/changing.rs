//! An app that stays on one port while it changes what it does there.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::socket::{Backlog, Shutdown, listen, shutdown};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::Script;
use super::grpc::{Health, serve_health};
use super::http::read;
use super::port::{bound, fill};
use super::server::end;
use super::tls::{Alpn, TlsAnswer, Versions, config, serve_http};
use crate::{net, runtime};

/// How many connections may wait to be accepted while it is open.
const QUEUE: i32 = 1024;

/// What it does with a connection.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// This, whatever comes.
    AtOnce(Script),
    /// Reads a request of HTTP/1, then this.
    Asked(Script),
    /// The same over TLS.
    AskedByTls(Script),
    /// Speaks HTTP/2 over TLS, or HTTP/1.1 with those that know no ALPN, and answers this.
    Http2ByTls {
        /// So long after the request.
        after: Duration,
        /// The answer.
        answer: TlsAnswer,
    },
    /// Speaks gRPC, and its health service says this.
    Grpc(Health),
}

/// Refuses until it is opened. A connection goes on as it began, whatever changes in the meantime,
/// as in a program that has a thread for each; only closing ends them all.
pub struct Changing {
    addr: SocketAddr,
    /// The one listener of its life, so that nobody else gets the port, and what is queued stays.
    socket: OwnedFd,
    shared: Arc<Shared>,
    state: State,
}

struct Shared {
    conduct: Mutex<Conduct>,
    http1: TlsAcceptor,
    http2: TlsAcceptor,
    connections: Mutex<JoinSet<io::Result<()>>>,
}

enum State {
    Closed,
    Open(JoinHandle<()>),
    Full {
        /// The connections that fill the queue.
        _fillers: Vec<TcpStream>,
    },
}

impl Changing {
    /// Takes a free port.
    pub fn start(ip: IpAddr) -> Self {
        // A port of its own choice the kernel would take back when it is closed.
        let (socket, addr) = bound(SocketAddr::new(ip, net::free_port())).expect("a free port");
        let shared = Shared {
            conduct: Mutex::new(Conduct::AtOnce(Script::close())),
            http1: acceptor(Alpn::Http1),
            http2: acceptor(Alpn::Http2),
            connections: Mutex::default(),
        };
        Self { addr, socket, shared: Arc::new(shared), state: State::Closed }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts, and does this from now on.
    pub fn open(&mut self, conduct: Conduct) {
        *self.shared.conduct.lock().expect("no app panics") = conduct;
        if !matches!(self.state, State::Open(_)) {
            self.listen(QUEUE);
            let listener = self.socket.try_clone().expect("a second handle of the listener");
            let accept = accept(TcpListener::from(listener), self.shared.clone());
            self.state = State::Open(runtime().spawn(accept));
        }
    }

    /// Accepts no more, and its queue is full: what comes now gets no answer.
    pub fn fill(&mut self) {
        self.stop();
        self.listen(0);
        self.state = State::Full { _fillers: fill(self.addr).expect("it listens") };
    }

    /// Refuses, as a program that has ended.
    pub fn close(&mut self) {
        self.stop();
        if !matches!(self.state, State::Closed) {
            shutdown(self.socket.as_raw_fd(), Shutdown::Read).expect("it listens");
            self.state = State::Closed;
        }
        self.shared.connections.lock().expect("no app panics").abort_all();
    }

    fn stop(&mut self) {
        if let State::Open(task) = &self.state {
            end(task);
        }
    }

    /// Also changes the queue of a socket that listens already.
    fn listen(&self, queue: i32) {
        let backlog = Backlog::new(queue).expect("a backlog that Linux has");
        listen(&self.socket, backlog).expect("the port is ours");
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.close();
    }
}

fn acceptor(alpn: Alpn) -> TlsAcceptor {
    Arc::new(config(alpn, Versions::Both)).into()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, peer)) = listener.accept().await {
        let conduct = shared.conduct.lock().expect("no app panics").clone();
        let served = serve(stream, peer, conduct, shared.clone());
        let mut connections = shared.connections.lock().expect("no app panics");
        while connections.try_join_next().is_some() {}
        connections.spawn(served);
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    peer: SocketAddr,
    conduct: Conduct,
    shared: Arc<Shared>,
) -> io::Result<()> {
    match conduct {
        Conduct::AtOnce(script) => script.play(stream).await,
        Conduct::Asked(script) => {
            read(&mut stream, peer).await?;
            script.play(stream).await
        }
        Conduct::AskedByTls(script) => {
            let mut stream = shared.http1.accept(stream).await?;
            read(&mut stream, peer).await?;
            script.play(stream).await
        }
        Conduct::Http2ByTls { after, answer } => {
            let stream = shared.http2.accept(stream).await?;
            let answer = move |_| {
                let answer = answer.clone();
                async move {
                    tokio::time::sleep(after).await;
                    answer
                }
            };
            serve_http(stream, answer).await
        }
        Conduct::Grpc(health) => serve_health(stream, health).await,
    }
}
