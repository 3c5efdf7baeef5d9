//! A slow proxy in front of an app.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::server::accept;

/// Accepts at once, and holds back each piece that either side sends.
pub struct Relay {
    addr: SocketAddr,
    _end: oneshot::Sender<()>,
}

impl Relay {
    /// Listens on a free port, and passes on after this time.
    ///
    /// # Panics
    /// Where there is none.
    pub fn start(ip: IpAddr, to: SocketAddr, delay: Duration) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("tokio starts");
        let listener = runtime.block_on(TcpListener::bind((ip, 0))).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let relay = accept(listener, move |client, _| pass_on(client, to, delay));
        let (end, ended) = oneshot::channel();
        // On a thread of its own, which dials in the network that the caller is in.
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = ended => (), () = relay => () }
            });
        });
        Self { addr, _end: end }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn pass_on(client: TcpStream, to: SocketAddr, delay: Duration) -> io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_app, to_app) = TcpStream::connect(to).await?.into_split();
    let there = one_way(from_client, to_app, delay);
    tokio::try_join!(there, one_way(from_app, to_client, delay)).map(drop)
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
) -> io::Result<()> {
    let mut piece = [0; 16 << 10];
    loop {
        let length = from.read(&mut piece).await?;
        tokio::time::sleep(delay).await;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
