//! The people of the stories, and what they do.

use crate::{
    harness::{Client, Gateway},
    people::{self, Form},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const INVITE: &str = "mutation($input: InviteInput!) { invite(input: $input) {
    connection { id } userErrors { code field message } } }";

pub const ACTIVATE: &str = "mutation($input: ActivateAudienceInput!) { activateAudience(input: $input) {
    activation { id } userErrors { code field message } } }";

pub const CREATE_API_KEY: &str = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    token apiKey { id purpose scopes lastUsedAt } userErrors { code field message } } }";

/// An account with a user who is its ADMIN.
#[derive(Clone)]
pub struct Party {
    pub client: Client,
    pub account: String,
    pub collaborator: String,
}

/// Settings in which one side, or both, may activate.
pub fn settings(activators: &str) -> Value {
    json!({
        "useCases": ["DISCOVER", "ACTIVATE", "MEASURE"],
        "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
        "activators": activators,
        "activationPayer": "EACH_OWN",
        "measurementPayer": "OWNER",
    })
}

/// The same with exact counts.
pub fn exact_settings(activators: &str) -> Value {
    let mut exact = settings(activators);
    exact["counts"] = json!("EXACT");
    exact
}

impl Party {
    /// A user who creates an account.
    pub async fn create(gateway: &Gateway, name: &str, role: &str) -> Self {
        Self::create_with_level(gateway, name, role, "STANDARD").await
    }

    /// A user who creates an account whose people are protected at this level.
    pub async fn create_with_level(gateway: &Gateway, name: &str, role: &str, level: &str) -> Self {
        let client = gateway.user(name).await;
        let payload = client
            .mutate(
                "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
                    account { id collaboratorId } userErrors { code field message } } }",
                json!({
                    "name": name, "role": role, "region": "US", "contactEmail": "team@example.com",
                    "privacyLevel": level,
                    "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
                }),
            )
            .await;
        let text = |field: &str| payload["account"][field].as_str().unwrap().to_owned();
        Self { client, account: text("id"), collaborator: text("collaboratorId") }
    }

    /// The same account after its gateway was started again, at another address.
    pub fn at(&self, gateway: &Gateway) -> Self {
        Self { client: self.client.at(&gateway.url), ..self.clone() }
    }

    pub async fn connect_code(&self) -> String {
        let data =
            self.client.query("query($a: ID!) { account(id: $a) { connectCode } }", json!({ "a": self.account }));
        data.await["account"]["connectCode"].as_str().unwrap().to_owned()
    }

    /// An API key, with what it is created with beside its name; its id, and its client.
    pub async fn api_key(&self, with: Value) -> (String, Client) {
        let mut input = json!({ "accountId": self.account, "name": "CI" });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let made = self.client.mutate(CREATE_API_KEY, input).await;
        let token = made["token"].as_str().unwrap();
        (made["apiKey"]["id"].as_str().unwrap().to_owned(), Client::new(self.client.base(), token))
    }

    /// Invites an account found in the directory.
    pub async fn invite(&self, other: &Self) -> String {
        let input = json!({ "accountId": self.account, "invitee": { "collaboratorId": other.collaborator } });
        let payload = self.client.mutate(INVITE, input).await;
        payload["connection"]["id"].as_str().unwrap().to_owned()
    }

    /// Invites an account whose connect code was given outside the product.
    pub async fn invite_by_code(&self, code: &str) -> String {
        let input = json!({ "accountId": self.account, "invitee": { "connectCode": code } });
        let payload = self.client.mutate(INVITE, input).await;
        payload["connection"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn accept_invite(&self, connection: &str) {
        let document =
            "mutation($input: ConnectionInput!) { acceptInvite(input: $input) { userErrors { code message } } }";
        self.client.mutate(document, json!({ "accountId": self.account, "connectionId": connection })).await;
    }

    /// Proposes settings; their version.
    pub async fn propose(&self, connection: &str, settings: Value) -> i64 {
        let document = "mutation($input: ProposeSettingsInput!) { proposeSettings(input: $input) {
            connection { proposedSettings { version } } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "connectionId": connection, "settings": settings });
        let payload = self.client.mutate(document, input).await;
        payload["connection"]["proposedSettings"]["version"].as_i64().unwrap()
    }

    pub async fn accept_settings(&self, connection: &str, version: i64) {
        let document = "mutation($input: AcceptSettingsInput!) { acceptSettings(input: $input) {
            connection { state } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "connectionId": connection, "settingsVersion": version });
        let payload = self.client.mutate(document, input).await;
        assert_eq!(payload["connection"]["state"], "ACTIVE");
    }

    /// From the invite to an active connection.
    pub async fn connect(&self, other: &Self, activators: &str) -> String {
        self.agree(other, settings(activators)).await
    }

    /// An active connection with these settings.
    pub async fn agree(&self, other: &Self, settings: Value) -> String {
        let connection = self.invite(other).await;
        other.accept_invite(&connection).await;
        let version = self.propose(&connection, settings).await;
        other.accept_settings(&connection, version).await;
        connection
    }

    /// Creates a project with all use cases.
    pub async fn create_project(&self, connection: &str, name: &str) -> String {
        let document = "mutation($input: CreateProjectInput!) { createProject(input: $input) {
            project { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "connectionId": connection, "name": name,
            "useCases": ["DISCOVER", "ACTIVATE", "MEASURE"],
        });
        let payload = self.client.mutate(document, input).await;
        payload["project"]["id"].as_str().unwrap().to_owned()
    }
}

