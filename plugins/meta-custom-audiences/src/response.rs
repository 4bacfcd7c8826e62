//! What Meta answers.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use entente_destination::http::{Answer, Refusal};
use entente_destination::rows::Row;
use entente_destination::{DestinationError, IdentityFormat};
use serde::Deserialize;
use serde_json::Value;

/// The audience's status that says that Meta flagged it, and that its people cannot be changed.
/// <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users>
const FLAGGED: i64 = 471;

#[derive(Deserialize)]
struct Refused {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    #[serde(default)]
    error_subcode: i64,
    #[serde(default)]
    is_transient: bool,
}

#[derive(Deserialize)]
struct Audience {
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    operation_status: Option<OperationStatus>,
}

#[derive(Deserialize)]
struct OperationStatus {
    #[serde(default)]
    code: i64,
}

#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    num_invalid_entries: usize,
    #[serde(default)]
    invalid_entry_samples: Value,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    estimated_time_to_regain_access: u64,
}

/// Makes sure that the audience is one whose people may be changed.
///
/// # Errors
/// `Config` where it is not, and those of [`taken`].
pub fn usable(answer: Answer) -> Result<(), DestinationError> {
    let audience: Audience = taken(answer, Refusal::Config)?.json()?;
    let config = |message: &str| Err(DestinationError::Config(message.to_owned()));
    match audience.operation_status.map(|status| status.code) {
        Some(FLAGGED) => config("Meta flagged this audience: resolve that in its Audience Manager"),
        _ if audience.subtype.as_deref() != Some("CUSTOM") => {
            config("this audience is not one from a customer list: create one, and set its id")
        }
        _ => Ok(()),
    }
}

/// The places of the people, out of those that were sent, whom Meta could not read. It tells some of them as samples.
/// <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users>
///
/// # Errors
/// Those of [`taken`]; `Payload` where it could not read more people than it tells.
pub fn invalid<'a>(answer: Answer, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<usize>, DestinationError> {
    let received: Received = taken(answer, Refusal::Payload)?.json()?;
    if received.num_invalid_entries == 0 {
        return Ok(Vec::new());
    }
    let mut samples = HashSet::new();
    collect(&received.invalid_entry_samples, &mut samples);
    let is_invalid = |row: &Row<'_>| samples.contains(&IdentityFormat::Hex.write(row.identity));
    let places: Vec<usize> = rows.enumerate().filter(|(_, row)| is_invalid(row)).map(|(place, _)| place).collect();
    if places.len() != received.num_invalid_entries {
        return Err(DestinationError::Payload(format!(
            "Meta could not read {} of the people and told only {} of them",
            received.num_invalid_entries,
            places.len()
        )));
    }
    Ok(places)
}

/// Every text in a sample, whichever way it is wrapped.
fn collect(sample: &Value, samples: &mut HashSet<String>) {
    match sample {
        Value::String(text) => {
            samples.insert(text.to_ascii_lowercase());
            // A person with several identifiers is told as a list, which may be inside a text.
            if let Ok(inner @ Value::Array(_)) = serde_json::from_str(text) {
                collect(&inner, samples);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, samples)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            collect(&Value::String(name.clone()), samples);
            collect(value, samples);
        }),
        _ => {}
    }
}

/// The answer again where it is one of success. Meta answers 400 for most faults, and tells them apart by codes.
/// <https://developers.facebook.com/documentation/ads-commerce/marketing-api/error-reference>
///
/// # Errors
/// What the code means, or else the status; `refusal` is for requests that are not as they should be.
pub fn taken(answer: Answer, refusal: Refusal) -> Result<Answer, DestinationError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let Ok(Refused { error }) = answer.json::<Refused>() else { return answer.taken(refusal) };
    let told = format!("Meta answered error {}, subcode {}", error.code, error.error_subcode);
    Err(match (error.code, error.error_subcode) {
        (200, 1_870_034) => {
            DestinationError::Config(format!("{told}: agree to Meta's terms for custom audiences in its Ads Manager"))
        }
        (200, 1_870_047) => DestinationError::Payload(format!("{told}: too few people would stay in the audience")),
        (102 | 104 | 190, _) => {
            DestinationError::Auth(format!("{told}: the access token has run out or was withdrawn"))
        }
        (10 | 200..=299, _) => DestinationError::Auth(format!("{told}: the access token may not manage this audience")),
        (100, 33) => DestinationError::Config(format!(
            "{told}: there is no such audience, or the token's user was not given its ad account"
        )),
        (100, 1_713_230) => DestinationError::Config(format!(
            "{told}: Meta flagged this audience: resolve that in its Audience Manager"
        )),
        // <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>
        (4 | 17 | 32 | 613 | 80_000..=80_014, _) => {
            DestinationError::RateLimited { after: regained(&answer), message: told }
        }
        (1 | 2, _) => DestinationError::Transient(told),
        _ if error.is_transient => DestinationError::Transient(told),
        (100 | 105, _) => match refusal {
            Refusal::Config => DestinationError::Config(told),
            _ => DestinationError::Payload(told),
        },
        // 2650 and its neighbours: the audience failed to be updated.
        _ => DestinationError::Permanent(told),
    })
}

/// How long Meta says that access is lost for: the longest of all minutes in a header.
/// <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>
fn regained(answer: &Answer) -> Option<Duration> {
    let header = answer.header("x-business-use-case-usage")?;
    let usage: BTreeMap<String, Vec<Usage>> = serde_json::from_str(header).ok()?;
    let minutes = usage.values().flatten().map(|usage| usage.estimated_time_to_regain_access).max()?;
    (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60)))
}
