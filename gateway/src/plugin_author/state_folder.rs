//! The folder that a delivery of `entente plugin run` keeps itself in: a copy of its rows, how far it is, and what was
//! answered for each batch. A delivery that was killed goes on from it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use entente_destination::Rejected;
use entente_destination::rows::MAX_BATCH_ROWS;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::rows_input::{Copied, RowsFault, copy_rows};

const RECORD: &str = "delivery.json";
const ROWS: &str = "rows.arrow";
const ANSWERS: &str = "answers";

/// The most bytes of a record or an answer.
const MAX_JSON: u64 = 64 * 1024 * 1024;

/// Why a delivery cannot be kept, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file in it is not what this program writes.
    #[error("{} is no state of a delivery", .0.display())]
    Damaged(PathBuf),
    /// Another process delivers from it.
    #[error("{} belongs to a delivery that is under way", .0.display())]
    Busy(PathBuf),
    /// It is another delivery's.
    #[error("{} belongs to a delivery {what}: use another folder", path.display())]
    Another {
        /// The folder.
        path: PathBuf,
        /// Which one.
        what: &'static str,
    },
    /// The rows cannot be delivered.
    #[error(transparent)]
    Rows(#[from] RowsFault),
}

/// What a delivery is, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The destination type.
    pub destination: String,
    /// Its id, which is made up.
    pub activation: String,
    /// SHA-256 of the file with the rows.
    rows_sha256: String,
    /// How many rows there are.
    pub rows: u64,
    /// The match keys that occur in them.
    pub match_keys: Vec<String>,
    /// The last batch that was acknowledged; 0 at the start.
    pub acknowledged: u64,
    /// The plugin's state, in hexadecimal digits.
    state: String,
    /// Whether it has ended, so that it cannot go on.
    pub ended: bool,
}

/// What was answered for a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// How many of its rows were taken.
    pub accepted: u64,
    /// Which were not.
    pub rejected: Vec<Rejected>,
}

/// When a batch was answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As it was written.
    AtOnce,
    /// Later.
    Later,
}

/// What was answered for all batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that were taken.
    pub accepted: u64,
    /// Rows that were not, by code.
    pub rejected: BTreeMap<String, u64>,
}

/// The folder of one delivery, which nobody else uses meanwhile.
pub struct StateFolder {
    path: PathBuf,
    /// How far the delivery is.
    pub record: Record,
    _lock: File,
}