/// How rows of a file are read.
pub fn mapping(form: Form) -> Value {
    let field = |column: &str, key: &str, transformation: &str| json!({ "column": column, "matchKey": { "kind": key }, "transformation": transformation });
    let fields = match form {
        Form::Plain => {
            [field("email", "HASHED_EMAIL", "NORMALISE_AND_HASH"), field("phone", "HASHED_PHONE", "NORMALISE_AND_HASH")]
        }
        Form::Hashed => [
            field("hashed_email", "HASHED_EMAIL", "ALREADY_HASHED"),
            field("hashed_phone", "HASHED_PHONE", "ALREADY_HASHED"),
        ],
    };
    json!({ "fields": fields, "audience": { "column": "audience" } })
}

impl Party {
    /// Uploads a file; the upload's id.
    pub async fn upload(&self, bytes: impl Into<Vec<u8>>) -> String {
        let document = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
            upload { id url } userErrors { code field message } } }";
        let payload = self.client.mutate(document, json!({ "accountId": self.account, "fileName": "file.csv" })).await;
        let url = payload["upload"]["url"].as_str().unwrap();
        let received = self.client.upload(url, bytes.into()).await;
        assert_eq!(received.status(), 201, "{}", received.text().await.unwrap());
        payload["upload"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a data connection from an upload; its id and its job's.
    pub async fn create_data_connection(&self, upload: &str, form: Form) -> (String, String) {
        self.create_data_connection_for(upload, form, json!({ "public": true })).await
    }

    async fn create_data_connection_for(&self, upload: &str, form: Form, access: Value) -> (String, String) {
        let document = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
            dataConnection { id } job { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "name": "Customers", "uploadId": upload, "mapping": mapping(form),
            "access": access, "consentAcknowledged": true,
        });
        let payload = self.client.mutate(document, input).await;
        let id = |of: &str| payload[of]["id"].as_str().unwrap().to_owned();
        (id("dataConnection"), id("job"))
    }

    /// Waits for a job; the job.
    pub async fn job(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Job { state error progress {
            rows bytes totalBytes } } } }";
        let ended = |data: &Value| ["DONE", "FAILED", "CANCELLED"].contains(&data["node"]["state"].as_str().unwrap());
        self.client.until(query, json!({ "id": id }), ended).await["node"].clone()
    }

    /// Sources customers; the data connection's id.
    pub async fn source(&self, csv: String, form: Form) -> String {
        self.source_for(csv, form, json!({ "public": true })).await
    }

    /// Sources customers in audiences that some may see; the data connection's id.
    pub async fn source_for(&self, csv: String, form: Form, access: Value) -> String {
        let upload = self.upload(csv).await;
        let (data_connection, job) = self.create_data_connection_for(&upload, form, access).await;
        let job = self.job(&job).await;
        assert_eq!(job["state"], "DONE", "{job}");
        data_connection
    }

    /// Replaces the customers of a data connection; the job's id.
    pub async fn refresh(&self, data_connection: &str, csv: String) -> String {
        let upload = self.upload(csv).await;
        self.begin_refresh(data_connection, &upload).await
    }

    /// Replaces the customers of a data connection by an upload; the job's id.
    pub async fn begin_refresh(&self, data_connection: &str, upload: &str) -> String {
        let document = "mutation($input: RefreshDataConnectionInput!) { refreshDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "dataConnectionId": data_connection, "uploadId": upload });
        self.client.mutate(document, input).await["job"]["id"].as_str().unwrap().to_owned()
    }

    /// Ids of the account's audiences by name.
    pub async fn audiences(&self) -> BTreeMap<String, String> {
        let query = "query($a: ID!) { account(id: $a) { audiences(first: 100) { nodes { id name } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        by_name(&data["account"]["audiences"]["nodes"])
    }

    /// Ids of the audiences that another account made public, as the directory shows them.
    pub async fn public_audiences_of(&self, other: &Self) -> BTreeMap<String, String> {
        let query = "query($a: ID!) { directory(accountId: $a, first: 100) {
            nodes { id publicAudiences { nodes { id name } } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        let listed = data["directory"]["nodes"].as_array().unwrap();
        let found = listed.iter().find(|c| c["id"] == json!(other.collaborator)).expect("it is in the directory");
        by_name(&found["publicAudiences"]["nodes"])
    }

    /// Sets up a landing zone; the destination's id.
    pub async fn create_destination(&self) -> String {
        let payload = self.try_destination("landing-zone", json!({ "folder": "deliveries" })).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["destination"]["id"].as_str().unwrap().to_owned()
    }

    /// Sets up a destination of a type for e-mail and phone; the payload.
    pub async fn try_destination(&self, destination_type: &str, settings: Value) -> Value {
        let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            destination { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "name": "Where it goes", "destinationType": destination_type, "settings": settings,
            "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
        });
        self.client.press(document, input).await
    }

    /// Asks what a project's two sides have in common.
    pub async fn compare(&self, project: &str, mine: Value, theirs: Value) -> Value {
        let query = "query($a: ID!, $p: ID!, $mine: SelectionInput!, $theirs: SelectionInput!) {
            project(accountId: $a, id: $p) { discover(accountId: $a) { compare(mine: $mine, theirs: $theirs) {
                __typename
                ... on Overlap { mine theirs identities standardError percentage counts
                    keys { matchKey { kind } mine identities standardError share } }
                ... on BelowThreshold { threshold }
                ... on Unavailable { reason } } } } }";
        let variables = json!({ "a": self.account, "p": project, "mine": mine, "theirs": theirs });
        self.client.query(query, variables).await["project"]["discover"]["compare"].clone()
    }

    /// Sends an audience by e-mail and phone, once; the payload.
    pub async fn send(&self, project: &str, audience: &str, within: &[&str]) -> Value {
        let document = "mutation($input: SendAudienceInput!) { sendAudience(input: $input) {
            sentAudience { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "projectId": project, "audienceId": audience, "withinAudienceIds": within,
            "matchKeys": [{ "kind": "HASHED_EMAIL" }], "schedule": { "once": true },
        });
        self.client.press(document, input).await
    }

    /// The audiences that others sent to this account.
    pub async fn received(&self) -> Vec<Value> {
        let query = "query($a: ID!) { account(id: $a) { receivedAudiences(first: 50) {
            nodes { id audienceName hasAccess sender { name } } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        data["account"]["receivedAudiences"]["nodes"].as_array().unwrap().clone()
    }

    /// Activates a received audience today and waits for its delivery; the activation.
    pub async fn activate(&self, sent: &str, destination: &str) -> Value {
        let input = json!({
            "accountId": self.account, "sentAudienceId": sent, "destinationId": destination, "on": today(),
        });
        let payload = self.client.mutate(ACTIVATE, input).await;
        let id = payload["activation"]["id"].as_str().unwrap();
        let query = "query($id: ID!) { node(id: $id) { ... on Activation {
            id status failure delivered rejected deliveries { nodes { id status added removed rejected } } } } }";
        let ended = |data: &Value| !["SCHEDULED", "DELIVERING"].contains(&data["node"]["status"].as_str().unwrap());
        self.client.until(query, json!({ "id": id }), ended).await["node"].clone()
    }
}

