//! From a file with plain e-mails and CRM ids to a finished index, CSV and Parquet, and DuckDB doing the same: read,
//! normalise, SHA-256, distinct, sorted Parquet. `cargo bench --workspace --bench sourcing`; needs a Python with the
//! module `duckdb`, named by `PYTHON`. `MEBIBYTES` is the size of the CSV file (default: 2,048).

#[expect(dead_code, reason = "other benches read accounts as CSV")]
mod synthetic;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use entente_identity::generation::{RunSource, index_path, write_generation};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{AudienceFrom, Control, DEFAULT_MEMORY, Mapping, SourcePlan, source};
use entente_identity::{Index, IndexSecret, KeyName, Slot};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::Deserialize;
use std::collections::BTreeMap;
use synthetic::{Account, peak_mebibytes};

const THREADS: usize = 2;
const LIMIT_MEBIBYTES: u64 = 512;
const BATCH: u64 = 1 << 16;
const KEYS: [(&str, Form); 2] = [("email", Form::HashedEmail), ("crm_id", Form::CrmId)];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mebibytes: u64 = std::env::var("MEBIBYTES").ok().and_then(|m| m.parse().ok()).unwrap_or(2_048);
    let dir = tempfile::tempdir()?;
    let rows = write_files(dir.path(), mebibytes << 20)?;
    println!("{mebibytes} MiB of CSV, {rows} rows");
    for name in ["people.csv", "people.parquet"] {
        let file = dir.path().join(name);
        let megabytes = std::fs::metadata(&file)?.len() as f64 / 1e6;
        peak_mebibytes();
        let begin = Instant::now();
        let identities = index(dir.path(), &file)?;
        let seconds = begin.elapsed().as_secs_f64();
        let peak = peak_mebibytes().unwrap_or(0);
        println!(
            "{name}: {seconds:.1} s, {:.0} MB/s, peak memory {peak} MiB (wanted: at most {LIMIT_MEBIBYTES})",
            megabytes / seconds
        );
        let peer = duckdb(dir.path(), &file)?;
        if peer.identities != identities {
            return Err(format!("DuckDB finds {:?}, the index {identities:?}", peer.identities).into());
        }
        println!(
            "DuckDB {}: {:.1} s, peak memory {} MiB; {:.1} times as fast (wanted: 3)",
            peer.version,
            peer.seconds,
            peer.peak_mebibytes,
            peer.seconds / seconds
        );
    }
    Ok(())
}

/// Sources a file and merges the run into a generation; the identities by match key.
fn index(dir: &Path, file: &Path) -> Result<BTreeMap<String, u64>> {
    let mapping = |(column, form): (&str, Form)| {
        Ok(Mapping { column: column.to_owned(), key: KeyName::new(column)?, form, take: Take::Transform })
    };
    let plan = SourcePlan {
        delimiter: b',',
        mappings: KEYS.into_iter().map(mapping).collect::<Result<_>>()?,
        audience: AudienceFrom::Column("audience".to_owned()),
        memory: DEFAULT_MEMORY,
    };
    let (run, generation) = (dir.join("run"), dir.join("generation"));
    let secret = IndexSecret::new([3; 16]);
    let sourced = source(Arc::new(File::open(file)?), &plan, dir, &secret, &run, &mut |_| Control::Continue)?;
    let slots = (1..).map(|slot| Some(Slot(slot))).take(sourced.audiences.len()).collect();
    write_generation(&[RunSource { run: run.clone(), slots }], &generation)?;
    let mut identities = BTreeMap::new();
    for (key, _) in KEYS {
        identities.insert(key.to_owned(), Index::open(&index_path(&generation, &KeyName::new(key)?))?.rows());
    }
    std::fs::remove_dir_all(run)?;
    std::fs::remove_dir_all(generation)?;
    Ok(identities)
}

/// People with an e-mail and a CRM id, a row for each of their audiences, as CSV of so many bytes and as Parquet.
fn write_files(dir: &Path, bytes: u64) -> Result<u64> {
    let account = Account { first: 0, end: u64::MAX / 8, audiences: 100 };
    let mut csv = BufWriter::new(File::create(dir.join("people.csv"))?);
    let mut parquet: Option<ArrowWriter<File>> = None;
    let (mut written, mut rows, mut person) = (0, 0, 0);
    writeln!(csv, "email,crm_id,audience")?;
    while written < bytes {
        let mut columns: [Vec<String>; 3] = Default::default();
        for person in person..person + BATCH {
            for audience in account.audiences_of(person) {
                let number = u64::from_le_bytes(Account::digest(person)[..8].try_into()?);
                columns[0].push(format!("Person.{:x}@Example{}.com", number >> 8, number % 50));
                columns[1].push(format!("C-{:012}", number % 1_000_000_000_000));
                columns[2].push(format!("audience {audience}"));
            }
        }
        person += BATCH;
        for ((email, crm_id), audience) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
            writeln!(csv, "{email},{crm_id},{audience}")?;
            written += (email.len() + crm_id.len() + audience.len() + 3) as u64;
            rows += 1;
        }
        let arrays = columns.map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        let [email, crm_id, audience] = arrays;
        let batch = RecordBatch::try_from_iter([("email", email), ("crm_id", crm_id), ("audience", audience)])?;
        if parquet.is_none() {
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            let file = File::create(dir.join("people.parquet"))?;
            parquet = Some(ArrowWriter::try_new(file, batch.schema(), Some(properties))?);
        }
        if let Some(parquet) = &mut parquet {
            parquet.write(&batch)?;
        }
    }
    csv.flush()?;
    if let Some(parquet) = parquet {
        parquet.close()?;
    }
    Ok(rows)
}

#[derive(Deserialize)]
struct Peer {
    version: String,
    seconds: f64,
    peak_mebibytes: u64,
    identities: BTreeMap<String, u64>,
}

fn duckdb(dir: &Path, file: &Path) -> Result<Peer> {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sourcing_duckdb.py");
    let out = Command::new(python).args([script.as_path(), file, dir]).arg(THREADS.to_string()).output()?;
    if !out.status.success() {
        return Err(format!("DuckDB: {}; has PYTHON the module duckdb?", String::from_utf8_lossy(&out.stderr)).into());
    }
    Ok(serde_json::from_slice(&out.stdout)?)
}
