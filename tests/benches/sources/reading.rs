//! A data connection of an account of its own, read again and again.

use crate::{
    files::{Files, Shape},
    harness::{Client, Gateway},
    median, processor_time,
};
use chrono::{DateTime, Utc};
use entente_test_servers::xml_store::XmlStore;
use serde_json::{Value, json};
use std::time::Duration;

/// What one refresh took.
pub struct Reading {
    /// From the making of its job to its end.
    pub seconds: f64,
    /// Processor time of the gateway, in seconds.
    pub processor: f64,
    /// The most that the gateway had in memory.
    pub mebibytes: u64,
}

pub struct Source<'a> {
    pub shape: Shape,
    pub is_local: bool,
    pub readings: Vec<Reading>,
    files: &'a Files,
    store: Option<&'a XmlStore>,
    client: Client,
    account: String,
    data_connection: String,
}

impl<'a> Source<'a> {
    pub async fn local(gateway: &Gateway, files: &'a Files, shape: Shape) -> Self {
        let source = json!({ "type": "local_folder", "settings": { "folder": files.path(shape) } });
        Self::create(gateway, files, None, shape, source).await
    }

    pub async fn s3(gateway: &Gateway, files: &'a Files, store: &'a XmlStore, shape: Shape) -> Self {
        let mut settings = store.settings();
        settings["prefix"] = json!(shape.name());
        let source = json!({ "type": "s3", "settings": settings });
        Self::create(gateway, files, Some(store), shape, source).await
    }

    /// Creates an account and its data connection, which is read for the first time.
    async fn create(
        gateway: &Gateway,
        files: &'a Files,
        store: Option<&'a XmlStore>,
        shape: Shape,
        source: Value,
    ) -> Self {
        let place = if store.is_some() { "S3" } else { "local" };
        let client = gateway.user(&format!("Luma {place} {}", shape.name())).await;
        let account = account(&client).await;
        let document = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
            dataConnection { id } job { id } userErrors { code field message } } }";
        let field = |column: &str, kind: &str| json!({ "column": column, "matchKey": { "kind": kind }, "transformation": "NORMALISE_AND_HASH" });
        let fields = [field("email", "HASHED_EMAIL"), field("crm_id", "CRM_ID")];
        let input = json!({
            "accountId": account, "name": "Customers", "source": source, "access": { "public": true },
            "mapping": { "fields": fields, "audience": { "column": "audience" } }, "consentAcknowledged": true,
        });
        let created = client.mutate(document, input).await;
        let id = |of: &str| created[of]["id"].as_str().unwrap().to_owned();
        let (is_local, data_connection) = (store.is_none(), id("dataConnection"));
        let source = Self { shape, is_local, readings: Vec::new(), files, store, client, account, data_connection };
        source.ended(&id("job")).await;
        let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { lastRefresh { rows acceptedRows } } } }";
        let read = source.client.query(query, json!({ "id": source.data_connection })).await;
        assert_eq!(read["node"]["lastRefresh"], json!({ "rows": files.rows, "acceptedRows": files.rows }));
        source
    }

    /// Reads all once more, as files that were written anew.
    pub async fn read(&mut self, gateway: &Gateway) {
        match self.store {
            None => self.files.touch(self.shape),
            Some(store) => store.touch(self.shape.name()),
        }
        let process = gateway.id().unwrap();
        // Linux forgets the peak when told so.
        std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        let before = processor_time::of(process);
        let document = "mutation($input: RefreshDataConnectionInput!) { refreshDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "dataConnectionId": self.data_connection });
        let job = self.client.mutate(document, input).await["job"]["id"].as_str().unwrap().to_owned();
        let seconds = self.ended(&job).await;
        let processor = (processor_time::of(process) - before).as_secs_f64();
        let reading = Reading { seconds, processor, mebibytes: peak(process) };
        println!("{}: {seconds:.2} s, processor {processor:.2} s, {} MiB", self.name(), reading.mebibytes);
        self.readings.push(reading);
    }

    pub fn name(&self) -> String {
        format!("{} {}", if self.is_local { "local" } else { "S3" }, self.shape.name())
    }

    /// The median time of a refresh, in seconds.
    pub fn seconds(&self) -> f64 {
        median(self.readings.iter().map(|reading| reading.seconds))
    }

    pub fn print(&self) {
        let processor = median(self.readings.iter().map(|reading| reading.processor));
        let most = self.readings.iter().map(|reading| reading.mebibytes).max().unwrap();
        println!("{}: {:.2} s, processor {processor:.2} s, {most} MiB at most", self.name(), self.seconds());
    }

    /// Waits for a job; how long it took from when it was made, in seconds.
    async fn ended(&self, job: &str) -> f64 {
        let query = "query($id: ID!) { node(id: $id) { ... on Job { state error createdAt finishedAt } } }";
        loop {
            let job = self.client.query(query, json!({ "id": job })).await["node"].clone();
            let time = |field: &str| job[field].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
            match job["state"].as_str().unwrap() {
                "DONE" => return (time("finishedAt") - time("createdAt")).as_seconds_f64(),
                "FAILED" | "CANCELLED" => panic!("{}: {job}", self.name()),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// A new account, which is its client's only one.
async fn account(client: &Client) -> String {
    let document = "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
        account { id } userErrors { code field message } } }";
    let input = json!({
        "name": "Luma", "role": "ADVERTISER", "region": "US", "contactEmail": "team@luma.example",
        "privacyLevel": "STANDARD", "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "CRM_ID" }],
    });
    client.mutate(document, input).await["account"]["id"].as_str().unwrap().to_owned()
}

/// The most that a process had in memory, in MiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
}
