//! What the SQL API answers. <https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses>

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Refusal, code};
use serde::Deserialize;

/// How far a statement is.
#[derive(Debug, PartialEq, Eq)]
pub enum Execution {
    /// It was executed.
    Done,
    /// It is being executed, under this handle.
    Running(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    statement_handle: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

/// How far the statement is that was answered for: 200 says that it was executed, 202 that it is being executed, and 422
/// that it failed.
///
/// # Errors
/// What the status and the code mean; `refusal` is for statements that fail for a reason of their own.
pub fn execution(answer: Answer, refusal: Refusal) -> Result<Execution, DestinationError> {
    let status = answer.status().as_u16();
    match status {
        200 => return Ok(Execution::Done),
        202 => {
            let handle = answer.json::<Status>()?.statement_handle.filter(|handle| code(handle).is_some());
            let handle =
                handle.ok_or_else(|| DestinationError::Permanent("Snowflake names no statement".to_owned()))?;
            return Ok(Execution::Running(handle));
        }
        _ => {}
    }
    let answered = answer.json::<Status>().unwrap_or_default().code;
    let code = answered.as_deref().and_then(code);
    let told = code.map(|code| format!("Snowflake answered error {code}")).unwrap_or_default();
    Err(match (status, code) {
        // The codes are those of the error messages in Snowflake's own consoles.
        (422, Some("002003" | "002043")) => DestinationError::Config(format!(
            "{told}: the database, schema or table is not there, or the role may not use it"
        )),
        (422, Some("003001")) => DestinationError::Config(format!("{told}: the role may not do this: grant it")),
        (422, Some("000904")) => DestinationError::Config(format!(
            "{told}: the table must have the columns ACTIVATION, MATCH_KEY and IDENTITY"
        )),
        (422, Some("000606")) => {
            DestinationError::Config(format!("{told}: the warehouse is not there, or the role may not use it"))
        }
        (422, Some("000604" | "000625" | "000630")) => {
            DestinationError::Transient(format!("{told}: the statement was cancelled, or took too long"))
        }
        (422, _) => match answer.taken(refusal) {
            Err(error) if told.is_empty() => error,
            _ if refusal == Refusal::Config => DestinationError::Config(told),
            _ => DestinationError::Payload(told),
        },
        (404, _) => DestinationError::Config("Snowflake knows no such account or statement".to_owned()),
        _ => match answer.taken(refusal) {
            Err(DestinationError::Auth(message)) => DestinationError::Auth(match told.is_empty() {
                true => message,
                false => format!("{told}: the user, or the public key that it was assigned, is another"),
            }),
            Err(error) => error,
            Ok(_) => DestinationError::Permanent("Snowflake did not answer as it should".to_owned()),
        },
    })
}
