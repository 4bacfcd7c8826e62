//! Executing statements by the SQL API, and getting the partitions of what they give.
//! <https://docs.snowflake.com/en/developer-guide/sql-api/reference>

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::DateTime;
use entente_destination::http::{Answer, Plain, Uri, code, endpoint, json_request, request};
use serde::Deserialize;
use serde_json::json;

use crate::answers::unanswered;
use crate::error::SourceError;
use crate::operator::Operator;
use crate::service::Service;
use crate::snowflake::csv::Column;
use crate::snowflake::rows::strange;
use crate::snowflake::token::Signer;

/// The longest answer that is read, as it is sent. Partitions are compressed, all but the first.
const MOST_ANSWER_BYTES: usize = 64 << 20;
/// The longest that a statement may take.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How long is waited before a statement is asked for, the first time and the longest.
const PACE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Snowflake's own bound on the parts of a name.
const MOST_HANDLE_BYTES: usize = 40;

/// The SQL API of an account.
pub struct Statements {
    service: Service,
    signer: Signer,
    base: String,
    session: Session,
}

/// What statements are executed with.
pub struct Session {
    pub role: Option<String>,
    pub warehouse: String,
    pub database: String,
    pub schema: String,
}

/// A statement that was executed. Snowflake keeps what it gave for a day.
#[derive(Debug)]
pub struct Executed {
    /// What its partitions are asked for with.
    pub handle: String,
    /// The columns of its rows.
    pub columns: Vec<Column>,
    /// Its partitions, in order.
    pub partitions: Vec<Partition>,
    /// When it began, in milliseconds since 1970.
    pub at: i64,
    /// The first value of the first row.
    pub first: Option<String>,
}

/// What is told of a partition.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Partition {
    #[serde(rename = "rowCount")]
    pub rows: u64,
    /// The bytes of its rows as JSON.
    #[serde(default, rename = "uncompressedSize")]
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultSet {
    statement_handle: String,
    #[serde(default)]
    created_on: i64,
    result_set_meta_data: Metadata,
    #[serde(default)]
    data: FirstValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    row_type: Vec<Column>,
    #[serde(default)]
    partition_info: Vec<Partition>,
}

/// Of the rows, the first value alone: they may be many, and are read later.
#[derive(Default)]
struct FirstValue(Option<String>);

impl<'de> Deserialize<'de> for FirstValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> serde::de::Visitor<'de> for Rows {
            type Value = FirstValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("rows")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut rows: A) -> Result<FirstValue, A::Error> {
                let first = rows.next_element::<Vec<Option<String>>>()?;
                while rows.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(FirstValue(first.and_then(|row| row.into_iter().next().flatten())))
            }
        }
        deserializer.deserialize_seq(Rows)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    statement_handle: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

impl Statements {
    /// The API at an address. Nothing is asked yet.
    ///
    /// # Errors
    /// `Unexpected` where TLS cannot be set up.
    pub fn new(base: String, signer: Signer, session: Session, operator: &Operator) -> Result<Self, SourceError> {
        Ok(Self { service: Service::with_answers_of(MOST_ANSWER_BYTES, operator)?, signer, base, session })
    }

    /// Executes a statement that only reads, and waits for it.
    ///
    /// # Errors
    /// What Snowflake refuses, and why.
    pub async fn execute(&self, statement: &str) -> Result<Executed, SourceError> {
        let Session { role, warehouse, database, schema } = &self.session;
        let mut body = json!({
            "statement": statement, "timeout": PATIENCE.as_secs(),
            "warehouse": warehouse, "database": database, "schema": schema,
        });
        if let Some(role) = role {
            body["role"] = json!(role);
        }
        let (began, mut pace) = (Instant::now(), PACE.0);
        let mut answer = self.send(Some(&body), "", submitted).await?;
        while answer.status().as_u16() == 202 {
            let handle = answer.json::<Status>().ok().and_then(|status| status.statement_handle);
            let handle = handle.filter(|handle| is_handle(handle)).ok_or_else(strange)?;
            if began.elapsed() > PATIENCE {
                return Err(SourceError::Unreachable("the statement takes long".to_owned()));
            }
            tokio::time::sleep(pace).await;
            pace = (pace * 2).min(PACE.1);
            answer = self.send(None, &format!("/{handle}"), submitted).await?;
        }
        executed(&answer)
    }

