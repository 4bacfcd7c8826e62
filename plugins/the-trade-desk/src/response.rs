//! What The Trade Desk answers: 200 even where people were not taken, who are then listed.
//! <https://partner.thetradedesk.com/v3/portal/data/doc/post-data-advertiser-external>
//!
//! ```json
//! {"FailedLines": [{"ErrorCode": "MissingUserId", "Message": "Invalid UID2, item #1", "ItemNumber": "1"}]}
//! ```

use std::collections::BTreeMap;

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Refusal, code};
use serde::Deserialize;

/// Codes that are the segment's fault, and not a person's.
const OF_THE_SEGMENT: [&str; 9] = [
    "DataNameTooLong",
    "InvalidTtlInMinutes",
    "InvalidDataOwnerId",
    "TargetingDataCreationLimitExceeded",
    "TargetingDataCountLimitExceeded",
    "TargetingDataLimitReached",
    "TargetingDataDisabled",
    "TenantRestrictionsExternalData",
    "AdvertiserMisconfigured",
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Taken {
    #[serde(default)]
    failed_lines: Option<Vec<FailedLine>>,
    #[serde(default)]
    error_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedLine {
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    item_number: Option<String>,
}

impl FailedLine {
    /// The item's place; items are counted from 1.
    fn place(&self) -> Option<usize> {
        let number = match &self.item_number {
            Some(number) => number.as_str(),
            None => self.message.as_deref()?.rsplit_once('#')?.1,
        };
        number.trim().parse::<usize>().ok()?.checked_sub(1)
    }
}

/// The places of the people, out of so many that were sent, who were not taken, each with the reason's code.
///
/// # Errors
/// What the status and the codes mean; `Permanent` where people failed that cannot be made out.
pub fn failed(answer: Answer, people: usize, refusal: Refusal) -> Result<BTreeMap<usize, String>, DestinationError> {
    let answer = accepted(answer, refusal)?;
    if answer.bytes()?.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lines = answer.json::<Taken>()?.failed_lines.unwrap_or_default();
    let mut failed = BTreeMap::new();
    for line in &lines {
        let code = line.error_code.as_deref().and_then(code).unwrap_or("Unknown").to_owned();
        if OF_THE_SEGMENT.contains(&code.as_str()) {
            return Err(DestinationError::Config(format!("The Trade Desk refuses the segment: {code}")));
        }
        let place = line.place().filter(|place| *place < people);
        let place = place.ok_or_else(|| {
            DestinationError::Permanent("The Trade Desk refuses people, but not of this request".to_owned())
        })?;
        failed.insert(place, code);
    }
    Ok(failed)
}

/// The answer again where its status is one of success.
fn accepted(answer: Answer, refusal: Refusal) -> Result<Answer, DestinationError> {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(answer);
    }
    let told = answer.json::<Taken>().unwrap_or_default().error_code;
    let told = told.as_deref().and_then(code).map(|told| format!(" ({told})")).unwrap_or_default();
    // A token or key that may not do this is as good as none; an advertiser that is not set up for data is not.
    if status == 403 && OF_THE_SEGMENT.iter().any(|code| told.contains(code)) {
        return Err(DestinationError::Config(format!(
            "The Trade Desk refuses the advertiser{told}: ask them to allow it"
        )));
    }
    answer.taken(refusal).map_err(|error| with(error, &told))
}

/// The same error with more told.
fn with(error: DestinationError, told: &str) -> DestinationError {
    match error {
        DestinationError::Config(message) => DestinationError::Config(message + told),
        DestinationError::Auth(message) => DestinationError::Auth(message + told),
        DestinationError::Payload(message) => DestinationError::Payload(message + told),
        other => other,
    }
}
