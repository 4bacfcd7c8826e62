//! From a source to a finished index, over the API: one large file and a thousand small ones of the same rows, in a folder of
//! this machine and in a bucket of S3, as CSV, and the large one as Parquet and by gzip; and DuckDB doing the same.
//! `cargo bench --workspace --bench sources`; takes some minutes and 3 GB of disk. `MEBIBYTES` is the size of the CSV
//! (default: 500). DuckDB needs a Python with the module `duckdb`, named by `ENTENTE_TEST_PYTHON`, and for S3 the module
//! `duckdb_extension_httpfs` of the same version in it.
//!
//! The bucket is in this process, so that its work is none of the gateway's, but it is on the same machine. It checks no
//! signatures.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../../harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what tests need and this does not")]
mod harness;
#[path = "../page_of_connections/processor_time.rs"]
#[expect(dead_code, reason = "what another bench needs and this does not")]
mod processor_time;

mod duckdb;
mod files;
mod reading;

use entente_test_servers::xml_store::{Cloud, XmlStore};
use files::{Files, Shape};
use harness::{Gateway, Kind, Options};
use reading::{Reading, Source};

const ROUNDS: usize = 3;
/// What is wanted, as ratios of medians in one run, and in MiB.
const MOST_OF_LOCAL: f64 = 1.3;
const MOST_OF_ONE_FILE: f64 = 2.0;
const MOST_MEBIBYTES: u64 = 512;

#[tokio::main(worker_threads = 1)]
async fn main() {
    let mebibytes = std::env::var("MEBIBYTES").ok().and_then(|m| m.parse().ok()).unwrap_or(500);
    let (files, store) = (Files::write(mebibytes << 20), XmlStore::start(Cloud::Amazon));
    files.put_into(&store);
    println!("{mebibytes} MiB of CSV, {} rows, {} small files", files.rows, files::SMALL);
    let settings = vec![
        ("ENTENTE_SOURCE_ROOTS", files.folder().display().to_string()),
        ("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned()),
        ("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned()),
    ];
    let gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
    let mut sources = Vec::new();
    for shape in Shape::ALL {
        sources.push(Source::local(&gateway, &files, shape).await);
        sources.push(Source::s3(&gateway, &files, &store, shape).await);
    }
    for round in 0..ROUNDS {
        for at in 0..sources.len() {
            // Another is the first of each round.
            let at = (at + round) % sources.len();
            sources[at].read(&gateway).await;
        }
    }
    println!();
    for source in &sources {
        source.print();
    }
    compare(&sources);
    duckdb::compare(&files, &store, &sources);
}

fn compare(sources: &[Source]) {
    let of = |is_local: bool, shape: Shape| {
        &sources.iter().find(|source| (source.is_local, source.shape) == (is_local, shape)).unwrap().readings
    };
    println!();
    for shape in Shape::ALL {
        let (s3, local) = (of(false, shape), of(true, shape));
        ratio(&format!("S3 to local, {}", shape.name()), s3, local, MOST_OF_LOCAL);
    }
    for is_local in [true, false] {
        let what = format!("small files to one, {}", if is_local { "local" } else { "S3" });
        ratio(&what, of(is_local, Shape::Many), of(is_local, Shape::One), MOST_OF_ONE_FILE);
    }
    let most = sources.iter().flat_map(|source| &source.readings).map(|reading| reading.mebibytes).max().unwrap();
    println!("memory of the gateway: {most} MiB at most (wanted: {MOST_MEBIBYTES})");
}

/// Prints the median of the ratios of rounds, of time by the clock and of the processor.
fn ratio(what: &str, these: &[Reading], those: &[Reading], wanted: f64) {
    let of = |time: fn(&Reading) -> f64| median(these.iter().zip(those).map(|(this, that)| time(this) / time(that)));
    let (took, processor) = (of(|reading| reading.seconds), of(|reading| reading.processor));
    println!("{what}: {took:.2} (wanted: at most {wanted}), processor time {processor:.2}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}