impl StateFolder {
    /// Goes on with the delivery in a folder, or begins one where there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path, destination: &str, rows: &Path, cancel: &CancellationToken) -> Result<Self, StateError> {
        let path = std::path::absolute(path).map_err(|error| io_at(path, error))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path.join(ANSWERS))
            .map_err(|error| io_at(&path, error))?;
        let lock = File::create(path.join("lock")).map_err(|error| io_at(&path, error))?;
        lock.try_lock().map_err(|_| StateError::Busy(path.clone()))?;
        let rows_sha256 = sha256(rows).map_err(|error| io_at(rows, error))?;
        let record = match read::<Record>(&path.join(RECORD))? {
            Some(record) => {
                let another = |what| Err(StateError::Another { path: path.clone(), what });
                if record.destination != destination {
                    return another("to another destination type");
                }
                if record.rows_sha256 != rows_sha256 {
                    return another("of other rows");
                }
                if record.ended {
                    return another("that has ended");
                }
                record
            }
            None => {
                let Copied { rows, match_keys } = copy_rows(rows, &path.join(ROWS), cancel)?;
                Record {
                    destination: destination.to_owned(),
                    activation: uuid::Uuid::now_v7().to_string(),
                    rows_sha256,
                    rows,
                    match_keys: match_keys.into_iter().collect(),
                    acknowledged: 0,
                    state: String::new(),
                    ended: false,
                }
            }
        };
        let folder = Self { path, record, _lock: lock };
        folder.keep()?;
        Ok(folder)
    }

    /// The rows as a worker reads them.
    pub fn rows(&self) -> PathBuf {
        self.path.join(ROWS)
    }

    /// The plugin's state as of the last batch that was acknowledged; empty at the start.
    ///
    /// # Errors
    /// [`StateError::Damaged`].
    pub fn state(&self) -> Result<Vec<u8>, StateError> {
        hex::decode(&self.record.state).map_err(|_| StateError::Damaged(self.path.join(RECORD)))
    }

    /// Replaces the plugin's state, which is kept with the record.
    pub fn set_state(&mut self, state: &[u8]) {
        self.record.state = hex::encode(state);
    }

    /// Keeps the record.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn keep(&self) -> Result<(), StateError> {
        self.write(RECORD, &self.record)
    }

    /// Keeps what was answered for a batch, in place of what was answered at that time before.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn keep_answer(&self, sequence: u64, when: When, answer: &Answer) -> Result<(), StateError> {
        self.write(&answer_file(sequence, when), answer)
    }

    /// Ends the delivery: it cannot go on, and its rows are removed.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn end(&mut self) -> Result<(), StateError> {
        self.record.ended = true;
        self.keep()?;
        fs::remove_file(self.rows()).map_err(|error| io_at(&self.path, error))
    }

    /// What was answered so far.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn summary(&self) -> Result<Summary, StateError> {
        let mut summary = Summary::default();
        self.each_answer(|_, answer| {
            summary.accepted += answer.accepted;
            for rejected in answer.rejected {
                *summary.rejected.entry(rejected.code).or_default() += 1;
            }
            Ok(())
        })?;
        Ok(summary)
    }

    /// Writes the rejected rows so far as CSV: the number of the row in the whole file, from 1 on, code and reason.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn write_rejected(&self, to: &Path) -> Result<(), StateError> {
        let file = File::create(to).map_err(|error| io_at(to, error))?;
        let mut file = BufWriter::new(file);
        writeln!(file, "row,code,reason").map_err(|error| io_at(to, error))?;
        self.each_answer(|sequence, answer| {
            let before = (sequence - 1) * MAX_BATCH_ROWS as u64;
            let line = |rejected: &Rejected| {
                let row = before + u64::from(rejected.row) + 1;
                format!("{row},{},{}\n", quoted(&rejected.code), quoted(&rejected.reason))
            };
            let lines: String = answer.rejected.iter().map(line).collect();
            file.write_all(lines.as_bytes()).map_err(|error| io_at(to, error))
        })?;
        file.flush().map_err(|error| io_at(to, error))
    }

    fn each_answer(&self, mut each: impl FnMut(u64, Answer) -> Result<(), StateError>) -> Result<(), StateError> {
        for sequence in 1..=self.record.acknowledged {
            for when in [When::AtOnce, When::Later] {
                if let Some(answer) = read(&self.path.join(answer_file(sequence, when)))? {
                    each(sequence, answer)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a file aside and renames it, so that it is there as a whole or not at all; only this user may read it.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), StateError> {
        let write = || -> io::Result<()> {
            let mut aside = NamedTempFile::new_in(&self.path)?;
            serde_json::to_writer(BufWriter::new(&mut aside), value)?;
            aside.as_file().sync_all()?;
            aside.persist(self.path.join(name)).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| io_at(&self.path, error))
    }
}

fn io_at(path: &Path, error: io::Error) -> StateError {
    StateError::Io { path: path.to_owned(), error }
}

fn answer_file(sequence: u64, when: When) -> String {
    match when {
        When::AtOnce => format!("{ANSWERS}/{sequence}.json"),
        When::Later => format!("{ANSWERS}/{sequence}-later.json"),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let mut text = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_JSON).read_to_end(&mut text)) {
        Ok(_) => serde_json::from_slice(&text).map(Some).map_err(|_| StateError::Damaged(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_at(path, error)),
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// A field of CSV.
fn quoted(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
