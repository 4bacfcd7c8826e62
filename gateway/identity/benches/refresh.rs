//! What a refresh costs when 1 % of an account's rows changed: where these are a file of a data connection of their own,
//! and where they are scattered over one large file. `cargo bench --workspace --bench refresh`; takes a minute or two and
//! 4 GB of disk. `MILLIONS` is the number of identities (default: 10 million).

#[expect(dead_code, reason = "other benches read accounts as CSV")]
mod synthetic;

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use entente_identity::generation::{RunSource, index_path, write_generation};
use entente_identity::normalise::{Form, Take, identity};
use entente_identity::source::{AudienceFrom, Control, DEFAULT_MEMORY, Mapping, Row, RowReader, SourcePlan, source};
use entente_identity::{Index, IndexSecret, Slot};
use synthetic::{Account, key};

const AUDIENCES: u16 = 50;
const SECRET: [u8; 16] = [3; 16];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let millions: u64 = std::env::var("MILLIONS").ok().and_then(|millions| millions.parse().ok()).unwrap_or(10);
    let (all, changed) = (millions * 1_000_000, millions * 10_000);
    let dir = tempfile::tempdir()?;
    let file = |name: &str| dir.path().join(name);
    write_csv(&file("all.csv"), 0..all)?;
    write_csv(&file("one-percent.csv"), all..all + changed)?;
    write_csv(&file("scattered.csv"), changed..all + changed)?;

    let begin = Instant::now();
    let run = source_file(dir.path(), "all")?;
    let sourced = begin.elapsed().as_secs_f64();
    merge(dir.path(), std::slice::from_ref(&run), all)?;
    let full = begin.elapsed().as_secs_f64();
    println!("{millions} million identities, everything: {full:.1} s, of which merging {:.1} s", full - sourced);

    let begin = Instant::now();
    let other = source_file(dir.path(), "one-percent")?;
    merge(dir.path(), &[run, other], all + changed)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("1 % in a data connection of its own: {seconds:.1} s, {:.2} of everything", seconds / full);

    let begin = Instant::now();
    let scattered = source_file(dir.path(), "scattered")?;
    merge(dir.path(), &[scattered], all)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("1 % scattered over the whole file: {seconds:.1} s, {:.2} of everything", seconds / full);

    let begin = Instant::now();
    read_and_hash(&file("scattered.csv"))?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("reading and hashing that file, on one thread: {seconds:.1} s, {:.2} of everything", seconds / full);
    Ok(())
}

fn source_file(dir: &Path, name: &str) -> Result<RunSource> {
    let mapping = Mapping { column: "email".to_owned(), key: key()?, form: Form::HashedEmail, take: Take::Transform };
    let audience = AudienceFrom::Column("audience".to_owned());
    let plan = SourcePlan { delimiter: b',', mappings: vec![mapping], audience, memory: DEFAULT_MEMORY };
    let (file, run) = (File::open(dir.join(format!("{name}.csv")))?, dir.join(format!("{name}-run")));
    let sourced = source(Arc::new(file), &plan, dir, &IndexSecret::new(SECRET), &run, &mut |_| Control::Continue)?;
    let slots = (1..).map(|slot| Some(Slot(slot))).take(sourced.audiences.len()).collect();
    Ok(RunSource { run, slots })
}

/// Merges runs into a generation, and removes it.
fn merge(dir: &Path, runs: &[RunSource], identities: u64) -> Result<()> {
    let generation: PathBuf = dir.join("generation");
    write_generation(runs, &generation)?;
    assert_eq!(Index::open(&index_path(&generation, &key()?))?.rows(), identities);
    Ok(std::fs::remove_dir_all(generation)?)
}

/// What no refresh can do without when any row of a file may have changed.
fn read_and_hash(file: &Path) -> Result<()> {
    let secret = IndexSecret::new(SECRET);
    let mut file = File::open(file)?;
    let (mut reader, mut row) = (RowReader::open(&mut file, b',', &["email"])?, Row::default());
    while reader.next_row(&mut row)? {
        let identity = identity(Form::HashedEmail, Take::Transform, row.field(0))?;
        black_box(identity.map(|identity| secret.key(&identity)));
    }
    Ok(())
}

/// A row for each audience of each person.
fn write_csv(path: &Path, people: Range<u64>) -> Result<()> {
    let account = Account { first: people.start, end: people.end, audiences: AUDIENCES };
    let mut csv = BufWriter::new(File::create(path)?);
    writeln!(csv, "email,audience")?;
    for person in people {
        let number = u64::from_le_bytes(*Account::digest(person).first_chunk().ok_or("a digest has 32 bytes")?);
        for audience in account.audiences_of(person) {
            writeln!(csv, "Person.{number:x}@Example.com,audience {audience}")?;
        }
    }
    Ok(csv.flush()?)
}
