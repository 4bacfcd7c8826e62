//! A plugin that attacks, beside a bundled one: each attack ends in a failure of its own activation, other deliveries
//! finish meanwhile, and who asks the gateway does not notice.

use crate::{
    harness::{Gateway, Kind, Options, tool_is_there},
    people::{self, Form},
    stories::{ACTIVATE, Party, today, uuid_of},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Questions whose times are compared.
const QUESTIONS: usize = 400;
/// What an answer may take longer for reasons that no plugin has, such as the system's clock ticks.
const ALLOWANCE: Duration = Duration::from_millis(5);
/// How often attacks are tried again where answers took longer: on a busy machine they do now and then.
const TRIES: usize = 4;

/// How the receiver's activation ends, or what is in the log about its worker.
enum Outcome {
    /// The worker is lost again and again, until somebody repairs the plugin.
    Lost(&'static str),
    /// The activation failed for good; the plugin tells in what it succeeded.
    Failed(&'static str),
    /// The worker is killed when its time is over, minutes later.
    Waits,
}
use Outcome::{Failed, Lost, Waits};

/// Attacks that are made at once; a gateway works on four deliveries at a time.
const ATTACKS: [&[(&str, Outcome)]; 6] = [
    &[("panics", Lost("panicked")), ("segfaults", Lost("SIGSEGV")), ("leaks", Lost("SIGABRT"))],
    &[
        ("garbage", Lost("broke its contract")),
        ("too much", Lost("broke its contract")),
        ("prints", Lost("broke its contract")),
    ],
    &[
        ("frees twice", Lost("SIGABRT")),
        ("takes more", Lost("broke its contract")),
        ("rejects twice", Lost("broke its contract")),
    ],
    &[("forks", Failed("succeeded in:")), ("reads", Failed("succeeded in:")), ("touches", Failed("succeeded in:"))],
    &[("connects", Failed("succeeded in:")), ("asks for rubbish", Failed("succeeded in:"))],
    &[("hangs", Waits), ("loops", Waits)],
];

fn compile(folder: &Path) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-D_GNU_SOURCE", "-pthread", "-o"])
        .arg(folder.join("libhostile.so"))
        .arg(project.join("gateway/src/destinations/tests/hostile.c"))
        .arg("-I")
        .arg(project.join("plugins/sdk/include"))
        .status();
    assert!(compiled.unwrap().success());
}

/// A gateway on which the operator allowed the hostile plugin.
async fn gateway() -> Gateway {
    let settings =
        vec![("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned()), ("ENTENTE_WORKER_MEMORY", (256 << 20).to_string())];
    let mut gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
    let log = gateway.log();
    assert_eq!(log.matches("plugins are confined").count(), 1, "{log}");
    compile(&gateway.data().join("program"));
    let plugin = gateway.data().join("program/libhostile.so");
    let (allowed, said) = gateway.run(&["plugin", "allow", plugin.to_str().unwrap()], &[]);
    assert!(allowed, "{said}");
    gateway.stop();
    gateway.start_again();
    gateway
}

/// The time within which 99 of 100 questions are answered.
async fn p99(party: &Party) -> Duration {
    let query = "query($a: ID!) { account(id: $a) { name audiences(first: 10) { totalCount } } }";
    let mut times = vec![];
    for _ in 0..QUESTIONS {
        let asked = Instant::now();
        party.client.query(query, json!({ "a": party.account })).await;
        times.push(asked.elapsed());
    }
    times.sort();
    times[QUESTIONS * 99 / 100]
}

/// The receiver, what it was sent, and the gateway.
struct Receiver<'a> {
    gateway: &'a Gateway,
    party: Party,
    sent: String,
}

impl Receiver<'_> {
    /// A new destination, since an audience is activated to each once.
    async fn destination(&self, destination_type: &str, settings: Value) -> String {
        let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            destination { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.party.account, "name": uuid::Uuid::now_v7().to_string(),
            "destinationType": destination_type, "settings": settings, "matchKeys": [{ "kind": "HASHED_EMAIL" }],
        });
        let made = self.party.client.mutate(document, input).await;
        made["destination"]["id"].as_str().unwrap().to_owned()
    }

    async fn begin(&self, mode: &str) -> String {
        let target = self.gateway.data().join("entente.db");
        let destination = self.destination("hostile", json!({ "mode": mode, "target": target })).await;
        let input = json!({
            "accountId": self.party.account, "sentAudienceId": self.sent, "destinationId": destination, "on": today(),
        });
        let made = self.party.client.mutate(ACTIVATE, input).await;
        made["activation"]["id"].as_str().unwrap().to_owned()
    }

    async fn activation(&self, id: &str, suits: impl Fn(&Value) -> bool) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Activation { status failure delivered } } }";
        self.party.client.until(query, json!({ "id": id }), |data| suits(&data["node"])).await["node"].clone()
    }

    /// Waits until an attack has ended as it should.
    async fn see(&self, id: &str, mode: &str, outcome: &Outcome) {
        match outcome {
            Lost(fault) => {
                let uuid = uuid_of(id);
                let is_about_it = |line: &str| line.contains("worker lost") && line.contains(&uuid);
                let began = Instant::now();
                while !self.gateway.log().lines().any(|line| is_about_it(line) && line.contains(fault)) {
                    let log = self.gateway.log();
                    assert!(began.elapsed() < Duration::from_secs(30), "{mode}, not {fault}:\n{log}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let seen = self.activation(id, |_| true).await;
                assert_eq!((&seen["status"], &seen["delivered"]), (&json!("DELIVERING"), &json!(0)), "{mode}");
            }
            Failed(failure) => {
                let seen = self.activation(id, |activation| activation["status"] == "FAILED").await;
                assert_eq!(seen["failure"], *failure, "{mode}");
            }
            Waits => {
                let seen = self.activation(id, |activation| activation["status"] == "DELIVERING").await;
                assert_eq!(seen["delivered"], 0, "{mode}");
            }
        }
    }

    async fn delete(&self, activation: &str) {
        let document = "mutation($input: DeleteActivationInput!) { deleteActivation(input: $input) {
            userErrors { code message } } }";
        let input = json!({ "accountId": self.party.account, "activationId": activation });
        self.party.client.mutate(document, input).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_stay_with_their_activation() {
    if !tool_is_there("a C compiler (cc)", Command::new("cc").arg("--version").output().is_ok()) {
        return;
    }
    let gateway = gateway().await;
    let log = gateway.log();
    let is_confined = !log.contains("no Landlock") && !log.contains("no seccomp");
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    luma.source(people::customers(0..12_000, Form::Hashed, people::luma), Form::Hashed).await;
    tv_tube.source(people::customers(4_000..16_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
    tv_tube.create_destination().await;
    let connection = luma.connect(&tv_tube, "RECIPIENT").await;
    let project = luma.create_project(&connection, "Spring").await;
    let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
    assert_eq!(sent["userErrors"], json!([]));
    let sent = tv_tube.received().await[0]["id"].as_str().unwrap().to_owned();
    let receiver = Receiver { gateway: &gateway, party: tv_tube, sent };

    p99(&luma).await;
    let mut quiet = p99(&luma).await;
    for attacks in &ATTACKS {
        if !is_confined && attacks.iter().any(|(_, outcome)| matches!(outcome, Failed(_))) {
            eprintln!("left out: this system has no Landlock or no seccomp");
            continue;
        }
        for tries in 1.. {
            let mut begun = vec![];
            for (mode, _) in *attacks {
                begun.push(receiver.begin(mode).await);
            }
            let during = p99(&luma).await;
            let folder = format!("{}-{tries}", attacks[0].0.replace(' ', "-"));
            let other = receiver.destination("landing-zone", json!({ "folder": folder })).await;
            let delivered = receiver.party.activate(&receiver.sent, &other).await;
            assert_eq!(delivered["status"], "DELIVERED", "{delivered}");
            for ((mode, outcome), id) in attacks.iter().zip(&begun) {
                receiver.see(id, mode, outcome).await;
                receiver.delete(id).await;
            }
            // Deliveries that were deleted end within seconds.
            tokio::time::sleep(Duration::from_secs(3)).await;
            println!("{}: 99 of 100 questions within {during:?}, without attacks {quiet:?}", attacks[0].0);
            if during <= quiet.mul_f64(1.5) + ALLOWANCE {
                break;
            }
            assert!(tries < TRIES, "{during:?} instead of {quiet:?}");
            // Those that hang are waited for a little before they are killed.
            tokio::time::sleep(Duration::from_secs(6)).await;
            quiet = p99(&luma).await;
        }
    }
}
