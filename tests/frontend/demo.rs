//! A gateway as the README starts it, with the demo's companies.

use crate::{client::Client, command::Installed};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};
use tempfile::TempDir;

/// `entente serve --demo`, and what it printed.
pub struct Demo {
    process: Child,
    lines: Vec<String>,
    _installed: Installed,
    _data: TempDir,
}

/// An account with a key of a user of it.
pub struct Company {
    pub client: Client,
    pub account: String,
    pub collaborator: String,
}

impl Demo {
    /// Starts it, and waits until the companies' customers are loaded.
    pub fn start() -> Self {
        let (installed, data) = (Installed::new(), tempfile::tempdir().unwrap());
        let mut process = installed
            .entente()
            .args(["serve", "--demo"])
            .env("ENTENTE_LISTEN", "127.0.0.1:0")
            .env("ENTENTE_DATA", data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = vec![];
        for line in BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap) {
            let is_last = line.contains("fit-apparel-conversions.csv");
            lines.push(line);
            if is_last {
                break;
            }
        }
        Self { process, lines, _installed: installed, _data: data }
    }

    fn line(&self, with: &str) -> &str {
        self.lines.iter().find(|l| l.contains(with)).unwrap_or_else(|| panic!("{with} is not in {:?}", self.lines))
    }

    pub fn url(&self) -> &str {
        self.line("GraphQL API").split_whitespace().last().unwrap().trim_end_matches("/graphql")
    }

    /// One of the demo's companies.
    pub async fn company(&self, name: &str) -> Company {
        let key = self.line(&format!("  {name}  ")).split("Bearer ").nth(1).unwrap().split('"').next().unwrap();
        let client = Client::new(self.url(), key);
        let data = client.query("{ viewer { accounts { nodes { id collaboratorId } } } }", json!({})).await;
        Company::of(client, &data["viewer"]["accounts"]["nodes"][0])
    }

    /// A publisher that was not there before.
    pub async fn new_publisher(&self, name: &str) -> Company {
        let operator = Client::new(self.url(), self.line("Operator key").split_whitespace().last().unwrap());
        let document = "mutation($input: CreateUserInput!) { createUser(input: $input) {
            token userErrors { code message } } }";
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let user = operator.mutate(document, json!({ "email": email, "name": name })).await;
        let client = Client::new(self.url(), user["token"].as_str().unwrap());
        let document = "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
            account { id collaboratorId } userErrors { code message } } }";
        let input = json!({
            "name": name, "role": "PUBLISHER", "region": "US", "contactEmail": "team@example.com",
            "matchKeys": [{ "kind": "HASHED_EMAIL" }],
        });
        let made = client.mutate(document, input).await;
        Company::of(client, &made["account"])
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Company {
    fn of(client: Client, account: &Value) -> Self {
        let text = |field: &str| account[field].as_str().unwrap().to_owned();
        Self { client, account: text("id"), collaborator: text("collaboratorId") }
    }

    /// Runs one mutation for this account; its payload.
    async fn press(&self, name: &str, input_type: &str, selected: &str, mut input: Value) -> Value {
        input["accountId"] = json!(self.account);
        let document = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selected} userErrors {{ code message }} }} }}"
        );
        self.client.mutate(&document, input).await
    }

    /// Invites another account; the connection's id.
    pub async fn invite(&self, other: &Self) -> String {
        let input = json!({ "invitee": { "collaboratorId": other.collaborator } });
        let made = self.press("invite", "InviteInput", "connection { id }", input).await;
        made["connection"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn accept_invite(&self, connection: &str) {
        self.press("acceptInvite", "ConnectionInput", "", json!({ "connectionId": connection })).await;
    }

    /// From the invite to an active connection with a project.
    pub async fn connect(&self, other: &Self, project: &str) {
        let connection = self.invite(other).await;
        other.accept_invite(&connection).await;
        let use_cases = json!(["DISCOVER", "ACTIVATE", "MEASURE"]);
        let settings = json!({
            "useCases": use_cases, "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
            "activators": "RECIPIENT", "activationPayer": "EACH_OWN", "measurementPayer": "OWNER",
        });
        let proposed = json!({ "connectionId": connection, "settings": settings });
        self.press("proposeSettings", "ProposeSettingsInput", "", proposed).await;
        let accepted = json!({ "connectionId": connection, "settingsVersion": 1 });
        other.press("acceptSettings", "AcceptSettingsInput", "", accepted).await;
        let created = json!({ "connectionId": connection, "name": project, "useCases": use_cases });
        self.press("createProject", "CreateProjectInput", "", created).await;
    }
}
