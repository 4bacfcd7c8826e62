//! A company that sources audiences, with a gateway of its own.

use crate::{
    alone,
    gateway::Gateway,
    graphql::{id, operation_data},
    http::{request_id::RequestId, uploads::unseal},
    settings::Settings,
    sources::opening,
    work::{LEASE, POOLS, Task, one},
};
use async_graphql::{ID, Request, Variables};
use entente_domain::{
    AccountId, UploadId, UserId,
    access::{Actor, MemberRole, Viewer},
};
use entente_identity::encrypted::EncryptedWriter;
use entente_store::{Change, User};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A signed-in user of one account.
pub struct Company {
    pub gateway: Arc<Gateway>,
    pub account: AccountId,
    viewer: Viewer,
    _data: Arc<TempDir>,
}

async fn gateway(data: &TempDir) -> Arc<Gateway> {
    let mut settings: Settings = toml::from_str(crate::settings::DEFAULTS).unwrap();
    settings.data = data.path().to_owned();
    alone::gateway(settings).await.unwrap()
}

impl Company {
    /// Luma, on a new gateway.
    pub async fn luma() -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let gateway = gateway(&data).await;
        Self::named("Luma", gateway, data).await
    }

    /// Another company on the same gateway.
    pub async fn beside(&self, name: &str) -> Self {
        Self::named(name, self.gateway.clone(), self._data.clone()).await
    }

    async fn named(name: &str, gateway: Arc<Gateway>, data: Arc<TempDir>) -> Self {
        let now = crate::clock::now();
        let user = User { id: UserId::new(), email: format!("{name}@x.example"), name: name.into(), created_at: now };
        let change = Change {
            actor: Actor::Operator,
            account: None,
            agency: None,
            request_id: "test".into(),
            action: "createUser",
            subject: None,
            idempotency_key: None,
            now,
        };
        let hash = crate::secrets::token_hash(name);
        gateway.store().create_user(change, user.clone(), hash).await.unwrap().unwrap();
        let viewer = Viewer { actor: Actor::User(user.id), memberships: vec![], agencies: vec![], limits: None };
        let mut company = Self { gateway, account: AccountId::new(), viewer, _data: data };
        let created = company
            .press(
                "createAccount",
                "CreateAccountInput",
                "account { id }",
                json!({
                    "name": name, "role": "ADVERTISER", "region": "US", "contactEmail": "team@x.example",
                    "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
                }),
            )
            .await;
        company.account = id::local(&ID(text(&created["account"]["id"])), "id").unwrap();
        company.viewer.memberships.push((company.account, MemberRole::Admin));
        company
    }

    /// The global id of the account.
    pub fn id(&self) -> String {
        id::global(self.account).0
    }

    /// The data of a query without errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let (data, errors) = self.try_ask(query, variables).await;
        assert!(errors.is_empty(), "{errors:?}");
        data
    }

    /// The data of a query, and the codes of its errors.
    pub async fn try_ask(&self, query: &str, variables: Value) -> (Value, Vec<String>) {
        let request = Request::new(query).variables(Variables::from_json(variables));
        let request = operation_data(request, &self.gateway, Some(self.viewer.clone()), &RequestId::generate());
        let response = self.gateway.schema().execute(request).await;
        let code = |e: &async_graphql::ServerError| {
            let code = e.extensions.as_ref().and_then(|x| x.get("code")).map(ToString::to_string);
            code.unwrap_or_else(|| e.message.clone()).replace('"', "")
        };
        let codes = response.errors.iter().map(code).collect();
        (response.data.into_json().unwrap(), codes)
    }

    /// The payload of a mutation, for this account where the input names one.
    pub async fn press(&self, mutation: &str, input_type: &str, fields: &str, mut input: Value) -> Value {
        if input_type != "CreateAccountInput" {
            input["accountId"] = self.id().into();
        }
        let query = format!(
            "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {fields} userErrors {{ code field message }} }} }}"
        );
        self.ask(&query, json!({ "input": input })).await[mutation].clone()
    }

    /// An upload that holds this file; its global id.
    pub async fn upload(&self, file: &str) -> String {
        let payload =
            self.press("createUpload", "CreateUploadInput", "upload { id }", json!({ "fileName": "c.csv" })).await;
        let global = text(&payload["upload"]["id"]);
        let id: UploadId = id::local(&ID(global.clone()), "id").unwrap();
        let row = self.gateway.store().upload(id).await.unwrap().unwrap();
        let key = unseal(&self.gateway, id, &row.sealed_key).unwrap();
        let mut writer = EncryptedWriter::open(&opening::path(&self.gateway.settings.data, id), &key).unwrap();
        writer.write(file.as_bytes()).unwrap();
        let bytes = writer.finish().unwrap();
        assert!(self.gateway.store().upload_received(id, bytes, true).await.unwrap());
        global
    }

    /// Creates a data connection from a file of e-mail addresses; the payload.
    pub async fn create(&self, upload: &str) -> Value {
        let input = json!({
            "name": "Customers",
            "uploadId": upload,
            "mapping": {
                "fields": [{
                    "column": "email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH",
                }],
                "audience": { "column": "segment" },
            },
            "categories": ["sport"],
            "access": { "public": true },
            "consentAcknowledged": true,
        });
        let fields = "dataConnection { id status } job { id kind state }";
        self.press("createDataConnection", "CreateDataConnectionInput", fields, input).await
    }

    /// Sources a data connection again.
    pub async fn refresh(&self, data_connection: &str, upload: &str) -> Value {
        let input = json!({ "dataConnectionId": data_connection, "uploadId": upload });
        let fields = "dataConnection { id } job { id }";
        self.press("refreshDataConnection", "RefreshDataConnectionInput", fields, input).await
    }

    /// Leases the next job.
    pub async fn next_job(&self, stop: CancellationToken) -> Option<Task> {
        let owner: Arc<str> = "worker".into();
        for pool in POOLS {
            let pool = pool.with_free(pool.places);
            if let Some(job) = self.gateway.store().lease_next(&owner, crate::clock::now(), LEASE, pool).await.unwrap()
            {
                return Some(Task { gateway: self.gateway.clone(), job, owner, stop });
            }
        }
        None
    }

    /// Does all jobs that wait.
    pub async fn work(&self) {
        while let Some(task) = self.next_job(CancellationToken::new()).await {
            one(task.gateway, task.job, task.owner).await;
        }
    }

    /// Name, status and identity count of its audiences, by name.
    pub async fn audiences(&self) -> Vec<(String, String, u64)> {
        let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name status identityCount } } } }";
        let data = self.ask(query, json!({ "a": self.id() })).await;
        let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap().clone();
        let audience = |n: &Value| (text(&n["name"]), text(&n["status"]), n["identityCount"].as_u64().unwrap());
        let mut audiences: Vec<_> = nodes.iter().map(audience).collect();
        audiences.sort();
        audiences
    }

    /// How many entries a folder of the account has; uploads are the gateway's.
    pub fn files(&self, folder: &str) -> usize {
        let path: PathBuf = match folder {
            "uploads" => self.gateway.settings.data.join("uploads"),
            "crosswalks" => self.gateway.identities().crosswalks(self.account),
            "runs" => self.gateway.identities().runs(self.account),
            _ => self.gateway.identities().generations(self.account),
        };
        std::fs::read_dir(path).map_or(0, Iterator::count)
    }
}

/// A JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The codes of a payload's user errors.
pub fn codes(payload: &Value) -> Vec<String> {
    payload["userErrors"].as_array().unwrap().iter().map(|e| text(&e["code"])).collect()
}
