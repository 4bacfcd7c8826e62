//! Reading what rows of exposures and of conversions have in common.

use super::fault::EventFault;
use super::key_type;
use super::plan::match_keys;
use super::repeated::Repeated;
use crate::digest::IndexSecret;
use crate::key_name::KeyName;
use crate::measure::decimal::{micros, plain_micros};
use crate::measure::instant::{TimeForm, instant, utc_second};
use crate::normalise::{Form, Take, identity};
use crate::source::{BatchRow, Faults, FileRows, Mapping, SourceFault};

/// The longest text that is kept.
const LONGEST_TEXT: usize = 256;

/// A fault and the column it is in.
pub(super) type Misread = (Option<usize>, EventFault);

/// The identities of a row, as the number of the match key and the keyed hash; each once.
pub(super) type Identities = Vec<(u16, u64)>;

/// Where identities and the time are in a row.
pub(super) struct RowFields<'a> {
    width: usize,
    identities: Vec<IdentityField>,
    key_type: Option<usize>,
    time: usize,
    time_form: TimeForm,
    secret: &'a IndexSecret,
}

struct IdentityField {
    column: usize,
    key: KeyName,
    match_key: u16,
    form: Form,
    take: Take,
}

impl<'a> RowFields<'a> {
    pub(super) fn of(
        rows: &FileRows<'_>,
        identities: &[Mapping],
        key_type: Option<&String>,
        (time, time_form): (&str, TimeForm),
        secret: &'a IndexSecret,
    ) -> Result<Self, SourceFault> {
        let keys = match_keys(identities);
        let mut fields = Vec::new();
        for Mapping { column, key, form, take } in identities {
            let match_key = keys.iter().position(|other| other == key).unwrap_or_default();
            let match_key = u16::try_from(match_key).unwrap_or(u16::MAX);
            let (column, key) = (rows.column(column)?, key.clone());
            fields.push(IdentityField { column, key, match_key, form: *form, take: *take });
        }
        Ok(Self {
            width: rows.columns().len(),
            identities: fields,
            key_type: optional_column(rows, key_type)?,
            time: rows.column(time)?,
            time_form,
            secret,
        })
    }

    /// Finds the identities of a row. Those that are not usable are faults of their own.
    pub(super) fn identities(
        &self,
        row: &BatchRow<'_>,
        faults: &mut Faults<EventFault>,
        found: &mut Identities,
    ) -> Result<(), Misread> {
        found.clear();
        if row.len() != self.width {
            return Err((None, EventFault::FieldCount));
        }
        let named = optional_text(row, self.key_type)?;
        let is_named = |field: &&IdentityField| named.is_none_or(|name| key_type::names(name, &field.key));
        if self.key_type.is_some() && (named.is_none() || !self.identities.iter().any(|field| is_named(&field))) {
            return Err((self.key_type, EventFault::KeyTypeUnknown));
        }
        for field in self.identities.iter().filter(is_named) {
            match identity(field.form, field.take, row.field(field.column)) {
                Ok(Some(digest)) => found.push((field.match_key, self.secret.key(&digest).0)),
                Ok(None) => {}
                Err(fault) => faults.add(row.number, Some(field.column), fault.into()),
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.is_empty() { Err((None, EventFault::NoIdentity)) } else { Ok(()) }
    }

    /// The time of a row.
    pub(super) fn time(&self, row: &BatchRow<'_>) -> Result<i64, Misread> {
        if matches!(self.time_form, TimeForm::Written { .. })
            && let Some(micros) = utc_second(row.field(self.time))
        {
            return Ok(micros);
        }
        let text = text(row, self.time)?.ok_or((Some(self.time), EventFault::TimeMissing))?;
        instant(text, self.time_form).map_err(|fault| (Some(self.time), fault.into()))
    }
}

/// A column's text, trimmed; none where it is empty.
pub(super) fn text<'a>(row: &BatchRow<'a>, column: usize) -> Result<Option<&'a str>, Misread> {
    let fault = |fault| (Some(column), fault);
    let text = std::str::from_utf8(row.field(column)).map_err(|_| fault(EventFault::TextNotUtf8))?.trim();
    if text.len() > LONGEST_TEXT {
        return Err(fault(EventFault::TextTooLong));
    }
    // Most texts are printable ASCII.
    let is_printable = text.bytes().fold(true, |all, byte| all & (b' '..=b'~').contains(&byte));
    if !is_printable && text.chars().any(char::is_control) {
        return Err(fault(EventFault::TextControlCharacter));
    }
    Ok((!text.is_empty()).then_some(text))
}

/// The text of a column that the plan may leave out.
pub(super) fn optional_text<'a>(row: &BatchRow<'a>, column: Option<usize>) -> Result<Option<&'a str>, Misread> {
    column.map_or(Ok(None), |column| text(row, column))
}

/// A decimal number in micros, of a column that the plan may leave out.
pub(super) fn optional_micros(row: &BatchRow<'_>, column: Option<usize>) -> Result<Option<i64>, Misread> {
    let plain = column.and_then(|column| plain_micros(row.field(column)));
    if plain.is_some() {
        return Ok(plain);
    }
    let number = optional_text(row, column)?.map(micros).transpose();
    number.map_err(|fault| (column, fault.into()))
}

/// A text that repeats, as far as it is known while other values of the row may still be refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    /// There is none.
    Absent,
    /// It came before, and has this number.
    Before(u32),
    /// It may be the first.
    Now(&'a str),
}

/// The text of a column that repeats, and that the plan may leave out. One that came before need not be checked again.
pub(super) fn repeating<'a>(row: &BatchRow<'a>, column: Option<usize>, texts: &Repeated) -> Result<Seen<'a>, Misread> {
    let Some(column) = column else { return Ok(Seen::Absent) };
    match texts.number(row.field(column)) {
        Some(number) => Ok(Seen::Before(number)),
        None => Ok(text(row, column)?.map_or(Seen::Absent, Seen::Now)),
    }
}

/// The position of a column that the plan may leave out.
pub(super) fn optional_column(rows: &FileRows<'_>, name: Option<&String>) -> Result<Option<usize>, SourceFault> {
    name.map(|name| rows.column(name)).transpose()
}
