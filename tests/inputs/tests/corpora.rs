//! The inputs that are kept, and hundreds made of them, always the same: each is done with soon, in little memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use entente_test_inputs as inputs;
use mutatis::{check::Check, mutators as m};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const SEED: u64 = 6;
/// One input is done with in this time, also on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);
const MOST_MEBIBYTES: u64 = 1_024;

/// The inputs that are kept of one kind.
fn kept(of: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(of);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The most memory that this process has had at any time.
fn peak_mebibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kibibytes.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes >> 10)
}

/// Tries what is kept of one kind, and so many made of it.
fn holds(of: &str, made: usize, input: fn(&[u8])) {
    let in_time = |bytes: &Vec<u8>| {
        let begin = Instant::now();
        input(bytes);
        let took = begin.elapsed();
        if took < LONGEST { Ok(()) } else { Err(format!("{took:?}")) }
    };
    let tried = Check::new().seed(SEED).iters(made).max_shrink_iters(100).run_with(m::vec(m::u8()), kept(of), in_time);
    tried.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(peak_mebibytes().is_none_or(|peak| peak < MOST_MEBIBYTES), "{:?} MiB", peak_mebibytes());
}

#[test]
fn csv() {
    holds("csv", 200, inputs::csv);
}

#[test]
fn cursors() {
    holds("cursors", 100_000, inputs::cursors);
}

#[test]
fn documents() {
    holds("documents", 100, inputs::documents);
}

#[test]
fn ids() {
    holds("ids", 100_000, inputs::ids);
}

#[test]
fn parquet() {
    holds("parquet", 200, inputs::parquet);
}

#[test]
fn request_bodies() {
    holds("request_bodies", 200, inputs::request_bodies);
}

#[test]
fn svg() {
    holds("svg", 5_000, inputs::svg);
}

#[test]
fn variables() {
    holds("variables", 200, inputs::variables);
}

#[test]
fn websocket_frames() {
    holds("websocket_frames", 200, inputs::websocket_frames);
}
