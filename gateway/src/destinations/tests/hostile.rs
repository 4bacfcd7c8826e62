//! A plugin that attacks: each attack ends in a failure of its own delivery that says what it was, and gets nothing.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use entente_destination::{DestinationError, Operator};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixture::{Place, compile, launcher, plugin_file, policy, reaches, workers};
use super::ledger::Ledger;
use crate::destinations::allow_list::AllowList;
use crate::destinations::backoff::RetryPolicy;
use crate::destinations::confinement::{InForce, Limits, User};
use crate::destinations::contract::WorkerFault;
use crate::destinations::delivery::{DeliveryError, Order, Stop, deliver};
use crate::destinations::plugin::FileHash;
use crate::destinations::process::{PluginFile, ProcessLauncher, Timeouts, Workers};
use crate::destinations::registry::Registry;

/// A user that every system has and that owns nothing.
const NOBODY: User = User { uid: 65_534, gid: 65_534 };

/// The hostile plugin, and a file of the gateway's that it is after.
struct Attacker {
    folder: TempDir,
    launcher: ProcessLauncher,
}

impl Attacker {
    fn new() -> Self {
        Self::with(Limits { memory: 256 * 1024 * 1024, ..Limits::default() }, Duration::from_secs(60))
    }

    fn with(limits: Limits, write: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = compile(folder.path(), "hostile.c", "libhostile.so", &[]);
        fs::write(folder.path().join("target"), "secret").unwrap();
        let timeouts = Timeouts { write, ..Timeouts::default() };
        let workers = Workers { timeouts, limits, ..workers() };
        let plugin = PluginFile { hash: FileHash::of(&file).unwrap(), file };
        Self { folder, launcher: ProcessLauncher { workers, plugin } }
    }

    /// How a delivery to it ends.
    async fn attack(&self, mode: &str) -> DeliveryError {
        let target = self.folder.path().join("target");
        self.attack_with(json!({"mode": mode, "target": target}), Operator::default()).await
    }

    /// How one with these settings ends, where the operator allows these hosts and networks.
    async fn attack_with(&self, settings: Value, operator: Operator) -> DeliveryError {
        let (place, mut ledger) = (Place::new(1, 10), Ledger::default());
        let target = self.folder.path().join("target");
        let mode = settings["mode"].clone();
        let operator = Operator { local_root: place.operator().local_root, ..operator };
        let order = Order { settings, operator, ..place.order("") };
        let policy = RetryPolicy { faults: 1, ..policy() };
        let outcome = deliver(&self.launcher, &order, &mut ledger, policy, &Stop::default()).await;
        assert_eq!(fs::read(&target).unwrap(), b"secret", "{mode}");
        outcome.unwrap_err()
    }

    async fn in_force(&self) -> InForce {
        self.launcher.workers.probe().await.unwrap()
    }

    /// Makes sure that all that it tried failed.
    async fn assert_gets_nothing(&self, mode: &str) {
        assert_got_nothing(&self.attack(mode).await, mode);
    }
}

fn assert_got_nothing(ended: &DeliveryError, attack: &str) {
    let nothing = DestinationError::Permanent("succeeded in:".to_owned());
    assert!(matches!(ended, DeliveryError::Destination(error) if *error == nothing), "{attack}: {ended}");
}

/// What an operator allows who has destinations on this machine; only these hosts, where they are given.
fn near(hosts: Option<&[&str]>) -> Operator {
    let networks = vec!["127.0.0.1/32".parse().unwrap(), "::1/128".parse().unwrap()];
    let hosts = hosts.map(|hosts| hosts.iter().map(ToString::to_string).collect());
    Operator { networks, hosts, ..Operator::default() }
}

/// A server that redirects whoever connects to a link-local address, and resets the connection when it is written to.
struct Redirecting {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Redirecting {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::Relaxed);
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\n\r\n");
                    // What is not read when it is closed makes that a reset.
                    let _ = stream.peek(&mut [0]);
                });
            }
        });
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn is_there(name: &str, in_force: bool) -> bool {
    if !in_force {
        eprintln!("left out: this system has no {name}");
    }
    in_force
}

