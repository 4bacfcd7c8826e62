//! A delivery of ten million identities to a server with S3's interface on this machine, beside plain uploads of the
//! same bytes to the same server by the same client, part by part in turn.
//! `cargo bench -p entente-object-storage --bench upload`; takes a minute and 1 GB of disk.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::time::{Duration, Instant};

use entente_destination::Delivery;
use entente_destination::rows::{Change, MAX_BATCH_ROWS, Row, Rows, batch};
use entente_destination::testkit::{operator, plugin};
use entente_object_storage::ObjectStorage;
use entente_object_storage::bucket::Bucket;
use entente_object_storage::config::Settings;
use entente_test_servers::s3::S3;
use object_store::Attributes;

const IDENTITIES: usize = 10_000_000;

fn main() {
    let server = S3::start();
    for format in ["parquet", "csv"] {
        deliver(&server, format);
    }
}

fn deliver(server: &S3, format: &str) {
    let mut settings = server.settings();
    settings["format"] = format.into();
    let read = || serde_json::from_value::<Settings>(settings.clone()).unwrap();
    let delivery = Delivery { activation: format.to_owned(), generation: "1".to_owned(), ..Delivery::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (plain, files) = (Bucket::open(read(), &operator(), &["plain"]).unwrap(), read().files().unwrap());
    let mut session = plugin::<ObjectStorage>().unwrap().open(&settings, &operator(), &delivery).unwrap();
    let (mut delivering, mut uploading, mut encoding) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut bytes, mut sequence, mut seed) = (0, 0, 0);
    for first in (0..IDENTITIES).step_by(MAX_BATCH_ROWS) {
        let identities = identities(MAX_BATCH_ROWS.min(IDENTITIES - first), &mut seed);
        let row = |identity| Row { match_key: "hashed_email", identity, change: Change::Added };
        let rows = batch(identities.iter().map(row)).unwrap();
        sequence += 1;
        let begin = Instant::now();
        session.write(sequence, "key", &rows).unwrap();
        delivering += begin.elapsed();
        let begin = Instant::now();
        let content = files.encode(&Rows::read(&rows).unwrap()).unwrap();
        encoding += begin.elapsed();
        bytes += content.len();
        let begin = Instant::now();
        runtime.block_on(plain.put(&format!("part-{sequence}"), content, Attributes::new())).unwrap();
        uploading += begin.elapsed();
    }
    let begin = Instant::now();
    session.finish().unwrap();
    let finishing = begin.elapsed();
    let ratio = (delivering + finishing).as_secs_f64() / uploading.as_secs_f64();
    println!(
        "{format}: {IDENTITIES} identities, {sequence} parts, {} MiB: {:.2?}, of which {encoding:.2?} encoding and \
         {finishing:.2?} the manifest; plain uploads {uploading:.2?}; ratio {ratio:.2}",
        bytes >> 20,
        delivering + finishing,
    );
}

/// Values that look random (SplitMix64), as hashes do.
fn identities(count: usize, seed: &mut u64) -> Vec<[u8; 32]> {
    let mut word = || {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut identity = || {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&word().to_le_bytes()));
        bytes
    };
    (0..count).map(|_| identity()).collect()
}
