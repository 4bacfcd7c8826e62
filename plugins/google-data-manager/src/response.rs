//! What Google answers.

use std::collections::BTreeMap;

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Refusal, code};
use serde::Deserialize;

/// What became of a request that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Google works on it, under this id.
    Whole(String),
    /// Nobody was taken, since it cannot read the people at these places, each with the reason's code.
    Without(BTreeMap<usize, String>),
}

/// What became of a request that Google worked on.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It still does.
    Processing,
    /// It is done, and could not use so many people.
    Done {
        /// How many people it could not use.
        failed: u64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    #[serde(default)]
    request_id: String,
}

#[derive(Deserialize)]
struct Refused {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(default)]
    field_violations: Vec<Violation>,
}

#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    field: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statuses {
    #[serde(default)]
    request_status_per_destination: Vec<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    request_status: String,
    #[serde(default)]
    error_info: ErrorInfo,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInfo {
    #[serde(default)]
    error_counts: Vec<ErrorCount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorCount {
    /// A whole number of 64 bits, which Google writes as text.
    #[serde(default)]
    record_count: String,
    #[serde(default)]
    reason: String,
}

/// What became of a request with so many people. A person that cannot be read is named by its place, and then nobody of
/// the request is taken.
/// <https://developers.google.com/data-manager/api/get-started/quickstart/send-audience-members>
///
/// # Errors
/// What the status means; `Config` where it is not the people that are wrong.
pub fn taken(answer: Answer, people: usize) -> Result<Taken, DestinationError> {
    if answer.status().as_u16() != 400 {
        let accepted: Accepted = answer.taken(Refusal::Config)?.json()?;
        return Ok(Taken::Whole(accepted.request_id));
    }
    let Ok(Refused { error }) = answer.json::<Refused>() else {
        return Err(answer.taken(Refusal::Payload).err().unwrap_or_else(unclear));
    };
    let violations: Vec<Violation> = error.details.into_iter().flat_map(|detail| detail.field_violations).collect();
    let mut places = BTreeMap::new();
    for violation in &violations {
        match place(&violation.field).filter(|place| *place < people) {
            Some(place) => places.insert(place, told(&violation.reason)),
            None => return Err(wrong(&violations)),
        };
    }
    if places.is_empty() { Err(wrong(&violations)) } else { Ok(Taken::Without(places)) }
}

/// The place in `audience_members.audience_members[7].user_data.user_identifiers`.
fn place(field: &str) -> Option<usize> {
    let (_, rest) = field.rsplit_once("audience_members[")?;
    rest.split_once(']')?.0.parse().ok()
}

fn wrong(violations: &[Violation]) -> DestinationError {
    let mut reasons: Vec<String> = violations.iter().map(|violation| told(&violation.reason)).collect();
    reasons.dedup();
    DestinationError::Config(format!("Google refuses the request: {}", reasons.join(", ")))
}

fn told(reason: &str) -> String {
    code(reason).unwrap_or("INVALID_ARGUMENT").to_owned()
}

fn unclear() -> DestinationError {
    DestinationError::Permanent("Google did not answer as it should".to_owned())
}

/// What became of a request that Google worked on. It counts those that it could not use and does not name them.
/// <https://developers.google.com/data-manager/api/reference/rest/v1/requestStatus/retrieve>
///
/// # Errors
/// `Payload` where it could use nobody.
pub fn outcome(answer: Answer) -> Result<Outcome, DestinationError> {
    let statuses: Statuses = answer.taken(Refusal::Payload)?.json()?;
    let mut failed = 0_u64;
    for status in &statuses.request_status_per_destination {
        let counts = &status.error_info.error_counts;
        match status.request_status.as_str() {
            "SUCCESS" => {}
            "PARTIAL_SUCCESS" => {
                let count = |error: &ErrorCount| error.record_count.parse::<u64>().unwrap_or(0);
                failed = counts.iter().map(count).fold(failed, u64::saturating_add);
            }
            // The reference says FAILED, the guide FAILURE.
            "FAILED" | "FAILURE" => {
                let mut reasons: Vec<String> = counts.iter().map(|error| told(&error.reason)).collect();
                reasons.dedup();
                return Err(DestinationError::Payload(format!(
                    "Google could use nobody of a request: {}",
                    reasons.join(", ")
                )));
            }
            _ => return Ok(Outcome::Processing),
        }
    }
    match statuses.request_status_per_destination.is_empty() {
        true => Ok(Outcome::Processing),
        false => Ok(Outcome::Done { failed }),
    }
}
