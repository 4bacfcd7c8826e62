//! Exposures and conversions: what a campaign showed to whom, and what people did then.

use crate::{
    AccountId, Code, EventDataSetId, ProjectId, Refusal, Timestamp, admap,
    connection::CollaborationPattern,
    conversion_event::{ConversionEvent, checked_events},
    data_connection::{Consent, FieldMapping, checked_delimiter, checked_fields},
    match_key::MatchKey,
    project::Campaign,
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

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeForm {
    /// A date, a time and a zone by RFC 3339.
    #[default]
    Rfc3339,
    /// Whole seconds since 1970 in UTC.
    EpochSeconds,
}

/// Columns of an exposures file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureColumns {
    /// Says of which match key the identities of a row are.
    #[serde(default)]
    pub key_type: Option<String>,
    /// When it was shown.
    pub time: String,
    /// How that is written.
    #[serde(default)]
    pub time_form: TimeForm,
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
    /// Says of which match key the identities of a row are.
    #[serde(default)]
    pub key_type: Option<String>,
    /// When it was done.
    pub time: String,
    /// How that is written.
    #[serde(default)]
    pub time_form: TimeForm,
    /// What was done.
    pub kind: String,
    /// A decimal number; negative for refunds.
    pub value: Option<String>,
    /// The currency of the value; all rows have the same.
    #[serde(default)]
    pub currency: Option<String>,
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
    /// The type of the source that it is loaded from; `None` for an upload.
    pub source_type: Option<String>,
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
    /// The type of the source that it is loaded from; `None` for an upload.
    pub source_type: Option<String>,
    /// Columns that hold identities; of a file of ADMaP none, which is those that it has.
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
        return Err(Refusal::new(Code::ConsentMissing, message).at("consentAcknowledged"));
    }
    let fields = match new.fields {
        fields if fields.is_empty() && admap::is(&new.columns) => admap::fields(account_keys),
        fields => fields,
    };
    let fields = checked_fields(fields, account_keys).map_err(outside_a_mapping)?;
    let columns = checked_columns(new.columns, &fields)?;
    let events = match &columns {
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
        source_type: new.source_type,
        fields,
        columns,
        delimiter: checked_delimiter(new.delimiter).map_err(outside_a_mapping)?,
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

/// A data set whose file was read can be measured.
pub fn loaded(data_set: &EventDataSet, rows: u64, now: Timestamp) -> Result<EventDataSet, Refusal> {
    end(data_set, EventDataSet { status: EventDataStatus::Active, rows, ..data_set.clone() }, now)
}

/// A data set whose file could not be read; the reason is a sentence without values.
pub fn failed(data_set: &EventDataSet, reason: &str, now: Timestamp) -> Result<EventDataSet, Refusal> {
    let failure = Some(reason.to_owned());
    end(data_set, EventDataSet { status: EventDataStatus::Failed, failure, ..data_set.clone() }, now)
}

/// A data set is loaded once.
fn end(data_set: &EventDataSet, next: EventDataSet, now: Timestamp) -> Result<EventDataSet, Refusal> {
    if data_set.status != EventDataStatus::Pending {
        return Err(Refusal::new(Code::WrongState, "The data set has been loaded."));
    }
    Ok(EventDataSet { version: data_set.version + 1, updated_at: now, ..next })
}

/// Data sets have their fields and delimiter beside the columns, not within a mapping.
fn outside_a_mapping(mut refusal: Refusal) -> Refusal {
    refusal.field.retain(|part| part != "mapping");
    refusal
}

/// Exposures are loaded by a side that runs a campaign of the project; conversions by a side that somebody else's
/// campaign may have brought them, or in brand to brand by both.
pub fn may_load(
    kind: EventDataKind,
    account: AccountId,
    pattern: CollaborationPattern,
    campaigns: &[Campaign],
) -> Result<(), Refusal> {
    let mine = campaigns.iter().any(|c| c.runner == account);
    let theirs = campaigns.iter().any(|c| c.runner != account);
    let refused = |message: &str| Err(Refusal::new(Code::WrongState, message).at("projectId"));
    match kind {
        EventDataKind::Exposures if !mine => {
            refused("Exposures are loaded by the side that ran the campaign: enter the campaign first.")
        }
        EventDataKind::Conversions if mine && !theirs && pattern != CollaborationPattern::BrandToBrand => {
            refused("Conversions are loaded by the other side than the one that ran the campaigns.")
        }
        _ => Ok(()),
    }
}

/// At least one of the match keys must be one that the two sides compare.
pub fn comparable(fields: &[FieldMapping], agreed: &[MatchKey]) -> Result<(), Refusal> {
    if fields.iter().any(|f| agreed.contains(&f.match_key)) {
        return Ok(());
    }
    let message = "None of these match keys is agreed on in this connection's settings.";
    Err(Refusal::new(Code::MatchKeyUnavailable, message).at("fields"))
}

fn checked_columns(columns: EventColumns, fields: &[FieldMapping]) -> Result<EventColumns, Refusal> {
    let named = |value: &str| {
        let name = text("columns", value, 1, 200)?;
        // The other columns are stored as they are, and identifiers must not be.
        if fields.iter().any(|f| f.column.trim() == name) {
            let message = format!("{name} holds identities and cannot be anything else as well.");
            return Err(Refusal::invalid("columns", message));
        }
        Ok(name)
    };
    let optional = |value: Option<String>| value.as_deref().map(named).transpose();
    Ok(match columns {
        EventColumns::Exposures(c) => EventColumns::Exposures(ExposureColumns {
            key_type: optional(c.key_type)?,
            time: named(&c.time)?,
            time_form: c.time_form,
            campaign: named(&c.campaign)?,
            placement: optional(c.placement)?,
            creative: optional(c.creative)?,
            cost: optional(c.cost)?,
            viewable: optional(c.viewable)?,
            kind: optional(c.kind)?,
        }),
        EventColumns::Conversions(c) => EventColumns::Conversions(ConversionColumns {
            key_type: optional(c.key_type)?,
            time: named(&c.time)?,
            time_form: c.time_form,
            kind: named(&c.kind)?,
            value: optional(c.value)?,
            currency: optional(c.currency)?,
            deduplication_key: optional(c.deduplication_key)?,
            attributes: checked_attributes(c.attributes.iter().map(|a| named(a)).collect::<Result<_, _>>()?)?,
        }),
    })
}

fn checked_attributes(attributes: Vec<String>) -> Result<Vec<String>, Refusal> {
    if attributes.len() > 10 {
        return Err(Refusal::invalid("columns.attributes", "At most 10 attributes."));
    }
    match attributes.iter().enumerate().find(|(i, name)| attributes[..*i].contains(name)) {
        Some((_, name)) => Err(Refusal::invalid("columns.attributes", format!("{name} is named twice."))),
        None => Ok(attributes),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        CampaignId, MatchKeyKind,
        conversion_event::{Condition, Match, Operator},
    };
    use CollaborationPattern::{AdvertiserToPublisher, BrandToBrand};
    use EventDataKind::{Conversions, Exposures};

    fn run_by(runner: AccountId) -> Campaign {
        Campaign {
            id: CampaignId::new(),
            project: ProjectId::new(),
            runner,
            external_id: "run-further".into(),
            name: "Run further".into(),
            placements: vec![],
            creatives: vec![],
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn who_loads_what_follows_from_who_runs_the_campaigns() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let (hers, its) = (vec![run_by(luma)], vec![run_by(tv_tube)]);
        let both = [hers.clone(), its.clone()].concat();
        for (kind, account, pattern, campaigns, may) in [
            (Exposures, tv_tube, AdvertiserToPublisher, &its, true),
            (Exposures, luma, AdvertiserToPublisher, &its, false),
            (Exposures, tv_tube, AdvertiserToPublisher, &vec![], false),
            (Exposures, luma, AdvertiserToPublisher, &both, true),
            (Conversions, luma, AdvertiserToPublisher, &its, true),
            (Conversions, luma, AdvertiserToPublisher, &vec![], true),
            (Conversions, tv_tube, AdvertiserToPublisher, &its, false),
            (Conversions, luma, AdvertiserToPublisher, &both, true),
            (Conversions, luma, BrandToBrand, &hers, true),
            (Conversions, tv_tube, BrandToBrand, &hers, true),
        ] {
            assert_eq!(may_load(kind, account, pattern, campaigns).is_ok(), may, "{kind:?} {pattern:?} {campaigns:?}");
        }
    }

    #[test]
    fn one_agreed_key_is_enough_and_none_is_too_few() {
        let field = |kind| FieldMapping {
            column: "id".into(),
            match_key: MatchKey::of(kind),
            transformation: crate::data_connection::Transformation::AlreadyHashed,
        };
        let agreed = [MatchKey::of(MatchKeyKind::HashedEmail)];
        let fields = [field(MatchKeyKind::CrmId), field(MatchKeyKind::HashedEmail)];
        assert_eq!(comparable(&fields, &agreed), Ok(()));
        assert_eq!(comparable(&fields[..1], &agreed).unwrap_err().code, Code::MatchKeyUnavailable);
    }

    #[test]
    fn refusals_name_the_fields_of_a_data_set() {
        let columns = ExposureColumns {
            key_type: None,
            time_form: TimeForm::Rfc3339,
            time: "time".into(),
            campaign: "campaign".into(),
            placement: None,
            creative: None,
            cost: None,
            viewable: None,
            kind: None,
        };
        let new = NewEventDataSet {
            name: "Spring".into(),
            source_type: None,
            fields: vec![],
            columns: EventColumns::Exposures(columns),
            delimiter: ',',
            events: vec![],
            consent_acknowledged: true,
        };
        let keys = [MatchKey::of(MatchKeyKind::HashedEmail)];
        let refusal = |new| {
            let (id, project, now) = (EventDataSetId::new(), ProjectId::new(), Timestamp::UNIX_EPOCH);
            create(id, (AccountId::new(), &keys), project, new, "user", now).unwrap_err()
        };
        assert_eq!(refusal(new.clone()).field, ["fields"]);
        let unacknowledged = NewEventDataSet { consent_acknowledged: false, ..new };
        assert_eq!(refusal(unacknowledged).code, Code::ConsentMissing);
    }

    #[test]
    fn a_file_of_admap_needs_no_mapping() {
        let new = |columns| NewEventDataSet {
            name: "Shop".into(),
            source_type: None,
            fields: vec![],
            columns,
            delimiter: ',',
            events: vec![],
            consent_acknowledged: true,
        };
        let create = |columns, keys: &[MatchKeyKind]| {
            let keys: Vec<_> = keys.iter().copied().map(MatchKey::of).collect();
            let (id, account, project) = (EventDataSetId::new(), AccountId::new(), ProjectId::new());
            create(id, (account, &keys), project, new(columns), "user", Timestamp::UNIX_EPOCH)
        };
        let admap = || EventColumns::Exposures(admap::exposure_columns());
        let made = create(admap(), &[MatchKeyKind::HashedPhone, MatchKeyKind::CrmId]).unwrap();
        assert_eq!(made.fields, admap::fields(&[MatchKey::of(MatchKeyKind::HashedPhone)]));
        assert_eq!(create(admap(), &[MatchKeyKind::CrmId]).unwrap_err().field, ["fields"], "it has none of these keys");
        let other = ExposureColumns { campaign: "Campaign".into(), ..admap::exposure_columns() };
        let refused = create(EventColumns::Exposures(other), &[MatchKeyKind::HashedPhone]).unwrap_err();
        assert_eq!(refused.field, ["fields"]);
    }

    #[test]
    fn columns_of_before_there_were_more_are_read() {
        let stored = r#"{"kind":"conversions","columns":{"time":"time","kind":"type","value":null,
            "deduplication_key":null,"attributes":[]}}"#;
        let EventColumns::Conversions(columns) = serde_json::from_str(stored).unwrap() else {
            unreachable!("they are of conversions")
        };
        assert_eq!((columns.key_type, columns.time_form, columns.currency), (None, TimeForm::Rfc3339, None));
    }

    #[test]
    fn a_column_of_identities_is_nothing_else_and_conditions_are_about_attributes() {
        let keys = [MatchKey::of(MatchKeyKind::HashedEmail)];
        let new = |attributes: &[&str], conditions: &[(&str, Operator, &str)]| NewEventDataSet {
            name: "Orders".into(),
            source_type: None,
            fields: vec![FieldMapping {
                column: "email".into(),
                match_key: keys[0].clone(),
                transformation: crate::data_connection::Transformation::NormaliseAndHash,
            }],
            columns: EventColumns::Conversions(ConversionColumns {
                key_type: None,
                time: "time".into(),
                time_form: TimeForm::Rfc3339,
                kind: "type".into(),
                value: Some("value".into()),
                currency: None,
                deduplication_key: None,
                attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
            }),
            delimiter: ',',
            events: vec![ConversionEvent {
                name: " Purchase ".into(),
                conversion_kind: "purchase".into(),
                conditions: conditions
                    .iter()
                    .map(|(attribute, operator, value)| Condition {
                        attribute: (*attribute).to_owned(),
                        operator: *operator,
                        value: (*value).to_owned(),
                    })
                    .collect(),
                matching: Match::All,
            }],
            consent_acknowledged: true,
        };
        let made = |new| {
            let (id, project, now) = (EventDataSetId::new(), ProjectId::new(), Timestamp::UNIX_EPOCH);
            create(id, (AccountId::new(), &keys), project, new, "user", now).map_err(|r| r.field.join("."))
        };
        let good = made(new(&["shop"], &[("shop", Operator::Equals, "Berlin"), ("shop", Operator::LessThan, "4.5")]));
        assert_eq!(good.unwrap().events[0].name, "Purchase");
        for (attributes, conditions, field) in [
            (vec!["email"], vec![], "columns"),
            (vec!["shop", " shop "], vec![], "columns.attributes"),
            (vec!["shop"], vec![("size", Operator::Exists, "")], "events.conditions.attribute"),
            (vec!["shop"], vec![("shop", Operator::GreaterThan, "many")], "events.conditions.value"),
        ] {
            assert_eq!(made(new(&attributes, &conditions)).unwrap_err(), field);
        }
    }
}
