//! Sources against folders and servers on this machine. Each case of the table is shown for each source by the test
//! whose name begins so; those of the three clouds are in [`buckets`], and again in [`s3`] and [`azure`] where a server
//! of others does the same.
//!
//! | | [`local_folder`] | [`buckets`] | [`delta_sharing`] | [`snowflake`] |
//! |---|---|---|---|---|
//! | right credentials | has none: `files_are_listed` | `objects_below_the_prefix` | `files_are_listed_by_pages` | `a_table_is_read` |
//! | wrong ones | has none: `nothing_leads_out` | `wrong_credentials` | `refused_credentials` | `what_snowflake_refuses` |
//! | ended in the middle | has none | `credentials_that_end` | `a_token_that_ends`, `an_address_that_ended` | `a_key_that_ends` |
//! | no such place | `what_is_not_there` | `wrong_credentials` | `refused_credentials` | `what_snowflake_refuses` |
//! | no permission | `what_is_not_there` | `who_may_list_and_not_read` | `refused_credentials` | `what_snowflake_refuses` |
//! | slow | no disk has a deadline | `who_is_slow` | `who_is_slow` | `who_is_slow`, `who_takes_long` |
//! | cut in the middle | as changed | `an_answer_that_breaks_off` | `an_answer_that_breaks_off` | `answers_that_break_off` |
//! | changed while read | `a_file_is_of_one_version` | `a_part_is_of_one_version` | `a_file_that_is_gone` | `what_is_kept_no_longer` |
//! | wrong format | of a file, in `tests/data_sources.rs` | the same | `tables_that_cannot_be_read`, `what_is_none` | `answers_that_are_none` |
//! | hostile names | `hostile_names` | `hostile_names` | `hostile_ids` | are numbers: `what_is_kept_no_longer` |
//! | 100,000 parts | `many_parts.rs` | the same | the same | the same |
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod azure;
mod buckets;
mod delta_sharing;
mod google;
mod local_folder;
mod s3;
mod snowflake;

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
