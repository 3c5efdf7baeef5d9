//! An app that stays on one port while it changes what it does there.

use std::io;
use std::net::{self as std_net, IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use nix::sys::socket::{Backlog, Shutdown, listen, shutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::Script;
use super::grpc::{self, Health, serve_health};
use super::http::read;
use super::port::{bound, fill};
use super::script::AppStream;
use super::server::end;
use super::tls::{Alpn, TlsAnswer, Versions, config};
use crate::{net, runtime};

/// How many connections may wait to be accepted while it is open.
const QUEUE: i32 = 1024;

/// What it does with a connection.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// Plays the script without reading anything.
    AtOnce(Script),
    /// Reads an HTTP/1 request, then plays the script.
    Asked(Script),
    /// Speaks HTTP/2 and gives this answer.
    Http2 {
        /// How long after the request.
        after: Duration,
        /// The answer.
        answer: TlsAnswer,
    },
    /// Speaks gRPC with a health service.
    Grpc(Health),
    /// Does the same over TLS, and offers these protocols in the handshake.
    Tls(Alpn, Box<Conduct>),
    /// Closes the first connection at once, and serves the later ones.
    ClosesFirst(Box<Conduct>),
}

impl Conduct {
    /// The same over TLS.
    pub fn over_tls(self, alpn: Alpn) -> Self {
        Self::Tls(alpn, Box::new(self))
    }
}

/// A port that refuses until it is opened. A connection goes on as it began, whatever changes in the
/// meantime, as in a program with a thread for each connection. Only closing the port ends them all.
pub struct Changing {
    addr: SocketAddr,
    /// The one listener of its life, so that nobody else gets the port, and what is queued stays.
    socket: OwnedFd,
    shared: Arc<Shared>,
    state: PortState,
}

struct Shared {
    conduct: Mutex<Conduct>,
    acceptors: Mutex<Vec<(Alpn, TlsAcceptor)>>,
    connections: Mutex<JoinSet<io::Result<()>>>,
}

impl Shared {
    /// Made when it is needed: a certificate takes a while.
    fn acceptor(&self, alpn: Alpn) -> TlsAcceptor {
        let mut acceptors = self.acceptors.lock().expect("no app panics");
        if let Some((_, acceptor)) = acceptors.iter().find(|(offered, _)| *offered == alpn) {
            return acceptor.clone();
        }
        let acceptor = TlsAcceptor::from(Arc::new(config(alpn, Versions::Both)));
        acceptors.push((alpn, acceptor.clone()));
        acceptor
    }
}

enum PortState {
    Closed,
    Open(JoinHandle<()>),
    Full {
        /// The connections that fill the queue.
        _fillers: Vec<std_net::TcpStream>,
    },
}

impl Changing {
    /// Takes a free port.
    pub fn start(ip: IpAddr) -> Self {
        // The kernel would reuse a port that it chose itself as soon as nobody listens on it.
        let (socket, addr) = bound(SocketAddr::new(ip, net::free_port())).expect("a free port");
        let shared = Shared {
            conduct: Mutex::new(Conduct::AtOnce(Script::close())),
            acceptors: Mutex::default(),
            connections: Mutex::default(),
        };
        Self { addr, socket, shared: Arc::new(shared), state: PortState::Closed }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts, and does this from now on.
    pub fn open(&mut self, conduct: Conduct) {
        *self.shared.conduct.lock().expect("no app panics") = conduct;
        if !matches!(self.state, PortState::Open(_)) {
            self.listen(QUEUE);
            let listener = self.socket.try_clone().expect("a second handle of the listener");
            let accept = accept(std_net::TcpListener::from(listener), self.shared.clone());
            self.state = PortState::Open(runtime().spawn(accept));
        }
    }

    /// Accepts no more, and its queue is full: what comes now gets no answer.
    pub fn fill(&mut self) {
        self.stop();
        self.listen(0);
        self.state = PortState::Full { _fillers: fill(self.addr).expect("it listens") };
    }

    /// Refuses, as a program that has ended.
    pub fn close(&mut self) {
        self.stop();
        if !matches!(self.state, PortState::Closed) {
            shutdown(self.socket.as_raw_fd(), Shutdown::Read).expect("it listens");
            self.state = PortState::Closed;
        }
        self.shared.connections.lock().expect("no app panics").abort_all();
    }

    fn stop(&mut self) {
        if let PortState::Open(task) = &self.state {
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

impl Shared {
    /// For the connection that has just come.
    fn conduct_now(&self) -> Conduct {
        let mut conduct = self.conduct.lock().expect("no app panics");
        let Conduct::ClosesFirst(then) = &mut *conduct else { return conduct.clone() };
        *conduct = (**then).clone();
        Conduct::AtOnce(Script::close())
    }
}

async fn accept(listener: std_net::TcpListener, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, peer)) = listener.accept().await {
        let conduct = shared.conduct_now();
        let served = serve(stream, peer, conduct, shared.clone());
        let mut connections = shared.connections.lock().expect("no app panics");
        while connections.try_join_next().is_some() {}
        connections.spawn(served);
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    conduct: Conduct,
    shared: Arc<Shared>,
) -> io::Result<()> {
    match conduct {
        Conduct::Tls(alpn, conduct) => {
            let stream = shared.acceptor(alpn).accept(stream).await?;
            plain(stream, peer, *conduct).await
        }
        conduct => plain(stream, peer, conduct).await,
    }
}

async fn plain(mut stream: impl AppStream, peer: SocketAddr, conduct: Conduct) -> io::Result<()> {
    match conduct {
        Conduct::AtOnce(script) => script.play(stream).await,
        Conduct::Asked(script) => {
            read(&mut stream, peer).await?;
            script.play(stream).await
        }
        Conduct::Http2 { after, answer } => {
            let answer = move |_| {
                let answer = answer.clone().map(BodyExt::boxed);
                async move {
                    tokio::time::sleep(after).await;
                    Ok(answer)
                }
            };
            grpc::serve(stream, answer).await
        }
        Conduct::Grpc(health) => serve_health(stream, health).await,
        Conduct::Tls(..) | Conduct::ClosesFirst(..) => {
            Err(io::Error::other("within another conduct"))
        }
    }
}
