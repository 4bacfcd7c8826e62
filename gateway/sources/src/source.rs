//! The trait that all sources are behind.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;

use crate::error::SourceError;

/// A file or an object of a source, in the version that was listed.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name below the folder or in the bucket, with slashes.
    pub name: String,
    /// Its bytes, as they are stored; never 0.
    pub size: u64,
    /// When it last changed.
    pub modified: DateTime<Utc>,
    /// What is another for another content, where the source tells.
    pub etag: Option<String>,
}

impl fmt::Debug for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may hold an identifier.
        formatter.debug_struct("Part").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Bytes of a part, one after the other. The first error is the last item.
pub type Content = BoxStream<'static, Result<Bytes, SourceError>>;

/// A place that holds files.
#[async_trait]
pub trait Source: Send + Sync {
    /// Finds a part and reads a byte of it, as the account may not list, or list but not read.
    ///
    /// # Errors
    /// What is wrong; `NoParts` where there is nothing to be read.
    async fn check(&self) -> Result<(), SourceError>;

    /// The parts that there are, by name. Empty ones are left out, and those with a name of which a piece begins with a
    /// dot or an underscore: they are the marks that programs leave.
    ///
    /// # Errors
    /// `TooManyParts` beyond `most`.
    async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError>;

    /// Bytes of a part, as they are stored, out of the version that was listed.
    ///
    /// # Errors
    /// `ChangedWhileRead` where it is another by now, here or in the content; never bytes of two versions.
    async fn open(&self, part: &Part, range: Range<u64>) -> Result<Content, SourceError>;
}
