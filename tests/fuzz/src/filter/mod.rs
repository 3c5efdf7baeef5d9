//! The filter's whole way, by the real `.wasm` in the emulator: several clients at once, apps that answer in pieces,
//! late, broken or not at all, clients that go away. Each gets one answer, the model's; nothing stays behind.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | clients and apps, made by chance |
//! | [`head`] | what else a client may say, and that nothing of it leads elsewhere |
//! | [`play`], [`exchange`] | Envoy's part of it |
//! | [`model`] | the contract of the status port as a small plain program |

mod exchange;
mod head;
mod model;
mod play;
mod scenario;

use std::collections::BTreeSet;

use crate::host::Host;
use crate::host::stream::StreamEnd;
use crate::input::Choices;
use model::Verdict;
use scenario::{Client, ENTRIES, millis};

/// So many runs of one hook may be under way.
const MOST_HOOKS: usize = 16;

pub fn target(data: &[u8]) {
    let mut choices = Choices::new(data);
    let chance = choices.below(1 << 16) as u64;
    let clients = scenario::clients(&mut choices);
    let mut host = Host::with_probers(variable());
    check(&mut host, &clients, &mut fastrand::Rng::with_seed(chance));
    is_as_new(&mut host, &clients);
}

fn variable() -> String {
    let recorded = ENTRIES.iter().filter(|entry| !entry.json.is_empty());
    let entries: Vec<_> =
        recorded.map(|entry| format!(r#""{}":{}"#, entry.path, entry.json)).collect();
    format!("{{{}}}", entries.join(","))
}

/// Plays, and compares with the model.
fn check(host: &mut Host, clients: &[Client], chance: &mut fastrand::Rng) {
    let ends = play::play(host, clients, chance);
    for (client, end) in clients.iter().zip(ends) {
        let told = match &end {
            StreamEnd::Response(response) => Verdict::Status(response.status()),
            StreamEnd::Reset => Verdict::Closed,
            StreamEnd::DownstreamGone => Verdict::Gone,
        };
        let expected = model::verdict(client);
        assert_eq!(told, expected, "{}: {client:#?}\n{end:?}", ENTRIES[client.entry].path);
    }
    assert!(host.state().callouts.is_empty(), "{:?}", host.state().callouts);
}

/// After an hour, in which whatever was under way has ended, the same entries work, and hooks as often at once as they
/// may.
fn is_as_new(host: &mut Host, clients: &[Client]) {
    host.advance(millis(3_600_001));
    let asked: BTreeSet<_> = clients.iter().map(|client| client.entry).collect();
    let after = asked.into_iter().flat_map(|entry| {
        let times = if ENTRIES[entry].is_hook() { MOST_HOOKS } else { 1 };
        vec![Client::good(entry); times]
    });
    check(host, &after.collect::<Vec<_>>(), &mut fastrand::Rng::with_seed(0));
}
