//! What is recorded of a probe, in the variable's own terms.

use super::Cause;
use super::node::quoted;
use super::probe::{Protocol, Stay, Target, stays};
use crate::probers::{
    Grpc, GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol, Scheme, TcpSocket,
};

/// What the target asks, on this port. `Err` where the variable cannot say it.
pub(super) fn handler(target: &Target<'_>, port: u16) -> Result<Handler, Stay> {
    if let Some(unknown) = target.unknown {
        let (holder, member) = (unknown.holder, quoted(unknown.member));
        let reason = format!("{holder} has a member {member} that is not known");
        return Err(stays(Cause::UnknownMember, reason));
    }
    let host = target.host.to_owned();
    Ok(match &target.protocol {
        Protocol::Http { path, scheme, headers, protocol } => {
            let (scheme, protocol) = versions(scheme, protocol.unwrap_or_default())?;
            let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
            let path = (*path).to_owned();
            Handler::HttpGet(HttpGet { path, port, host, scheme, headers, protocol })
        }
        Protocol::Tcp => Handler::TcpSocket(TcpSocket { port, host }),
        Protocol::Grpc { service, mode } => {
            let mode = mode.unwrap_or_default();
            let mode = word("mode", mode, GrpcMode::parse, Cause::UnknownMember)?;
            Handler::Grpc(Grpc { port, service: service.map(str::to_owned), mode })
        }
    })
}

/// The API server refuses HTTP2 with HTTPS: it stands for clear text.
fn versions(scheme: &str, protocol: &str) -> Result<(Option<Scheme>, Option<HttpProtocol>), Stay> {
    let scheme = word("scheme", scheme, Scheme::parse, Cause::Scheme)?;
    let protocol = word("protocol", protocol, HttpProtocol::parse, Cause::UnknownMember)?;
    if (scheme, protocol) == (Some(Scheme::Https), Some(HttpProtocol::Http2)) {
        return Err(stays(Cause::Scheme, "its protocol HTTP2 does not go with its scheme HTTPS"));
    }
    Ok((scheme, protocol))
}

/// What the text of a member stands for; `None` where it is empty.
fn word<T>(
    member: &str,
    text: &str,
    parse: fn(&str) -> Option<T>,
    cause: Cause,
) -> Result<Option<T>, Stay> {
    let known = parse(text);
    if known.is_none() && !text.is_empty() {
        return Err(stays(cause, format!("its {member} {} is not known", quoted(text))));
    }
    Ok(known)
}

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader { name: name.to_owned(), value: value.to_owned() }
}
