//! What to take from a file of events.

use super::LoadFault;
use crate::key_name::KeyName;
use crate::measure::instant::TimeForm;
use crate::source::{Mapping, ReadAs, Wanted, check_delimiter};
use std::collections::BTreeSet;

/// The most attributes of a conversion.
const MOST_ATTRIBUTES: usize = 50;

/// How a file of exposures is read. Columns are named as in the header.
#[derive(Clone, Debug)]
pub struct ExposurePlan {
    /// One ASCII byte, usually a comma.
    pub delimiter: u8,
    /// Columns that feed match keys, at least one.
    pub identities: Vec<Mapping>,
    /// Says of which match key the identities of a row are (`email`, `phone`, `ip`, `advertising_id`, or the name of one); without
    /// it a row may have one of each.
    pub key_type: Option<String>,
    /// When it happened.
    pub time: String,
    /// How that is written.
    pub time_form: TimeForm,
    /// The campaign's id.
    pub campaign: String,
    /// The campaigns whose exposures are taken; all where there is none.
    pub campaigns: Option<BTreeSet<String>>,
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
    /// Whether columns are found whatever the case of their names and whether they have blanks, hyphens or underscores between
    /// words; those that a row may do without may then be missing as well.
    pub any_spelling: bool,
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
    /// Says of which match key the identities of a row are (`email`, `phone`, `ip`, `advertising_id`, or the name of one); without
    /// it a row may have one of each.
    pub key_type: Option<String>,
    /// When it happened.
    pub time: String,
    /// How that is written.
    pub time_form: TimeForm,
    /// What happened, such as `purchase`.
    pub kind: String,
    /// A decimal number, negative for a refund; a row may have none.
    pub value: Option<String>,
    /// The currency of the value, a code of three letters, which has to be the same in all rows that have a value.
    pub currency: Option<String>,
    /// What repeats of one conversion have in common, such as an order's number. A row without it repeats nothing.
    pub deduplication_key: Option<String>,
    /// Columns to keep as attributes, which have their names.
    pub attributes: Vec<String>,
    /// Whether columns are found whatever the case of their names and whether they have blanks, hyphens or underscores between
    /// words; those that a row may do without may then be missing as well.
    pub any_spelling: bool,
    /// Bytes of memory for sorting; what does not fit is sorted on disk.
    pub memory: usize,
}

impl ExposurePlan {
    /// The columns that are stored as they are.
    fn stored(&self) -> Vec<Wanted> {
        let needed = [time(&self.time, self.time_form), Wanted::new(&self.campaign, ReadAs::Text)];
        let optional = [
            (&self.key_type, ReadAs::Text),
            (&self.placement, ReadAs::Text),
            (&self.creative, ReadAs::Text),
            (&self.cost, ReadAs::Number),
            (&self.viewable, ReadAs::YesNo),
            (&self.kind, ReadAs::Text),
        ];
        needed.into_iter().chain(named(optional)).collect()
    }

    /// The columns that a file with these columns must have.
    pub(super) fn wanted(&self, header: &[String]) -> Vec<Wanted> {
        let plan = self.spelled_as(header);
        plan.identities.iter().map(Mapping::wanted).chain(plan.stored()).collect()
    }

    /// The plan with the names that its columns have in this header.
    pub(super) fn spelled_as(&self, header: &[String]) -> Self {
        let mut plan = self.clone();
        if plan.any_spelling {
            let named = plan.identities.iter_mut().map(|mapping| &mut mapping.column);
            let named = named.chain(&mut plan.key_type).chain([&mut plan.time, &mut plan.campaign]);
            named.for_each(|name| spell(name, header));
            let optional =
                [&mut plan.placement, &mut plan.creative, &mut plan.cost, &mut plan.viewable, &mut plan.kind];
            optional.into_iter().for_each(|name| spell_optional(name, header));
        }
        plan
    }

    pub(super) fn check(&self) -> Result<(), LoadFault> {
        check_delimiter(self.delimiter)?;
        check(&self.identities, &self.stored())
    }
}

impl ConversionPlan {
    /// The columns that a file with these columns must have.
    pub(super) fn wanted(&self, header: &[String]) -> Vec<Wanted> {
        let plan = self.spelled_as(header);
        plan.identities.iter().map(Mapping::wanted).chain(plan.stored()).collect()
    }

    /// The plan with the names that its columns have in this header.
    pub(super) fn spelled_as(&self, header: &[String]) -> Self {
        let mut plan = self.clone();
        if plan.any_spelling {
            let named = plan.identities.iter_mut().map(|mapping| &mut mapping.column).chain(&mut plan.attributes);
            let named = named.chain(&mut plan.key_type).chain([&mut plan.time, &mut plan.kind]);
            named.for_each(|name| spell(name, header));
            let optional = [&mut plan.value, &mut plan.currency, &mut plan.deduplication_key];
            optional.into_iter().for_each(|name| spell_optional(name, header));
        }
        plan
    }

    /// The columns that are stored as they are.
    fn stored(&self) -> Vec<Wanted> {
        let needed = [time(&self.time, self.time_form), Wanted::new(&self.kind, ReadAs::Text)];
        let optional = [
            (&self.key_type, ReadAs::Text),
            (&self.value, ReadAs::Number),
            (&self.currency, ReadAs::Text),
            (&self.deduplication_key, ReadAs::Text),
        ];
        let attributes = self.attributes.iter().map(|name| Wanted::new(name, ReadAs::Attribute));
        needed.into_iter().chain(named(optional)).chain(attributes).collect()
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

fn check(identities: &[Mapping], stored: &[Wanted]) -> Result<(), LoadFault> {
    let refused = |reason| Err(LoadFault::Plan { reason });
    if identities.is_empty() {
        return refused("no column is mapped to a match key");
    }
    let same = |a: &Mapping, b: &Mapping| a.column.trim() == b.column.trim() && a.key == b.key;
    if identities.iter().enumerate().any(|(place, a)| identities[..place].iter().any(|b| same(a, b))) {
        return refused("a column is mapped to the same match key twice");
    }
    // Values of the other columns are stored as they are, and identifiers must not be.
    let identifies = |column: &Wanted| identities.iter().any(|mapping| mapping.column.trim() == column.name());
    if stored.iter().any(identifies) {
        return refused("a column of identifiers cannot be anything else as well");
    }
    Ok(())
}

fn time(column: &str, form: TimeForm) -> Wanted {
    let read_as = match form {
        TimeForm::Written { .. } => ReadAs::Time,
        TimeForm::EpochSeconds => ReadAs::EpochSeconds,
    };
    Wanted::new(column, read_as)
}

/// Of columns that a plan may leave out, those that it has.
fn named<const N: usize>(columns: [(&Option<String>, ReadAs); N]) -> impl Iterator<Item = Wanted> {
    columns.into_iter().filter_map(|(name, read_as)| Some(Wanted::new(name.as_ref()?, read_as)))
}

/// The name of the same column in a header, where there is one.
fn spelled<'a>(name: &str, header: &'a [String]) -> Option<&'a String> {
    let folded = |name: &str| name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    let wanted = folded(name);
    header.iter().find(|found| folded(found) == wanted)
}

fn spell(name: &mut String, header: &[String]) {
    if let Some(found) = spelled(name, header) {
        name.clone_from(found);
    }
}

fn spell_optional(name: &mut Option<String>, header: &[String]) {
    *name = name.as_ref().and_then(|name| spelled(name, header)).cloned();
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
