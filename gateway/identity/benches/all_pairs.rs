//! All pairs of 20 by 50 audiences, 5 M against 20 M identities: exact and protected counts, and DuckDB's on the same
//! data. `cargo bench -p entente-identity --bench all_pairs`; needs a Python with the module `duckdb`, named by
//! `PYTHON`. Data is kept in `BENCH_DIR` (default: `entente-all-pairs` below the directory for temporary files).

mod synthetic;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, UInt16Array, UInt64Array};
use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use entente_identity::count::{Selection, Shown, Table, Target, count};
use entente_identity::generation::index_path;
use entente_identity::{AccountSecret, Index, Slot, SlotSet, View};
use memmap2::Mmap;
use parquet::arrow::ArrowWriter;
use serde::Deserialize;
use synthetic::{Account, index, key, peak_mebibytes};

const THREADS: usize = 2;
const ROUNDS: usize = 15;
const MY_AUDIENCES: u16 = 20;
const THEIR_AUDIENCES: u16 = 50;
/// Of an index file, before its keys.
const HEADER_BYTES: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// My audience, their audience, and what both have.
type Overlap = (u16, u16, u64);

fn mine() -> Account {
    Account { first: 0, end: 5_000_000, audiences: MY_AUDIENCES }
}

fn theirs() -> Account {
    Account { first: 4_000_000, end: 24_000_000, audiences: THEIR_AUDIENCES }
}

fn main() -> Result<()> {
    let dir =
        std::env::var_os("BENCH_DIR").map_or_else(|| std::env::temp_dir().join("entente-all-pairs"), PathBuf::from);
    std::fs::create_dir_all(&dir)?;
    let my_index = index(&dir, "mine", mine())?;
    let their_index = index(&dir, "theirs", theirs())?;
    println!("{} against {} identities", my_index.rows(), their_index.rows());
    if let Some(peak) = peak_mebibytes() {
        println!("sourcing and merging: peak memory {peak} MiB");
    }

    let secret = AccountSecret::new([7; 32]);
    let view = View::protected(PrivacyLevel::Standard, &secret, &key()?, NaiveDate::default());
    let mut duckdb = DuckDb::start(&dir)?;
    // The first round warms all three up.
    let exact_table = all_pairs(&my_index, &their_index, &View::Exact);
    report_error(&exact_table, &all_pairs(&my_index, &their_index, &view));
    duckdb.all_pairs()?.check(&exact_table)?;
    let kept = [&View::Exact, &view].map(|view| look(&my_index, &their_index, view));
    assert!(pairs_again(&kept[0], &View::Exact) == Some(exact_table), "what was kept must answer like a count");
    peak_mebibytes();

    let keys = [keys_of(&dir, "mine", &my_index)?, keys_of(&dir, "theirs", &their_index)?];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (exact, protected) = (
            time(|| all_pairs(&my_index, &their_index, &View::Exact)),
            time(|| all_pairs(&my_index, &their_index, &view)),
        );
        let again = [(&kept[0], &View::Exact), (&kept[1], &view)].map(|(kept, view)| time(|| pairs_again(kept, view)));
        let duckdb_seconds = duckdb.all_pairs()?.seconds;
        // DuckDB leaves the caches full of its own, for both.
        let universes = time(|| universes(&my_index, &their_index));
        duckdb.all_pairs()?;
        let floor = time(|| read_once(&keys));
        rounds.push([exact, protected, duckdb_seconds, universes, floor, again[0], again[1]]);
    }
    let [exact, protected, duckdb_seconds, universes, floor, exact_again, protected_again] =
        std::array::from_fn(|i| median(rounds.iter().map(|round| round[i])));
    println!("exact {:.1} ms, protected {:.1} ms, DuckDB {:.1} ms", exact * 1e3, protected * 1e3, duckdb_seconds * 1e3);
    let times = |i: usize| median(rounds.iter().map(|round| round[2] / round[i]));
    println!("exact {:.1} times as fast as DuckDB (wanted: 40)", times(0));
    println!("protected {:.1} times as fast as DuckDB's exact (wanted: 20)", times(1));
    let of_exact = median(rounds.iter().map(|round| round[1] / round[0]));
    println!("protected takes {of_exact:.2} times as long as exact (wanted: at most 2)");
    println!("again, of what is kept: exact {:.1} ms, protected {:.1} ms", exact_again * 1e3, protected_again * 1e3);
    println!("again: exact {:.1}, protected {:.1} times as fast as DuckDB", times(5), times(6));
    println!("distinct universes {:.1} ms, reading both arrays once {:.1} ms", universes * 1e3, floor * 1e3);
    let of_floor = median(rounds.iter().map(|round| round[3] / round[4]));
    println!("distinct universes counted: {of_floor:.1} times reading both arrays once (wanted: at most 3)");
    if let Some(peak) = peak_mebibytes() {
        println!("counting: peak memory {peak} MiB, the files among it, which are mapped twice");
    }
    let last = duckdb.all_pairs()?;
    println!("DuckDB {}: peak memory {} MiB", last.version, last.peak_mebibytes);
    Ok(())
}

fn time<T>(work: impl FnOnce() -> T) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The whole table, by its selections and targets.
fn pairs() -> (Vec<Selection>, Vec<Target>) {
    let selections = (1..=MY_AUDIENCES).map(|slot| Selection::Any(vec![Slot(slot)])).collect();
    (selections, (1..=THEIR_AUDIENCES).map(|slot| Target::One(Slot(slot))).collect())
}

fn active(audiences: u16) -> SlotSet {
    (1..=audiences).map(Slot).collect()
}

