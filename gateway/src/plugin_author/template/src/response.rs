//! What the service may answer. Any status of success takes all rows, apart from those that the body lists by their
//! number in the request:
//!
//! ```json
//! {"rejected": [{"row": 7, "code": "UNKNOWN_KEY"}]}
//! ```

use std::collections::BTreeSet;

use entente_destination::http::{Answer, Refusal, code};
use entente_destination::{DestinationError, Rejected};
use serde::Deserialize;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    rejected: Vec<Refused>,
}

/// A row that the service did not take.
#[derive(Deserialize)]
struct Refused {
    row: u32,
    code: String,
}

/// Which of the `rows` rows of a request, numbered from `first_row` in their batch, were rejected.
///
/// # Errors
/// What the status means: 400, 404 and 422 are the rows' fault. `Permanent` where the body cannot be made out.
pub fn rejected(answer: Answer, first_row: usize, rows: usize) -> Result<Vec<Rejected>, DestinationError> {
    let answer = answer.taken(Refusal::Payload)?;
    if answer.bytes()?.is_empty() {
        return Ok(Vec::new());
    }
    let refused = answer.json::<Body>()?.rejected;
    let unclear = || DestinationError::Permanent("the service rejected rows, but not of this request".to_owned());
    let numbers: BTreeSet<u32> = refused.iter().map(|refused| refused.row).collect();
    if numbers.len() != refused.len() || numbers.last().is_some_and(|last| *last as usize >= rows) {
        return Err(unclear());
    }
    let first_row = u32::try_from(first_row).map_err(|_| unclear())?;
    let in_batch = |refused: Refused| Rejected {
        row: first_row + refused.row,
        // Whatever else the service says may repeat the identity.
        code: code(&refused.code).unwrap_or("REJECTED").to_owned(),
        reason: "The service rejected this row.".to_owned(),
    };
    Ok(refused.into_iter().map(in_batch).collect())
}
