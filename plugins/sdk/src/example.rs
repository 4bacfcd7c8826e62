use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use entente_destination::arrow_array::RecordBatch;
use entente_destination::http::{self, Http, Options, Plain, Refusal, Uri, endpoint};
use entente_destination::rows::{Change, Rows};
use entente_destination::schemars::{self, JsonSchema};
use entente_destination::testkit::{FakeServer, Failure, Reply, TakenRow, World, prove};
use entente_destination::{
    Delivery, Destination, DestinationError, IdentityFormat, Operator, Secret, Written, export_destination,
};
use serde::Deserialize;

/// What an account sets up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The address of the service, such as `https://members.tvtube.example/`.
    url: String,
    /// The token that the service gave you.
    token: Secret<String>,
}

/// One delivery to the service.
struct Members {
    http: Http,
    url: Uri,
    token: Secret<String>,
}

impl Members {
    fn new(settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        // A real one would say `Plain::Never`; the server of the tests has no certificate.
        let url = endpoint(&settings.url, Plain::ToLoopback)?;
        Ok(Self { http: Http::new(operator, Options::default())?, url, token: settings.token })
    }

    async fn send(&self, method: &str, id: &str, body: String, refusal: Refusal) -> Result<(), DestinationError> {
        let token = format!("Bearer {}", self.token.reveal());
        let request = http::request(method, &self.url, &[("authorization", &token), ("batch-id", id)], body)?;
        self.http.send(request).await?.taken(refusal).map(drop)
    }
}

impl Destination for Members {
    const ID: &'static str = "members";
    const NAME: &'static str = "Members";
    const SUMMARY: &'static str = "Posts identities to the members' service.";
    const VERSION: &'static str = "0.1.0";
    const HOSTS: &'static [&'static str] = &["*"];
    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        Self::new(settings, &operator)?.send("GET", "none", String::new(), Refusal::Config).await
    }

    async fn open(settings: Settings, operator: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Self::new(settings, &operator)
    }

    async fn write(&mut self, _: u64, key: &str, batch: RecordBatch) -> Result<Written, DestinationError> {
        let mut lines = String::new();
        for row in Rows::read(&batch)?.iter() {
            let identity = IdentityFormat::Hex.write(row.identity);
            lines.push_str(&format!("{} {} {identity}\n", row.change.as_str(), row.match_key));
        }
        self.send("POST", key, lines, Refusal::Payload).await?;
        Ok(Written { accepted: batch.num_rows() as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

export_destination!(Members);

/// The service of the tests: it keeps what it is sent, one batch for each id.
struct Service {
    server: FakeServer,
    batches: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Service {
    fn new() -> Self {
        let (server, batches) = (FakeServer::start().unwrap(), Arc::new(Mutex::new(BTreeMap::new())));
        let kept = batches.clone();
        server.otherwise(move |request| {
            let (id, body) = (request.header("batch-id").unwrap(), request.body.to_vec());
            kept.lock().unwrap().insert(id.to_owned(), String::from_utf8(body).unwrap());
            Reply::status(202)
        });
        Self { server, batches }
    }
}

impl World for Service {
    fn settings(&self) -> serde_json::Value {
        serde_json::json!({"url": self.server.url("/"), "token": "t0ken"})
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        let parse = |line: &str| {
            let [change, match_key, identity] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            TakenRow {
                match_key: match_key.to_owned(),
                identity: hex::decode(identity).unwrap().try_into().unwrap(),
                change: if change == "added" { Change::Added } else { Change::Removed },
            }
        };
        Ok(self.batches.lock().unwrap().values().flat_map(|batch| batch.lines()).map(parse).collect())
    }
}

fn main() -> Result<(), Failure> {
    prove::<Members, _>(Service::new)
}