/// The whole table, asked for the first time.
fn all_pairs(mine: &Index, theirs: &Index, view: &View) -> Table {
    let (selections, targets) = pairs();
    let [my_active, their_active] = [MY_AUDIENCES, THEIR_AUDIENCES].map(active);
    count(mine, &my_active, &selections, theirs, &their_active, &targets, view, THREADS)
}

/// What Discover keeps of two indexes once they were compared.
fn look(mine: &Index, theirs: &Index, view: &View) -> Shown {
    Shown::look(mine, &active(MY_AUDIENCES), theirs, &active(THEIR_AUDIENCES), view, THREADS)
}

/// The whole table, from what is kept.
fn pairs_again(kept: &Shown, view: &View) -> Option<Table> {
    let (selections, targets) = pairs();
    kept.count(&selections, &targets, view, THREADS)
}

/// Everybody against everybody.
fn universes(mine: &Index, theirs: &Index) -> Table {
    let active = active(THEIR_AUDIENCES);
    count(mine, &active, &[Selection::All], theirs, &active, &[Target::All], &View::Exact, THREADS)
}

/// A file with as many keys as an index has, mapped: those of the index, as they come right after its header.
struct Keys {
    map: Mmap,
    rows: usize,
}

fn keys_of(dir: &Path, name: &str, index: &Index) -> Result<Keys> {
    let file = File::open(index_path(&dir.join(name), &key()?))?;
    // SAFETY: nothing changes the file while this runs.
    let map = unsafe { Mmap::map(&file)? };
    Ok(Keys { map, rows: usize::try_from(index.rows())? })
}

/// Reads all keys once, shared out like the counting.
fn read_once(sides: &[Keys]) -> u64 {
    let sum_of_share = |share: usize| {
        let sums = sides.iter().map(|Keys { map, rows }| {
            let keys: &[u64] = bytemuck::cast_slice(&map[HEADER_BYTES..HEADER_BYTES + rows * 8]);
            let range = rows * share / THREADS..rows * (share + 1) / THREADS;
            keys[range].iter().fold(0u64, |sum, key| sum.wrapping_add(*key))
        });
        std::hint::black_box(sums.fold(0, u64::wrapping_add))
    };
    thread::scope(|scope| {
        let sum_of_share = &sum_of_share;
        let others: Vec<_> = (1..THREADS).map(|share| scope.spawn(move || sum_of_share(share))).collect();
        let own = sum_of_share(0);
        others.into_iter().filter_map(|other| other.join().ok()).fold(own, u64::wrapping_add)
    })
}

/// How far the protected table is from the exact one, in its own standard errors: about 1 in the mean of squares.
fn report_error(exact: &Table, protected: &Table) {
    let pairs = (0..exact.sizes().len()).flat_map(|i| exact.row(i).iter().zip(protected.row(i)));
    let squares: Vec<f64> =
        pairs.map(|(truth, sum)| ((sum.estimate - truth.estimate) / sum.standard_error()).powi(2)).collect();
    let mean = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    println!("protected: off by {mean:.2} standard errors in the root mean square");
}

/// DuckDB with the same data in its own tables.
struct DuckDb {
    _process: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

#[derive(Deserialize)]
struct Answer {
    version: String,
    seconds: f64,
    peak_mebibytes: u64,
    pairs: Vec<Overlap>,
}

impl DuckDb {
    fn start(dir: &Path) -> Result<Self> {
        for (name, account) in [("mine", mine()), ("theirs", theirs())] {
            let path = dir.join(format!("{name}.parquet"));
            if !path.exists() {
                export(&account, &path)?;
            }
        }
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/all_pairs_duckdb.py");
        let mut process = Command::new(python)
            .args([script.as_os_str(), dir.as_os_str()])
            .arg(THREADS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = process.stdin.take().ok_or("no input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        Ok(Self { _process: process, ask, answers })
    }

    fn all_pairs(&mut self) -> Result<Answer> {
        writeln!(self.ask)?;
        let line = self.answers.next().ok_or("DuckDB ended; has PYTHON the module duckdb?")??;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Answer {
    fn check(&self, exact: &Table) -> Result<()> {
        for (my_audience, their_audience, overlap) in &self.pairs {
            let sum = exact.sum(usize::from(*my_audience) - 1, usize::from(*their_audience) - 1);
            if sum.estimate != *overlap as f64 {
                return Err(format!("DuckDB counts {overlap} where the index counts {}", sum.estimate).into());
            }
        }
        println!("DuckDB has the same {} counts", self.pairs.len());
        Ok(())
    }
}

/// The memberships of an account, with a 64-bit key for each identity.
fn export(account: &Account, path: &Path) -> Result<()> {
    let mut writer: Option<ArrowWriter<File>> = None;
    for first in (account.first..account.end).step_by(1 << 20) {
        let (mut keys, mut audiences) = (Vec::new(), Vec::new());
        for identity in first..account.end.min(first + (1 << 20)) {
            let mut key = [0; 8];
            key.copy_from_slice(&Account::digest(identity)[..8]);
            for audience in account.audiences_of(identity) {
                keys.push(u64::from_le_bytes(key));
                audiences.push(audience);
            }
        }
        let keys: ArrayRef = Arc::new(UInt64Array::from(keys));
        let audiences: ArrayRef = Arc::new(UInt16Array::from(audiences));
        let batch = RecordBatch::try_from_iter([("key", keys), ("audience", audiences)])?;
        let mut open = match writer.take() {
            Some(open) => open,
            None => ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?,
        };
        open.write(&batch)?;
        writer = Some(open);
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
