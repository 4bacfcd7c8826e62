//! The plugin in C, compiled once, and this program as its worker.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use entente_destination::rows::{Change, Row, batch};
use entente_destination::{Operator, Reaches};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::destinations::backoff::RetryPolicy;
use crate::destinations::confinement::Limits;
use crate::destinations::delivery::{Order, key_prefix};
use crate::destinations::plugin::FileHash;
use crate::destinations::process::{PluginFile, ProcessLauncher, Timeouts, Workers};
use crate::destinations::rows_file::write_rows;
use crate::destinations::run_worker;

/// Serves as a worker where it is started as one, and passes otherwise.
#[test]
fn as_worker() {
    if std::env::args().any(|argument| argument == "plugin-worker") {
        run_worker();
    }
}

/// Workers that are this program.
pub(super) fn workers() -> Workers {
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::as_worker");
    let arguments = ["--exact", &test, "plugin-worker", "--nocapture", "--test-threads=1"];
    Workers {
        program: std::env::current_exe().unwrap(),
        arguments: arguments.map(Into::into).to_vec(),
        timeouts: Timeouts::default(),
        user: None,
        limits: Limits::default(),
    }
}

/// The compiled plugin.
pub(super) fn plugin_file() -> PluginFile {
    static FILE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = FILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = compile(folder.path(), "fixture.c", "libfixture.so", &[]);
        (folder, file)
    });
    PluginFile { hash: FileHash::of(file).unwrap(), file: file.clone() }
}

/// Compiles a plugin that is beside this file into `folder`.
pub(super) fn compile(folder: &Path, source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join(name);
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-pthread", "-o"])
        .arg(&file)
        .arg(gateway.join("src/destinations/tests").join(source))
        .arg("-I")
        .arg(gateway.join("../plugins/sdk/include"))
        .args(flags)
        .status();
    assert!(status.unwrap().success());
    file
}

pub(super) fn launcher() -> ProcessLauncher {
    ProcessLauncher { workers: workers(), plugin: plugin_file() }
}

/// What the compiled plugin says it reaches.
pub(super) fn reaches() -> Reaches {
    Reaches { folder: true, hosts: vec!["*".to_owned()] }
}

/// A policy that does not keep tests waiting.
pub(super) fn policy() -> RetryPolicy {
    RetryPolicy {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
        patience: Duration::from_secs(5),
        faults: 3,
    }
}

/// A place for one delivery: its rows, and the folder that the plugin writes to.
pub(super) struct Place {
    folder: TempDir,
    batches: u64,
    rows_per_batch: u64,
}

impl Place {
    pub fn new(batches: u64, rows_per_batch: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken")).unwrap();
        let place = Self { folder, batches, rows_per_batch };
        let rows = |sequence: u64| {
            let identities: Vec<[u8; 32]> = place.identities(sequence);
            let row = |identity| Row { match_key: "hashed_email", identity, change: Change::Added };
            batch(identities.iter().map(row)).unwrap()
        };
        write_rows(&place.folder.path().join("rows.arrow"), (1..=batches).map(rows)).unwrap();
        place
    }

    fn identities(&self, sequence: u64) -> Vec<[u8; 32]> {
        let identity = |row: u64| {
            let mut identity = [0x5a; 32];
            identity[..8].copy_from_slice(&(sequence * 1_000_000 + row).to_le_bytes());
            identity
        };
        (0..self.rows_per_batch).map(identity).collect()
    }

    pub fn operator(&self) -> Operator {
        Operator { local_root: Some(self.folder.path().join("taken")), ..Operator::default() }
    }

    pub fn settings(mode: &str) -> Value {
        json!({"mode": mode})
    }

    pub fn order(&self, mode: &str) -> Order {
        Order {
            settings: Self::settings(mode),
            refresh_token: None,
            operator: self.operator(),
            activation: "0190f3c4".to_owned(),
            name: "Spring shoes".to_owned(),
            generation: "1".to_owned(),
            match_keys: vec!["hashed_email".to_owned()],
            rows: self.folder.path().join("rows.arrow"),
            acknowledged: 0,
            state: Vec::new(),
            tries: 0,
        }
    }

    pub fn has(&self, marker: &str) -> bool {
        self.folder.path().join("taken").join(marker).exists()
    }

    /// Makes sure that exactly the rows of the first `batches` arrived, each once.
    pub fn assert_taken(&self, batches: u64) {
        let prefix = key_prefix("0190f3c4", "1");
        let expected: BTreeMap<String, Vec<u8>> = (1..=batches)
            .map(|sequence| (format!("{prefix}-{sequence}"), self.identities(sequence).concat()))
            .collect();
        let taken: BTreeMap<String, Vec<u8>> = fs::read_dir(self.folder.path().join("taken"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| !entry.file_name().to_str().unwrap().starts_with('.'))
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        assert_eq!(taken.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert!(taken == expected, "the same batches with other rows");
    }

    pub fn assert_all_taken(&self) {
        self.assert_taken(self.batches);
    }

    pub fn rows(&self) -> u64 {
        self.batches * self.rows_per_batch
    }
}
