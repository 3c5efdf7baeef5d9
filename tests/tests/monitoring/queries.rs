//! Every query of dashboard and alerts, by a real Prometheus that scrapes the real Envoy and the real
//! webhook as the monitors say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use app_health_tests::poll::until_ok;
use app_health_tests::program::root;

use super::prometheus::{Prometheus, Sample};
use super::world::{AGE, LEFT, World};
use super::{alerts, dashboard, items, rule_file, text};

/// For all that is provoked, and scraped a few times.
const LIMIT: Duration = Duration::from_secs(60);

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
enum Value {
    Is(f64),
    IsAbout(f64),
    Positive,
}

use Value::{Is, IsAbout, Positive};

impl Value {
    fn fits(self, value: f64) -> bool {
        match self {
            Is(expected) => value == expected,
            IsAbout(expected) => (value - expected).abs() < 0.001 * expected.abs(),
            Positive => value > 0.0,
        }
    }
}

/// Labels as text, and the value.
type Expected = (&'static str, Value);

/// What the dashboard shows, panel by panel, before anything changes.
const SHOWN: [(&str, &[Expected]); 16] = [
    ("Probes that fail now", &[("", Is(4.0))]),
    ("Probes recorded", &[("", Is(6.0))]),
    ("Pods whose configuration is not valid", &[("", Is(1.0))]),
    ("Pods of the webhook", &[("", Is(1.0))]),
    ("The certificate's end", &[("", Positive)]),
    (
        "What is left of the certificate's lifetime",
        &[("", IsAbout(LEFT as f64 / (AGE + LEFT) as f64))],
    ),
    (
        "State of each probe",
        &[
            ("pod=cart app_container=web probe=readiness", Is(1.0)),
            ("pod=cart app_container=web probe=liveness", Is(0.0)),
            ("pod=cart app_container=db probe=readiness", Is(0.0)),
            ("pod=odd app_container=db probe=startup", Is(0.0)),
            ("pod=odd app_container=web probe=readiness", Is(0.0)),
        ],
    ),
    (
        "Failures by reason",
        &[("result=refused", Positive), ("result=agent", Positive), ("result=config", Positive)],
    ),
    (
        "What failed in this time",
        &[
            ("namespace=shop pod=cart app_container=web probe=liveness result=refused", Positive),
            ("namespace=shop pod=cart app_container=db probe=readiness result=refused", Positive),
            ("namespace=shop pod=odd app_container=db probe=startup result=agent", Positive),
            ("namespace=shop pod=odd app_container=web probe=readiness result=config", Positive),
        ],
    ),
    (
        "Checks a second, by result",
        &[
            ("result=ok", Positive),
            ("result=refused", Positive),
            ("result=agent", Positive),
            ("result=config", Positive),
        ],
    ),
    ("TCP checks a second, by who made them", &[("by=agent", Positive)]),
    ("What the webhook left alone in this time, and why", &[("reason=host", Positive)]),
    (
        "Reviews by result",
        &[
            ("result=patched", Positive),
            ("result=refused", Positive),
            ("result=unchanged", Is(0.0)),
            ("result=malformed", Is(0.0)),
            ("result=not_concerned", Is(0.0)),
        ],
    ),
    (
        "Probes rewritten, by kind",
        &[
            ("handler=httpGet kind=readinessProbe", Positive),
            ("handler=tcpSocket kind=livenessProbe", Positive),
            ("handler=httpGet kind=preStop", Positive),
        ],
    ),
    ("How long a review takes", &[("", Positive)]),
    ("The webhook's memory", &[("namespace=app-health pod=webhook", Positive)]),
];

/// What it shows besides, once `db` is up and the agent has gone.
const CHANGED: [(&str, Expected); 3] = [
    ("Probes that fail now", ("", Is(3.0))),
    ("State of each probe", ("pod=cart app_container=db probe=readiness", Is(1.0))),
    ("TCP checks a second, by who made them", ("by=envoy", Positive)),
];

/// The labels with which the alerts are pending or fire from the beginning.
const ALERTS: [(&str, &[&str]); 7] = [
    (
        "AppHealthProbeFailing",
        &["pod=cart app_container=web probe=liveness", "pod=cart app_container=db probe=readiness"],
    ),
    (
        "AppHealthCheckNotMade",
        &[
            "pod=odd app_container=db probe=startup result=agent",
            "pod=odd app_container=web probe=readiness result=config",
        ],
    ),
    ("AppHealthConfigInvalid", &["namespace=shop pod=odd"]),
    ("AppHealthPilotAgentAnswers", &["namespace=shop pod=new"]),
    ("AppHealthReviewsRefused", &["severity=warning"]),
    ("AppHealthProbesStay", &["reason=host"]),
    ("AppHealthCertificateEnds", &["namespace=app-health pod=webhook"]),
];

/// And once the webhook has ended.
const DOWN: (&str, &[&str]) = ("AppHealthWebhookDown", &["severity=critical"]);

#[test]
fn each_query_returns_what_was_provoked() {
    let mut world = World::start();
    let prometheus = Prometheus::start(&world.jobs(), &rule_file());
    eventually(&world, || {
        SHOWN.iter().try_for_each(|(title, expected)| is_shown(&prometheus, title, expected))?;
        can_be_chosen(&prometheus, "namespace", &["shop"])?;
        can_be_chosen(&prometheus, "pod", &["cart", "odd"])?;
        ALERTS.iter().try_for_each(|alert| is_raised(&prometheus, alert))
    });
    world.change();
    eventually(&world, || {
        CHANGED.iter().try_for_each(|(title, expected)| {
            let samples = prometheus.query(&queries(title)[0])?;
            ensure(has(&samples, expected), || format!("{title}: {samples:#?}"))
        })
    });
    world.stop_webhook();
    eventually(&world, || is_raised(&prometheus, &DOWN));
    assert_eq!(named_in_the_text(), there_is(&prometheus));
}

#[test]
fn nothing_is_left_out() {
    let dashboard = dashboard();
    let titles = items(&dashboard["panels"]).iter().map(|it| text(&it["title"]));
    assert_eq!(titles.collect::<Vec<_>>(), SHOWN.map(|(title, _)| title));
    let alerts = alerts();
    let tried = ALERTS.iter().chain([&DOWN]).map(|(name, _)| *name);
    assert_eq!(
        alerts.iter().map(|it| text(&it["alert"])).collect::<BTreeSet<_>>(),
        tried.collect()
    );
}

/// The metrics in the tables of the reference.
fn named_in_the_text() -> BTreeSet<String> {
    let reference = fs::read_to_string(root().join("docs/configuration.md")).expect("the text");
    let (_, tables) = reference.split_once("\n## Metrics of the filter\n").expect("the tables");
    let cells = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split("`, `")).map(|name| name.trim_end_matches('`'));
    names.map(str::to_owned).collect()
}

