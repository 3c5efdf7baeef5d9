use std::time::{Duration, Instant};

use app_health_tests::app::{Script, V4};
use app_health_tests::entries::{Entries, http, probe, within};

use super::want::Want::{App, Reason};
use super::want::{Scripted, check, envoy};

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn the_apps_status_without_its_body() {
    let statuses = [200, 201, 204, 299, 400, 401, 404, 418, 499, 500, 502, 503, 504, 599];
    let plain = statuses.map(|status| (Script::status(status), App(status)));
    let with_body = statuses.map(|status| {
        let length = if status == 204 { "" } else { "Content-Length: 2\r\n\r\nhi" };
        (Script::raw(format!("HTTP/1.1 {status} X\r\nX-App: 1\r\n{length}\r\n")), App(status))
    });
    Scripted::new(&[plain, with_body].concat()).probe();
}
