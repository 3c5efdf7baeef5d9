use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use app_health_tests::app::V4;
use app_health_tests::kubelet::{Answer, Get};
use app_health_tests::mesh::{
    DISCOVERY, Deployment, EnvoyFilter, Nginx, POD_V4, Setup, Sidecar, World,
};
use app_health_tests::poll::{SetAtEnd, until};
use serde_json::{Value, json};

use super::istio::variant;
use super::{FAMILIES, HTTP, TCP, ports};

const HOOK: &str = "/app-lifecycle/nginx/prestopz";

fn by_pilot_agent(answer: &Answer) -> bool {
    answer.header("x-app-health-answered-by") == Some("pilot-agent")
}

fn hook(world: &World, ip: IpAddr) -> Answer {
    world.node.run(|| Get::hook((ip, 15020).into(), HOOK).send()).expect("an answer")
}

/// The page's status and text, asked from within the pod.
fn page(world: &World) -> (u16, String) {
    let get = Get::probe((V4, 15020).into(), "/app-health/");
    let answer = world.pod.run(|| get.send()).expect("an answer");
    (answer.status, answer.text())
}

/// How often Envoy has refused what pilot-agent sent.
fn refused(sidecar: &Sidecar) -> u64 {
    sidecar.stat(&format!("{DISCOVERY}.config_fail"))
}

/// Pilot-agent's way to say that it cannot have the `.wasm`: a filter that refuses all requests.
fn deny_all() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
    json!({"name": "app_health", "typed_config": {"@type": kind, "rules": {}}})
}

/// The filter with its code in a file that is not there.
fn without_code() -> Value {
    let mut extension = EnvoyFilter::shipped().extension();
    let code = &mut extension["typed_config"]["config"]["vm_config"]["code"];
    *code = json!({"local": {"filename": "/no/such.wasm"}});
    extension
}

#[test]
fn until_the_filter_is_there_pilot_agent_answers() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let examples = [HTTP, TCP].map(Deployment::example);
    let setup = Setup::strict().variable(examples[0].variable());
    let sidecar = setup.without_extension().start(&world);
    let answers = |asked_pilot_agent: bool| {
        for ip in FAMILIES {
            let ask = |deployment: &Deployment| world.node.run(|| deployment.probe().answer(ip));
            for example in &examples[..if asked_pilot_agent { 2 } else { 1 }] {
                let answer = ask(example).expect("an answer");
                assert_eq!(
                    (answer.status, by_pilot_agent(&answer)),
                    (200, asked_pilot_agent),
                    "{ip}"
                );
            }
            assert_eq!(by_pilot_agent(&hook(&world, ip)), asked_pilot_agent, "{ip}");
            let from_node = Get::probe((ip, 15020).into(), "/app-health/");
            assert_eq!(world.node.run(|| from_node.status()), Ok(403), "the page at {ip}");
        }
    };
    answers(true);
    let text = "the app-health filter does not run: pilot-agent answers the probes";
    assert_eq!(page(&world), (503, text.to_owned()));
    // Each of these leaves all as it was.
    for (extension, nth) in [deny_all(), without_code()].into_iter().zip(1..) {
        sidecar.send_extension(extension);
        until("Envoy has refused it", || refused(&sidecar) >= nth);
        answers(true);
    }
    assert!(nginx.seen().is_empty());
    let asked = sidecar.pilot_agent.seen().len();
    assert_eq!(
        sidecar.stat("cluster.app_health_pilot_agent_probes.upstream_rq_total"),
        asked as u64
    );

    sidecar.send_extension(EnvoyFilter::shipped().extension());
    until("the filter answers", || page(&world).0 == 200);
    answers(false);
    assert_eq!(sidecar.pilot_agent.seen().len(), asked);
    assert!(!nginx.seen().is_empty());
    // An upgrade that cannot be had leaves the filter as it is.
    sidecar.send_extension(deny_all());
    until("Envoy has refused it", || refused(&sidecar) >= 3);
    answers(false);
}

/// Nothing that the listener adds for the filter, and nothing of Envoy's.
#[test]
fn pilot_agent_gets_the_probes_own_headers() {
    let world = World::dual_stack();
    let sidecar = Setup::strict().without_extension().start(&world);
    for own in ["X-Forwarded-Proto: gopher", "X-Envoy-Whatever: 1", "X-App: y"] {
        for path in ["/app-health/nginx/readyz?a=%2F", HOOK] {
            let head = format!("GET {path} HTTP/1.1\r\nHost: 10.77.0.2:15020\r\n{own}\r\n\r\n");
            assert_eq!(ports::status(&world.node, (POD_V4, 15020).into(), &head), Ok(200));
            let seen = sidecar.pilot_agent.seen();
            let last = seen.last().expect("a request");
            assert_eq!((&*last.method, &*last.target), ("GET", path));
            assert_eq!(last.lines(), ["Host: 10.77.0.2:15020", own]);
        }
    }
}

