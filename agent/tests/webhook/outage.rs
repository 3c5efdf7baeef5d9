//! Replicas that are killed. Every pod is admitted, since the webhook is asked with `failurePolicy: Ignore`,
//! and `check` finds those that were missed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use app_health_tests::api_server::{Connection, Http};
use app_health_tests::authority::Authority;
use app_health_tests::poll::until;
use app_health_tests::process;
use nix::sys::signal::Signal::SIGKILL;
use serde_json::{Value, json};
use tokio::task::{JoinSet, block_in_place};

use crate::reviews::{parsed, patched, response};
use crate::server::{BINARY, Server};

const AT_ONCE: usize = 8;

/// What an API server has: where the Service leads, and the pods.
struct Cluster {
    authority: Authority,
    endpoints: Mutex<Vec<SocketAddr>>,
    created: Mutex<Vec<Value>>,
    missed: Mutex<Vec<String>>,
    next: AtomicUsize,
}

impl Cluster {
    /// The Service leads to these now.
    fn leads_to(&self, replicas: &[&Server]) {
        let addresses = replicas.iter().map(|replica| replica.address);
        *self.endpoints.lock().unwrap() = addresses.collect();
    }

    fn missed(&self) -> usize {
        self.missed.lock().unwrap().len()
    }

    fn created(&self) -> usize {
        self.created.lock().unwrap().len()
    }

    /// Creates so many pods, some at once, and says how many of them were missed.
    async fn create(self: &Arc<Self>, pods: usize) -> usize {
        let before = self.missed();
        let creators: JoinSet<_> = (0..AT_ONCE)
            .map(|_| {
                let cluster = Arc::clone(self);
                async move {
                    for _ in 0..pods / AT_ONCE {
                        cluster.create_one().await;
                    }
                }
            })
            .collect();
        creators.join_all().await;
        self.missed() - before
    }

    async fn create_one(&self) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("web-{number}");
        let mut review = parsed();
        let pod = &mut review["request"]["object"];
        pod["metadata"] = json!({"name": name, "namespace": "shop", "uid": name});
        let endpoints = self.endpoints.lock().unwrap().clone();
        let answer = self.ask(endpoints[number % endpoints.len()], &review).await;
        let mut pod = match answer {
            Some(answer) => patched(&review, &response(&answer)),
            None => {
                self.missed.lock().unwrap().push(name);
                review["request"]["object"].take()
            }
        };
        (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
        self.created.lock().unwrap().push(pod);
    }

    /// `None` where the pod goes on as it came.
    async fn ask(&self, endpoint: SocketAddr, review: &Value) -> Option<String> {
        let mut connection = Connection::open(endpoint, &self.authority, Http::Two).await.ok()?;
        let answer = connection.post(review.to_string()).await.ok()?;
        (answer.status == 200).then_some(answer.body)
    }

    /// The pods that `check` finds, in order.
    fn found(&self) -> Vec<String> {
        let labels = json!({"app-health/rewrite": "enabled"});
        let metadata = json!({"name": "shop", "labels": labels});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        let objects = [vec![namespace], self.created.lock().unwrap().clone()].concat();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let mut command = process::command(BINARY);
        command.args(["check", "-f", "-", "-o", "json"]);
        let report = process::run(&mut command, list.to_string()).stdout;
        let mut report: Value = serde_json::from_str(&report).unwrap();
        let findings = report["findings"].as_array_mut().unwrap();
        findings.retain(|finding| finding["code"] == "AH001");
        names(findings.iter().map(|finding| finding["name"].as_str().unwrap().to_owned()))
    }
}

/// Each once, in order.
fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pod_is_admitted_and_check_finds_those_that_were_missed() {
    let authority = Authority::new();
    let [first, second] = [(); 2].map(|()| Server::start(&authority));
    let cluster = Arc::new(Cluster {
        authority,
        endpoints: Mutex::default(),
        created: Mutex::default(),
        missed: Mutex::default(),
        next: AtomicUsize::new(0),
    });
    cluster.leads_to(&[&first, &second]);
    assert_eq!(cluster.create(40).await, 0);
    // One ends while it is asked, and the Service does not know that at once.
    let creating = tokio::spawn({
        let cluster = Arc::clone(&cluster);
        async move { cluster.create(200).await }
    });
    block_in_place(|| until("pods are created", || cluster.created() > 40 + 20));
    first.signal(SIGKILL);
    let missed = creating.await.unwrap();
    assert!(missed > 0 && missed <= 200 - 20, "{missed}");
    cluster.leads_to(&[&second]);
    assert_eq!(cluster.create(40).await, 0);
    second.signal(SIGKILL);
    second.wait();
    assert_eq!(cluster.create(16).await, 16);
    let third = Server::start(&cluster.authority);
    cluster.leads_to(&[&third]);
    assert_eq!(cluster.create(40).await, 0);
    assert_eq!(cluster.created(), 336);
    let missed = names(cluster.missed.lock().unwrap().iter().cloned());
    assert_eq!(cluster.found(), missed);
}