#[tokio::test]
async fn every_attack_ends_in_a_failure_of_its_own() {
    type Expected = fn(&WorkerFault) -> bool;
    let ended_by_11: Expected = |fault| matches!(fault, WorkerFault::Ended(status) if status.contains("11"));
    let aborted: Expected = |fault| matches!(fault, WorkerFault::Ended(status) if status.contains("6"));
    let broke_its_contract: Expected = |fault| matches!(fault, WorkerFault::Garbage(_));
    let attacker = Attacker::new();
    for (mode, expected) in [
        ("panics", (|fault| *fault == WorkerFault::Panicked) as Expected),
        ("segfaults", ended_by_11),
        ("nowhere", ended_by_11),
        ("leaks", aborted),
        ("frees twice", aborted),
        ("prints", broke_its_contract),
        ("garbage", broke_its_contract),
        ("too much", broke_its_contract),
        ("too much state", broke_its_contract),
        ("takes more", broke_its_contract),
        ("takes fewer", broke_its_contract),
        ("rejects others", broke_its_contract),
        ("rejects twice", broke_its_contract),
        ("rejects what it took", broke_its_contract),
        ("settles again", broke_its_contract),
        ("settles others", broke_its_contract),
    ] {
        let ended = attacker.attack(mode).await;
        assert!(matches!(&ended, DeliveryError::Fault(fault) if expected(fault)), "{mode}: {ended}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_ended() {
    let write = Duration::from_millis(300);
    let attacker = Attacker::with(Limits::default(), write);
    for mode in ["hangs", "loops"] {
        let (began, ended) = (Instant::now(), attacker.attack(mode).await);
        let out_of_time = WorkerFault::TimedOut { call: "write", after: write };
        assert!(matches!(&ended, DeliveryError::Fault(fault) if *fault == out_of_time), "{mode}: {ended}");
        assert!(began.elapsed() < Duration::from_secs(30), "{mode} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn processor_time_runs_out() {
    let attacker = Attacker::with(Limits { processor_time: 1, ..Limits::default() }, Duration::from_secs(60));
    let ended = attacker.attack("loops").await;
    assert!(
        matches!(&ended, DeliveryError::Fault(WorkerFault::Ended(status)) if status.contains("XCPU") || status.contains("24")),
        "{ended}"
    );
}

#[tokio::test]
async fn it_starts_no_processes() {
    let attacker = Attacker::new();
    if is_there("seccomp", attacker.in_force().await.seccomp) {
        attacker.assert_gets_nothing("forks").await;
    }
}

#[tokio::test]
async fn it_reads_nothing_of_the_gateway() {
    let attacker = Attacker::new();
    if is_there("Landlock", attacker.in_force().await.landlock.is_some()) {
        attacker.assert_gets_nothing("reads").await;
    }
}

#[tokio::test]
async fn it_touches_nothing_but_its_own() {
    let attacker = Attacker::new();
    let in_force = attacker.in_force().await;
    if is_there("Landlock", in_force.landlock.is_some()) && is_there("seccomp", in_force.seccomp) {
        attacker.assert_gets_nothing("touches").await;
    }
}

#[tokio::test]
async fn it_makes_no_sockets_and_is_connected_to_nothing_near() {
    let attacker = Attacker::new();
    if is_there("seccomp", attacker.in_force().await.seccomp) {
        attacker.assert_gets_nothing("connects").await;
    }
}

#[tokio::test]
async fn its_connections_lead_nowhere_else() {
    let attacker = Attacker::new();
    if !is_there("seccomp", attacker.in_force().await.seccomp) {
        return;
    }
    let server = Redirecting::start();
    for (hosts, elsewhere, refused) in [
        (Some(["localhost"].as_slice()), "127.0.0.1", "HOST"),
        (Some(["localhost"].as_slice()), "api.localhost", "HOST"),
        (None, "127.0.0.2", "NETWORK"),
        (None, "::ffff:127.0.0.2", "NETWORK"),
    ] {
        let before = server.connections();
        let settings = json!({"mode": "strays", "elsewhere": elsewhere, "refused": refused, "port": server.port});
        assert_got_nothing(&attacker.attack_with(settings, near(hosts)).await, elsewhere);
        assert_eq!(server.connections() - before, 1, "{elsewhere}");
    }
}

#[tokio::test]
async fn who_asks_for_rubbish_is_answered_no_more() {
    let attacker = Attacker::new();
    let server = Redirecting::start();
    for what in ["no descriptor", "no json", "no port", "too long", "nothing", "itself", "closed"] {
        let settings = json!({"mode": "asks for rubbish", "elsewhere": what, "port": server.port});
        assert_got_nothing(&attacker.attack_with(settings, near(None)).await, what);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn floods_of_requests_wait_while_others_deliver() {
    let (attacker, server) = (Attacker::new(), Redirecting::start());
    let settings = json!({"mode": "floods", "port": server.port});
    let (began, flood) = (Instant::now(), attacker.attack_with(settings, near(None)));
    let others = async {
        let mut took = Vec::new();
        for _ in 0..5 {
            let (place, mut ledger, began) = (Place::new(3, 20), Ledger::default(), Instant::now());
            let delivered = deliver(&launcher(), &place.order(""), &mut ledger, policy(), &Stop::default()).await;
            assert_eq!(delivered.unwrap().accepted, place.rows());
            took.push(began.elapsed());
        }
        took
    };
    let (ended, took) = tokio::join!(flood, others);
    assert_got_nothing(&ended, "floods");
    assert!(took.iter().all(|took| *took < Duration::from_secs(10)), "{took:?}");
    // 50 at once, and 50 in each second.
    let most = 50 + 50 * (began.elapsed().as_secs() as usize + 1);
    assert!((1..=most).contains(&server.connections()), "{} of {most}", server.connections());
}

#[tokio::test]
async fn a_user_of_their_own_delivers_into_its_own_folder() {
    let workers = Workers { user: Some(NOBODY), ..workers() };
    if !rustix::process::geteuid().is_root() {
        let fault = workers.probe().await.unwrap_err();
        assert!(matches!(&fault, WorkerFault::NotStarted(why) if why.contains("runs as root")), "{fault}");
        return;
    }
    assert_eq!(workers.probe().await.unwrap().user, Some(NOBODY));
    let (place, mut ledger) = (Place::new(3, 20), Ledger::default());
    let root = place.operator().local_root.unwrap();
    fs::set_permissions(root.parent().unwrap(), fs::Permissions::from_mode(0o711)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(plugin_file().file, folder.path().join("libfixture.so")).unwrap();
    let list = AllowList::new(folder.path().join("allowed.toml"));
    list.allow(&folder.path().join("libfixture.so"), reaches(), chrono::Utc::now()).unwrap();
    let registry = Registry::new(vec![folder.path().to_owned()], list, workers);
    registry.refresh().await.unwrap();
    let order = place.order("");
    let delivered = registry.deliver("fixture", &order, &mut ledger, policy(), &Stop::default()).await;
    assert_eq!(delivered.unwrap().accepted, place.rows());
    place.assert_all_taken();
    for entry in fs::read_dir(root).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().uid(), NOBODY.uid);
    }
}