/// Pilot-agent may take its time for many at once, as for hooks, and the next probe is answered.
#[test]
fn as_many_as_there_are_go_to_pilot_agent() {
    const WAITING: usize = 100;
    let world = World::dual_stack();
    let sidecar = Setup::strict().without_extension().start(&world);
    let to = SocketAddr::new(POD_V4, 15020);
    let target = format!("{HOOK}?long");
    let ask = |_| -> TcpStream {
        let mut stream = TcpStream::connect(to).expect("a connection");
        let request = ports::request("GET", &target, "");
        stream.write_all(request.as_bytes()).expect("the request is sent");
        stream
    };
    let waiting: Vec<_> = world.node.run(|| (0..WAITING).map(ask).collect());
    until("all of them wait", || sidecar.pilot_agent.seen_at(&target).len() == WAITING);
    let answer = world.node.run(|| Get::probe(to, "/app-health/nginx/readyz").status());
    assert_eq!(answer, Ok(200));
    drop(waiting);
}

/// The filter comes, is replaced, and cannot be had, under more than a hundred probes a second.
#[test]
fn no_probe_is_lost_while_the_filter_changes() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let deployment = Deployment::example(HTTP);
    let setup = Setup::strict().variable(deployment.variable());
    let sidecar = setup.without_extension().start(&world);
    let (stop, lost) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let [by_filter, by_agent] = [(); 2].map(|()| AtomicUsize::new(0));
    let probe = deployment.probe();
    let ask = |ip| match probe.answer(ip) {
        Ok(answer) if answer.status != 200 => Err(format!("{} {}", answer.status, answer.text())),
        Ok(answer) => Ok(if by_pilot_agent(&answer) { &by_agent } else { &by_filter }),
        Err(error) => Err(error.to_string()),
    };
    let kubelet = |ip| {
        while !stop.load(Ordering::Relaxed) {
            match ask(ip) {
                Ok(count) => drop(count.fetch_add(1, Ordering::Relaxed)),
                Err(error) => lost.lock().expect("no panic").push(error),
            }
        }
    };
    // Waits for two hundred more answers of this kind.
    let more = |of: &AtomicUsize| {
        let before = of.load(Ordering::Relaxed);
        until("probes are answered", || of.load(Ordering::Relaxed) >= before + 200);
    };
    thread::scope(|scope| {
        let _end = SetAtEnd(&stop);
        for ip in FAMILIES {
            let (world, kubelet) = (&world, &kubelet);
            scope.spawn(move || world.node.run(|| kubelet(ip)));
        }
        more(&by_agent);
        sidecar.send_extension(EnvoyFilter::shipped().extension());
        more(&by_filter);
        let pilot_agents = by_agent.load(Ordering::Relaxed);
        for extension in [variant("detailed-status-codes").extension(), deny_all()] {
            sidecar.send_extension(extension);
            more(&by_filter);
        }
        let after = by_agent.load(Ordering::Relaxed);
        assert!(after <= pilot_agents + FAMILIES.len(), "from {pilot_agents} to {after}");
    });
    assert_eq!(*lost.lock().expect("no panic"), [""; 0]);
    // The second one runs.
    let closed = Get::probe((POD_V4, 15020).into(), "/app-health/nginx/readyz");
    drop(nginx);
    until("the app has gone", || world.node.run(|| closed.status()) == Ok(521));
}

/// A filter that replaces another counts on where that was, also where no probe comes meanwhile.
#[test]
fn counts_outlast_the_filter_that_made_them() {
    let world = World::dual_stack();
    let deployment = Deployment::example(TCP);
    let sidecar = Setup::strict().variable(deployment.variable()).start(&world);
    let closed = Get::probe((POD_V4, 15020).into(), "/app-health/nginx/readyz");
    assert_eq!(world.node.run(|| closed.status()), Ok(500));
    let counts = || {
        [
            "app_container=.=nginx;.;probe=.=readiness;.;result=.=refused;.;app_health_probe_total",
            "by=.=agent;.;app_health_tcp_checks_total",
        ]
        .map(|name| sidecar.stat(&format!("wasmcustom.{name}")))
    };
    assert_eq!(counts(), [1, 1]);
    // Another VM, as that of another .wasm.
    let mut extension = variant("detailed-status-codes").extension();
    let text = "type.googleapis.com/google.protobuf.StringValue";
    extension["typed_config"]["config"]["vm_config"]["configuration"] =
        json!({"@type": text, "value": "another"});
    let created = sidecar.stat("wasm.envoy.wasm.runtime.v8.created");
    let active = sidecar.stat("wasm.envoy.wasm.runtime.v8.active");
    sidecar.send_extension(extension);
    until("the VMs of one filter are left", || {
        sidecar.stat("wasm.envoy.wasm.runtime.v8.created") > created
            && sidecar.stat("wasm.envoy.wasm.runtime.v8.active") <= active
    });
    assert_eq!(counts(), [1, 1]);
    assert_eq!(world.node.run(|| closed.status()), Ok(521));
    assert_eq!(counts(), [2, 2]);
}
