//! The apps whose ports are checked.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use socket2::{Domain, SockRef, Socket, Type};

/// A port that accepts.
pub struct Accepting(TcpListener);

impl Accepting {
    pub fn on(ip: &str) -> Self {
        Self(TcpListener::bind((ip, 0)).unwrap_or_else(|error| panic!("bind {ip}: {error}")))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Takes the next connection, and reads from it until the end, which has to be a plain one,
    /// no reset. Returns who made it.
    pub fn next(&self) -> IpAddr {
        let (mut stream, peer) = self.0.accept().unwrap();
        assert_eq!(stream.read(&mut [0]).expect("a plain end"), 0);
        peer.ip()
    }

    /// Takes all connections, one after the other, for as long as the test runs. It closes after
    /// the agent has, so that it is the agent who is left with the TIME_WAIT.
    pub fn forever(self) -> u16 {
        let port = self.port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = self.0.accept() {
                let _ = stream.read(&mut [0]);
            }
        });
        port
    }
}

/// A port that resets each connection as soon as it is made, for as long as the test runs.
pub fn resetting(ip: &str) -> u16 {
    let app = Accepting::on(ip);
    let port = app.port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = app.0.accept() {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    port
}

/// A port that refuses, and that nobody else can take.
pub struct Refusing(Socket);

impl Refusing {
    pub fn on(ip: &str) -> Self {
        Self(bound(ip))
    }

    pub fn port(&self) -> u16 {
        port(&self.0)
    }
}

/// A port that neither accepts nor refuses: its accept queue is full.
pub struct Hanging {
    socket: Socket,
    _in_queue: TcpStream,
}

impl Hanging {
    pub fn on(ip: &str) -> Self {
        let socket = bound(ip);
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let _in_queue = TcpStream::connect(address).unwrap();
        Self { socket, _in_queue }
    }

    pub fn port(&self) -> u16 {
        port(&self.socket)
    }
}

fn bound(ip: &str) -> Socket {
    let address = SocketAddr::new(ip.parse().unwrap(), 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap_or_else(|error| panic!("bind {ip}: {error}"));
    socket
}

fn port(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_socket().unwrap().port()
}

/// The addresses of this machine's interfaces.
pub fn interface_addresses() -> Vec<IpAddr> {
    let addresses = getifaddrs().unwrap().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    addresses.collect()
}
