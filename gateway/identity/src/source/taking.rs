//! From rows to identities: normalised, hashed and collected by several threads.

use super::batch::BatchRow;
use super::entries::Collected;
use super::entry::Entry;
use super::fault::{RowFault, SourceFault};
use super::faults::Faults;
use super::header;
use super::plan::{Mapping, SourcePlan};
use super::sharing::TakesRows;
use crate::digest::{Digest, IndexSecret};
use crate::normalise::{self, Form, Take};

/// A mapping, by positions in a row and among the match keys of the plan.
pub(super) struct Mapped {
    column: usize,
    match_key: u16,
    form: Form,
    take: Take,
}

impl Mapped {
    pub(super) fn all(plan: &SourcePlan, columns: &[String]) -> Result<Vec<Self>, SourceFault> {
        let keys = plan.keys();
        let mapped = |mapping: &Mapping| {
            let match_key = keys.iter().position(|key| *key == mapping.key).unwrap_or(0) as u16;
            let column = header::position(columns, &mapping.column)?;
            Ok(Self { column, match_key, form: mapping.form, take: mapping.take })
        };
        plan.mappings.iter().map(mapped).collect()
    }
}

/// What one thread takes out of rows.
pub(super) struct Taker<'a> {
    pub(super) mapped: &'a [Mapped],
    /// Fields that a row has to have.
    pub(super) width: usize,
    pub(super) secret: &'a IndexSecret,
    pub(super) collected: Collected<'a>,
    pub(super) taken: Taken,
}

/// How rows fared.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) faults: Faults<RowFault>,
    /// Rows of which at least one identity was taken.
    pub(super) accepted: u64,
    /// Rows with too many or too few fields.
    pub(super) misshapen: u64,
}

impl Taken {
    /// What several threads took, together.
    pub(super) fn of_all(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in &parts {
            all.accepted += part.accepted;
            all.misshapen += part.misshapen;
        }
        all.faults = Faults::of_all(parts.into_iter().map(|part| part.faults));
        all
    }
}

impl TakesRows for Taker<'_> {
    type Fault = SourceFault;

    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), SourceFault> {
        let Self { mapped, width, secret, collected, taken } = self;
        if row.len() != *width {
            taken.misshapen += 1;
            taken.faults.add(row.number, None, RowFault::FieldCount);
            return Ok(());
        }
        let audience = match row.audience {
            Ok(audience) => audience,
            Err((column, fault)) => {
                taken.faults.add(row.number, Some(column), fault);
                return Ok(());
            }
        };
        let mut identities = 0;
        for mapped in *mapped {
            match normalise::identity(mapped.form, mapped.take, row.field(mapped.column)) {
                Ok(None) => {}
                Ok(Some(digest)) => {
                    identities += 1;
                    collected.push(mapped.match_key, &entry(secret, digest, audience))?;
                }
                Err(fault) => taken.faults.add(row.number, Some(mapped.column), RowFault::Value(fault)),
            }
        }
        if identities == 0 {
            taken.faults.add(row.number, None, RowFault::NoIdentity);
        } else {
            taken.accepted += 1;
        }
        Ok(())
    }
}

fn entry(secret: &IndexSecret, digest: Digest, audience: u16) -> Entry {
    Entry { key: secret.key(&digest).0, digest: digest.0, audience }
}
