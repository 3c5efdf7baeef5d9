use std::cell::Cell;
use std::fs;
use std::mem;
use std::path::Path;

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::manifest::text_to_json;
use app_health_tests::poll::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::SECOND;
use super::cost::Kubelets;
use super::fleet::{Fleet, KINDS, Kind, gets, is_right, name};

const TYPE: &str = "type.googleapis.com/envoy.config";
const ROUNDS: usize = 8;

/// The bootstrap, with listeners and clusters in files beside it, as if a control plane had pushed them.
fn split(shipped: &str, folder: &Path) -> String {
    // The reader takes manifests only.
    let mut config = text_to_json(&format!("apiVersion: envoy\nkind: Bootstrap\n{shipped}"));
    let fixed = config["static_resources"].take();
    put(folder, "listeners.json", "listener.v3.Listener", fixed["listeners"].clone());
    put(folder, "clusters.json", "cluster.v3.Cluster", fixed["clusters"].clone());
    let members = config.as_object_mut().expect("an object");
    for name in ["apiVersion", "kind", "static_resources"] {
        members.remove(name);
    }
    let source = |name: &str| json!({"path_config_source": {"path": folder.join(name)}});
    config["node"] = json!({"id": "pod", "cluster": "mesh"});
    config["dynamic_resources"] =
        json!({"lds_config": source("listeners.json"), "cds_config": source("clusters.json")});
    config.to_string()
}

/// Puts resources where Envoy looks for them, at once.
fn put(folder: &Path, file: &str, kind: &str, mut resources: Value) {
    for resource in resources.as_array_mut().expect("resources") {
        resource["@type"] = json!(format!("{TYPE}.{kind}"));
    }
    let new = folder.join("new");
    fs::write(&new, json!({"resources": resources}).to_string()).expect("the file is written");
    fs::rename(new, folder.join(file)).expect("the file is renamed");
}

struct Pushed {
    envoy: Envoy,
    folder: TempDir,
}

impl Pushed {
    /// Changes the resources of a file, and waits until Envoy has counted that.
    fn push(&self, file: &str, kind: &str, counter: &str, change: impl Fn(&mut Vec<Value>)) {
        let before = self.envoy.stat(counter);
        let text = fs::read_to_string(self.folder.path().join(file)).expect("the file");
        let mut resources: Value = serde_json::from_str(&text).expect("JSON");
        change(resources["resources"].as_array_mut().expect("resources"));
        put(self.folder.path(), file, kind, resources["resources"].take());
        until("Envoy has seen it", || self.envoy.stat(counter) > before);
    }

    fn push_clusters(&self, change: impl Fn(&mut Vec<Value>)) {
        let taken = "cluster_manager.cds.update_success";
        self.push("clusters.json", "cluster.v3.Cluster", taken, change);
    }

    fn push_listener(&self, change: impl Fn(&mut Value)) {
        let taken = "listener_manager.lds.update_success";
        let change = |listeners: &mut Vec<Value>| change(&mut listeners[0]);
        self.push("listeners.json", "listener.v3.Listener", taken, change);
    }

    /// Envoy keeps the one that it has.
    fn push_a_listener_without_code(&self) {
        let file = self.folder.path().join("listeners.json");
        let before = fs::read(&file).expect("the file");
        let refused = "listener_manager.lds.update_rejected";
        self.push("listeners.json", "listener.v3.Listener", refused, |listeners| {
            let code = listeners[0].pointer_mut(CODE).expect("the code");
            *code = json!({"local": {"filename": "/no/such.wasm"}});
        });
        // Not where Envoy looks, but for the next change.
        fs::write(file, before).expect("the file is written");
    }
}

const CODE: &str =
    "/filter_chains/0/filters/0/typed_config/http_filters/1/typed_config/config/vm_config/code";

/// As one of another pod's.
fn other_cluster(n: usize) -> Value {
    json!({"name": format!("other-{n}"), "type": "STATIC", "connect_timeout": "1s"})
}

/// A change that means nothing, but that Envoy has to carry out.
fn mark(resource: &mut Value, n: usize) {
    resource["metadata"] = json!({"filter_metadata": {"test": {"n": n}}});
}

