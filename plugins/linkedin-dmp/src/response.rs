//! What LinkedIn answers: 200, with a status for each person in the order in which they were sent.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users#add-or-remove-multiple-users>
//!
//! ```json
//! {"elements": [{"status": 201}, {"status": 400}]}
//! ```

use std::collections::BTreeMap;

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Refusal};
use serde::Deserialize;

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    r#type: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    elements: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    status: u16,
}

/// Makes sure that the segment is one of people.
///
/// # Errors
/// `Config` where it is not, and those of [`taken`].
pub fn usable(answer: Answer) -> Result<(), DestinationError> {
    let segment: Segment = taken(answer, Refusal::Config)?.json()?;
    if segment.r#type.as_deref() == Some("USER") {
        return Ok(());
    }
    Err(DestinationError::Config("this segment is not one of people: create one of the type USER".to_owned()))
}

/// The places of the people, out of so many that were sent, who were not taken, each with the status.
///
/// # Errors
/// What the statuses mean; `Transient` or `RateLimited` where that of a person will be another later; `Permanent` where
/// LinkedIn does not answer for each.
pub fn refused(answer: Answer, people: usize) -> Result<BTreeMap<usize, u16>, DestinationError> {
    let created: Created = taken(answer, Refusal::Payload)?.json()?;
    if created.elements.len() != people {
        return Err(DestinationError::Permanent("LinkedIn did not answer for each person".to_owned()));
    }
    let mut refused = BTreeMap::new();
    for (place, element) in created.elements.iter().enumerate() {
        match element.status {
            200..=299 => {}
            429 => {
                let message = "LinkedIn took some of the people, and asks to slow down".to_owned();
                return Err(DestinationError::RateLimited { after: None, message });
            }
            500.. => return Err(DestinationError::Transient("LinkedIn took only some of the people".to_owned())),
            status => drop(refused.insert(place, status)),
        }
    }
    Ok(refused)
}

/// The answer again where its status is one of success.
///
/// # Errors
/// What the status means; `refusal` is for 400. 404 is the segment's fault, and 426 says that the version has ended.
/// <https://learn.microsoft.com/en-us/linkedin/marketing/versioning>
pub fn taken(answer: Answer, refusal: Refusal) -> Result<Answer, DestinationError> {
    match answer.status().as_u16() {
        404 => answer.taken(Refusal::Config),
        426 => Err(DestinationError::Config(
            "LinkedIn has ended this version of its API: set a later `api_version`".to_owned(),
        )),
        _ => answer.taken(refusal),
    }
}
