//! What is dispatched rather than routed: gRPC, the later hops of a redirect, and the first one where
//! Envoy's router may not carry it.

use alloc::borrow::ToOwned;
use alloc::vec;

use crate::callbacks::Action;
use crate::grpc::{self, Undelivered};
use crate::host;
use crate::outcome::Outcome;
use crate::redirect::Hop;
use crate::request::{self, Line};
use crate::run::{Run, Stage};
use crate::settings::Settings;
use crate::table::{Check, Wire};

const DESTINATION_HEADER: &[u8] = b"x-envoy-original-dst-host";
const CANNOT_BE_SENT: &str = "the request cannot be sent";
const HOP_CANNOT_BE_SENT: &str = "redirect: the request cannot be sent";

impl Run {
    #[inline(never)]
    pub fn start_grpc(
        &mut self,
        port: u16,
        tls: bool,
        service: &str,
        settings: &Settings,
    ) -> Result<Action, Outcome> {
        let cluster = if tls { &settings.grpc_tls_cluster } else { &settings.grpc_cluster };
        let destination = self.pod.at(port);
        let mut metadata = vec![(DESTINATION_HEADER, destination.as_bytes())];
        if let Some(agent) = self.client.get(b"user-agent") {
            metadata.push((b"user-agent", agent));
        }
        self.call = host::dispatch_grpc(
            &grpc::service(cluster, &destination),
            ("grpc.health.v1.Health", "Check"),
            &metadata,
            &grpc::health_request(service),
            self.remaining()?,
        )
        .ok_or_else(|| Outcome::unreached("grpc: the check cannot be sent"))?;
        self.stage = Stage::Grpc;
        Ok(Action::Pause)
    }

    /// Whether a gRPC call that failed so is made anew: where Envoy's own limit ended the dial, and
    /// where the connection was closed, as often as the kubelet's client would dial.
    pub fn may_call_again(&mut self, undelivered: Undelivered) -> bool {
        if undelivered == Undelivered::DialTimedOut {
            return self.may_dial_again();
        }
        self.dialled_again = self.dialled_again.saturating_add(1);
        self.dialled_again <= grpc::dials_again(self.entry.timeout())
    }

    /// The first request, as a redirect of its answer sees it.
    pub fn first_hop(&self) -> Option<Hop> {
        let Ok(Check::Http(http)) = &self.entry.check else { return None };
        let mut url = http.url.clone();
        url.scheme = if http.wire == Wire::Https { "https" } else { "http" }.to_owned();
        url.host = self.pod.at(http.port).into_bytes();
        Some(Hop { url, authority: self.authority(http), referer: None, followed: 0 })
    }

    /// How a hop is spoken to. The kubelet's client for HTTP/2 in clear text verifies certificates
    /// (it has no other TLS settings), and those of pods are not to be verified.
    fn wire(&self, hop: &Hop) -> Result<Wire, Outcome> {
        let http2 = matches!(&self.entry.check, Ok(Check::Http(http)) if http.wire == Wire::Http2);
        match (http2, hop.is_https()) {
            (true, true) => Err(Outcome::invalid("redirect from HTTP/2 in clear text to TLS")),
            (true, false) => Ok(Wire::Http2),
            (false, true) => Ok(Wire::Https),
            (false, false) => Ok(Wire::Http),
        }
    }

    /// Sends a hop as a request of the filter's own. `authorized`: with the client's Authorization.
    pub fn dispatch_hop(
        &mut self,
        hop: Hop,
        authorized: bool,
        settings: &Settings,
    ) -> Result<Action, Outcome> {
        let wire = self.wire(&hop)?;
        let port = hop.port().filter(|port| *port != 0);
        let port = port.ok_or_else(|| Outcome::invalid("redirect: no such port"))?;
        if port == self.status_port || port == self.local.port {
            return Err(Outcome::unreached("redirect to the status port: it would probe itself"));
        }
        let target = hop.url.request_target();
        let destination = self.pod.at(port);
        let authorization = request::basic_authorization(&hop.url).filter(|_| authorized);
        let line = Line {
            target: &target,
            authority: &hop.authority,
            wire,
            authorization: authorization.as_deref(),
        };
        let own_referer = self.client.get(b"referer").is_some_and(|referer| !referer.is_empty());
        let mut sent = line.headers(&self.client);
        sent.retain(|(name, _)| match *name {
            b"authorization" => authorized,
            b"referer" => own_referer,
            _ => true,
        });
        sent.push((DESTINATION_HEADER, destination.as_bytes()));
        if let Some(referer) = hop.referer.as_ref().filter(|_| !own_referer) {
            sent.push((b"referer", referer));
        }
        let cluster = match wire {
            Wire::Http => &settings.http_cluster,
            Wire::Http2 => &settings.grpc_cluster,
            Wire::Https => &settings.https_cluster,
        };
        self.call = host::dispatch_http(cluster, &sent, self.remaining()?).ok_or_else(|| {
            let first = hop.followed == 0;
            Outcome::unreached(if first { CANNOT_BE_SENT } else { HOP_CANNOT_BE_SENT })
        })?;
        self.stage = Stage::Hop { hop, authorized };
        Ok(Action::Pause)
    }
}
