//! Data connections: where an account's audiences come from, and how the fields are read.

use crate::{
    AccountId, Code, DataConnectionId, Refusal, Timestamp,
    audience::{ConnectionAccess, MetadataVisibility, checked_categories},
    match_key::MatchKey,
    refusal::text,
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};

/// Whether values of a field are taken as they are or transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Transformation {
    /// The values are SHA-256 digests in hexadecimal already.
    AlreadyHashed,
    /// The values are normalised by their match key's rule, then hashed with SHA-256.
    NormaliseAndHash,
}

/// One source field that feeds a match key. Several may feed the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMapping {
    /// The column's name in the source.
    pub column: String,
    /// The match key it feeds.
    pub match_key: MatchKey,
    /// How its values are read.
    pub transformation: Transformation,
}

/// Which audience a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind", content = "value")]
pub enum AudienceSource {
    /// The column that names it.
    Column(String),
    /// All rows belong to this one.
    Named(String),
}

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// At least one.
    pub fields: Vec<FieldMapping>,
    /// Which audience a row belongs to.
    pub audience: AudienceSource,
    /// One ASCII character; a comma unless said otherwise.
    pub delimiter: char,
}

/// Checks a mapping against the account's match keys.
pub fn checked_mapping(mapping: Mapping, account_keys: &[MatchKey]) -> Result<Mapping, Refusal> {
    let audience = match mapping.audience {
        AudienceSource::Column(column) => AudienceSource::Column(text("mapping.audience", &column, 1, 200)?),
        AudienceSource::Named(name) => AudienceSource::Named(text("mapping.audience", &name, 1, 200)?),
    };
    if let AudienceSource::Column(column) = &audience
        && mapping.fields.iter().any(|f| f.column.trim() == column)
    {
        // Audiences are named in the clear, identifiers never are.
        let message = "The column that names the audience cannot hold identities as well.";
        return Err(Refusal::invalid("mapping.audience", message));
    }
    Ok(Mapping {
        fields: checked_fields(mapping.fields, account_keys)?,
        audience,
        delimiter: checked_delimiter(mapping.delimiter)?,
    })
}

/// Checks the fields that hold identities.
pub fn checked_fields(fields: Vec<FieldMapping>, account_keys: &[MatchKey]) -> Result<Vec<FieldMapping>, Refusal> {
    if fields.is_empty() || fields.len() > 40 {
        return Err(Refusal::invalid("mapping.fields", "Between 1 and 40 fields."));
    }
    for (i, field) in fields.iter().enumerate() {
        text("mapping.fields", &field.column, 1, 200)?;
        if !account_keys.contains(&field.match_key) {
            let message = format!("{} is not a match key of this account.", field.match_key.name());
            return Err(Refusal::new(Code::MatchKeyUnavailable, message).at("mapping.fields"));
        }
        if fields[..i].iter().any(|f| f.column == field.column && f.match_key == field.match_key) {
            return Err(Refusal::invalid("mapping.fields", format!("{} is mapped twice.", field.column)));
        }
    }
    Ok(fields)
}

/// Checks a delimiter: one printable ASCII character, or a tab, that is not a quote.
pub fn checked_delimiter(delimiter: char) -> Result<char, Refusal> {
    if (delimiter.is_ascii_graphic() && delimiter != '"' && !delimiter.is_ascii_alphanumeric()) || delimiter == '\t' {
        return Ok(delimiter);
    }
    Err(Refusal::invalid("mapping.delimiter", "A delimiter is one punctuation character or a tab."))
}

/// Who acknowledged that the people in the data consented, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// As the audit log names actors.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Where a data connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DataConnectionStatus {
    /// Its first refresh has not ended.
    Pending,
    /// Its last refresh succeeded.
    Active,
    /// Its last refresh failed; what was there before stays.
    Failed,
    /// Its last refresh found other columns than before, or far fewer rows; what was there before stays until that is
    /// accepted.
    Drifted,
}

