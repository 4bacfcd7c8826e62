//! The demo's keys: made at the first start, kept in a file that only its owner may read.

use super::companies::{COMPANIES, Company};
use crate::{gateway::Gateway, secrets};
use entente_domain::{Refusal, UserId, access::Actor};
use entente_store::{Change, User};
use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A key for each company, in their order.
pub async fn of_companies(gateway: &Gateway) -> Result<Vec<String>> {
    let path = gateway.settings.data.join("demo.keys");
    let mut keys: Vec<String> = std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
    if keys.len() < COMPANIES.len() {
        keys.resize_with(COMPANIES.len(), || secrets::new_token("eu"));
        write(&path, &keys)?;
    }
    for (company, key) in COMPANIES.iter().zip(&keys) {
        if gateway.viewer(secrets::token_hash(key)).await?.is_none() {
            create_user(gateway, company, key).await??;
        }
    }
    Ok(keys)
}

/// Users are made by the operator, who started the demo.
async fn create_user(
    gateway: &Gateway,
    company: &Company,
    key: &str,
) -> std::result::Result<std::result::Result<(), Refusal>, entente_store::StoreError> {
    let now = crate::clock::now();
    let change = Change {
        actor: Actor::Operator,
        account: None,
        agency: None,
        request_id: "demo".to_owned(),
        action: "createUser",
        subject: None,
        idempotency_key: None,
        now,
    };
    let name = company.name.name().to_owned();
    let user = User { id: UserId::new(), email: company.email(), name, created_at: now };
    Ok(gateway.store().create_user(change, user, secrets::token_hash(key)).await?.map(|_| ()))
}

fn write(path: &Path, keys: &[String]) -> std::io::Result<()> {
    let aside = path.with_extension("part");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(keys.join("\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}