    /// A partition of what a statement gave, as it was sent: JSON, compressed or not.
    ///
    /// # Errors
    /// `ChangedWhileRead` where it is kept no longer.
    pub async fn partition(&self, handle: &str, number: usize) -> Result<Bytes, SourceError> {
        let answer = self.send(None, &format!("/{handle}?partition={number}"), given).await?;
        Ok(answer.bytes().map_err(unanswered)?.clone())
    }

    /// Posts a statement, or gets what is at a path below.
    async fn send(
        &self,
        statement: Option<&serde_json::Value>,
        path: &str,
        understood: fn(Answer) -> Result<Answer, SourceError>,
    ) -> Result<Answer, SourceError> {
        let url: Uri = endpoint(&format!("{}/api/v2/statements{path}", self.base), Plain::ToAllowedNetworks)
            .map_err(unanswered)?;
        let authorization = self.signer.authorization(SystemTime::now())?;
        let headers = [
            ("authorization", authorization.reveal().as_str()),
            ("x-snowflake-authorization-token-type", "KEYPAIR_JWT"),
            ("accept", "application/json"),
        ];
        let request = match statement {
            Some(body) => json_request("POST", &url, &headers, body),
            None => request("GET", &url, &headers, ""),
        };
        // Whatever is executed twice reads twice.
        self.service.answer(request.map_err(unanswered)?, true, understood).await
    }
}

impl Executed {
    /// When it began.
    pub fn began(&self) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp_millis(self.at).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

fn executed(answer: &Answer) -> Result<Executed, SourceError> {
    let result: ResultSet = answer.json().map_err(|_| strange())?;
    if !is_handle(&result.statement_handle) {
        return Err(strange());
    }
    Ok(Executed {
        handle: result.statement_handle,
        columns: result.result_set_meta_data.row_type,
        partitions: result.result_set_meta_data.partition_info,
        at: result.created_on,
        first: result.data.0,
    })
}

/// Handles become part of addresses.
fn is_handle(handle: &str) -> bool {
    handle.len() <= MOST_HANDLE_BYTES && code(handle).is_some()
}

/// What is answered to a statement.
fn submitted(answer: Answer) -> Result<Answer, SourceError> {
    understood(answer, SourceError::Settings("Snowflake knows no such account".to_owned()))
}

/// What is answered for a partition.
fn given(answer: Answer) -> Result<Answer, SourceError> {
    understood(answer, SourceError::ChangedWhileRead)
}

/// What an answer means. The codes are those of the error messages in Snowflake's own consoles.
/// <https://docs.snowflake.com/en/developer-guide/sql-api/handling-errors>
fn understood(answer: Answer, not_found: SourceError) -> Result<Answer, SourceError> {
    let status = answer.status().as_u16();
    if matches!(status, 200 | 202) {
        return Ok(answer);
    }
    let told = answer.json::<Status>().unwrap_or_default().code;
    let told = told.as_deref().and_then(code);
    let message = match told {
        Some(code) => format!("Snowflake answered error {code}"),
        None => answer.message(),
    };
    Err(match (status, told) {
        (422, Some("002003" | "002043")) => SourceError::NoSuchPlace("table or view that the role may read"),
        (422, Some("003001")) => SourceError::NoPermission(message),
        (422, Some("000606")) => {
            SourceError::Settings(format!("{message}: the warehouse is not there, or the role may not use it"))
        }
        (422, Some("000604" | "000625" | "000630")) | (408, _) => {
            SourceError::Unreachable(format!("{message}: the statement was cancelled, or took too long"))
        }
        (422, _) => SourceError::Settings(format!("{message}: the query cannot be executed")),
        (401, _) => SourceError::Credentials(format!(
            "{message}; is the user's name right, and is the public key of `private_key` assigned to the user?"
        )),
        (403, _) => SourceError::NoPermission(message),
        (404, _) => not_found,
        (429, _) => SourceError::Busy { after: answer.retry_after(), message },
        (503, _) if answer.retry_after().is_some() => SourceError::Busy { after: answer.retry_after(), message },
        (300..=399, _) => SourceError::Settings(format!("{message}: redirects are not followed")),
        (400, _) => SourceError::Settings(message),
        (500..=599, _) => SourceError::Unreachable(message),
        _ => SourceError::Unexpected(message),
    })
}
