//! What Adobe answers.

use std::collections::BTreeMap;

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Refusal, code};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
}

/// Makes sure that the dataset is there: the catalogue names it beside what it is.
///
/// # Errors
/// `Config` where it is not, and those of [`taken`].
pub fn usable(answer: Answer, dataset: &str) -> Result<(), DestinationError> {
    let found: BTreeMap<String, Value> = taken(answer, Refusal::Config)?.json()?;
    match found.contains_key(dataset) {
        true => Ok(()),
        false => Err(DestinationError::Config("there is no such dataset in this sandbox".to_owned())),
    }
}

/// The id of the batch that was made.
///
/// # Errors
/// Those of [`taken`].
pub fn created(answer: Answer) -> Result<String, DestinationError> {
    let created: Created = taken(answer, Refusal::Config)?.json()?;
    match (1..=100).contains(&created.id.len()) {
        true => Ok(created.id),
        false => Err(DestinationError::Permanent("Adobe names no batch".to_owned())),
    }
}

/// Whether what is in a batch was ingested.
/// <https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/troubleshooting>
///
/// # Errors
/// `Payload` where it cannot be, since Adobe takes all of a batch or nothing; `Permanent` where somebody ended it.
pub fn is_ingested(answer: Answer, batch: &str) -> Result<bool, DestinationError> {
    let mut found: BTreeMap<String, Status> = taken(answer, Refusal::Payload)?.json()?;
    let Some(found) = found.remove(batch) else { return Ok(false) };
    match found.status.as_str() {
        "active" | "success" => Ok(true),
        "failed" | "failure" => {
            let mut codes: Vec<&str> = found.errors.iter().filter_map(|fault| code(&fault.code)).collect();
            codes.dedup();
            let codes = if codes.is_empty() { "no reason told".to_owned() } else { codes.join(", ") };
            Err(DestinationError::Payload(format!(
                "Experience Platform could not ingest the batch ({codes}): is the dataset's schema one of profiles with \
                 an identity map and segment memberships?"
            )))
        }
        "abandoned" | "aborted" | "inactive" | "archived" | "deleted" => {
            Err(DestinationError::Permanent(format!("the batch is {} at Experience Platform", found.status)))
        }
        // Loading, loaded, queued, processing, staging, staged, retrying, stalled.
        _ => Ok(false),
    }
}

/// The answer again where its status is one of success. 404 is the dataset's fault, or that of the sandbox.
///
/// # Errors
/// What the status means; `refusal` is for 400 and 422.
pub fn taken(answer: Answer, refusal: Refusal) -> Result<Answer, DestinationError> {
    match answer.status().as_u16() {
        404 => answer.taken(Refusal::Config),
        _ => answer.taken(refusal),
    }
}
