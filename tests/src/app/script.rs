//! What an app does with a connection, step by step.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Of a TLS handshake.
pub const HALF_A_RECORD: &[u8] = &[0x16, 3, 3, 0, 0x7a, 2];
/// Of HTTP/2: SETTINGS, and the head of a HEADERS frame.
pub const HALF_A_FRAME: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 40, 1, 4, 0, 0, 0, 1, 0x88];

/// A connection of an app, over TLS or not.
pub(super) trait AppStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The TCP connection below.
    fn tcp(&self) -> &TcpStream;
}

impl AppStream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl AppStream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The steps of one answer. At the end of a script the connection is closed.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Endless(Vec<u8>),
    Wait(Duration),
    Hold,
    Reset,
}

impl Script {
    /// Closes at once.
    pub fn close() -> Self {
        Self::default()
    }

    /// A plain answer of this status, without a body.
    pub fn status(status: u16) -> Self {
        Self::raw(format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n"))
    }

    /// An answer that leads on.
    pub fn redirect(status: u16, location: &str) -> Self {
        let head = format!("HTTP/1.1 {status} Status\r\nLocation: {location}\r\n");
        Self::raw(head + "Content-Length: 0\r\n\r\n")
    }

    /// These bytes, as they are.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::default().then(bytes)
    }

    /// More bytes.
    pub fn then(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// These bytes again and again, until the other side has gone.
    pub fn endless(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Endless(bytes.into()))
    }

    /// Nothing for a while.
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Nothing more, until the other side has gone.
    pub fn hold(self) -> Self {
        self.step(Step::Hold)
    }

    /// A TCP reset instead of a close.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Then what another does.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Errors only say that the other side has gone.
    pub(super) async fn play(self, mut stream: impl AppStream) -> io::Result<()> {
        for step in self.0 {
            match step {
                Step::Send(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Step::Endless(bytes) => loop {
                    stream.write_all(&bytes).await?;
                },
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Hold => until_gone(&mut stream).await?,
                Step::Reset => stream.tcp().set_zero_linger()?,
            }
        }
        Ok(())
    }
}

async fn until_gone(stream: &mut impl AppStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
