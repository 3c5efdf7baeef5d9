//! Reviews while `certs --apply` renews the certificate, and makes another CA.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use app_health_tests::cluster::Cluster;
use app_health_tests::poll::until;
use tokio::runtime::Runtime;

use crate::apply::{HOST, SECRET, annotate, applied, bundles, empty, installed, part, roots};
use crate::server::Server;

const REVIEWS: usize = 1_000;

/// A pod: the folder into which the kubelet puts the Secret's files, and the webhook.
struct Pod {
    folder: Authority,
    server: Server,
}

impl Pod {
    fn start(cluster: &Cluster) -> Self {
        let folder = Authority::new();
        folder.put(&part(cluster, "tls.crt"), &part(cluster, "tls.key"));
        let server = Server::start(&folder);
        Self { folder, server }
    }

    /// Keeps the folder as the Secret is, only later, until the end. A Secret that lacks a file is none
    /// that the kubelet mounts.
    fn follow(&self, cluster: &Cluster, later: Duration, end: &AtomicBool) {
        let mut last = part(cluster, "tls.crt");
        while !end.load(Ordering::Relaxed) {
            let data = &cluster.get(SECRET)["data"];
            let now = part(cluster, "tls.crt");
            if data["tls.crt"].is_string() && data["tls.key"].is_string() && now != last {
                sleep(later);
                self.folder.put(&now, &part(cluster, "tls.key"));
                last = now;
            }
            sleep(Duration::from_millis(5));
        }
    }

    fn loaded(&self) -> usize {
        self.server.log().matches("new certificate").count()
    }
}

/// The end, also where the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Each on a connection of its own, as the first after a change of the caBundle is; in turn at either pod.
async fn ask(cluster: &Cluster, pods: &[Pod; 2], answered: &AtomicUsize, end: &AtomicBool) {
    let review = review();
    while !end.load(Ordering::Relaxed) {
        for pod in pods {
            let roots = roots(&bundles(cluster)[3]);
            let connection = Connection::open_to(HOST, &pod.server, roots, Http::Two).await;
            let answer = connection.unwrap().post(review.clone()).await.unwrap();
            assert_eq!(answer.status, 200);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn no_review_is_lost_by_a_renewal_nor_by_another_ca() {
    let cluster = &installed();
    applied(cluster);
    let pods = &[Pod::start(cluster), Pod::start(cluster)];
    let (answered, end) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    thread::scope(|scope| {
        let _ends = Ends(end);
        for (pod, later) in pods.iter().zip([0, 500]) {
            scope.spawn(move || pod.follow(cluster, Duration::from_millis(later), end));
        }
        let runtime = Runtime::new().unwrap();
        let reviews = scope.spawn(move || runtime.block_on(ask(cluster, pods, answered, end)));
        // Some go before each change, and some after it.
        let wait = |more: usize| {
            let enough = answered.load(Ordering::Relaxed) + more;
            let come = || answered.load(Ordering::Relaxed) >= enough || reviews.is_finished();
            until("reviews are answered", come);
        };
        let ca = part(cluster, "ca.crt");
        wait(REVIEWS / 10);
        annotate(cluster);
        applied(cluster);
        until("the new certificate is loaded", || pods.iter().all(|pod| pod.loaded() == 1));
        assert_eq!(part(cluster, "ca.crt"), ca);
        wait(REVIEWS / 10);
        empty(cluster);
        applied(cluster);
        until("the other CA's is loaded", || pods.iter().all(|pod| pod.loaded() == 2));
        assert_ne!(part(cluster, "ca.crt"), ca);
        wait(REVIEWS);
    });
}
