//! A bucket of any cloud, or the folder in it that a prefix names.
//!
//! A part is asked for in ranges, each with the condition that it is still the part that was listed. So an answer that
//! breaks off costs one range and not the part, no request takes long, and an object that is replaced in between is
//! found out.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};

use crate::error::SourceError;
use crate::operator::Operator;
use crate::pattern::Pattern;
use crate::service::told;
use crate::source::{Content, Part, Source};

/// The most bytes that are asked for at once.
pub const RANGE: u64 = 4 << 20;
/// Ranges of one part that are asked for while another is read.
const AHEAD: usize = 2;
/// Objects that are looked at for each that may be read: a pattern may leave out most.
const LOOKED_AT: usize = 10;
/// Objects that are looked at for a single one.
const LEAST_LOOKED_AT: usize = 10_000;
/// The longest name of a bucket, Google's with dots in it.
const MOST_BUCKET_CHARS: usize = 222;

/// A bucket.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Option<Path>,
    pattern: Pattern,
}

impl Bucket {
    /// The objects of a store below a prefix whose names there fit a pattern.
    ///
    /// # Errors
    /// `Settings` for a prefix or a pattern that cannot be.
    pub fn new(store: impl ObjectStore, prefix: Option<&str>, pattern: Option<&str>) -> Result<Self, SourceError> {
        let wrong = || SourceError::Settings("`prefix` must be a folder, such as audiences/2026".to_owned());
        let prefix = prefix.map(str::trim).filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(|prefix| Path::parse(prefix).map_err(|_| wrong())).transpose()?;
        Ok(Self { store: Arc::new(store), prefix, pattern: Pattern::parse(pattern)? })
    }

    /// The first parts, as far as they are enough.
    async fn parts(&self, enough: usize, most_looked_at: usize) -> Result<Vec<Part>, SourceError> {
        let mut listed = self.store.list(self.prefix.as_ref()).take(most_looked_at.saturating_add(1)).enumerate();
        let mut parts = Vec::new();
        while let Some((number, object)) = listed.next().await {
            if number == most_looked_at {
                return Err(SourceError::TooManyParts(most_looked_at));
            }
            let object = object.map_err(|error| told(&error))?;
            if object.size > 0 && self.takes(&object.location) {
                parts.push(part(object));
            }
            if parts.len() == enough {
                break;
            }
        }
        Ok(parts)
    }

    fn takes(&self, location: &Path) -> bool {
        let below = match &self.prefix {
            Some(prefix) => location.as_ref().strip_prefix(prefix.as_ref()).and_then(|rest| rest.strip_prefix('/')),
            None => Some(location.as_ref()),
        };
        below.is_some_and(|name| self.pattern.takes(name))
    }
}

fn part(object: ObjectMeta) -> Part {
    Part {
        name: object.location.to_string(),
        size: object.size,
        modified: object.last_modified,
        etag: object.e_tag.as_deref().map(bare),
    }
}

/// An ETag without its quotes, which Azure leaves out in lists.
fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// A part as it is asked for again and again.
#[derive(Clone)]
struct Pinned {
    store: Arc<dyn ObjectStore>,
    location: Path,
    part: Part,
}

impl Pinned {
    /// A range of the part, and the part with the ETag that the answer told.
    async fn read(mut self, range: Range<u64>) -> Result<(Bytes, Self), SourceError> {
        let options = GetOptions {
            if_match: self.part.etag.as_ref().map(|etag| format!("\"{etag}\"")),
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let answer = self.store.get_opts(&self.location, options).await.map_err(|error| told(&error))?;
        let etag = answer.meta.e_tag.as_deref().map(bare);
        let same = match (&self.part.etag, &etag) {
            (Some(listed), Some(told)) => listed == told,
            // Headers tell no fractions of seconds.
            _ => self.part.modified.timestamp() == answer.meta.last_modified.timestamp(),
        };
        if !same || answer.meta.size != self.part.size || answer.range != range {
            return Err(SourceError::ChangedWhileRead);
        }
        self.part.etag = self.part.etag.or(etag);
        let bytes = answer.bytes().await.map_err(|error| told(&error))?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(SourceError::ChangedWhileRead);
        }
        Ok((bytes, self))
    }
}

