//! Both scenarios of the documents as a story: what the kubelet concludes of a pod in a mesh,
//! before and after its probes are rewritten. `scripts/mesh-demo` starts it.

use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use app_health_tests::app::Open;
use app_health_tests::kubelet::Verdict::{self, Failure, Success};
use app_health_tests::mesh::{Deployment, Nginx, POD_V4, POD_V6, Setup, World};
use app_health_tests::{program, wasm};

const HTTP: &str = "http-readiness.yaml";
const TCP: &str = "tcp-readiness.yaml";
const OFF: &[&str] = &["--default-rewrite", "false"];

/// One of the two Deployments, as the cluster has it.
struct Subject {
    title: &'static str,
    original: Deployment,
    rewritten: Deployment,
}

impl Subject {
    fn read(title: &'static str, file: &str) -> Self {
        // The annotation in the file would win over the default.
        let text = Deployment::patient_text(file)
            .replace("sidecar.istio.io/rewriteAppHTTPProbers", "none");
        let original = Deployment::of(&text, OFF);
        Self { title, original, rewritten: Deployment::example(file) }
    }
}

/// Whether all was as it should be.
struct Story {
    right: bool,
}

impl Story {
    fn open(&self, title: &str) {
        println!("\n{title}\n");
        println!("  {:<46} {:<9} IPv6", "", "IPv4");
    }

    /// Asks over both families, and prints what the kubelet concludes.
    fn tell(&mut self, what: &str, world: &World, of: &Deployment, expected: Verdict, so: &str) {
        let probe = of.probe();
        let verdicts = [POD_V4, POD_V6].map(|ip| world.node.run(|| probe.ask(ip)));
        let line = format!("  {what:<46} {:<9} {:<9} {so}", verdicts[0], verdicts[1]);
        println!("{}", line.trim_end());
        self.right &= verdicts == [expected; 2];
    }
}

/// The first document: an HTTP probe of an app that is well.
fn http(story: &mut Story) {
    let subject = Subject::read("HTTP: GET /index.html on port 8080, where nginx listens", HTTP);
    story.open(subject.title);
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    story.tell("no sidecar", &world, &subject.original, Success, "");
    {
        let _sidecar = Setup::strict().start(&world);
        let so = "wrong: the kubelet has no certificate";
        story.tell("sidecar, strict mTLS", &world, &subject.original, Failure, so);
    }
    {
        let _sidecar = Setup::permissive().start(&world);
        story.tell("sidecar, plain text allowed", &world, &subject.original, Success, "");
    }
    let _sidecar = Setup::strict().variable(subject.rewritten.variable()).start(&world);
    story.tell("sidecar, strict mTLS, rewritten", &world, &subject.rewritten, Success, "");
    drop(nginx);
    story.tell("  the same, nginx stopped", &world, &subject.rewritten, Failure, "");
}

/// The second one: a TCP probe of a port on which nobody listens.
fn tcp(story: &mut Story) {
    let subject = Subject::read("TCP: port 2940, where nobody listens", TCP);
    story.open(subject.title);
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    story.tell("no sidecar", &world, &subject.original, Failure, "");
    let so = "wrong: the sidecar listens on every port";
    {
        let _sidecar = Setup::strict().start(&world);
        story.tell("sidecar, strict mTLS", &world, &subject.original, Success, so);
    }
    {
        let _sidecar = Setup::permissive().start(&world);
        story.tell("sidecar, plain text allowed", &world, &subject.original, Success, so);
    }
    let _sidecar = Setup::strict().variable(subject.rewritten.variable()).start(&world);
    story.tell("sidecar, strict mTLS, rewritten", &world, &subject.rewritten, Failure, "");
    let at = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 2940);
    let _open = world.pod.run(|| Open::start_at(at));
    story.tell("  the same, port 2940 opened", &world, &subject.rewritten, Success, "");
}

fn main() -> ExitCode {
    // Built before the story begins.
    let _built = (program::agent(), wasm::filter());
    println!("What the kubelet concludes of a pod in a mesh, from another network namespace:");
    let mut story = Story { right: true };
    http(&mut story);
    tcp(&mut story);
    let all = if story.right { "Rewritten, every verdict is right." } else { "NOT as expected." };
    println!("\n{all}");
    if story.right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
