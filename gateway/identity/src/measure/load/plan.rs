//! What to take from a file of events.

use super::LoadFault;
use crate::key_name::KeyName;
use crate::source::{Mapping, check_delimiter};
use chrono::FixedOffset;

/// The most attributes of a conversion.
const MOST_ATTRIBUTES: usize = 50;

/// How a file of exposures is read. Columns are named as in the header.
#[derive(Clone, Debug)]
pub struct ExposurePlan {
    /// One ASCII byte, usually a comma.
    pub delimiter: u8,
    /// Columns that feed match keys, at least one.
    pub identities: Vec<Mapping>,
    /// When it happened: RFC 3339, or a date with a time in `zone`.
    pub time: String,
    /// The zone of times that name none; where there is none they are faults.
    pub zone: Option<FixedOffset>,
    /// The campaign's id.
    pub campaign: String,
    /// The placement; a row may have none.
    pub placement: Option<String>,
    /// The creative; a row may have none.
    pub creative: Option<String>,
    /// What it cost, a decimal number that is not negative; a row may have none.
    pub cost: Option<String>,
    /// Whether it was viewable (true, false, 1, 0, yes, no); a row may leave it open.
    pub viewable: Option<String>,
    /// View, click or engaged view; without it a view.
    pub kind: Option<String>,
    /// Bytes of memory for sorting; what does not fit is sorted on disk.
    pub memory: usize,
}

/// How a file of conversions is read. Columns are named as in the header.
#[derive(Clone, Debug)]
pub struct ConversionPlan {
    /// One ASCII byte, usually a comma.
    pub delimiter: u8,
    /// Columns that feed match keys, at least one.
    pub identities: Vec<Mapping>,
    /// When it happened: RFC 3339, or a date with a time in `zone`.
    pub time: String,
    /// The zone of times that name none; where there is none they are faults.
    pub zone: Option<FixedOffset>,
    /// What happened, such as `purchase`.
    pub kind: String,
    /// A decimal number, negative for a refund; a row may have none.
    pub value: Option<String>,
    /// What repeats of one conversion have in common, such as an order's number. A row without it repeats nothing.
    pub deduplication_key: Option<String>,
    /// Columns to keep as attributes, which have their names.
    pub attributes: Vec<String>,
    /// Bytes of memory for sorting; what does not fit is sorted on disk.
    pub memory: usize,
}

impl ExposurePlan {
    pub(super) fn stored(&self) -> Vec<&str> {
        let optional = [&self.placement, &self.creative, &self.cost, &self.viewable, &self.kind];
        let optional = optional.into_iter().flatten().map(String::as_str);
        [self.time.as_str(), &self.campaign].into_iter().chain(optional).collect()
    }

    pub(super) fn check(&self) -> Result<(), LoadFault> {
        check_delimiter(self.delimiter)?;
        check(&self.identities, &self.stored())
    }
}

impl ConversionPlan {
    pub(super) fn stored(&self) -> Vec<&str> {
        let optional = [&self.value, &self.deduplication_key].into_iter().flatten().chain(&self.attributes);
        [self.time.as_str(), &self.kind].into_iter().chain(optional.map(String::as_str)).collect()
    }

    pub(super) fn check(&self) -> Result<(), LoadFault> {
        check_delimiter(self.delimiter)?;
        check(&self.identities, &self.stored())?;
        if self.attributes.len() > MOST_ATTRIBUTES {
            return Err(LoadFault::Plan { reason: "a conversion has at most 50 attributes" });
        }
        let attributes = self.attributes.iter().map(|name| name.trim());
        if attributes.clone().enumerate().any(|(place, name)| attributes.clone().take(place).any(|other| other == name))
        {
            return Err(LoadFault::Plan { reason: "an attribute is named twice" });
        }
        Ok(())
    }
}

fn check(identities: &[Mapping], stored: &[&str]) -> Result<(), LoadFault> {
    let refused = |reason| Err(LoadFault::Plan { reason });
    if identities.is_empty() {
        return refused("no column is mapped to a match key");
    }
    let same = |a: &Mapping, b: &Mapping| a.column.trim() == b.column.trim() && a.key == b.key;
    if identities.iter().enumerate().any(|(place, a)| identities[..place].iter().any(|b| same(a, b))) {
        return refused("a column is mapped to the same match key twice");
    }
    // Values of the other columns are stored as they are, and identifiers must not be.
    let identifies = |column: &&str| identities.iter().any(|mapping| mapping.column.trim() == column.trim());
    if stored.iter().any(identifies) {
        return refused("a column of identifiers cannot be anything else as well");
    }
    Ok(())
}

/// The match keys fed, without repetition, in the order of the mappings.
pub(super) fn match_keys(identities: &[Mapping]) -> Vec<KeyName> {
    let mut keys: Vec<KeyName> = Vec::new();
    for mapping in identities {
        if !keys.contains(&mapping.key) {
            keys.push(mapping.key.clone());
        }
    }
    keys
}