#[async_trait]
impl Source for Bucket {
    async fn check(&self) -> Result<(), SourceError> {
        let found = self.parts(1, LEAST_LOOKED_AT).await?;
        let part = found.first().ok_or(SourceError::NoParts)?;
        self.open(part, 0..1).await.map(|_| ())
    }

    async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError> {
        let mut parts = self.parts(most.saturating_add(1), most.saturating_mul(LOOKED_AT)).await?;
        if parts.len() > most {
            return Err(SourceError::TooManyParts(most));
        }
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(parts)
    }

    async fn open(&self, part: &Part, range: Range<u64>) -> Result<Content, SourceError> {
        let location = Path::parse(&part.name).map_err(|_| SourceError::Name)?;
        let pinned = Pinned { store: self.store.clone(), location, part: part.clone() };
        let end = range.end.min(part.size);
        if range.start >= end {
            return Ok(stream::empty().boxed());
        }
        let upto = move |start: u64| start..end.min(start.saturating_add(RANGE));
        // The first answer tells the ETag where the list did not.
        let first = upto(range.start);
        let begun = first.end;
        let (bytes, pinned) = pinned.read(first).await?;
        let rest = stream::iter((begun..end).step_by(RANGE as usize)).map(move |start| {
            let pinned = pinned.clone();
            async move { pinned.read(upto(start)).await.map(|(bytes, _)| bytes) }
        });
        Ok(stream::iter([Ok(bytes)]).chain(rest.buffered(AHEAD)).boxed())
    }
}

/// Whether it is like the names that buckets and containers have: it becomes part of an address.
///
/// # Errors
/// `Settings` where it is not.
pub fn checked_name(setting: &str, name: &str) -> Result<(), SourceError> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (3..=MOST_BUCKET_CHARS).contains(&name.len()) && name.bytes().all(sound);
    if fits && !name.starts_with('.') && !name.contains("..") {
        return Ok(());
    }
    Err(SourceError::Settings(format!("`{setting}` is no proper name of a bucket or container")))
}

/// The address of a service where it is not the usual one, without a slash at its end.
///
/// # Errors
/// `Settings` for one that cannot be.
pub fn checked_endpoint(endpoint: Option<&str>) -> Result<Option<String>, SourceError> {
    use entente_destination::http::{Plain, endpoint as address};
    let Some(url) = endpoint else { return Ok(None) };
    let checked = address(url, Plain::ToAllowedNetworks);
    let checked = checked.map_err(|error| SourceError::Settings(format!("`endpoint`: {error}")))?;
    if checked.query().is_some() || url.contains('#') {
        return Err(SourceError::Settings("`endpoint` must not have a query or a fragment".to_owned()));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

/// Whether an account may read a bucket as the gateway itself. An address of its own is none where the gateway says who
/// it is.
///
/// # Errors
/// `Settings` where it may not.
pub fn checked_role(operator: &Operator, bucket: &str, endpoint: Option<&String>) -> Result<(), SourceError> {
    if endpoint.is_some() {
        return Err(SourceError::Settings("`endpoint` cannot be used with the gateway's own role".to_owned()));
    }
    if operator.role_buckets.iter().any(|allowed| allowed == bucket) {
        return Ok(());
    }
    let why = "the operator of this gateway does not let accounts read this bucket with the gateway's own role";
    Err(SourceError::Settings(why.to_owned()))
}

/// The library's own message may repeat a setting.
pub fn unfit(_: object_store::Error) -> SourceError {
    SourceError::Settings("the credentials cannot be used: is the key whole?".to_owned())
}

/// Texts that become headers have not one character that cannot stand in one.
pub fn is_plain(text: &str) -> bool {
    (1..=8192).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
