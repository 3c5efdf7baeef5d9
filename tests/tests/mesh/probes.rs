use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app_health_tests::app::{self, Alpn, Grpc, Health, Http, Https, Request, Script, Versions};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use app_health_tests::kubelet::Verdict::{Failure, Success};
use app_health_tests::mesh::{Deployment, Setup, World};

use super::{FAMILIES, OFF, assert_probes_are_no_traffic, is_sidecars};

const GRPC: u16 = 9000;
const HTTPS: u16 = 8443;
const HTTP: u16 = 8080;

/// Probes of the kinds that the documents do not have. The last one is led on twice: to `/on`, and
/// from there to the HTTPS port.
const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      containers:
      - name: grpc
        readinessProbe: {grpc: {port: 9000, service: some.Service}, timeoutSeconds: 10}
      - name: https
        readinessProbe: {httpGet: {port: 8443, scheme: HTTPS}, timeoutSeconds: 10}
      - name: redirect
        readinessProbe: {httpGet: {port: 8080}, timeoutSeconds: 10}
";
const CONTAINERS: [&str; 3] = ["grpc", "https", "redirect"];

/// The pod of these probes, rewritten.
pub(super) fn deployment() -> Deployment {
    Deployment::of(MANIFEST, &[])
}

/// What they ask.
pub(super) struct App {
    grpc: Grpc,
    https: Https,
    http: Http,
    is_well: Arc<AtomicBool>,
}

impl App {
    /// An app that is well, in the pod.
    pub(super) fn start(world: &World) -> Self {
        let at = |port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
        let is_well = Arc::new(AtomicBool::new(true));
        let well = is_well.clone();
        let answer =
            move |_: &Request| app::status(if well.load(Ordering::Relaxed) { 200 } else { 503 });
        world.pod.run(|| Self {
            grpc: Grpc::start_at(at(GRPC), Health::Says(Serving)),
            https: Https::start_at(at(HTTPS), Alpn::Both, Versions::Both, answer),
            http: Http::start_at(at(HTTP), lead_on),
            is_well,
        })
    }

    fn fall_ill(&self) {
        self.grpc.set(Health::Says(NotServing));
        self.is_well.store(false, Ordering::Relaxed);
    }

    /// Where each request came from.
    pub(super) fn peers(&self) -> Vec<IpAddr> {
        let all = [self.grpc.seen(), self.https.seen(), self.http.seen()].concat();
        all.into_iter().map(|request| request.peer.ip()).collect()
    }
}

fn lead_on(request: &Request) -> Script {
    let host = request.header("host").and_then(|host| host.parse::<SocketAddr>().ok());
    match (&request.target[..], host) {
        ("/", _) => Script::redirect(302, "/on"),
        ("/on", Some(host)) => {
            let to = SocketAddr::new(host.ip(), HTTPS);
            Script::redirect(307, &format!("https://{to}/"))
        }
        _ => Script::status(404),
    }
}

/// The statuses of the three.
fn statuses(world: &World, deployment: &Deployment, ip: IpAddr) -> [Result<u16, String>; 3] {
    CONTAINERS.map(|container| {
        let probe = deployment.probe_of(container);
        let answer = world.node.run(|| probe.answer(ip));
        answer.map(|answer| answer.status).map_err(|error| error.to_string())
    })
}

#[test]
fn probes_of_every_kind_say_how_the_app_is() {
    let world = World::dual_stack();
    let deployment = deployment();
    let sidecar = Setup::strict().variable(deployment.variable()).start(&world);
    let are = |expected: [u16; 3]| {
        for ip in FAMILIES {
            assert_eq!(statuses(&world, &deployment, ip), expected.map(Ok), "{ip}");
        }
    };
    are([500, 500, 500]);
    let app = App::start(&world);
    are([200, 200, 200]);
    app.fall_ill();
    are([500, 503, 503]);
    let peers = app.peers();
    // Once each over either family, well and ill; the redirect makes three.
    assert_eq!(peers.len(), 2 * 2 * (1 + 1 + 3), "{peers:?}");
    assert!(peers.iter().copied().all(is_sidecars), "{peers:?}");
    assert_eq!(app.grpc.services(), ["some.Service"; 4]);
    // The rest of the way has gone.
    let App { grpc, https, http, .. } = app;
    drop((grpc, https));
    are([500, 500, 500]);
    assert_eq!(http.seen_at("/on").len(), 2 * 3);
    assert_probes_are_no_traffic(&world, &sidecar);
}

/// The app itself is asked past the sidecar, which would refuse it.
#[test]
fn the_command_probe_finds_nobody_at_fault() {
    for ip in FAMILIES {
        let world = World::dual_stack();
        let deployment = deployment();
        let setup = Setup::strict().variable(deployment.variable()).pod_ip(ip);
        let sidecar = setup.start(&world);
        let app = App::start(&world);
        let run = sidecar.exec_agent(&["probe", "--all"]);
        let nobody = run.stdout.matches("at fault: nobody (both pass)").count();
        assert_eq!((run.exit, nobody), (0, 3), "{ip}: {} {}", run.stdout, run.stderr);
        let peers = app.peers();
        assert_eq!(peers.len(), 2 * (1 + 1 + 3), "{peers:?}");
        assert!(peers.iter().copied().all(is_sidecars), "{peers:?}");
        app.fall_ill();
        let run = sidecar.exec_agent(&["probe", "--all"]);
        assert_eq!(run.stdout.matches("at fault: app (").count(), 3, "{ip}: {}", run.stdout);
    }
}

#[test]
fn without_the_rewrite_the_sidecar_breaks_grpc_too() {
    let world = World::dual_stack();
    let _app = App::start(&world);
    let probe = Deployment::of(MANIFEST, OFF).probe_of("grpc");
    let asked = |ip| world.node.run(|| probe.ask(ip));
    assert_eq!(FAMILIES.map(asked), [Success; 2]);
    let _sidecar = Setup::strict().start(&world);
    assert_eq!(FAMILIES.map(asked), [Failure; 2]);
}
