//! How values of the domain are written in columns, and read again.

use crate::StoreError;
use entente_domain::{access::Actor, event::Subject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::str::FromStr;

/// Nested values are JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// Reads JSON.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable(what))
}

/// Enums without fields are their name.
pub(crate) fn name<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        Value::String(name) => Ok(name),
        _ => Err(StoreError::Unreadable("name")),
    }
}

/// Reads the name of an enum without fields.
pub(crate) fn from_name<T: DeserializeOwned>(name: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|_| StoreError::Unreadable(what))
}

/// Reads an id.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("id"))
}

/// Reads an id that may be missing.
pub(crate) fn optional_id<T: FromStr>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    text.map(id).transpose()
}

/// Ids as text.
pub(crate) fn texts<T: ToString>(ids: impl IntoIterator<Item = T>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// Counts are never negative.
pub(crate) fn count(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|_| StoreError::Unreadable("count"))
}

/// Counts that do not fit are the greatest that does.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Text from outside, without the NUL characters that PostgreSQL refuses: nothing that is kept has any.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// Hashes are lower-case hexadecimal.
pub(crate) fn hash(bytes: &[u8; 32]) -> String {
    hex::encode(bytes)
}

/// What an event is about: its kind and its id.
pub(crate) fn subject_columns(subject: &Subject) -> Result<(String, String), StoreError> {
    tagged(serde_json::to_value(subject)?)
        .and_then(|(kind, id)| Ok((kind, id.ok_or(StoreError::Unreadable("subject"))?)))
}

/// Reads what an event is about.
pub(crate) fn subject(kind: &str, id: &str) -> Result<Subject, StoreError> {
    serde_json::from_value(serde_json::json!({ "kind": kind, "id": id })).map_err(|_| StoreError::Unreadable("subject"))
}

/// Reads a subject that may be missing.
pub(crate) fn optional_subject(kind: Option<&str>, id: Option<&str>) -> Result<Option<Subject>, StoreError> {
    match (kind, id) {
        (Some(kind), Some(id)) => subject(kind, id).map(Some),
        _ => Ok(None),
    }
}

/// Who acts: the kind and, for users and API keys, the id.
pub(crate) fn actor_columns(actor: &Actor) -> Result<(String, Option<String>), StoreError> {
    tagged(serde_json::to_value(actor)?)
}

/// Reads who acts.
pub(crate) fn actor(kind: &str, id: Option<&str>) -> Result<Actor, StoreError> {
    let value = match id {
        Some(id) => serde_json::json!({ "kind": kind, "id": id }),
        None => serde_json::json!({ "kind": kind }),
    };
    serde_json::from_value(value).map_err(|_| StoreError::Unreadable("actor"))
}

fn tagged(value: Value) -> Result<(String, Option<String>), StoreError> {
    let part = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    Ok((part("kind").ok_or(StoreError::Unreadable("kind"))?, part("id")))
}

/// The pair of two ids in the order in which pairs are kept.
pub(crate) fn ordered_pair<T: ToString>(one: T, other: T) -> (String, String) {
    let (one, other) = (one.to_string(), other.to_string());
    if one <= other { (one, other) } else { (other, one) }
}
