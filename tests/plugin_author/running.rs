//! `entente plugin run` and `check` with the webhook, through kills.

use crate::command::Installed;
use entente_destination::testkit::{FakeServer, Reply};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Rows of a batch.
const BATCH: usize = 65_536;
/// Standard Webhooks' own example of a secret.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver, its settings, and rows for it.
struct Place {
    installed: Installed,
    folder: TempDir,
    receiver: FakeServer,
}

impl Place {
    /// With so many rows, and a receiver that takes its time.
    fn new(rows: usize, delay: Duration) -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), FakeServer::start().unwrap());
        receiver.otherwise(move |_| Reply::status(200).delay(delay));
        let settings = json!({
            "url": receiver.url("/hook"), "secret": SECRET, "allow_plain_http": true, "batch_rows": BATCH,
        });
        std::fs::write(folder.path().join("settings.json"), settings.to_string()).unwrap();
        let lines: String = (0..rows).map(|row| format!("hashed_email,{}\n", identity(row))).collect();
        std::fs::write(folder.path().join("rows.csv"), format!("match_key,identity_hex\n{lines}")).unwrap();
        Self { installed: Installed::new(), folder, receiver }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.installed.entente();
        command.args(["plugin", name]).arg(self.installed.webhook()).current_dir(self.folder.path());
        command.args(["--settings", "settings.json"]).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let here = ["--rows", "rows.csv", "--allow-network", "127.0.0.0/8"];
        self.command("run", &[&here[..], arguments].concat()).output().unwrap()
    }

    /// Starts a delivery that keeps itself in `state`, and waits until a batch is acknowledged.
    fn start(&self) -> Child {
        let here = ["--rows", "rows.csv", "--allow-network", "127.0.0.0/8", "--state", "state"];
        let child = self.command("run", &here).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        while self.acknowledged() == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is acknowledged");
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    /// The last batch that the delivery in `state` acknowledged.
    fn acknowledged(&self) -> u64 {
        let record = std::fs::read(self.path("state/delivery.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        record["acknowledged"].as_u64().unwrap_or(0)
    }

    /// How often each identity was posted.
    fn posted(&self) -> BTreeMap<String, usize> {
        let mut posted = BTreeMap::new();
        for request in self.receiver.requests() {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            for row in body["rows"].as_array().into_iter().flatten() {
                *posted.entry(row["identity"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        posted
    }
}

fn identity(row: usize) -> String {
    format!("{row:064x}")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_delivery_that_is_killed_goes_on() {
    let rows = 3 * BATCH + 5;
    let place = Place::new(rows, Duration::from_millis(300));
    let mut child = place.start();
    child.kill().unwrap();
    child.wait().unwrap();
    let before = place.receiver.requests().len();
    let output = place.run(&["--state", "state"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains(&format!("4 batches answered: {rows} of {rows} rows accepted")),
        "{}",
        said(&output)
    );
    let posted = place.posted();
    assert_eq!(posted.len(), rows);
    assert_eq!(posted[&identity(0)], 1, "an acknowledged batch was written again");
    assert!(before < 4, "it was killed too late to show anything");
    let again = place.run(&["--state", "state"]);
    assert!(!again.status.success() && said(&again).contains("has ended"), "{}", said(&again));
}

#[test]
fn ctrl_c_ends_a_delivery_for_good() {
    let place = Place::new(4 * BATCH, Duration::from_millis(500));
    let child = place.start();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success() && said(&output).contains("cancelled"), "{}", said(&output));
    assert!(!place.path("state/rows.arrow").exists(), "the rows stay behind");
    assert!(place.posted().len() < 4 * BATCH);
}

#[test]
fn this_machine_is_out_of_reach_unless_it_is_allowed() {
    let place = Place::new(1, Duration::ZERO);
    for (name, arguments) in [("run", &["--rows", "rows.csv"][..]), ("check", &[])] {
        let output = place.command(name, arguments).output().unwrap();
        assert!(!output.status.success() && said(&output).contains("has not allowed"), "{}", said(&output));
    }
    assert!(place.receiver.requests().is_empty());
}

#[test]
fn rejected_rows_are_counted_and_listed() {
    let place = Place::new(3, Duration::ZERO);
    place.receiver.script([Reply::status(200).json(&json!({"rejected": [{"row": 1, "code": "NOT_THIS"}]}))]);
    let output = place.run(&["--rejected", "rejected.csv"]);
    assert!(output.status.success() && said(&output).contains("1  NOT_THIS"), "{}", said(&output));
    let rejected = std::fs::read_to_string(place.path("rejected.csv")).unwrap();
    assert_eq!(rejected, "row,code,reason\n2,NOT_THIS,The receiver rejected this row.\n");
}

#[test]
fn odd_rows_are_refused_by_number_before_anything_is_sent() {
    let place = Place::new(2, Duration::ZERO);
    std::fs::write(place.path("rows.csv"), "match_key,identity_hex\nhashed_email,s3cret\n").unwrap();
    let output = place.run(&[]);
    assert!(!output.status.success() && said(&output).contains("row 1"), "{}", said(&output));
    assert!(!said(&output).contains("s3cret") && place.receiver.requests().is_empty());
}

#[test]
fn what_is_no_plugin_fails_its_check() {
    let place = Place::new(1, Duration::ZERO);
    let mut check = place.installed.entente();
    let output = check.args(["plugin", "check"]).arg(place.path("rows.csv")).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("FAILED  it is a plugin"), "{}", said(&output));
}