fn pushed(entries: Entries) -> Pushed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let beside = folder.path().to_owned();
    let edit = move |shipped: &str| split(shipped, &beside);
    let envoy = Setup::default().probers(entries.patient()).edited(edit).start();
    until("the listener is there", || envoy.get("/healthz/ready").status() == Ok(200));
    Pushed { envoy, folder }
}

#[test]
fn the_configuration_is_pushed_again_and_again() {
    let (fleet, closed) = (Fleet::well(), Closed::start(V4));
    let slow = Script::default().wait(SECOND / 10).and(Script::status(200));
    let slow = Http::start(V4, move |_| slow.clone());
    let entries = fleet.entries().probe("closed", http(closed.addr(), "/"));
    let pushed = pushed(entries.probe("slow", http(slow.addr(), "/")));
    let envoy = &pushed.envoy;
    let mut asked = gets(envoy);
    asked.push((envoy.get(probe("closed")), 500));
    asked.push((envoy.get(probe("slow")), 200));
    let memory = envoy.memory();
    let (right, wrong) = Kubelets::ask_during(&asked, |kubelets| {
        for n in 0..ROUNDS {
            // What is the same, beside something that is not.
            pushed.push_clusters(|clusters| clusters.push(other_cluster(n)));
            kubelets.more(2);
            // A new listener in the old one's place.
            pushed.push_listener(|listener| mark(listener, n));
            kubelets.more(2);
            // Only what is in it.
            pushed.push_listener(|listener| mark(&mut listener["filter_chains"][0], n));
            kubelets.more(2);
            pushed.push_a_listener_without_code();
            kubelets.more(2);
        }
    });
    println!(
        "fault: {} pushes: {} of {} lost, {:+.1} MiB",
        4 * ROUNDS,
        wrong.len(),
        right + wrong.len(),
        envoy.memory() - memory
    );
    assert_eq!(wrong, [""; 0]);
}

/// The filter dispatches four kinds, and does so again where their cluster changes meanwhile. It does not know that
/// of a redirect, whose answer may have broken off.
#[test]
fn clusters_that_change_cost_no_probe_but_those_by_a_redirect() {
    let fleet = Fleet::well();
    let pushed = pushed(fleet.entries());
    let [hops, others] = [true, false].map(|is_hop| {
        let kinds = KINDS.into_iter().filter(move |kind| (*kind == Kind::Hop) == is_hop);
        kinds.map(|kind| (pushed.envoy.get(probe(&name(kind))), 200)).collect::<Vec<_>>()
    });
    let push = |kubelets: &Kubelets| {
        for n in 0..ROUNDS {
            // So that none is cut off twice.
            kubelets.more(2);
            pushed.push_clusters(|clusters| clusters.iter_mut().for_each(|it| mark(it, n)));
        }
        kubelets.more(2);
    };
    let (_, wrong) = Kubelets::ask_during(&others, push);
    assert_eq!(wrong, [""; 0]);
    let (_, wrong) = Kubelets::ask_during(&hops, push);
    println!("fault: all clusters change {ROUNDS} times: {} redirects lost", wrong.len());
    assert!(wrong.len() <= ROUNDS, "more than one of each push: {wrong:?}");
    assert!(wrong.iter().all(|answer| answer.starts_with("Ok((502")), "{wrong:?}");
}

#[test]
fn all_is_right_again_once_clusters_that_were_taken_away_are_back() {
    let (fleet, closed) = (Fleet::well(), Closed::start(V4));
    let pushed = pushed(fleet.entries().probe("closed", http(closed.addr(), "/")));
    let mut asked = gets(&pushed.envoy);
    asked.push((pushed.envoy.get(probe("closed")), 500));
    for _ in 0..ROUNDS {
        let (_, wrong) = Kubelets::ask_during(&asked, |kubelets| {
            kubelets.more(2);
            let all = Cell::new(Vec::new());
            pushed.push_clusters(|clusters| all.set(mem::take(clusters)));
            pushed.push_clusters(|clusters| *clusters = all.take());
        });
        assert!(!wrong.iter().any(|answer| answer.starts_with("Ok((200")), "{wrong:?}");
        until("all is right again", || is_right(&pushed.envoy));
    }
}