fn by_name(nodes: &Value) -> BTreeMap<String, String> {
    let text = |node: &Value, field: &str| node[field].as_str().unwrap().to_owned();
    nodes.as_array().unwrap().iter().map(|n| (text(n, "name"), text(n, "id"))).collect()
}

/// Today, as the gateway counts days.
pub fn today() -> String {
    chrono::Utc::now().date_naive().to_string()
}

/// The id inside a global one.
pub fn uuid_of(id: &str) -> String {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    uuid::Uuid::try_parse(text.split_once(':').unwrap().1).unwrap().to_string()
}

/// Luma and TV Tube, each with its customers; eight thousand people are known to both.
pub async fn two_sides(gateway: &Gateway) -> (Party, Party) {
    let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
    luma.source(people::customers(0..12_000, Form::Hashed, people::luma), Form::Hashed).await;
    tv_tube.source(people::customers(4_000..16_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
    (luma, tv_tube)
}

/// Sends Luma's runners to TV Tube, which delivers them to a destination of its own: the activation, and how often each
/// identity must have arrived.
pub async fn deliver_runners(luma: &Party, tv_tube: &Party, destination: &str) -> (Value, BTreeMap<String, u32>) {
    let connection = luma.connect(tv_tube, "RECIPIENT").await;
    let project = luma.create_project(&connection, "Spring").await;
    let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
    assert_eq!(sent["userErrors"], json!([]));
    let received = tv_tube.received().await[0]["id"].as_str().unwrap().to_owned();
    let activation = tv_tube.activate(&received, destination).await;
    assert_eq!(activation["status"], "DELIVERED", "{activation}");
    let both_hold = |person: &u32| people::luma(*person).contains(&"Running") && !people::tv_tube(*person).is_empty();
    let expected = (4_000..12_000).filter(both_hold).map(|person| (people::digest(&people::email(person)), 1));
    (activation, expected.collect())
}
