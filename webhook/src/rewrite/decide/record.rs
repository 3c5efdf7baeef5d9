//! What is recorded of a probe, in the variable's own terms.

use super::disposition::Left;
use crate::probers::{
    Grpc, GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol, Scheme, TcpSocket,
};
use crate::rewrite::read::{Action, Target};
use crate::rewrite::result::Cause;
use crate::rewrite::text::quoted;

/// What the target asks, on this port.
///
/// # Errors
/// The variable cannot say it: something of it is not known.
pub fn handler(target: &Target<'_>, port: u16) -> Result<Handler, Left> {
    if let Some(unknown) = target.unknown {
        let (holder, member) = (unknown.holder, quoted(unknown.member));
        let reason = format!("{holder} has a member {member} that is not known");
        return Err(Left::as_it_was(Cause::UnknownMember, reason));
    }
    let host = target.host.to_owned();
    Ok(match &target.action {
        Action::HttpGet { path, scheme, headers, protocol } => {
            let (scheme, protocol) = versions(scheme, protocol.unwrap_or_default())?;
            let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
            let headers = headers.map(|(name, value)| HttpHeader { name, value }).collect();
            let path = (*path).to_owned();
            Handler::HttpGet(HttpGet { path, port, host, scheme, headers, protocol })
        }
        Action::TcpSocket => Handler::TcpSocket(TcpSocket { port, host }),
        Action::Grpc { service, mode } => {
            let mode = mode.unwrap_or_default();
            let mode = word("mode", mode, GrpcMode::parse, Cause::UnknownMember)?;
            Handler::Grpc(Grpc { port, service: service.map(str::to_owned), mode })
        }
    })
}

/// The API server refuses HTTP2 with HTTPS: it stands for clear text.
fn versions(scheme: &str, protocol: &str) -> Result<(Option<Scheme>, Option<HttpProtocol>), Left> {
    let scheme = word("scheme", scheme, Scheme::parse, Cause::Scheme)?;
    let protocol = word("protocol", protocol, HttpProtocol::parse, Cause::UnknownMember)?;
    if (scheme, protocol) == (Some(Scheme::Https), Some(HttpProtocol::Http2)) {
        return Err(Left::as_it_was(
            Cause::Scheme,
            "its protocol HTTP2 does not go with its scheme HTTPS",
        ));
    }
    Ok((scheme, protocol))
}

/// What the text of a member stands for; `None` where it is empty.
fn word<T>(
    member: &str,
    text: &str,
    parse: fn(&str) -> Option<T>,
    cause: Cause,
) -> Result<Option<T>, Left> {
    let known = parse(text);
    if known.is_none() && !text.is_empty() {
        return Err(Left::as_it_was(cause, format!("its {member} {} is not known", quoted(text))));
    }
    Ok(known)
}
