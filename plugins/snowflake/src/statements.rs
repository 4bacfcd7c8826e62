//! Executing statements: each is sent under an id of its own, and what takes longer is asked for.

use std::time::{Duration, Instant, SystemTime};

use entente_destination::http::{Answer, Http, Options, Refusal, Request, Uri, json_request, request};
use entente_destination::{DestinationError, Operator, Secret};

use crate::config::Settings;
use crate::encoder::{Statement, request_id};
use crate::response::{Execution, execution};
use crate::token::Signer;

/// How long rows are waited for, of which the gateway gives five minutes a batch.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long each statement is waited for that sets something up: three of them are a check, which gets a minute.
const LITTLE_PATIENCE: Duration = Duration::from_secs(15);
/// How often it is asked for.
const PACE: Duration = Duration::from_millis(500);

/// The SQL API of an account.
#[derive(Debug)]
pub struct Service {
    http: Http,
    signer: Signer,
    settings: Settings,
    /// The id of the request that was sent last and whose answer is not known.
    unknown: Option<String>,
}

impl Service {
    /// The API of the settings' account.
    ///
    /// # Errors
    /// `Config` for settings that cannot be.
    pub fn new(mut settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        settings.validate()?;
        let http = Http::new(operator, Options { proxy: settings.proxy.take(), ..Options::default() })?;
        Ok(Self { http, signer: settings.signer()?, settings, unknown: None })
    }

    /// Executes a statement. `purpose` tells it from all others: where it is executed again because its answer got lost,
    /// Snowflake is told so.
    /// <https://docs.snowflake.com/en/developer-guide/sql-api/submitting-requests#label-sql-api-resubmit-request>
    ///
    /// # Errors
    /// Those of [`execution`]; `Transient` for one that takes long.
    pub async fn execute(
        &mut self,
        statement: &Statement,
        purpose: &str,
        refusal: Refusal,
    ) -> Result<(), DestinationError> {
        let patience = if refusal == Refusal::Config { LITTLE_PATIENCE } else { PATIENCE };
        let began = Instant::now();
        let mut so_far = self.submit(statement, purpose, false, refusal).await?;
        while let Execution::Running(handle) = so_far {
            if began.elapsed() > patience {
                return Err(DestinationError::Transient("a statement takes long".to_owned()));
            }
            tokio::time::sleep(PACE).await;
            so_far = self.ask(&handle, refusal).await?;
        }
        self.unknown = None;
        Ok(())
    }

    /// Submits a statement, and waits for nothing where `is_long`.
    ///
    /// # Errors
    /// Those of [`execution`].
    pub async fn submit(
        &mut self,
        statement: &Statement,
        purpose: &str,
        is_long: bool,
        refusal: Refusal,
    ) -> Result<Execution, DestinationError> {
        let id = request_id(purpose);
        let retry = if self.unknown.as_deref() == Some(&id) { "&retry=true" } else { "" };
        let url = self.settings.address(&format!("?requestId={id}&async={is_long}{retry}"))?;
        self.unknown = Some(id);
        let answer = self.send(|url, headers| json_request("POST", url, headers, statement), &url).await?;
        execution(answer, refusal)
    }

    /// Asks how far a statement is.
    ///
    /// # Errors
    /// Those of [`execution`].
    pub async fn ask(&mut self, handle: &str, refusal: Refusal) -> Result<Execution, DestinationError> {
        let url = self.settings.address(&format!("/{handle}"))?;
        let answer = self.send(|url, headers| request("GET", url, headers, ""), &url).await?;
        execution(answer, refusal)
    }

    async fn send<B>(
        &mut self,
        write: impl Fn(&Uri, &[(&str, &str)]) -> Result<Request<B>, DestinationError>,
        url: &Uri,
    ) -> Result<Answer, DestinationError>
    where
        B: Into<entente_destination::http::Bytes>,
    {
        let token = self.signer.token(SystemTime::now())?;
        let authorization = Secret::new(format!("Bearer {}", token.reveal()));
        let headers = [
            ("authorization", authorization.reveal().as_str()),
            ("x-snowflake-authorization-token-type", "KEYPAIR_JWT"),
            ("accept", "application/json"),
        ];
        self.http.send(write(url, &headers)?.map(Into::into)).await
    }
}
