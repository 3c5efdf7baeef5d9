//! Flags, environment and files that are wrong: one line that names the flag, and nothing served.

use std::fs;
use std::net::TcpListener;

use app_health_tests::authority::Authority;
use app_health_tests::process;
use rcgen::KeyPair;

use crate::server::BINARY;

#[track_caller]
fn refuses(arguments: &[&str], environment: &[(&str, &str)], exit: i32, says: &[&str]) {
    let mut command = process::command(BINARY);
    command.arg("webhook").args(arguments).envs(environment.iter().copied());
    let run = process::run(&mut command, "");
    let text = run.stderr;
    assert_eq!(run.exit, exit, "{arguments:?}: {text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("app-health-agent: "), "{text}");
    for says in says {
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn files_that_cannot_be_used() {
    let authority = Authority::new();
    let (certificate, key) = (authority.certificate(), authority.key());
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let other_key = write("other", &KeyPair::generate().unwrap().serialize_pem());
    let empty = write("empty", "");
    let large = write("large", &"x".repeat(2 << 20));
    let damaged = fs::read_to_string(certificate).unwrap().replace("MII", "AAA");
    let damaged = write("damaged", &damaged);
    for (certificate, key, says) in [
        ("/no/such/file", key, ["--tls-cert /no/such/file: ", "No such file"]),
        (certificate, "/no/such/file", ["--tls-key /no/such/file: ", "No such file"]),
        ("/no\nsuch", key, ["--tls-cert /no\\nsuch: ", "No such file"]),
        (certificate, "/no\nsuch", ["--tls-key /no\\nsuch: ", "No such file"]),
        ("/", key, ["--tls-cert /: ", "Is a directory"]),
        (&empty, key, ["--tls-cert ", "no certificate in PEM"]),
        (key, key, ["--tls-cert ", "no certificate in PEM"]),
        (&damaged, key, ["--tls-cert ", "no X.509 certificate"]),
        (&large, key, ["--tls-cert ", "larger than 1 MiB"]),
        (certificate, &empty, ["--tls-key ", "no private key in PEM"]),
        (certificate, certificate, ["--tls-key ", "no private key in PEM"]),
        (certificate, &other_key, ["--tls-key ", "cannot be used with the certificate"]),
    ] {
        refuses(&["--tls-cert", certificate, "--tls-key", key], &[], 66, &says);
    }
}

#[test]
fn a_port_that_is_taken() {
    let authority = Authority::new();
    let (certificate, key) = (authority.certificate(), authority.key());
    let files = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let says = |flag: &str| format!("{flag} {taken}: Address already in use");
    let listen = [&files[..], &["--listen", &taken]].concat();
    refuses(&listen, &[], 71, &[&says("--listen")]);
    let metrics = [&files[..], &["--listen", "127.0.0.1:0", "--metrics-listen", &taken]].concat();
    refuses(&metrics, &[], 71, &[&says("--metrics-listen")]);
    let folder = tempfile::TempDir::new().unwrap();
    let wasm = folder.path().join("wasm");
    fs::write(&wasm, "\0asm").unwrap();
    let free = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let wasm = ["--wasm", wasm.to_str().unwrap(), "--wasm-listen", &taken];
    refuses(&[&files[..], &free, &wasm].concat(), &[], 71, &[&says("--wasm-listen")]);
}

#[test]
fn a_filter_that_is_none() {
    let authority = Authority::new();
    let (certificate, key) = (authority.certificate(), authority.key());
    let files = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let large = write("large", &[&b"\0asm"[..], &vec![0; 4 << 20]].concat());
    let text = write("text", b"(module)");
    let empty = write("empty", b"");
    for (file, says) in [
        ("/no/such/file", ["--wasm /no/such/file: ", "No such file"]),
        ("/", ["--wasm /: ", "Is a directory"]),
        (&text, ["--wasm ", "no WebAssembly"]),
        (&empty, ["--wasm ", "no WebAssembly"]),
        (&large, ["--wasm ", "larger than 4 MiB"]),
    ] {
        refuses(&[&files[..], &["--wasm", file]].concat(), &[], 66, &says);
        refuses(&files, &[("APP_HEALTH_WASM", file)], 66, &says);
    }
}

#[test]
fn values_that_are_none_by_flag_and_by_environment() {
    for (flag, variable, value) in [
        ("--listen", "APP_HEALTH_LISTEN", "8443"),
        ("--metrics-listen", "APP_HEALTH_METRICS_LISTEN", "localhost:80"),
        ("--wasm-listen", "APP_HEALTH_WASM_LISTEN", "80"),
        ("--default-rewrite", "APP_HEALTH_DEFAULT_REWRITE", "perhaps"),
        ("--sidecar", "APP_HEALTH_SIDECAR", "istio-proxy,Envoy"),
        ("--status-port", "APP_HEALTH_STATUS_PORT", "65536"),
        ("--agent-image", "APP_HEALTH_AGENT_IMAGE", "an image"),
        ("--agent-resources", "APP_HEALTH_AGENT_RESOURCES", r#"{"limits":{"cpu":"fast"}}"#),
        ("--agent-user", "APP_HEALTH_AGENT_USER", "1337"),
        ("--agent-pull-secret", "APP_HEALTH_AGENT_PULL_SECRET", "a b"),
        ("--proxy-config", "APP_HEALTH_PROXY_CONFIG", "[]"),
        ("--exclude-inbound-ports", "APP_HEALTH_EXCLUDE_INBOUND_PORTS", "80,"),
        ("--log-format", "APP_HEALTH_LOG_FORMAT", "xml"),
        ("--log-level", "APP_HEALTH_LOG_LEVEL", "loud"),
    ] {
        let files = ["--tls-cert", "/none", "--tls-key", "/none"];
        refuses(&[&files[..], &[flag, value]].concat(), &[], 64, &[flag]);
        refuses(&files, &[(variable, value)], 64, &[flag]);
    }
    refuses(&[], &[("APP_HEALTH_TLS_CERT", "/none")], 64, &["--tls-key"]);
    let both = [("APP_HEALTH_TLS_CERT", "/none"), ("APP_HEALTH_TLS_KEY", "/none")];
    refuses(&[], &both, 66, &["--tls-cert /none: "]);
    let user = [&both[..], &[("APP_HEALTH_AGENT_USER", "none")]].concat();
    refuses(&[], &user, 64, &["--agent-image"]);
    // Which name nothing, and nothing that is not valid.
    for empty in
        ["APP_HEALTH_AGENT_IMAGE", "APP_HEALTH_PROXY_CONFIG", "APP_HEALTH_EXCLUDE_INBOUND_PORTS"]
    {
        refuses(&[], &[&both[..], &[(empty, "")]].concat(), 66, &["--tls-cert /none: "]);
    }
}
