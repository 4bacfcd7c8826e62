//! Exposures and conversions: what a campaign showed to whom, and what people did then.

use crate::{
    AccountId, EventDataSetId, ProjectId, Refusal, Timestamp,
    data_connection::{Consent, FieldMapping, checked_delimiter, checked_fields},
    match_key::MatchKey,
    refusal::text,
};
use serde::{Deserialize, Serialize};

/// What a data set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventDataKind {
    /// What was shown to whom.
    Exposures,
    /// What people did.
    Conversions,
}

/// Columns of an exposures file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureColumns {
    /// RFC 3339.
    pub time: String,
    /// The campaign's id where it runs.
    pub campaign: String,
    /// Where it was shown.
    pub placement: Option<String>,
    /// What was shown.
    pub creative: Option<String>,
    /// A decimal number, in the account's currency.
    pub cost: Option<String>,
    /// true or false.
    pub viewable: Option<String>,
    /// view, click or engaged_view; view without it.
    pub kind: Option<String>,
}

/// Columns of a conversions file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionColumns {
    /// RFC 3339.
    pub time: String,
    /// What was done.
    pub kind: String,
    /// A decimal number; negative for refunds.
    pub value: Option<String>,
    /// Rows with the same one count once.
    pub deduplication_key: Option<String>,
    /// Further columns that conditions may ask about; at most 10.
    pub attributes: Vec<String>,
}

/// Columns by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "columns")]
pub enum EventColumns {
    /// Of exposures.
    Exposures(ExposureColumns),
    /// Of conversions.
    Conversions(ConversionColumns),
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operator {
    /// The same text.
    Equals,
    /// Another text.
    NotEquals,
    /// Holds the text.
    Contains,
    /// A greater number.
    GreaterThan,
    /// A lesser number.
    LessThan,
    /// Is there and not empty.
    Exists,
}

/// A condition on an attribute of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// One of the data set's attribute columns.
    pub attribute: String,
    /// How it compares.
    pub operator: Operator,
    /// What with; empty for EXISTS.
    pub value: String,
}

/// Whether all or any of the conditions must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Match {
    /// All must hold.
    All,
    /// One is enough.
    Any,
}

/// A conversion event: which conversions count, under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionEvent {
    /// 1 to 60 characters; unique in its data set.
    pub name: String,
    /// The value in the kind column.
    pub conversion_kind: String,
    /// At most five.
    pub conditions: Vec<Condition>,
    /// All or any.
    pub matching: Match,
}

/// Where a data set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventDataStatus {
    /// Not loaded yet.
    Pending,
    /// Can be measured.
    Active,
    /// Could not be loaded.
    Failed,
}

/// Exposures or conversions of a project, loaded from a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDataSet {
    /// Its id.
    pub id: EventDataSetId,
    /// Whose it is.
    pub account: AccountId,
    /// The project.
    pub project: ProjectId,
    /// 1 to 100 characters.
    pub name: String,
    /// Columns that hold identities.
    pub fields: Vec<FieldMapping>,
    /// The other columns.
    pub columns: EventColumns,
    /// One ASCII character.
    pub delimiter: char,
    /// At most three; only of conversions.
    pub events: Vec<ConversionEvent>,
    /// Who acknowledged consent, when.
    pub consent: Consent,
    /// Where it is.
    pub status: EventDataStatus,
    /// Why it could not be loaded.
    pub failure: Option<String>,
    /// Events loaded.
    pub rows: u64,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl EventDataSet {
    /// What it holds.
    pub fn kind(&self) -> EventDataKind {
        match self.columns {
            EventColumns::Exposures(_) => EventDataKind::Exposures,
            EventColumns::Conversions(_) => EventDataKind::Conversions,
        }
    }
}

/// What is needed to load exposures or conversions.
#[derive(Clone, Debug)]
pub struct NewEventDataSet {
    /// Name.
    pub name: String,
    /// Columns that hold identities.
    pub fields: Vec<FieldMapping>,
    /// The other columns.
    pub columns: EventColumns,
    /// A comma unless said otherwise.
    pub delimiter: char,
    /// Only of conversions.
    pub events: Vec<ConversionEvent>,
    /// Must be true.
    pub consent_acknowledged: bool,
}

/// Creates a data set.
pub fn create(
    id: EventDataSetId,
    (account, account_keys): (AccountId, &[MatchKey]),
    project: ProjectId,
    new: NewEventDataSet,
    by: &str,
    now: Timestamp,
) -> Result<EventDataSet, Refusal> {
    if !new.consent_acknowledged {
        let message = "Acknowledge that the people in this data have consented to its use.";
        return Err(Refusal::new(crate::Code::ConsentMissing, message).at("consentAcknowledged"));
    }
    let events = match &new.columns {
        EventColumns::Exposures(_) if new.events.is_empty() => Vec::new(),
        EventColumns::Exposures(_) => {
            return Err(Refusal::invalid("events", "Exposures have no conversion events."));
        }
        EventColumns::Conversions(columns) => checked_events(new.events, &columns.attributes)?,
    };
    Ok(EventDataSet {
        id,
        account,
        project,
        name: text("name", &new.name, 1, 100)?,
        fields: checked_fields(new.fields, account_keys)?,
        columns: checked_columns(new.columns)?,
        delimiter: checked_delimiter(new.delimiter)?,
        events,
        consent: Consent { by: by.to_owned(), at: now },
        status: EventDataStatus::Pending,
        failure: None,
        rows: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

fn checked_columns(columns: EventColumns) -> Result<EventColumns, Refusal> {
    let named = |value: &str| text("columns", value, 1, 200).map(|_| ());
    let optional = |value: &Option<String>| value.as_deref().map_or(Ok(()), named);
    match &columns {
        EventColumns::Exposures(c) => {
            named(&c.time)?;
            named(&c.campaign)?;
            for column in [&c.placement, &c.creative, &c.cost, &c.viewable, &c.kind] {
                optional(column)?;
            }
        }
        EventColumns::Conversions(c) => {
            named(&c.time)?;
            named(&c.kind)?;
            optional(&c.value)?;
            optional(&c.deduplication_key)?;
            if c.attributes.len() > 10 {
                return Err(Refusal::invalid("columns.attributes", "At most 10 attributes."));
            }
            c.attributes.iter().try_for_each(|a| named(a))?;
        }
    }
    Ok(columns)
}

fn checked_events(events: Vec<ConversionEvent>, attributes: &[String]) -> Result<Vec<ConversionEvent>, Refusal> {
    if events.is_empty() || events.len() > 3 {
        return Err(Refusal::invalid("events", "Between one and three conversion events."));
    }
    for (i, event) in events.iter().enumerate() {
        text("events.name", &event.name, 1, 60)?;
        text("events.conversionKind", &event.conversion_kind, 1, 100)?;
        if events[..i].iter().any(|e| e.name == event.name) {
            return Err(Refusal::invalid("events", format!("{} is named twice.", event.name)));
        }
        if event.conditions.len() > 5 {
            return Err(Refusal::invalid("events.conditions", "At most five conditions."));
        }
        for condition in &event.conditions {
            text("events.conditions.value", &condition.value, 0, 200)?;
            if !attributes.contains(&condition.attribute) {
                let message = format!("{} is not one of the attribute columns.", condition.attribute);
                return Err(Refusal::invalid("events.conditions.attribute", message));
            }
        }
    }
    Ok(events)
}
