//! Tables that are shared by Delta Sharing, the open protocol of Databricks.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md>
//!
//! A part is a Parquet file of the table. Files never change; a table changes by having others. The server tells for
//! each an address with a signature that is good for a while, and another one when it is asked again.
//!
//! Columns that a table is partitioned by are in the server's answers and not in the files, so that they are not read.

mod addresses;
mod lines;
mod profile;
mod table;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use entente_destination::Secret;
use entente_destination::http::percent;
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::bucket::RANGE;
use crate::delta_sharing::profile::Profile;
use crate::delta_sharing::table::Table;
use crate::error::SourceError;
use crate::operator::Operator;
use crate::source::{Content, Part, Source};
use crate::types;

/// The longest name of a share, a schema or a table.
const MOST_NAME_BYTES: usize = 255;

/// Which table is read, and who may do that.
///
/// Columns that the table is partitioned by are not in its files, and are not read. Tables with deletion vectors or
/// column mapping are refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeltaSharing")]
pub struct Settings {
    /// The content of the profile file that whoever shares the table hands out: JSON with `endpoint` and `bearerToken`.
    /// When its token ends, put in the content of a new one.
    profile: Secret<String>,

    /// The share, such as `luma`.
    share: String,

    /// The schema in the share, such as `default`.
    schema: String,

    /// The table in the schema, such as `audiences`.
    table: String,
}

impl types::Settings for Settings {
    const ID: &'static str = "delta_sharing";
    const NAME: &'static str = "Delta Sharing";
    const SUMMARY: &'static str = "Reads a table that is shared by Delta Sharing, as Databricks does.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        let profile = Profile::parse(self.profile.reveal())?;
        for (setting, name) in [("share", &self.share), ("schema", &self.schema), ("table", &self.table)] {
            let sound = (1..=MOST_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
            // Such names would lead elsewhere in the path.
            if !sound || matches!(name.as_str(), "." | "..") {
                return Err(SourceError::Settings(format!(
                    "`{setting}` must be a name of 1 to {MOST_NAME_BYTES} bytes"
                )));
            }
        }
        let [share, schema, table] = [&self.share, &self.schema, &self.table].map(|name| percent(name));
        let path = format!("/shares/{share}/schemas/{schema}/tables/{table}");
        Ok(Box::new(DeltaSharing(Arc::new(Table::new(profile, &path, operator)?))))
    }
}

/// A shared table.
struct DeltaSharing(Arc<Table>);

impl DeltaSharing {
    fn reading(&self, part: &Part, range: Range<u64>) -> Reading {
        let left = range.start..range.end.min(part.size);
        Reading { table: self.0.clone(), part: part.clone(), etag: None, left }
    }
}

#[async_trait]
impl Source for DeltaSharing {
    async fn check(&self) -> Result<(), SourceError> {
        let found = self.0.files(0).await?;
        let part = found.first().ok_or(SourceError::NoParts)?;
        self.reading(part, 0..1).next().await.map(|_| ())
    }

    async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError> {
        let mut parts = self.0.files(most).await?;
        if parts.len() > most {
            return Err(SourceError::TooManyParts(most));
        }
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(parts)
    }

    async fn open(&self, part: &Part, range: Range<u64>) -> Result<Content, SourceError> {
        Ok(stream::try_unfold(self.reading(part, range), Reading::next).boxed())
    }
}

/// A file that is read, and what of it is still to come.
struct Reading {
    table: Arc<Table>,
    part: Part,
    etag: Option<String>,
    left: Range<u64>,
}

impl Reading {
    /// The next bytes, of the file that the first ones were of.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, SourceError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let upto = self.left.end.min(self.left.start.saturating_add(RANGE));
        let (bytes, etag) = self.table.read(&self.part, self.left.start..upto).await?;
        if self.etag.is_some() && etag.is_some() && etag != self.etag {
            return Err(SourceError::ChangedWhileRead);
        }
        self.etag = etag.or(self.etag);
        self.left.start = upto;
        Ok(Some((bytes, self)))
    }
}
