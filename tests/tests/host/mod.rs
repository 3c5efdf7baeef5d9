//! The proxy-wasm host emulator: it is to the filter what Envoy is, and a test drives it.
//!
//! A test starts a [`Host`] with the filter's `.wasm`, sends a [`DownstreamRequest`], gives the answers
//! of the app, and asserts on the result: how the stream ended, which callouts there were, what was
//! logged. It never asserts on the order of the filter's hostcalls. [`Host::run`] plays a whole probe in
//! one call.
//!
//! | module | what it holds |
//! |---|---|
//! | [`run`], [`app`] | a whole probe, with a script of the app |
//! | this one | the start of the filter, and a request's way in |
//! | [`response`] | a response's way out, the responses to callouts, the end of a stream |
//! | [`stream`], [`callout`], [`state`], [`headers`] | what tests assert on |
//! | [`process`] | metrics and shared data, which several hosts may have in common |
//! | [`hostcalls`] | the functions that the filter imports |
//! | [`abi`], [`guest`], [`module`] | the encodings of the ABI, the VM's memory, wasmtime |
//!
//! When the filter does what Envoy would object to, that is recorded as a violation, and the test fails
//! once it drops the host.

pub mod abi;
pub mod app;
pub mod callout;
mod guest;
pub mod headers;
pub mod hostcalls;
pub mod module;
pub mod process;
mod response;
pub mod run;
pub mod state;
pub mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::{Instance, Module, Store, WasmParams, WasmResults};

use headers::Headers;
use state::{HostState, LogLevel};
use stream::{DownstreamResponse, Stream, StreamEnd, StreamPhase};

/// The id of the filter's root context.
const ROOT: u32 = 1;

/// A client's request to the listener, as Envoy shows it to the filter.
#[derive(Clone, Debug)]
pub struct DownstreamRequest {
    pub headers: Headers,
    pub has_body: bool,
    pub properties: BTreeMap<String, Vec<u8>>,
}

