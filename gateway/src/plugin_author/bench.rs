//! `entente plugin bench`: how fast a plugin takes rows, against writing the same bytes to a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use clap::Args;
use entente_destination::rows::{Change, MAX_BATCH_ROWS, Row, batch};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::ledger::bar;
use super::run::cancel_by_hand;
use super::target::{self, OperatorOptions};
use crate::destinations::backoff::RetryPolicy;
use crate::destinations::delivery::{Delivered, Order, Stop, deliver};
use crate::destinations::rows_file::{RowsError, write_rows};
use crate::destinations::{AckSink, Acknowledgement, Renewal, Settlement, SinkError};

/// Bytes of an identity.
const IDENTITY: u64 = 32;

/// What to measure.
#[derive(Debug, Args)]
pub struct Bench {
    /// The plugin's shared library. Its code is run, in a worker process
    file: PathBuf,
    /// Settings as JSON (`-`: standard input)
    #[arg(long, value_name = "FILE|-")]
    settings: PathBuf,
    /// How many rows to deliver
    #[arg(long, value_name = "ROWS", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rows_count: u64,
    #[command(flatten)]
    operator: OperatorOptions,
}

impl Bench {
    /// Makes up rows, delivers them and writes their bytes to a file.
    ///
    /// # Errors
    /// Where the delivery does not end well.
    pub fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(&self) -> Outcome {
        let launcher = target::launcher(&self.file)?;
        let described = target::describe(&launcher).await?;
        let order = Order {
            settings: target::settings(&self.settings)?,
            refresh_token: described.consent.map(|consent| consent.refresh_token),
            operator: described.reaches.of(&self.operator.operator()?),
            activation: uuid::Uuid::now_v7().to_string(),
            name: "Bench".to_owned(),
            generation: "1".to_owned(),
            match_keys: vec!["hashed_email".to_owned()],
            rows: PathBuf::new(),
            acknowledged: 0,
            state: Vec::new(),
            tries: 0,
        };
        let stop = Stop::default();
        tokio::spawn(cancel_by_hand(stop.cancel.clone()));
        let folder = tempfile::tempdir()?;
        let order = Order { rows: folder.path().join("rows.arrow"), ..order };
        let floor = Floor { folder: self.operator.local_root().unwrap_or(folder.path()).to_owned() };
        let (rows, path, cancel) = (self.rows_count, order.rows.clone(), stop.cancel.clone());
        tokio::task::spawn_blocking(move || make_up(rows, &path, &cancel)).await??;
        if stop.cancel.is_cancelled() {
            return Err("cancelled".into());
        }
        // The faster of one before and one after, so that what else the machine does meanwhile matters less.
        let before = floor.time(rows)?;
        let mut count = Count { bar: bar(rows) };
        target::show_events(&count.bar);
        let began = Instant::now();
        let delivered = deliver(&launcher, &order, &mut count, RetryPolicy::default(), &stop).await;
        let took = began.elapsed();
        count.bar.finish_and_clear();
        say(rows, &delivered?, took, before.min(floor.time(rows)?));
        Ok(())
    }
}

fn say(rows: u64, delivered: &Delivered, took: Duration, floor: Duration) {
    let line = |what: &str, took: Duration| {
        let seconds = took.as_secs_f64().max(f64::MIN_POSITIVE);
        let (a_second, a_row) = (rows as f64 / seconds, seconds * 1e9 / rows as f64);
        println!("{what:<10} {seconds:>9.3} s {a_second:>14.0} rows/s {a_row:>10.1} ns a row");
    };
    let Delivered { batches, accepted, rejected } = delivered;
    println!("{rows} rows in {batches} batches: {accepted} accepted, {rejected} rejected");
    line("delivered", took);
    line("floor", floor);
    println!("ratio      {:>9.1}", took.as_secs_f64() / floor.as_secs_f64().max(f64::MIN_POSITIVE));
    println!("The floor is a loop that writes the {} bytes of the identities to a file.", rows * IDENTITY);
}

/// Writing the bytes of identities to a file in a folder.
struct Floor {
    folder: PathBuf,
}

impl Floor {
    fn time(&self, rows: u64) -> io::Result<Duration> {
        let mut file = tempfile::tempfile_in(&self.folder)?;
        let bytes: Vec<u8> = (0..MAX_BATCH_ROWS as u64).flat_map(identity).collect();
        let began = Instant::now();
        write_floor(&mut file, &bytes, rows * IDENTITY)?;
        Ok(began.elapsed())
    }
}

fn write_floor(file: &mut File, bytes: &[u8], mut left: u64) -> io::Result<()> {
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        file.write_all(&bytes[..part])?;
        left -= part as u64;
    }
    Ok(())
}

/// Made-up rows, the same every time.
fn make_up(rows: u64, to: &Path, stop: &CancellationToken) -> Result<(), RowsError> {
    let mut fault = None;
    let batches = (0..rows).step_by(MAX_BATCH_ROWS).map_while(|first| {
        let last = (first + MAX_BATCH_ROWS as u64).min(rows);
        if stop.is_cancelled() {
            return None;
        }
        made_up_batch(first..last).map_err(|error| fault = Some(error)).ok()
    });
    write_rows(to, batches)?;
    fault.map_or(Ok(()), Err)
}

fn made_up_batch(numbers: std::ops::Range<u64>) -> Result<RecordBatch, RowsError> {
    let identities: Vec<[u8; 32]> = numbers.map(identity).collect();
    let row = |identity| Row { match_key: "hashed_email", identity, change: Change::Added };
    Ok(batch(identities.iter().map(row))?)
}

/// An identity that looks random.
fn identity(number: u64) -> [u8; 32] {
    let mut identity = [0; 32];
    for (part, place) in identity.chunks_exact_mut(8).zip(1_u64..) {
        // SplitMix64: well spread, and faster than a digest.
        let mixed = (number * 4 + place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        part.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    identity
}

/// Moves a bar and keeps nothing.
struct Count {
    bar: ProgressBar,
}

#[async_trait]
impl AckSink for Count {
    async fn acknowledged(&mut self, batch: Acknowledgement) -> Result<(), SinkError> {
        self.bar.inc(batch.accepted + batch.rejected.len() as u64);
        Ok(())
    }

    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError> {
        let answered = |batch: &entente_destination::Settled| batch.accepted + batch.rejected.len() as u64;
        self.bar.inc(settlement.settled.iter().map(answered).sum());
        Ok(())
    }

    async fn renewed(&mut self, _: Renewal) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::destinations::rows_file::RowsFile;

    #[test]
    fn as_many_rows_are_made_up_as_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.arrow");
        for (rows, batches, last) in [(1, 1, 1), (65_536, 1, 65_536), (65_537, 2, 1)] {
            make_up(rows, &path, &CancellationToken::new()).unwrap();
            let file = RowsFile::open(&path).unwrap();
            assert_eq!((file.batches(), file.read(batches).unwrap().num_rows()), (batches, last));
        }
        let identities: std::collections::BTreeSet<_> = (0..1000).map(identity).collect();
        assert_eq!(identities.len(), 1000);
    }

    #[test]
    fn the_floor_writes_all_bytes() {
        let mut file = tempfile::tempfile().unwrap();
        write_floor(&mut file, &[7; 64], 100).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 100);
    }
}
