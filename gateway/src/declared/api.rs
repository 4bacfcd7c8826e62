//! The client of a gateway's API, by which a set-up is read and applied as by anybody else.

use crate::{outgoing, uploading};
use entente_destination::{
    DestinationError,
    http::{Answer, Bytes, Http, Plain, Request, StatusCode, endpoint, json_request},
};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{path::Path, time::Duration};
use zeroize::Zeroizing;

/// How long an answer may take; trying a destination takes the longest.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often what has an idempotency key is sent, when no answer comes.
const TRIES: u32 = 3;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The gateway did not answer, or not as a gateway does.
    #[error("{0}")]
    Http(#[from] DestinationError),
    /// It answered with an error.
    #[error("the gateway answered: {message} ({code})")]
    Refused { code: String, message: String },
    /// The file cannot be read.
    #[error("{0}")]
    File(String),
}

/// Why a mutation was refused.
#[derive(Clone, Debug, Deserialize)]
pub struct UserError {
    pub code: String,
    pub field: Vec<String>,
    pub message: String,
}

/// A mutation whose payload is read for refusals only.
#[derive(Debug)]
pub struct Mutation {
    pub name: &'static str,
    /// The type of its input.
    pub input: &'static str,
    /// Whether it takes an idempotency key.
    pub takes_key: bool,
    /// The place in the input where references to secrets are.
    pub secrets: Option<&'static str>,
}

/// The API of a gateway, with one token.
pub struct Api {
    http: Http,
    base: String,
    token: Zeroizing<String>,
}

impl Api {
    /// The API at an address, such as `https://entente.luma.example`.
    ///
    /// # Errors
    /// An address by plain HTTP that is not on this machine.
    pub fn new(url: &str, token: Zeroizing<String>) -> Result<Self, ApiError> {
        let base = url.trim_end_matches('/').trim_end_matches("/graphql").to_owned();
        endpoint(&base, Plain::ToLoopback)?;
        Ok(Self { http: outgoing::client(PATIENCE)?, base, token })
    }

    /// The data of an answer.
    pub async fn ask(&self, document: &str, variables: &Value) -> Result<Value, ApiError> {
        let url = endpoint(&format!("{}/graphql", self.base), Plain::ToLoopback)?;
        let authorization = Zeroizing::new(format!("Bearer {}", self.token.as_str()));
        let body = json!({ "query": document, "variables": variables });
        let sent = json_request("POST", &url, &[("authorization", &authorization)], &body)?;
        let answer = self.http.last_answer(sent).await?;
        let mut answer: Value = match answer.json() {
            Ok(answer) => answer,
            Err(_) if answer.status() == StatusCode::UNAUTHORIZED => {
                let message = "it does not know this token, or no longer".to_owned();
                return Err(ApiError::Refused { code: "UNAUTHENTICATED".to_owned(), message });
            }
            Err(_) if !answer.status().is_success() => {
                return Err(DestinationError::Permanent(answer.message()).into());
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(error) = answer.pointer("/errors/0") {
            let text = |at: &str| error.pointer(at).and_then(Value::as_str).unwrap_or("no reason").to_owned();
            return Err(ApiError::Refused { code: text("/extensions/code"), message: text("/message") });
        }
        Ok(answer["data"].take())
    }

    /// Asks a mutation, with an idempotency key if it takes one; why it was refused, if it was. One that has a key is
    /// asked again when no answer comes.
    pub async fn press(
        &self,
        mutation: &Mutation,
        mut input: Value,
        key: Option<String>,
    ) -> Result<Vec<UserError>, ApiError> {
        let has_key = key.is_some();
        if let Some(key) = key {
            input["idempotencyKey"] = key.into();
        }
        let Mutation { name, input: of, .. } = mutation;
        let document =
            format!("mutation($input: {of}!) {{ {name}(input: $input) {{ userErrors {{ code field message }} }} }}");
        let variables = json!({ "input": input });
        let mut tries = 1;
        let data = loop {
            match self.ask(&document, &variables).await {
                Err(ApiError::Http(error)) if has_key && error.kind() == "TRANSIENT" && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                answer => break answer?,
            }
        };
        let refusals = serde_json::from_value(data[*name]["userErrors"].clone());
        refusals.map_err(|_| unexpected())
    }

    /// Sends a request to an address that the gateway gave, without the token; the answer, whatever its status.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, ApiError> {
        Ok(self.http.last_answer(request).await?)
    }

    /// Sends a file; the id of its upload.
    pub async fn upload(&self, account: &Value, file: &Path) -> Result<Result<Value, Vec<UserError>>, ApiError> {
        uploading::send(self, account, file, &ProgressBar::hidden()).await
    }
}

fn unexpected() -> ApiError {
    DestinationError::Permanent("the gateway did not answer as it should".to_owned()).into()
}

/// A value of the API in the spelling of the file: `matchKeys` is `match_keys`.
pub fn in_the_file(value: Value) -> Value {
    renamed(value, &|name| {
        let parts = name
            .chars()
            .map(|c| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() });
        parts.collect()
    })
}

/// A value of the file in the spelling of the API: `match_keys` is `matchKeys`.
pub fn in_the_api(value: Value) -> Value {
    renamed(value, &|name| {
        let mut parts = name.split('_');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |name, part| {
            let (initial, rest) = part.split_at_checked(1).unwrap_or_default();
            name + &initial.to_ascii_uppercase() + rest
        })
    })
}

fn renamed(value: Value, name: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (name(&key), renamed(value, name)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| renamed(item, name)).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_either_side() {
        let file = json!({ "match_keys": [{ "provider_account_id": "some_text" }], "name": null });
        let api = json!({ "matchKeys": [{ "providerAccountId": "some_text" }], "name": null });
        assert_eq!(in_the_api(file.clone()), api);
        assert_eq!(in_the_file(api), file);
    }
}
