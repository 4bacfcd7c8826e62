//! A destination type whose platform is a server of the tests, which signs in by OAuth.

use arrow_array::RecordBatch;
use entente_destination::http::{Http, OAuth, Options, Plain, Refusal, endpoint, json_request, request};
use entente_destination::rows::Rows;
use entente_destination::{
    Consent, Delivery, Destination, DestinationError, IdentityFormat, Operator, Secret, Written,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Where the server is: the tests put its port into the library's file, since no setting leads to a platform.
static SERVER: &str = "http://127.0.0.1:00000";

fn address(path: &str) -> String {
    format!("{}{path}", std::hint::black_box(SERVER))
}

/// Who may deliver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The client's id.
    client_id: String,
    /// The client's secret.
    client_secret: Secret<String>,
    /// What came of a consent.
    refresh_token: Secret<String>,
}

/// One delivery.
pub struct Shop {
    http: Http,
    oauth: OAuth,
}

impl Shop {
    fn new(settings: &Settings, operator: &Operator) -> Result<Self, DestinationError> {
        let url = endpoint(&address("/token"), Plain::ToLoopback)?;
        let oauth = OAuth::refreshing(url, &settings.client_id, &settings.client_secret, &settings.refresh_token);
        Ok(Self { http: Http::new(operator, Options::default())?, oauth })
    }
}

impl Destination for Shop {
    const ID: &'static str = "shop";
    const NAME: &'static str = "Shop";
    const SUMMARY: &'static str = "A shop of the tests.";
    const VERSION: &'static str = "1";
    const HOSTS: &'static [&'static str] = &["*"];
    type Settings = Settings;

    fn consent() -> Option<Consent> {
        Some(Consent {
            authorization_url: address("/consent"),
            token_url: address("/token"),
            scopes: vec!["people.write".to_owned(), "people.read".to_owned()],
            parameters: [("prompt".to_owned(), "consent".to_owned())].into(),
            pkce: true,
            client_id: "client_id".to_owned(),
            client_secret: "client_secret".to_owned(),
            refresh_token: "refresh_token".to_owned(),
        })
    }

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        let mut shop = Self::new(&settings, &operator)?;
        let asked = request("GET", &endpoint(&address("/me"), Plain::ToLoopback)?, &[], "")?;
        shop.oauth.send(&shop.http, asked).await?.taken(Refusal::Config).map(drop)
    }

    async fn open(settings: Settings, operator: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Self::new(&settings, &operator)
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows = Rows::read(&rows)?;
        let identities: Vec<String> = rows.iter().map(|row| IdentityFormat::Hex.write(row.identity)).collect();
        let url = endpoint(&address("/people"), Plain::ToLoopback)?;
        let posted = json_request("POST", &url, &[], &json!({ "key": key, "identities": identities }))?;
        self.oauth.send(&self.http, posted).await?.taken(Refusal::Payload)?;
        Ok(Written { accepted: identities.len() as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

entente_destination::export_destination!(Shop);
