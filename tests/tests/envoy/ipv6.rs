use app_health_tests::app::{
    Alpn, Grpc, Health, Http, Https, Open, Request, Script, V4, V6, Versions, status,
};
use app_health_tests::entries::{Entries, grpc, http, https, probe, tcp};
use app_health_tests::health::ServingStatus::Serving;
use app_health_tests::kubelet::Get;
use app_health_tests::net;

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

#[test]
fn each_family_is_asked_on_its_own() {
    net::enter_pod_network();
    let web = Http::start(V6, |request: &Request| match &request.target[..] {
        "/far" => Script::redirect(302, "/near"),
        _ => Script::status(201),
    });
    let tls = Https::start(V6, Alpn::Both, Versions::Both, |_| status(202));
    let (api, open) = (Grpc::start(V6, Health::Says(Serving)), Open::start(V6));
    let entries = Entries::default()
        .probe("http", http(web.addr(), "/near"))
        .probe("redirect", http(web.addr(), "/far"))
        .probe("https", https(tls.addr(), "/"))
        .probe("grpc", grpc(api.addr(), None))
        .probe("tcp", tcp(open.addr()));
    let envoy = envoy(entries);
    for (name, status) in
        [("http", 201), ("redirect", 201), ("https", 202), ("grpc", 200), ("tcp", 200)]
    {
        let over_v6 = Get::probe(envoy.addr_on(V6), probe(name));
        let over_v4 = Get::probe(envoy.addr_on(V4), probe(name));
        check([(name, over_v6, App(status)), (name, over_v4, Reason(500, "refused"))]);
    }
    let request = &web.seen()[0];
    assert_eq!(request.peer.ip().to_string(), "::6");
    assert_eq!(request.header("host"), Some(web.addr().to_string()));
}
