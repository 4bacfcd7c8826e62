//! Requests to the Batch Ingestion API and the catalogue.

use std::time::Duration;

use entente_destination::http::{Answer, Bytes, Http, OAuth, Options, Refusal, Uri, json_request, request};
use entente_destination::{DestinationError, Operator};
use serde_json::json;

use crate::config::Settings;
use crate::response::{created, is_ingested, taken, usable};

/// The longest that a file takes: up to 20 MB.
const TIMEOUT: Duration = Duration::from_secs(45);

/// The API, as one credential sees it.
#[derive(Debug)]
pub struct Service {
    http: Http,
    oauth: OAuth,
    /// The settings.
    pub settings: Settings,
}

impl Service {
    /// The API with these settings.
    ///
    /// # Errors
    /// `Config` for settings that cannot be.
    pub fn new(mut settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        settings.validate()?;
        let options = Options { proxy: settings.proxy.take(), timeout: TIMEOUT, ..Options::default() };
        Ok(Self { http: Http::new(operator, options)?, oauth: settings.oauth()?, settings })
    }

    /// Looks for the dataset.
    ///
    /// # Errors
    /// Those of [`usable`].
    pub async fn look(&mut self) -> Result<(), DestinationError> {
        let url = self.settings.dataset()?;
        let answer = self.send("GET", &url, "application/json", Bytes::new()).await?;
        usable(answer, &self.settings.dataset_id)
    }

    /// Makes a batch and gives its id.
    ///
    /// # Errors
    /// Those of [`created`].
    pub async fn create(&mut self) -> Result<String, DestinationError> {
        let url = self.settings.batches()?;
        let batch = json!({"datasetId": self.settings.dataset_id, "inputFormat": {"format": "json"}});
        let body = json_request("POST", &url, &[], &batch)?.into_body();
        created(self.send("POST", &url, "application/json", body).await?)
    }

    /// Puts a file into a batch, in the place of one of that name.
    ///
    /// # Errors
    /// Those of [`taken`].
    pub async fn put(&mut self, batch: &str, name: &str, lines: Bytes) -> Result<(), DestinationError> {
        let url = self.settings.file(batch, name)?;
        let answer = self.send("PUT", &url, "application/octet-stream", lines).await?;
        taken(answer, Refusal::Payload).map(drop)
    }

    /// Says that a batch has all its files (`COMPLETE`) or that it is not wanted (`ABORT`).
    ///
    /// # Errors
    /// Those of [`taken`].
    pub async fn end(&mut self, batch: &str, action: &str) -> Result<(), DestinationError> {
        let url = self.settings.action(batch, action)?;
        let answer = self.send("POST", &url, "application/json", Bytes::new()).await?;
        taken(answer, Refusal::Payload).map(drop)
    }

    /// Asks whether a batch was ingested.
    ///
    /// # Errors
    /// Those of [`is_ingested`].
    pub async fn is_ingested(&mut self, batch: &str) -> Result<bool, DestinationError> {
        let url = self.settings.status(batch)?;
        is_ingested(self.send("GET", &url, "application/json", Bytes::new()).await?, batch)
    }

    /// <https://experienceleague.adobe.com/en/docs/experience-platform/landing/platform-apis/api-authentication>
    async fn send(&mut self, method: &str, url: &Uri, kind: &str, body: Bytes) -> Result<Answer, DestinationError> {
        let headers = [
            ("content-type", kind),
            ("x-api-key", self.settings.client_id.as_str()),
            ("x-gw-ims-org-id", self.settings.organization_id.as_str()),
            ("x-sandbox-name", self.settings.sandbox.as_str()),
        ];
        self.oauth.send(&self.http, request(method, url, &headers, body)?).await
    }
}
