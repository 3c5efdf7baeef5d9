//! What there is to see: two pods with the filter, in which checks fail for several reasons, the webhook,
//! and what kube-state-metrics would say of the pods.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::api_server::{Connection, Http as Version, review};
use app_health_tests::app::{Changing, Closed, Conduct, Http, Script, V4};
use app_health_tests::authority::Authority;
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::process::{self, Process};
use app_health_tests::{net, program};
use serde_json::{Value, json};
use time::Duration;
use tokio::runtime::Runtime;

use super::{items, of_kind, text};

/// Of the certificate, in days.
pub const AGE: i64 = 100;
pub const LEFT: i64 = 10;

const READY: &str = "\
# TYPE kube_pod_status_ready gauge
kube_pod_status_ready{namespace=\"shop\",pod=\"cart\",condition=\"true\"} 1
kube_pod_status_ready{namespace=\"shop\",pod=\"cart\",condition=\"false\"} 0
kube_pod_status_ready{namespace=\"shop\",pod=\"odd\",condition=\"true\"} 0
";

/// The name that it has in a mesh.
const ANSWERED: &str = "\
# TYPE envoy_cluster_app_health_pilot_agent_probes_upstream_rq_total counter
envoy_cluster_app_health_pilot_agent_probes_upstream_rq_total{}";

pub struct World {
    /// Its agent makes TCP checks. `web` passes one probe and fails another, `db` comes up later.
    cart: Envoy,
    /// What should be its agent is none, and an entry of its variable is not valid.
    odd: Envoy,
    /// A pod in a mesh, whose pilot-agent answers the probes.
    new: Http,
    webhook: Option<Webhook>,
    state: Http,
    db: Changing,
    _web: Http,
    _closed: Closed,
    runtime: Runtime,
}

struct Webhook {
    _process: Process,
    addr: SocketAddr,
    metrics: SocketAddr,
    authority: Authority,
}

impl World {
    pub fn start() -> Self {
        let (closed, db) = (Closed::start(V4), Changing::start(V4));
        let web = Http::start(V4, |_| Script::status(204));
        let http = |app: SocketAddr| json!({"httpGet": {"port": app.port()}, "timeoutSeconds": 10});
        let tcp =
            |app: SocketAddr| json!({"tcpSocket": {"port": app.port()}, "timeoutSeconds": 10});
        let cart = json!({
            "/app-health/web/readyz": http(web.addr()),
            "/app-health/web/livez": http(closed.addr()),
            "/app-health/db/readyz": tcp(db.addr()),
            "/app-lifecycle/web/prestopz": http(web.addr()),
        });
        let odd = json!({
            "/app-health/db/startupz": tcp(closed.addr()),
            "/app-health/web/readyz": {},
        });
        let setup = |probers: Value| Setup::default().probers(probers.to_string());
        let cart = setup(cart).start();
        let odd = setup(odd).without_agent().edited(|config| {
            let (agent, other) =
                (r#"agent_cluster": "app_health_agent""#, r#"agent_cluster": "admin""#);
            assert!(config.contains(agent));
            config.replace(agent, other)
        });
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
        Self {
            cart,
            odd: odd.start(),
            new: {
                let asked = AtomicUsize::new(0);
                Http::start(V4, move |_| {
                    let asked = asked.fetch_add(1, Ordering::Relaxed);
                    Script::raw(format!("{head}{ANSWERED} {asked}\n"))
                })
            },
            webhook: Some(Webhook::start()),
            state: Http::start(V4, move |_| Script::raw([head, READY].concat())),
            db,
            _web: web,
            _closed: closed,
            runtime: Runtime::new().expect("tokio starts"),
        }
    }

    /// Where Prometheus finds all this.
    pub fn jobs(&self) -> Vec<Value> {
        let webhook = self.webhook.as_ref().expect("it runs");
        vec![
            pod("cart", self.cart.addr()),
            pod("odd", self.odd.addr()),
            pod("new", self.new.addr()),
            service(
                "app-health-webhook",
                webhook.metrics,
                json!({"namespace": "app-health", "pod": "webhook"}),
            ),
            json!({"job_name": "kube-state-metrics", "honor_labels": true,
                "static_configs": [{"targets": [self.state.addr()]}]}),
        ]
    }

    /// Everything is asked once.
    pub fn ask(&self) {
        for path in ["web/readyz", "web/livez", "db/readyz"] {
            self.cart.get(format!("/app-health/{path}")).send().expect("an answer");
        }
        for path in ["db/startupz", "web/readyz"] {
            self.odd.get(format!("/app-health/{path}")).send().expect("an answer");
        }
        self.cart.hook("/app-lifecycle/web/prestopz").send().expect("an answer");
        if let Some(webhook) = &self.webhook {
            self.runtime.block_on(webhook.ask());
        }
    }

    /// `db` comes up, and the agent goes.
    pub fn change(&mut self) {
        self.db.open(Conduct::AtOnce(Script::close()));
        self.cart.stop_agent();
    }

    /// Ends the webhook.
    pub fn stop_webhook(&mut self) {
        self.webhook = None;
    }
}

impl Webhook {
    /// With a certificate that soon ends.
    fn start() -> Self {
        let authority = Authority::new();
        authority.swap_between(-Duration::days(AGE), Duration::days(LEFT));
        let [addr, metrics] = [(); 2].map(|()| SocketAddr::new(V4, net::free_port()));
        let mut command = process::command(program::agent());
        command.args(["webhook", "--listen", &addr.to_string()]);
        command.args(["--metrics-listen", &metrics.to_string()]);
        command.arg("--tls-cert").arg(authority.certificate());
        command.arg("--tls-key").arg(authority.key());
        let process = Process::start("webhook", &mut command);
        process.line("listening on ");
        Self { _process: process, addr, metrics, authority }
    }

    /// A pod with a probe that stays, and what is no review.
    async fn ask(&self) {
        let connection = Connection::open(self.addr, &self.authority, Version::Two).await;
        let mut connection = connection.expect("a connection");
        assert_eq!(connection.post(review()).await.expect("an answer").status, 200);
        assert_ne!(connection.post("{}").await.expect("an answer").status, 200);
    }
}

/// The job that the operator makes of the PodMonitor, for one pod. Prometheus finds a target for each
/// port of each container.
fn pod(name: &str, status_port: SocketAddr) -> Value {
    let monitor = &of_kind("PodMonitor").next().expect("a PodMonitor")["spec"];
    let endpoint = &monitor["podMetricsEndpoints"][0];
    let target = |container: &str, address: &str| {
        json!({"targets": [address], "labels": {
            "__meta_kubernetes_pod_ip": status_port.ip(),
            "namespace": "shop", "pod": name, "container": container,
        }})
    };
    let relabel = relabeling(&endpoint["relabelings"]).to_string();
    // No test has a fixed port.
    assert_eq!(relabel.matches(":15020").count(), 2);
    let relabel = relabel.replace(":15020", &format!(":{}", status_port.port()));
    json!({
        "job_name": format!("shop/{name}"),
        "metrics_path": endpoint["path"],
        "static_configs": [target("istio-proxy", "192.0.2.1:15090"), target("web", "192.0.2.1:80")],
        "relabel_configs": serde_json::from_str::<Value>(&relabel).expect("JSON"),
        "metric_relabel_configs": relabeling(&endpoint["metricRelabelings"]),
    })
}

/// The job of the ServiceMonitor.
fn service(name: &str, addr: SocketAddr, labels: Value) -> Value {
    let monitor = &of_kind("ServiceMonitor").next().expect("a ServiceMonitor")["spec"];
    json!({
        "job_name": name,
        "metrics_path": monitor["endpoints"][0]["path"],
        "static_configs": [{"targets": [addr], "labels": labels}],
    })
}

/// The operator's names, as Prometheus has them.
fn relabeling(rules: &Value) -> Value {
    let snake = |name: &str| match name {
        "sourceLabels" => "source_labels".to_owned(),
        "targetLabel" => "target_label".to_owned(),
        other => other.to_owned(),
    };
    let rule = |rule: &Value| -> Value {
        let members = rule.as_object().expect("a rule").iter();
        members.map(|(name, value)| (snake(text(&json!(name))), value.clone())).collect()
    };
    items(rules).iter().map(rule).collect()
}