/// Those that Prometheus has of filter and webhook.
fn there_is(prometheus: &Prometheus) -> BTreeSet<String> {
    let names = prometheus.api("label/__name__/values").expect("the names");
    let ours = |name: &str| name.starts_with("app_health_") || name.starts_with("process_");
    let names = items(&names).iter().map(text).filter(|name| ours(name));
    // A histogram has three.
    let base = |name: &str| {
        let parts = ["_bucket", "_count", "_sum"];
        parts.into_iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name).to_owned()
    };
    names.map(base).collect()
}

/// Asks everything again and again until this is so.
fn eventually(world: &World, holds: impl Fn() -> Result<(), String>) {
    until_ok(LIMIT, || {
        world.ask();
        holds()
    });
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// The queries of a panel, with what Grafana puts in.
fn queries(title: &str) -> Vec<String> {
    let dashboard = dashboard();
    let panel = items(&dashboard["panels"]).iter().find(|it| it["title"] == title);
    let targets = items(&panel.expect(title)["targets"]);
    targets.iter().map(|target| filled_in(text(&target["expr"]))).collect()
}

fn filled_in(query: &str) -> String {
    let query = query.replace("$namespace", ".*").replace("$pod", ".*");
    query.replace("$__rate_interval", "20s").replace("$__range", "1m")
}

/// Whether each query of a panel returns this, and nothing else.
fn is_shown(prometheus: &Prometheus, title: &str, expected: &[Expected]) -> Result<(), String> {
    queries(title).iter().try_for_each(|query| {
        let samples = prometheus.query(query)?;
        let all = expected.iter().all(|it| has(&samples, it));
        ensure(all && samples.len() == expected.len(), || format!("{title}: {query}: {samples:#?}"))
    })
}

/// Whether a variable of the dashboard has these values, as Grafana asks for them.
fn can_be_chosen(prometheus: &Prometheus, variable: &str, values: &[&str]) -> Result<(), String> {
    let dashboard = dashboard();
    let variables = items(&dashboard["templating"]["list"]);
    let query = &variables.iter().find(|it| it["name"] == variable).expect("it")["query"]["query"];
    let query = filled_in(text(query));
    let query = query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')'));
    let (series, label) = query.expect("label_values").rsplit_once(", ").expect("a label");
    let samples = prometheus.query(series)?;
    let found: BTreeSet<_> = samples.iter().filter_map(|it| it.labels.get(label)).collect();
    ensure(found.iter().eq(values), || format!("{variable}: {found:?}"))
}

/// Whether there is a sample like this, and none has a label that another scrape took.
fn has(samples: &[Sample], (expected, value): &Expected) -> bool {
    let renamed = |name: &String| name == "container" || name.starts_with("exported_");
    assert!(!samples.iter().any(|it| it.labels.keys().any(renamed)), "{samples:?}");
    samples.iter().any(|it| value.fits(it.value) && are_among(expected, &it.labels))
}

fn are_among(expected: &str, labels: &BTreeMap<String, String>) -> bool {
    expected.split_whitespace().all(|pair| {
        let (name, value) = pair.split_once('=').expect("name=value");
        labels.get(name).is_some_and(|it| it == value)
    })
}

/// Whether the alert is there with each of these labels and no others, and says all that it should.
fn is_raised(prometheus: &Prometheus, (name, expected): &(&str, &[&str])) -> Result<(), String> {
    let all = prometheus.api("alerts")?;
    let raised = items(&all["alerts"]).iter().filter(|it| it["labels"]["alertname"] == *name);
    let raised: Vec<_> = raised.collect();
    let labels =
        |it: &serde_json::Value| serde_json::from_value(it["labels"].clone()).expect("labels");
    let found = expected.iter().all(|one| raised.iter().any(|it| are_among(one, &labels(it))));
    for alert in &raised {
        let said = alert["annotations"].to_string();
        assert!(!said.contains("no value") && !said.contains("error expanding"), "{said}");
    }
    ensure(found && raised.len() == expected.len(), || format!("{name}: {raised:#?}"))
}
