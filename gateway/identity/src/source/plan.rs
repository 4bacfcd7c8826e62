//! What to take from a file: which column feeds which match key, and which audience a row belongs to.

use thiserror::Error;

use super::audience_names::is_audience_name;
use super::wanted::{ReadAs, Wanted};
use crate::key_name::KeyName;
use crate::normalise::{Form, Take};

/// How a file is read.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// One ASCII byte, usually a comma.
    pub delimiter: u8,
    /// At least one; several columns may feed one match key.
    pub mappings: Vec<Mapping>,
    /// Which audience a row belongs to.
    pub audience: AudienceFrom,
    /// Bytes of memory for sorting; what does not fit is sorted on disk. [`DEFAULT_MEMORY`] is a good choice.
    pub memory: usize,
}

/// Keeps sourcing well below 256 MiB in all.
pub const DEFAULT_MEMORY: usize = 128 << 20;

/// One column that feeds a match key.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Name in the header.
    pub column: String,
    /// The match key that it feeds.
    pub key: KeyName,
    /// The rule of that key.
    pub form: Form,
    /// Whether its values are digests already.
    pub take: Take,
}

/// Where the audience of a row is named.
#[derive(Clone, Debug)]
pub enum AudienceFrom {
    /// All rows belong to this audience.
    Fixed(String),
    /// The column of this name has the audience's name.
    Column(String),
}

/// Why a plan cannot be followed, whatever the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PlanFault {
    /// Nothing is mapped.
    #[error("no column is mapped to a match key")]
    NothingMapped,
    /// One column is mapped to one match key twice.
    #[error("a column is mapped to the same match key twice")]
    MappedTwice,
    /// Not a delimiter: it must be ASCII, and neither a quote nor a line end.
    #[error("not a delimiter")]
    Delimiter,
    /// Not a name for an audience.
    #[error("an audience's name has 1 to 200 characters, none of them control characters")]
    AudienceName,
}

impl SourcePlan {
    /// Checks what can be checked without the file.
    pub fn check(&self) -> Result<(), PlanFault> {
        check_delimiter(self.delimiter)?;
        if self.mappings.is_empty() {
            return Err(PlanFault::NothingMapped);
        }
        let same = |a: &Mapping, b: &Mapping| a.column.trim() == b.column.trim() && a.key == b.key;
        if self.mappings.iter().enumerate().any(|(i, a)| self.mappings[..i].iter().any(|b| same(a, b))) {
            return Err(PlanFault::MappedTwice);
        }
        match &self.audience {
            AudienceFrom::Fixed(name) if !is_audience_name(name.trim()) => Err(PlanFault::AudienceName),
            AudienceFrom::Fixed(_) | AudienceFrom::Column(_) => Ok(()),
        }
    }

    /// The columns that the file must have.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = self.mappings.iter().map(Mapping::wanted).collect();
        if let AudienceFrom::Column(column) = &self.audience {
            wanted.push(Wanted::new(column, ReadAs::Audience));
        }
        wanted
    }

    /// The match keys fed, without repetition, in the order of the mappings.
    pub(super) fn keys(&self) -> Vec<KeyName> {
        let mut keys: Vec<KeyName> = Vec::new();
        for mapping in &self.mappings {
            if !keys.contains(&mapping.key) {
                keys.push(mapping.key.clone());
            }
        }
        keys
    }
}

impl Mapping {
    /// The column that the file must have for it.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted::new(&self.column, ReadAs::Identity(self.form, self.take))
    }
}

/// Refuses what cannot separate fields.
pub fn check_delimiter(delimiter: u8) -> Result<(), PlanFault> {
    if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r' | 0) {
        return Err(PlanFault::Delimiter);
    }
    Ok(())
}
