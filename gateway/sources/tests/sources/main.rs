//! Sources against folders and servers on this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod azure;
mod buckets;
mod delta_sharing;
mod google;
mod local_folder;
mod s3;
mod snowflake;
mod xml_store;

use std::future::Future;
use std::time::Duration;

use futures::TryStreamExt;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use entente_source::plain::plain;
use entente_source::types::SourceType;
use entente_source::{Operator, Part, Source, SourceError};

/// An operator that allows this machine.
fn operator() -> Operator {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    Operator { networks, patience: Duration::from_secs(30), ..Operator::default() }
}

fn open(source_type: &str, settings: &Value) -> Result<Box<dyn Source>, SourceError> {
    SourceType::find(source_type).unwrap().open(settings, &operator())
}

/// Servers of tests have runtimes of their own, and are asked outside of this one.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn list(source: &dyn Source) -> Vec<Part> {
    now(source.list(20_000)).unwrap()
}

fn names(source: &dyn Source) -> Vec<String> {
    list(source).into_iter().map(|part| part.name).collect()
}

fn check(source: &dyn Source) -> &'static str {
    now(source.check()).map_or_else(|error| error.kind(), |()| "-")
}

async fn whole(source: &dyn Source, part: &Part) -> Result<Vec<u8>, SourceError> {
    let pieces: Vec<_> = source.open(part, 0..part.size).await?.try_collect().await?;
    Ok(pieces.concat())
}

fn read(source: &dyn Source, part: &Part) -> Result<Vec<u8>, SourceError> {
    now(whole(source, part))
}

/// Compression taken off.
fn read_plain(source: &dyn Source, part: &Part) -> Result<Vec<u8>, SourceError> {
    now(async {
        let mut out = Vec::new();
        let content = source.open(part, 0..part.size).await?;
        plain(content, &part.name, 64 << 20).await?.read_to_end(&mut out).await?;
        Ok(out)
    })
}

/// Bytes of which every range is another.
fn long(bytes: usize) -> Vec<u8> {
    (0..bytes as u64 / 8).flat_map(u64::to_le_bytes).collect()
}
