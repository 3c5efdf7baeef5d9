use std::thread;

use app_health_tests::app::{Conduct, HALF_A_FRAME, HALF_A_RECORD, Script};
use app_health_tests::entries::{Entries, probe, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::kubelet::Verdict;

use super::SECOND;
use super::fleet::{App, KINDS, Kind};

/// What happens to an app.
#[derive(Clone, Debug)]
enum Fault {
    /// It has ended.
    Dead,
    /// Its accept queue is full.
    Full,
    /// It is of another kind: another program has its port.
    Taken(Kind),
    /// It does this.
    Does(Conduct),
}

fn faults(kind: Kind) -> Vec<Fault> {
    use Fault::{Dead, Does, Full, Taken};
    let raw = |bytes: &[u8]| Does(Conduct::AtOnce(Script::raw(bytes).hold()));
    let accepts = Does(Conduct::AtOnce(Script::default().hold()));
    let in_the_head = Conduct::Asked(Script::raw("HTTP/1.1 200 OK\r\nContent-").hold());
    let in_the_body =
        Conduct::Asked(Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").hold());
    let special = match kind {
        Kind::Tcp => return vec![Dead, Full],
        Kind::Http | Kind::Hop => vec![Does(in_the_head), Does(in_the_body), Taken(Kind::Grpc)],
        Kind::Https | Kind::GrpcTls => {
            vec![raw(HALF_A_RECORD), Taken(Kind::Http)]
        }
        Kind::Http2 | Kind::Grpc => vec![raw(HALF_A_FRAME), Taken(Kind::Http)],
    };
    [vec![Dead, Full, accepts], special].concat()
}

/// An app, what happens to it, and how it is recorded: for a second, and patiently.
struct Case {
    fault: Fault,
    app: App,
    name: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let of = |kind| faults(kind).into_iter().map(move |fault| (kind, fault));
        let cases = KINDS.into_iter().flat_map(of).enumerate();
        cases
            .map(|(n, (kind, fault))| Self { fault, app: App::new(kind), name: format!("c{n}") })
            .collect()
    }

    fn break_down(&mut self) {
        match &self.fault {
            Fault::Dead => self.app.port.close(),
            Fault::Full => self.app.port.fill(),
            Fault::Taken(other) => self.app.port.open(other.well()),
            Fault::Does(conduct) => self.app.port.open(conduct.clone()),
        }
    }

    /// The verdict through port 15020.
    fn through(&self, envoy: &Envoy, suffix: &str) -> Verdict {
        Verdict::of(&envoy.get(probe(&format!("{}{suffix}", self.name))).send())
    }

    /// Well, then not, twice, then well again, at each probe.
    fn run(&mut self, envoy: &Envoy) {
        let what = format!("{:?}, {:?}", self.app.kind, self.fault);
        self.break_down();
        for n in 0..2 {
            let through = self.through(envoy, "-short");
            assert_eq!(self.app.directly(SECOND), through, "{what}: probe {n}");
            assert_eq!(through, Verdict::Failure, "{what}: probe {n}");
        }
        self.app.recover();
        for n in 0..3 {
            assert_eq!(self.through(envoy, ""), Verdict::Success, "{what}: probe {n} afterwards");
        }
    }
}

#[test]
fn every_probe_after_a_fault_is_right() {
    let mut cases = Case::all();
    let record = |entries: Entries, case: &Case| {
        let short = within(1, case.app.prober());
        entries.probe(&case.name, case.app.prober()).probe(&format!("{}-short", case.name), short)
    };
    let entries = cases.iter().fold(Entries::default(), record).patient();
    let envoy = Setup::default().probers(entries).start();
    thread::scope(|scope| {
        for case in &mut cases {
            let envoy = &envoy;
            scope.spawn(move || case.run(envoy));
        }
    });
    envoy.wait_until_no_app_is_connected();
}
