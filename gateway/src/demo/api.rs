//! The demo's client of the gateway's own API.

use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

/// Why the API did not do what the demo asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It did not answer.
    #[error("the gateway did not answer the demo: {0}")]
    Http(#[from] reqwest::Error),
    /// It answered with an error or a refusal.
    #[error("the gateway refused the demo: {0}")]
    Refused(String),
}

/// The API, with one user's key.
pub struct Api {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Api {
    /// The API at an address.
    pub fn new(url: &str, key: &str) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned(), key: key.to_owned() }
    }

    /// The data of an answer.
    pub async fn ask(&self, query: &str, variables: Value) -> Result<Value, ApiError> {
        let request = self.http.post(format!("{}/graphql", self.url)).bearer_auth(&self.key);
        let response = request.json(&json!({ "query": query, "variables": variables })).send().await?;
        let mut response: Value = response.error_for_status()?.json().await?;
        match response.get("errors") {
            Some(errors) => Err(ApiError::Refused(errors.to_string())),
            None => Ok(response["data"].take()),
        }
    }

    /// The payload of a mutation that takes `$input` and is not refused.
    pub async fn press(&self, mutation: &str, input: Value) -> Result<Value, ApiError> {
        let data = self.ask(mutation, json!({ "input": input })).await?;
        let payload = data.as_object().and_then(|d| d.values().next()).cloned().unwrap_or_default();
        match payload["userErrors"].as_array() {
            Some(errors) if !errors.is_empty() => Err(ApiError::Refused(payload["userErrors"].to_string())),
            _ => Ok(payload),
        }
    }

    /// Streams chunks to an upload's address.
    pub async fn upload(&self, url: &str, chunks: Receiver<Vec<u8>>) -> Result<(), ApiError> {
        let stream = futures::stream::unfold(chunks, |mut chunks| async {
            chunks.recv().await.map(|chunk| (Ok::<_, std::io::Error>(chunk), chunks))
        });
        self.http.put(url).body(reqwest::Body::wrap_stream(stream)).send().await?.error_for_status()?;
        Ok(())
    }
}
