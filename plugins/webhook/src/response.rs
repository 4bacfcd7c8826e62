//! What a receiver may answer. Any status of success takes all rows, unless the body is JSON that lists some as
//! rejected, by their number in the request:
//!
//! ```json
//! {"rejected": [{"row": 7, "code": "UNKNOWN_KEY", "reason": "There is no such match key here."}]}
//! ```
//!
//! A `reason` is shown to whoever made the delivery and must not repeat the identity. Any other body is not looked at.

use std::collections::BTreeSet;

use entente_destination::http::{Answer, Refusal};
use entente_destination::{DestinationError, Rejected};
use serde::Deserialize;
use serde_json::Value;

/// A row that the receiver did not take.
#[derive(Deserialize)]
struct Refused {
    row: u32,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// Which of the `rows` rows of a request, numbered from `first_row` in their batch, were rejected.
///
/// # Errors
/// What the status means: 404 and 410 are the address's fault, 400 and 422 the rows'. `Permanent` where rows were
/// rejected that cannot be made out.
pub fn rejected(answer: Answer, first_row: usize, rows: usize) -> Result<Vec<Rejected>, DestinationError> {
    let answer = accepted(answer, Refusal::Payload)?;
    let Ok(Value::Object(mut body)) = answer.json::<Value>() else { return Ok(Vec::new()) };
    let Some(listed) = body.remove("rejected") else { return Ok(Vec::new()) };
    let unclear = || DestinationError::Permanent("the receiver rejected rows, but not of this request".to_owned());
    let refused: Vec<Refused> = serde_json::from_value(listed).map_err(|_| unclear())?;
    let numbers: BTreeSet<u32> = refused.iter().map(|refused| refused.row).collect();
    if numbers.len() != refused.len() || numbers.last().is_some_and(|last| *last as usize >= rows) {
        return Err(unclear());
    }
    let first_row = u32::try_from(first_row).map_err(|_| unclear())?;
    let in_batch = |refused: Refused| Rejected {
        row: first_row + refused.row,
        code: refused.code.unwrap_or_else(|| "REJECTED".to_owned()),
        reason: refused.reason.unwrap_or_else(|| "The receiver rejected this row.".to_owned()),
    };
    Ok(refused.into_iter().map(in_batch).collect())
}

/// The answer again where its status is one of success.
///
/// # Errors
/// What the status means; `refusal` is for 400 and 422.
pub fn accepted(answer: Answer, refusal: Refusal) -> Result<Answer, DestinationError> {
    match answer.status().as_u16() {
        404 => answer.taken(Refusal::Config),
        410 => Err(DestinationError::Config(
            "the receiver wants no more requests at this address (410 Gone): set another `url`".to_owned(),
        )),
        _ => answer.taken(refusal),
    }
}
