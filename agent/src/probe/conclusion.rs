//! Both sides of a probe: what the kubelet concludes from the status port, and what it would conclude from
//! the app itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use app_health_webhook::kubelet::{Answer, DEFAULT_TIMEOUT, Failure, Get, Verdict};
use app_health_webhook::probers::{Grpc, GrpcMode, Handler, HttpProtocol, Prober};
use app_health_webhook::reason::{HEADER, Reason};
use hyper::Uri;
use tokio::time::timeout;

use super::attempt::{Attempt, Times, Wire};
use super::recorded::Recorded;
use crate::page::shape::{Page, Probe};
use crate::serve::own::OwnAddresses;

/// For so much longer than the kubelet an answer of the status port is waited for: a failure's reason
/// comes when the time is over. A success that comes then is none.
const FOR_THE_REASON: Duration = Duration::from_secs(1);

/// What came of one side.
#[derive(Clone, Debug)]
pub struct Conclusion {
    pub verdict: Verdict,
    /// Of an HTTP answer.
    pub status: Option<u16>,
    /// `None` where an answer has a word that is not known.
    pub reason: Option<Reason>,
    /// What happened, for people.
    pub text: String,
    pub times: Times,
}

impl Conclusion {
    pub fn fails(&self) -> bool {
        self.verdict == Verdict::Failure
    }

    fn of(outcome: Result<Answer, Failure>, times: Times) -> Self {
        let verdict = Verdict::of(&outcome);
        match outcome {
            Ok(answer) => Self {
                verdict,
                status: Some(answer.status),
                reason: reason(verdict, answer.header(HEADER)),
                text: answer.text(),
                times,
            },
            Err(Failure { reason, text }) => {
                Self { verdict, status: None, reason: Some(reason), text, times }
            }
        }
    }

    /// Of a check that has no HTTP answer.
    fn of_check(outcome: Result<(), Failure>, times: Times) -> Self {
        match outcome {
            Ok(()) => Self {
                verdict: Verdict::Success,
                status: None,
                reason: Some(Reason::Ok),
                text: String::new(),
                times,
            },
            Err(failure) => Self::of(Err(failure), times),
        }
    }
}

/// The word of an answer, which only those have that are not the app's own.
fn reason(verdict: Verdict, word: Option<&str>) -> Option<Reason> {
    match word {
        Some(word) => Reason::ALL.into_iter().find(|reason| reason.as_str() == word),
        None if verdict == Verdict::Failure => Some(Reason::Status),
        None => Some(Reason::Ok),
    }
}

/// Who asks, and of which pod.
pub struct Asker<'a> {
    page: &'a Page,
    /// The status port, as it is reached.
    host: &'a str,
    port: u16,
    own: OwnAddresses,
}

impl<'a> Asker<'a> {
    pub fn new(url: &'a Uri, page: &'a Page) -> Self {
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self { page, host, port: url.port_u16().unwrap_or(80), own: OwnAddresses::default() }
    }

    /// What the kubelet gets from the status port.
    pub async fn status_port(&self, probe: &Probe, recorded: &Recorded) -> Conclusion {
        let limit = limit(probe);
        let mut attempt = Attempt::begin();
        let outcome = match self.rewritten(probe, recorded) {
            Err(failure) => Err(failure),
            Ok(get) => {
                let asked = attempt.status_port((self.host, self.port), &get);
                timeout(limit + FOR_THE_REASON, asked).await.unwrap_or_else(|_| Err(late(limit)))
            }
        };
        let times = attempt.end();
        let conclusion = Conclusion::of(outcome, times);
        if times.whole > limit && !conclusion.fails() {
            return Conclusion::of(Err(late(limit)), times);
        }
        conclusion
    }

    /// As the webhook has written it: of an `httpGet` the headers stay.
    fn rewritten(&self, probe: &Probe, recorded: &Recorded) -> Result<Get, Failure> {
        let to = SocketAddr::new(self.address().unwrap_or([127, 0, 0, 1].into()), self.port);
        let get = Get::probe(to, probe.path.as_str());
        match &recorded.prober {
            Ok(Prober { handler: Handler::HttpGet(http), .. }) => get.with_headers(&http.headers),
            _ => Ok(get),
        }
    }

    /// What the kubelet would get from the app.
    ///
    /// # Errors
    /// It cannot be asked from here, and why.
    pub async fn app(&self, probe: &Probe, recorded: &Recorded) -> Result<Conclusion, String> {
        let prober = recorded.prober.as_ref().map_err(Clone::clone)?;
        let address = self.address().ok_or("the page names no address")?;
        match self.own.contains(address) {
            Ok(true) => {}
            Ok(false) => {
                return Err(format!(
                    "{address} is no address of this machine: ask in the pod, by kubectl exec POD -c \
                     app-health-agent"
                ));
            }
            Err(error) => return Err(format!("the addresses of this machine: {error}")),
        }
        let mut attempt = Attempt::begin();
        let limit = limit(probe);
        let asked = timeout(limit, check(&mut attempt, prober, address)).await;
        let outcome = asked.unwrap_or_else(|_| Err(late(limit)));
        let times = attempt.end();
        match outcome {
            // This side cannot ask: no descriptors, no ports.
            Err(Failure { reason: Reason::Agent, text }) => Err(text),
            Ok(Some(answer)) => Ok(Conclusion::of(Ok(answer), times)),
            Ok(None) => Ok(Conclusion::of_check(Ok(()), times)),
            Err(failure) => Ok(Conclusion::of_check(Err(failure), times)),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        self.page.address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }
}

/// Makes the original check. `None`: it has passed, and has no HTTP answer.
async fn check(
    attempt: &mut Attempt,
    prober: &Prober,
    ip: IpAddr,
) -> Result<Option<Answer>, Failure> {
    match &prober.handler {
        Handler::HttpGet(http) => {
            let http2 = http.protocol == Some(HttpProtocol::Http2);
            let wire = if http2 { Wire::Http2 } else { Wire::Any };
            attempt.http(Get::recorded(http, ip)?, wire).await.map(Some)
        }
        Handler::TcpSocket(tcp) => attempt.tcp(SocketAddr::new(ip, tcp.port)).await.map(|()| None),
        Handler::Grpc(Grpc { port, service, mode }) => {
            let service = service.as_deref().unwrap_or_default();
            let over_tls = *mode == Some(GrpcMode::Tls);
            attempt.grpc(SocketAddr::new(ip, *port), over_tls, service).await.map(|()| None)
        }
    }
}

fn limit(probe: &Probe) -> Duration {
    let limit = Duration::try_from_secs_f64(probe.timeout_seconds).unwrap_or(DEFAULT_TIMEOUT);
    if limit.is_zero() { DEFAULT_TIMEOUT } else { limit }
}

fn late(limit: Duration) -> Failure {
    Failure { reason: Reason::Timeout, text: format!("not done within {} s", limit.as_secs_f64()) }
}
