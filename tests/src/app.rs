//! Real apps on loopback, each on a port of its own. They record what they were asked, and end,
//! with all their connections, when they are dropped.

mod changing;
mod grpc;
mod http;
mod port;
mod relay;
mod request;
mod script;
mod server;
mod tls;

pub use changing::{Changing, Conduct};
pub use grpc::{Grpc, Health};
pub use http::Http;
pub use port::{Closed, Late, Open};
pub use relay::Relay;
pub use request::Request;
pub use script::{HALF_A_FRAME, HALF_A_RECORD, Script};
pub use tls::{Alpn, Https, TlsAnswer, Versions, status};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// 127.0.0.1
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// ::1
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
