//! Both sides of a probe: what the kubelet concludes from the status port, and what it would conclude from
//! the app itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use app_health_webhook::kubelet::{Answer, DEFAULT_TIMEOUT, Failure, Get, Verdict};
use app_health_webhook::probers::{Grpc, GrpcMode, Handler, HttpProtocol, Prober};
use app_health_webhook::reason::{HEADER, Reason};
use hyper::Uri;
use tokio::time::timeout;

use super::args::ProbeArgs;
use super::attempt::{Attempt, Times, Wire};
use super::here::Here;
use super::recorded::Recorded;
use crate::page::shape::{Page, Probe};
use crate::serve::own::OwnAddresses;

/// For so much longer than the kubelet an answer of the status port is waited for: a failure's reason
/// comes when the time is over. A success that comes then is none.
const FOR_THE_REASON: Duration = Duration::from_secs(1);

/// Longer than this nothing is waited for, whatever timeout the page names.
const LONGEST: Duration = Duration::from_secs(60);

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

/// What came of both.
pub struct Sides {
    pub status_port: Conclusion,
    /// Or why the app was not asked.
    pub app: Result<Conclusion, String>,
}

/// Who asks, and of which pod.
pub struct Asker<'a> {
    page: &'a Page,
    /// The status port, as it is reached.
    host: &'a str,
    port: u16,
    here: Here,
    own: OwnAddresses,
}

impl<'a> Asker<'a> {
    pub fn new(args: &'a ProbeArgs, page: &'a Page) -> Self {
        let url = &args.page.url;
        Self {
            page,
            host: host(url),
            port: url.port_u16().unwrap_or(80),
            here: Here::of(url, args.local),
            own: OwnAddresses::default(),
        }
    }

    /// Both sides; an error where the app cannot be asked.
    pub async fn both(&self, probe: &Probe, recorded: &Recorded) -> Sides {
        let status_port = self.status_port(probe, recorded).await;
        Sides { status_port, app: self.app(probe, recorded).await }
    }

    /// What the kubelet gets from the status port.
    async fn status_port(&self, probe: &Probe, recorded: &Recorded) -> Conclusion {
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

    /// As the webhook has written it: of an `httpGet` the headers stay. The Host is the kubelet's, whatever
    /// port of this machine leads there.
    fn rewritten(&self, probe: &Probe, recorded: &Recorded) -> Result<Get, Failure> {
        let to = self.address().unwrap_or([127, 0, 0, 1].into());
        let to = SocketAddr::new(to, self.page.status_port);
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
    async fn app(&self, probe: &Probe, recorded: &Recorded) -> Result<Conclusion, String> {
        let prober = recorded.prober.as_ref().map_err(Clone::clone)?;
        let address = self.address().ok_or("the page names no address")?;
        let own = self.own.contains(address);
        let own = own.map_err(|error| format!("the addresses of this machine: {error}"))?;
        self.here.check(address, own)?;
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

/// The host of a URL, as a name or an IP address.
pub fn host(url: &Uri) -> &str {
    url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

fn limit(probe: &Probe) -> Duration {
    let seconds = probe.timeout_seconds.min(LONGEST.as_secs_f64());
    let limit = Duration::try_from_secs_f64(seconds).unwrap_or(DEFAULT_TIMEOUT);
    if limit.is_zero() { DEFAULT_TIMEOUT } else { limit }
}

fn late(limit: Duration) -> Failure {
    Failure { reason: Reason::Timeout, text: format!("not done within {} s", limit.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_is_believed_beyond_a_limit() {
        for (timeout, limit_ms) in [
            ("0", 1000),
            ("0.3", 300),
            ("30", 30_000),
            ("61", 60_000),
            ("1e300", 60_000),
            ("-1", 1000),
        ] {
            let json = format!(
                r#"{{"path": "", "container": "", "probe": "", "check": "", "state": "unknown",
                    "text": "", "passes": 0, "failures": 0, "timeout_seconds": {timeout}}}"#
            );
            let probe: Probe = serde_json::from_str(&json).unwrap();
            assert_eq!(limit(&probe), Duration::from_millis(limit_ms), "{timeout}");
        }
    }
}
