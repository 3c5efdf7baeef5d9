//! Tests of the emulator itself: its rules were measured on Envoy 1.40.

use super::abi::{Status, decode_pairs, encode_pairs, protobuf_fields};
use super::callout::GrpcService;
use super::headers::Headers;
use super::stream::StreamPhase;
use super::{DownstreamRequest, Host, module};

#[test]
fn headers_as_envoy_keeps_them() {
    let headers = Headers::of([
        ("X-B", "1"),
        (":method", "GET"),
        (":authority", "a"),
        ("Host", "b"),
        ("x-b", "2"),
        ("user-agent", "u1"),
        ("user-agent", "u2"),
    ]);
    let lines = [":method: GET", ":authority: a,b", "x-b: 1", "x-b: 2", "user-agent: u1,u2"];
    assert_eq!(headers.lines(), lines);
    assert_eq!((headers.get("HOST"), headers.get("x-c")), (Some("a,b".to_owned()), None));
}

#[test]
fn a_header_is_replaced_in_its_place() {
    let mut headers = Headers::of([("a", "1"), ("b", "2"), ("c", "3"), ("b", "4")]);
    headers.set(b"B", b"x");
    headers.set(b"d", b"y");
    headers.remove(b"A");
    assert_eq!(headers.lines(), ["b: x", "c: 3", "d: y"]);
}

#[test]
fn what_would_break_a_message_apart() {
    let broken =
        Headers::of([("a", "b\r\nc: d"), ("e\n", "f"), ("g", "h\u{0}"), ("i", "\u{ff}\tj")]);
    assert_eq!(broken.broken_lines().len(), 3);
}

#[test]
fn pairs_cross_the_border() {
    let pairs = vec![(b"a".to_vec(), b"".to_vec()), (b"b\xff".to_vec(), b"c".to_vec())];
    let bytes = encode_pairs(&pairs);
    assert_eq!(decode_pairs(&bytes), Some(pairs));
    assert_eq!(decode_pairs(b""), Some(vec![]));
    for length in 1..bytes.len() {
        assert_eq!(decode_pairs(&bytes[..length]), None, "{length}");
    }
    assert_eq!(decode_pairs(&[0xff; 64]), None);
    assert_eq!(decode_pairs(&[&bytes[..], b"\0"].concat()), None);
}

#[test]
fn protobuf_as_far_as_the_filter_writes_it() {
    let long = [b"\x12\xac\x02".as_slice(), &[b'x'; 300]].concat();
    assert_eq!(protobuf_fields(b"\x0a\x01a"), Ok(vec![(1, b"a".to_vec())]));
    assert_eq!(protobuf_fields(&long), Ok(vec![(2, vec![b'x'; 300])]));
    for message in [b"\x0a\x02a".as_slice(), b"\x08\x01", b"\x0a", b"\x0a\xff\xff\xff\xff\xff\xff"]
    {
        assert_eq!(protobuf_fields(message), Err(Status::ParseFailure), "{message:x?}");
    }
}

#[test]
fn grpc_upstreams() {
    let limit = &b"\x08\x05"[..];
    for (message, cluster, authority, max_receive_message_length) in [
        (&b"app_grpc"[..], "app_grpc", "app_grpc", &b""[..]),
        (b"\x0a\x09\x0a\x02ab\x12\x03c:1", "ab", "c:1", b""),
        (b"\x0a\x08\x0a\x02ab\x22\x02\x08\x05", "ab", "ab", limit),
    ] {
        let (cluster, authority) = (cluster.to_owned(), authority.to_owned());
        let upstream = GrpcService {
            cluster,
            authority,
            max_receive_message_length: max_receive_message_length.to_vec(),
        };
        assert_eq!(GrpcService::parse(message), Ok(upstream));
    }
}

/// The SDK imports all functions, and has all callbacks.
#[test]
fn a_filter_that_does_nothing() {
    let module = module::load(app_health_tests::wasm::empty());
    let mut host = Host::builder().start(&module);
    let id = host.request(DownstreamRequest::get("/").header("x", b"\xff"));
    assert_eq!(host.stream(id).phase, StreamPhase::Routed);
    host.respond(id, Headers::of([(":status", "200")]), false);
    host.respond_body(id, b"x", false);
    host.respond_trailers(id, Headers::of([("a", "b")]));
    let answer = host.stream(id).response().expect("an answer");
    assert_eq!((answer.status(), answer.text()), (200, "x".to_owned()));
    let gone = host.request(DownstreamRequest::get("/"));
    host.client_gone(gone);
}

#[test]
#[should_panic(expected = "Envoy would object")]
fn a_violation_fails_its_test() {
    let mut host = Host::with_probers("");
    host.state_mut().violation("a header that breaks the message");
}
