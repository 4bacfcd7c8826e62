//! A place to deliver to, and what arrived in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use entente_destination::caller::{CallError, Plugin, Session};
use entente_destination::rows::{Change, Row, batch};
use entente_destination::{Delivery, DestinationError, Operator};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A match key, an identity and whether it joined.
pub type Taken = (String, [u8; 32], bool);

/// An operator's folder.
pub struct World {
    folder: TempDir,
    pub settings: Value,
}

impl World {
    pub fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), settings: json!({"folder": "audiences/luma"}) };
        fs::create_dir(world.root()).unwrap();
        world
    }

    pub fn with(settings: Value) -> Self {
        Self { settings, ..Self::new() }
    }

    /// What the operator set aside; around it is nothing.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Whether nothing but the root is where the root is.
    pub fn is_whole(&self) -> bool {
        files(self.folder.path()).iter().all(|file| file.starts_with(self.root()))
            && fs::read_dir(self.folder.path()).unwrap().count() == 1
    }

    pub fn operator(&self) -> Operator {
        Operator { local_root: Some(self.root()), ..Operator::default() }
    }

    /// The folder of its only delivery.
    pub fn delivery_folder(&self) -> PathBuf {
        self.root().join("audiences/luma/0190f3c4/1")
    }

    pub fn check(&self, plugin: &Plugin) -> Result<(), CallError> {
        plugin.check(&self.settings, &self.operator())
    }

    /// Opens its delivery, or goes on with it after the batches that were acknowledged.
    pub fn open(&self, plugin: &Plugin, acknowledged: u64, state: &[u8]) -> Result<Session, CallError> {
        let delivery = Delivery {
            activation: "0190f3c4".to_owned(),
            name: "Spring \"shoes\"".to_owned(),
            generation: "1".to_owned(),
            key_prefix: "k".to_owned(),
            match_keys: vec!["hashed_email".to_owned()],
            acknowledged,
            state: state.to_vec(),
        };
        plugin.open(&self.settings, &self.operator(), &delivery)
    }

    /// How often each row is in the files.
    pub fn taken(&self) -> BTreeMap<Taken, usize> {
        let mut rows = BTreeMap::new();
        for file in files(&self.root()).iter().filter(|file| file.extension().is_some_and(|is| is == "ndjson")) {
            for line in fs::read_to_string(file).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let identity = hex::decode(line["identity"].as_str().unwrap()).unwrap();
                let key = line["match_key"].as_str().unwrap().to_owned();
                *rows.entry((key, identity.try_into().unwrap(), line["change"] == "added")).or_default() += 1;
            }
        }
        rows
    }

    pub fn manifest(&self) -> Option<Value> {
        let text = fs::read_to_string(self.delivery_folder().join("manifest.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() && !path.is_symlink() { files(&path) } else { vec![path] }).collect()
}

/// Rows of a batch: every third has another match key, every fifth was removed.
pub fn rows(of: std::ops::Range<u64>) -> Vec<Taken> {
    let row = |number: u64| {
        let mut identity = [0xa5; 32];
        identity[..8].copy_from_slice(&number.to_le_bytes());
        let key = if number.is_multiple_of(3) { "partner_id-liveramp" } else { "hashed_email" };
        (key.to_owned(), identity, !number.is_multiple_of(5))
    };
    of.map(row).collect()
}

pub fn batch_of(rows: &[Taken]) -> RecordBatch {
    let row = |(match_key, identity, added): &Taken| {
        // The batch is made from rows that borrow, and these live as long as the test.
        let change = if *added { Change::Added } else { Change::Removed };
        (match_key.clone(), *identity, change)
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    batch(rows.iter().map(|(match_key, identity, change)| Row { match_key, identity, change: *change })).unwrap()
}

/// Each row once.
pub fn once(rows: &[Taken]) -> BTreeMap<Taken, usize> {
    rows.iter().map(|row| (row.clone(), 1)).collect()
}

/// The kind of a destination's error, and its message.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> (&'static str, String) {
    match outcome.expect_err("it must be refused") {
        CallError::Destination(error) => (DestinationError::kind(&error), error.to_string()),
        other => panic!("{other}"),
    }
}