impl DownstreamRequest {
    /// The kubelet's request to a pod at 10.0.0.7.
    pub fn get(path: impl AsRef<[u8]>) -> DownstreamRequest {
        let mut request = DownstreamRequest {
            headers: Headers::default(),
            has_body: false,
            properties: BTreeMap::new(),
        }
        .header(":authority", "10.0.0.7:15020")
        .header(":path", path)
        .header(":method", "GET")
        .header(":scheme", "http")
        .header("user-agent", "kube-probe/1.37")
        .header("accept", "*/*")
        .header("connection", "close")
        .to("10.0.0.7:15020");
        // The listener adds this header.
        request.headers.add(b"x-forwarded-proto", b"http");
        request.property("source.address", "10.0.0.1:40000")
    }

    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> DownstreamRequest {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Sets a header, in the place of any that is there.
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> DownstreamRequest {
        self.headers.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets the address and port that the client connects to, and the Host header.
    pub fn to(self, address: &str) -> DownstreamRequest {
        let port = address.rsplit(':').next().and_then(|port| port.parse::<i64>().ok());
        self.with(":authority", address)
            .property("destination.address", address)
            .property("destination.port", port.expect("address:port").to_le_bytes())
    }

    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> DownstreamRequest {
        self.properties.insert(path.to_owned(), value.as_ref().to_vec());
        self
    }

    pub fn with_body(mut self) -> DownstreamRequest {
        self.has_body = true;
        self
    }
}

/// The surroundings with which a filter is started.
pub struct Builder {
    state: HostState,
}

impl Builder {
    pub fn env(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        self.state.env.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    pub fn log_level(mut self, level: LogLevel) -> Builder {
        self.state.log_level = level;
        self
    }

    pub fn plugin_config(mut self, json: impl AsRef<[u8]>) -> Builder {
        self.state.plugin_config = json.as_ref().to_vec();
        self
    }

    /// Makes it another worker of the same Envoy process.
    pub fn beside(mut self, other: &Host) -> Builder {
        self.state.process = other.state().process.clone();
        self
    }

    /// Gives one of Envoy's clusters another name.
    pub fn rename_cluster(mut self, from: &str, to: &str) -> Builder {
        let cluster = self.state.clusters.remove(from).expect("a cluster of this name");
        self.state.clusters.insert(to.to_owned(), cluster);
        self
    }

    /// Starts the filter as Envoy does.
    ///
    /// # Panics
    ///
    /// The filter traps or refuses its configuration, so that Envoy would not start.
    pub fn build(self) -> Host {
        self.start(module::filter())
    }

    /// Starts any module as [`Builder::build`] starts the filter.
    pub fn start(self, module: &Module) -> Host {
        let (store, instance) = module::instantiate(module, self.state);
        let mut host = Host { store, instance };
        host.store.data_mut().next_id();
        host.state_mut().permitted = Some(module::STARTING);
        host.call::<(), ()>("_initialize", ());
        host.state_mut().permitted = None;
        host.call::<_, ()>("proxy_on_context_create", (ROOT, 0_u32));
        let started: u32 = host.call("proxy_on_vm_start", (ROOT, 0_u32));
        assert_eq!(started, 1, "proxy_on_vm_start refused\n{}", host.log_text());
        host.configure();
        host
    }
}

/// A VM with the filter, and the part of Envoy that is around it.
pub struct Host {
    store: Store<HostState>,
    instance: Instance,
}

impl Host {
    pub fn builder() -> Builder {
        Builder { state: HostState::new() }
    }

    /// Starts the filter with this value of `ISTIO_KUBE_APP_PROBERS`.
    pub fn with_probers(json: impl AsRef<[u8]>) -> Host {
        Host::builder().env("ISTIO_KUBE_APP_PROBERS", json).build()
    }

    /// Makes the filter read its configuration, for the first time or again.
    pub fn configure(&mut self) {
        let size = self.state().plugin_config.len() as u32;
        self.state_mut().configuring = true;
        let configured: u32 = self.call("proxy_on_configure", (ROOT, size));
        self.state_mut().configuring = false;
        assert_eq!(configured, 1, "proxy_on_configure refused\n{}", self.log_text());
    }

    pub fn state(&self) -> &HostState {
        self.store.data()
    }

    pub fn state_mut(&mut self) -> &mut HostState {
        self.store.data_mut()
    }

    pub fn stream(&self, id: u32) -> &Stream {
        &self.state().streams[&id]
    }

    fn stream_mut(&mut self, id: u32) -> &mut Stream {
        self.state_mut().streams.get_mut(&id).expect("a stream of this id")
    }

    pub fn log_text(&self) -> String {
        self.state().log_text()
    }

    /// Takes the lines of this level out of the log.
    pub fn take_log(&mut self, level: LogLevel) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.state_mut().log)
            .into_iter()
            .partition(|line| line.level == level);
        self.state_mut().log = left;
        taken.into_iter().map(|line: state::LogLine| line.text).collect()
    }

    pub fn advance(&mut self, time: Duration) {
        self.state_mut().now += time;
    }

    /// Sets the wall clock, to so much time since 1970. No time passes.
    pub fn set_wall_clock(&mut self, to: Duration) {
        let state = self.state_mut();
        state.epoch = to - state.now;
    }

    /// Sends a request, and returns the id of its stream.
    pub fn request(&mut self, request: DownstreamRequest) -> u32 {
        let id = self.state_mut().next_id();
        let DownstreamRequest { headers, has_body, mut properties } = request;
        let now = self.state().wall_clock().to_le_bytes();
        properties.entry("request.time".to_owned()).or_insert_with(|| now.to_vec());
        let count = headers.pairs().len() as u32;
        self.state_mut().streams.insert(id, Stream::new(headers, properties));
        self.call_for::<_, ()>(id, "proxy_on_context_create", (id, ROOT));
        let action: u32 =
            self.call_for(id, "proxy_on_request_headers", (id, count, u32::from(!has_body)));
        self.settle(id);
        if action == CONTINUE && self.stream(id).phase == StreamPhase::Request {
            self.pass_on(id);
        }
        id
    }

    /// Sends a request that Envoy refuses before the filter sees it: the filter's context gets only
    /// `proxy_on_log`.
    pub fn refused_by_envoy(&mut self) {
        let id = self.state_mut().next_id();
        self.state_mut().streams.insert(id, Stream::new(Headers::default(), BTreeMap::new()));
        self.call_for::<_, ()>(id, "proxy_on_context_create", (id, ROOT));
        self.set_details(id, "http1.codec_error");
        let headers = Headers::of([(":status", "400")]);
        self.end(
            id,
            StreamEnd::Response(DownstreamResponse { headers, ..DownstreamResponse::default() }),
        );
    }

    /// Sends a piece of the request's body.
    pub fn request_body(&mut self, id: u32, piece: &[u8], end: bool) {
        let params = (id, piece.len() as u32, u32::from(end));
        let action: u32 = self.call_for(id, "proxy_on_request_body", params);
        self.settle(id);
        if action == CONTINUE && self.stream(id).phase == StreamPhase::Request {
            self.pass_on(id);
        }
    }

    /// Lets the request go on to the routes.
    fn pass_on(&mut self, id: u32) {
        let stream = self.stream_mut(id);
        stream.phase = StreamPhase::Routed;
        stream.request_in_sight = false;
    }

    /// Ends a stream whose client has gone.
    pub fn client_gone(&mut self, id: u32) {
        self.set_details(id, "downstream_remote_disconnect");
        self.end(id, StreamEnd::DownstreamGone);
    }

    pub fn client_gone_unless_ended(&mut self, id: u32) {
        if self.stream(id).end().is_none() {
            self.client_gone(id);
        }
    }

    /// Calls a function of the VM for a stream.
    fn call_for<P: WasmParams, R: WasmResults>(&mut self, id: u32, name: &str, params: P) -> R {
        self.state_mut().current = id;
        self.call(name, params)
    }

    /// Calls a function of the VM, if the module has it: Envoy does the same.
    fn call_if_exported(&mut self, id: u32, name: &str) {
        let Some(function) = self.instance.get_func(&mut self.store, name) else { return };
        match function.ty(&self.store).results().len() {
            0 => self.call_for::<_, ()>(id, name, (id,)),
            _ => drop(self.call_for::<_, u32>(id, name, (id,))),
        }
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> R {
        self.store.set_fuel(module::FUEL).expect("fuel is on");
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name);
        let function = function.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        function
            .call(&mut self.store, params)
            .unwrap_or_else(|trap| panic!("{name} trapped: {trap:?}\n{}", self.log_text()))
    }
}

const CONTINUE: u32 = 0;

impl Drop for Host {
    fn drop(&mut self) {
        let violations = &self.state().violations;
        if !std::thread::panicking() && !violations.is_empty() {
            panic!("Envoy would object: {violations:#?}\n{}", self.log_text());
        }
    }
}