/// A data connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConnection {
    /// Its id.
    pub id: DataConnectionId,
    /// Whose it is.
    pub account: AccountId,
    /// 1 to 100 characters.
    pub name: String,
    /// The type of the source that it is read from by itself; `None` where files are uploaded.
    pub source_type: Option<String>,
    /// When it is read by itself; uploads never are.
    pub schedule: Schedule,
    /// How files are read.
    pub mapping: Mapping,
    /// What new audiences get.
    pub categories: Vec<String>,
    /// What new audiences get.
    pub access: ConnectionAccess,
    /// What new audiences get.
    pub visibility: MetadataVisibility,
    /// Who acknowledged consent, when.
    pub consent: Consent,
    /// Where it is.
    pub status: DataConnectionStatus,
    /// Why the last refresh failed or drifted: sentences without values.
    pub failure: Option<String>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is needed to create a data connection.
#[derive(Clone, Debug)]
pub struct NewDataConnection {
    /// Name.
    pub name: String,
    /// The type of the source that it is read from by itself; `None` where files are uploaded.
    pub source_type: Option<String>,
    /// When it is read by itself; uploads never are.
    pub schedule: Schedule,
    /// How files are read.
    pub mapping: Mapping,
    /// What its audiences get.
    pub categories: Vec<String>,
    /// What its audiences get.
    pub access: ConnectionAccess,
    /// What its audiences get.
    pub visibility: MetadataVisibility,
    /// Must be true.
    pub consent_acknowledged: bool,
}

