//! Envoy's calls into the filter (proxy-wasm ABI 0.2.1), and the contexts that they are for.
//!
//! In the place of the SDK's dispatcher, which panics where a host's call does not fit its tables,
//! and of which every Envoy of a fleet would compile the half that a filter like this never uses:
//! ARCHITECTURE.md has the figures. A call for a context that is not there does nothing.

use alloc::alloc::alloc;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr;

use crate::host;
use crate::probe::Probe;
use crate::root::{self, Shared};

/// What a callback of a stream wants of Envoy.
#[repr(u32)]
pub enum Action {
    /// Go on with the next filter.
    Continue = 0,
    /// Wait: for a dispatched call, or because an answer is on its way.
    Pause = 1,
}

/// What is kept for one of Envoy's contexts.
enum Context {
    /// A configuration, and what it says.
    Root(Rc<Shared>),
    /// A request.
    Probe(Box<Probe>),
}

/// By id, in ascending order; but for the one that a call is running for.
struct Contexts(Cell<Vec<(u32, Context)>>);

// SAFETY: a VM has one thread.
unsafe impl Sync for Contexts {}

static CONTEXTS: Contexts = Contexts(Cell::new(Vec::new()));

impl Contexts {
    #[inline(never)]
    fn take(&self, id: u32) -> Option<Context> {
        let mut all = self.0.take();
        let at = all.binary_search_by_key(&id, |(id, _)| *id);
        let context = at.ok().map(|at| all.remove(at).1);
        self.0.set(all);
        context
    }

    #[inline(never)]
    fn put(&self, id: u32, context: Context) {
        let mut all = self.0.take();
        let place = all.binary_search_by_key(&id, |(id, _)| *id);
        match place.map(|at| all.get_mut(at)) {
            Ok(Some(old)) => old.1 = context,
            // What is found is there.
            Ok(None) => {}
            Err(at) => all.insert(at, (id, context)),
        }
        self.0.set(all);
    }

    /// The request that waits for the answer of this dispatched call: Envoy names it only by the
    /// call, and the root context besides.
    #[inline(never)]
    fn awaiting(&self, token: u32) -> Option<u32> {
        let all = self.0.take();
        let waits = |context: &Context| matches!(context, Context::Probe(p) if p.awaits(token));
        let id = all.iter().find(|(_, context)| waits(context)).map(|(id, _)| *id);
        self.0.set(all);
        id
    }

    /// Lets the request that waits for it have the answer of a dispatched call; nobody does where
    /// the client has gone.
    fn answered(&self, token: u32, answer: impl FnOnce(&mut Probe)) {
        let Some(id) = self.awaiting(token) else { return };
        match self.take(id) {
            // Its request is over: this was all that was left.
            Some(Context::Probe(probe)) if probe.is_gone() => {}
            Some(context) => {
                self.put(id, context);
                host::act_as(id);
                self.call(id, (), answer);
            }
            None => {}
        }
    }

    /// Lets a request's context answer a call.
    fn call<T>(&self, id: u32, absent: T, answer: impl FnOnce(&mut Probe) -> T) -> T {
        let Some(mut context) = self.take(id) else { return absent };
        let result = match &mut context {
            Context::Probe(probe) => answer(probe),
            Context::Root(_) => absent,
        };
        self.put(id, context);
        result
    }
}

/// Says which version of the ABI this is.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

unsafe extern "C" {
    /// The linker's.
    fn __wasm_call_ctors();
}

/// Called before all others.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: called once. Where nobody does, the linker takes this for a program that ends with
    // each call, and puts its constructors and destructors around all of them.
    unsafe { __wasm_call_ctors() };
}

/// Memory for what the host returns: exactly so much, and it is the receiver's. Null where there
/// is not so much left: the host's call then fails.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the size is not 0.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, root: u32) {
    let shared = match CONTEXTS.take(root) {
        Some(Context::Root(shared)) => {
            CONTEXTS.put(root, Context::Root(shared.clone()));
            shared
        }
        _ => Rc::default(),
    };
    let context = match root {
        0 => Context::Root(shared),
        _ => Context::Probe(Box::new(Probe::new(shared))),
    };
    CONTEXTS.put(id, context);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> bool {
    true
}

/// Always true: where it is not, Envoy refuses to start, and the pod with it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, size: usize) -> bool {
    let shared = root::configure(size);
    CONTEXTS.take(id);
    CONTEXTS.put(id, Context::Root(Rc::new(shared)));
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _: usize, end_of_stream: bool) -> Action {
    CONTEXTS.call(id, Action::Continue, |probe| probe.on_request_headers(end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, _: usize, _: bool) -> Action {
    CONTEXTS.call(id, Action::Continue, |probe| probe.on_request_body())
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _: usize, end_of_stream: bool) -> Action {
    CONTEXTS.call(id, Action::Continue, |probe| probe.on_response_headers(end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end_of_stream: bool) -> Action {
    CONTEXTS.call(id, Action::Continue, |probe| probe.on_response_body(size, end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> Action {
    CONTEXTS.call(id, Action::Continue, Probe::on_response_trailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(_: u32, token: u32, headers: usize, _: usize, _: usize) {
    CONTEXTS.answered(token, |probe| probe.on_http_call_response(headers));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive(_: u32, token: u32, size: usize) {
    CONTEXTS.answered(token, |probe| probe.on_grpc_call_response(0, size));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_close(_: u32, token: u32, status: u32) {
    CONTEXTS.answered(token, |probe| probe.on_grpc_call_response(status, 0));
}

/// The request is over. What it came to is logged here, not in a `proxy_on_log` with a `proxy_on_done`
/// after it: each call into the VM costs a probe 2,000 instructions or more.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    if let Some(Context::Probe(mut probe)) = CONTEXTS.take(id)
        && probe.end()
    {
        CONTEXTS.put(id, Context::Probe(probe));
    }
}
