//! An HTTP app that answers byte for byte what its script says.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::script::AppStream;
use super::server::{Log, Server};
use super::{Request, Script};

/// One request a connection.
pub struct Http {
    server: Server,
    log: Log,
}

impl Http {
    /// Answers each request as `answer` says.
    pub fn start(ip: IpAddr, answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::new(ip, 0), answer)
    }

    /// As [`Http::start`], at an address.
    pub fn start_at(
        addr: SocketAddr,
        answer: impl Fn(&Request) -> Script + Send + Sync + 'static,
    ) -> Self {
        let log = Log::default();
        let (seen, answer) = (log.clone(), Arc::new(answer));
        let server = Server::start_at(addr, move |mut stream, peer| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let request = read(&mut stream, peer).await?;
                seen.add(request.clone());
                answer(&request).play(stream).await
            }
        });
        Self { server, log }
    }

    /// Plays the script as soon as a connection is there, whatever comes.
    pub fn at_accept(ip: IpAddr, script: Script) -> Self {
        let server = Server::start(ip, move |stream, _| script.clone().play(stream));
        Self { server, log: Log::default() }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.log.all()
    }

    /// The requests so far whose target is this.
    pub fn seen_at(&self, target: &str) -> Vec<Request> {
        self.seen().into_iter().filter(|request| request.target == target).collect()
    }
}

/// Reads the head of a request.
pub(super) async fn read(stream: &mut impl AppStream, peer: SocketAddr) -> io::Result<Request> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::new();
    loop {
        if let Some(at) = head.windows(END.len()).position(|window| window == END) {
            let request = Request::parse(peer, &head[..at]);
            return request.ok_or_else(|| io::Error::other("no HTTP"));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