/// Creates a data connection.
pub fn create(
    id: DataConnectionId,
    account: AccountId,
    account_keys: &[MatchKey],
    new: NewDataConnection,
    by: &str,
    now: Timestamp,
) -> Result<DataConnection, Refusal> {
    if !new.consent_acknowledged {
        return Err(Refusal::new(
            Code::ConsentMissing,
            "Acknowledge that the people in this data have consented to its use.",
        )
        .at("consentAcknowledged"));
    }
    Ok(DataConnection {
        id,
        account,
        name: text("name", &new.name, 1, 100)?,
        schedule: checked_schedule(new.schedule, new.source_type.is_some(), now)?,
        source_type: new.source_type,
        mapping: checked_mapping(new.mapping, account_keys)?,
        categories: checked_categories(new.categories)?,
        access: new.access,
        visibility: new.visibility,
        consent: Consent { by: by.to_owned(), at: now },
        status: DataConnectionStatus::Pending,
        failure: None,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// Changes the name of a data connection, where another is given, and notes that its source may be another. What was
/// read stays until it is read again.
pub fn changed(
    data_connection: &DataConnection,
    name: Option<&str>,
    schedule: Option<Schedule>,
    now: Timestamp,
) -> Result<DataConnection, Refusal> {
    let name = name.map(|name| text("name", name, 1, 100)).transpose()?;
    let name = name.unwrap_or_else(|| data_connection.name.clone());
    let reads = data_connection.source_type.is_some();
    let schedule = schedule.map(|schedule| checked_schedule(schedule, reads, now)).transpose()?;
    let schedule = schedule.unwrap_or(data_connection.schedule);
    Ok(DataConnection { name, schedule, ..sourced_again(data_connection, now) })
}

/// A data connection whose files are read in another way, from its next refresh on. It feeds at least the match keys that
/// it fed: what is published has them.
pub fn mapped(
    data_connection: DataConnection,
    mapping: Mapping,
    account_keys: &[MatchKey],
) -> Result<DataConnection, Refusal> {
    let mapping = checked_mapping(mapping, account_keys)?;
    let feeds = |key: &MatchKey| mapping.fields.iter().any(|field| field.match_key == *key);
    if let Some(left) = data_connection.mapping.fields.iter().find(|field| !feeds(&field.match_key)) {
        let message = format!("{} was fed until now, and no column feeds it any longer.", left.match_key.name());
        return Err(Refusal::invalid("mapping.fields", message));
    }
    Ok(DataConnection { mapping, ..data_connection })
}

fn checked_schedule(schedule: Schedule, reads: bool, now: Timestamp) -> Result<Schedule, Refusal> {
    if !reads && schedule != Schedule::Once {
        return Err(Refusal::invalid("schedule", "What is uploaded is read once: a schedule needs a source."));
    }
    schedule.checked(now.date_naive())
}

/// Checks that a data connection is read from where it is to be: from an upload, or by itself.
pub fn checked_refresh(data_connection: &DataConnection, has_upload: bool) -> Result<(), Refusal> {
    match (data_connection.source_type.is_some(), has_upload) {
        (true, true) => {
            Err(Refusal::invalid("uploadId", "This data connection is read from its source, not from uploads."))
        }
        (false, false) => Err(Refusal::invalid("uploadId", "This data connection is read from uploads: say which.")),
        _ => Ok(()),
    }
}

/// A data connection that is being sourced again: how its last refresh ended stays until this one has.
pub fn sourced_again(data_connection: &DataConnection, now: Timestamp) -> DataConnection {
    DataConnection { version: data_connection.version + 1, updated_at: now, ..data_connection.clone() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::match_key::MatchKeyKind;

    fn customers(source_type: Option<&str>) -> DataConnection {
        let email = MatchKey::of(MatchKeyKind::HashedEmail);
        let field = FieldMapping {
            column: "email".to_owned(),
            match_key: email.clone(),
            transformation: Transformation::NormaliseAndHash,
        };
        let new = NewDataConnection {
            name: "Customers".to_owned(),
            source_type: source_type.map(str::to_owned),
            schedule: Schedule::Once,
            mapping: Mapping {
                fields: vec![field],
                audience: AudienceSource::Named("Customers".to_owned()),
                delimiter: ',',
            },
            categories: vec![],
            access: ConnectionAccess::Private,
            visibility: MetadataVisibility::default(),
            consent_acknowledged: true,
        };
        create(DataConnectionId::new(), AccountId::new(), &[email], new, "ada", Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_data_connection_is_read_from_where_it_was_set_up() {
        for (source_type, has_upload, is_read) in
            [(None, true, true), (None, false, false), (Some("s3"), true, false), (Some("s3"), false, true)]
        {
            let answer = checked_refresh(&customers(source_type), has_upload);
            assert_eq!(answer.is_ok(), is_read, "{source_type:?} {has_upload}");
        }
    }

    #[test]
    fn another_mapping_feeds_what_was_fed() {
        let present = customers(None);
        let (email, crm) = (MatchKey::of(MatchKeyKind::HashedEmail), MatchKey::of(MatchKeyKind::CrmId));
        let keys = [email.clone(), crm.clone()];
        let field = |column: &str, match_key: &MatchKey| FieldMapping {
            column: column.to_owned(),
            match_key: match_key.clone(),
            transformation: Transformation::NormaliseAndHash,
        };
        for (fields, is_taken) in [
            (vec![field("mail", &email)], true),
            (vec![field("mail", &email), field("id", &crm)], true),
            (vec![field("id", &crm)], false),
            (vec![], false),
        ] {
            let mapping = Mapping { fields: fields.clone(), ..present.mapping.clone() };
            let changed = mapped(present.clone(), mapping, &keys);
            assert_eq!(changed.ok().map(|changed| changed.mapping.fields), is_taken.then_some(fields));
        }
    }

    #[test]
    fn a_change_keeps_what_is_not_named() {
        let now = Timestamp::UNIX_EPOCH + chrono::TimeDelta::days(1);
        let present = customers(Some("s3"));
        let same = DataConnection { version: 2, updated_at: now, ..present.clone() };
        assert_eq!(changed(&present, None, None, now).unwrap(), same);
        let name = "All customers".to_owned();
        let renamed = DataConnection { name, ..same.clone() };
        assert_eq!(changed(&present, Some(" All customers "), None, now).unwrap(), renamed);
        assert!(changed(&present, Some(""), None, now).is_err());
        let day = now.date_naive();
        let schedule = Schedule::Recurring { every_days: 2, from: day, until: day };
        assert_eq!(changed(&present, None, Some(schedule), now).unwrap(), DataConnection { schedule, ..same });
        assert!(changed(&present, None, Some(schedule), now + chrono::TimeDelta::days(1)).is_err(), "it is over");
        assert!(changed(&customers(None), None, Some(schedule), now).is_err(), "what is uploaded has no schedule");
        assert!(changed(&customers(None), None, Some(Schedule::Once), now).is_ok());
    }
}
