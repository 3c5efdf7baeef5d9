//! However much a review unfolds to when it is read, and however many come at once, the webhook
//! stays within the memory that its Deployment gives it.

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::server::Server;

/// Half of the limit in envoy-config/webhook/base/deployment.yaml. The rest is for 1,024 connections that
/// each have sent as much as is not counted yet.
pub const LIMIT: usize = 128 << 20;

/// Almost what a body may have.
const LENGTH: usize = 1_040_000;

const AT_ONCE: usize = 5;

pub fn list(item: &str) -> String {
    format!("[{}{item}]", format!("{item},").repeat(LENGTH / (item.len() + 1) - 1))
}

/// A pod that is left with a warning a container.
fn pod_of_warnings() -> String {
    let container =
        |i| format!(r#"{{"name":"c{i}","readinessProbe":{{"httpGet":{{"port":"x"}}}}}},"#);
    let containers: String = (0..15_000).map(container).collect();
    format!(r#"{{"spec":{{"containers":[{containers}{{"name":"istio-proxy"}}]}}}}"#)
}

pub fn review_of(object: &str) -> String {
    let mut review: Value = serde_json::from_str(&review()).unwrap();
    review["request"]["object"] = "@".into();
    review.to_string().replace("\"@\"", object)
}

/// The bodies of the answers; there is none where a body had to wait too long.
async fn post_at_once(server: &Server, authority: &Authority, body: &str) -> Vec<String> {
    let mut posts = JoinSet::new();
    for _ in 0..AT_ONCE {
        let mut connection = Connection::open(server, authority, Http::Two).await.unwrap();
        let body = body.to_owned();
        posts.spawn(async move { connection.post(body).await.unwrap() });
    }
    let mut answers = posts.join_all().await;
    assert!(answers.iter().all(|answer| [200, 408].contains(&answer.status)), "{answers:?}");
    answers.retain(|answer| answer.status == 200);
    answers.into_iter().map(|answer| answer.body).collect()
}

#[tokio::test]
async fn reviews_that_unfold_stay_within_the_limit() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    for (object, says) in [
        (list(r#"{"a":1}"#), "request.object: "),
        (list("[0]"), "request.object: "),
        (list("{}"), "request.object: "),
        (pod_of_warnings(), "more warnings are left out"),
    ] {
        let review = review_of(&object);
        let mut answers = Vec::new();
        while answers.is_empty() {
            answers = post_at_once(&server, &authority, &review).await;
        }
        let peak = server.peak_memory();
        assert!(peak < LIMIT, "{} MiB after {}", peak >> 20, &object[..20]);
        for answer in answers {
            assert!(answer.contains(says), "{answer}");
        }
    }
}
